import json
import resource

import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.inference.manifest import Manifest

SETTINGS = {"to": [["Young"]], "strength": 1.0}


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"photo")
    return file


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def finish(manifest, source, name="a.jpg"):
    with manifest.writing():
        manifest.started([name])
        (manifest.folder / name).write_bytes(b"result")
        manifest.done(name, source, [name], {"seen": ["Male"]})


def test_what_is_done_is_known_later(folder, source):
    manifest = Manifest(folder, SETTINGS)
    assert not manifest.is_done("a.jpg", source)
    finish(manifest, source)
    again = Manifest(folder, SETTINGS)
    assert again.is_done("a.jpg", source) and again.facts("a.jpg") == {"seen": ["Male"]}
    assert not again.is_done("b.jpg", source)


@pytest.mark.parametrize("change", ["settings", "picture", "result"])
def test_another_setting_picture_or_a_lost_result_is_not_done(folder, source, change):
    finish(Manifest(folder, SETTINGS), source)
    if change == "picture":
        source.write_bytes(b"another photo")
    if change == "result":
        (folder / "a.jpg").unlink()
    manifest = Manifest(folder, {**SETTINGS, "strength": 0.5} if change == "settings" else SETTINGS)
    assert not manifest.is_done("a.jpg", source)
    assert manifest.was_done_otherwise("a.jpg") == (change == "settings")


def test_a_line_cut_off_by_a_kill_is_passed_over_and_ended(folder, source):
    finish(Manifest(folder, SETTINGS), source)
    with open(folder / "manifest.jsonl", "a") as file:
        file.write('{"done": "b.j')
    manifest = Manifest(folder, SETTINGS)
    assert manifest.is_done("a.jpg", source)
    finish(manifest, source, "c.jpg")
    again = Manifest(folder, SETTINGS)
    assert again.is_done("a.jpg", source) and again.is_done("c.jpg", source)


def test_files_of_others_are_not_written_over(folder, source):
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"somebody's photo")
    manifest = Manifest(folder, SETTINGS)
    with pytest.raises(UserError, match=r"a\.jpg is there already and was not made by this command"):
        manifest.check_free(["a.jpg"])
    # A file that was begun by a command that was killed is its own.
    with manifest.writing():
        manifest.started(["b.jpg"])
    (folder / "b.jpg").write_bytes(b"half")
    Manifest(folder, SETTINGS).check_free(["b.jpg"])


def test_what_a_kill_left_half_written_is_cleared_away(folder, source):
    (folder / "sub").mkdir(parents=True)
    finish(Manifest(folder, SETTINGS), source, "sub/a.jpg")
    for name in ("sub/.partial-x.jpg", ".partial-sheet.png", "sub/.partially"):
        (folder / name).write_bytes(b"half")
    finish(Manifest(folder, SETTINGS), source, "b.jpg")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        ".partially",
        "a.jpg",
        "b.jpg",
        "manifest.jsonl",
    ]


def test_one_command_at_a_time(folder):
    with (
        Manifest(folder, SETTINGS).writing(),
        pytest.raises(UserError, match="in use by another command"),
        Manifest(folder, SETTINGS).writing(),
    ):
        pass


def test_names_that_are_no_text(folder, source):
    finish(Manifest(folder, SETTINGS), source, "\udcff\n.jpg")
    assert Manifest(folder, SETTINGS).is_done("\udcff\n.jpg", source)
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_file_in_the_folders_place(tmp_path, source):
    with pytest.raises(UserError, match="is a file; name a folder"):
        Manifest(source, SETTINGS)


def test_a_torn_line_and_a_half_written_file_at_once(folder, source):
    finish(Manifest(folder, SETTINGS), source)
    (folder / ".partial-x.jpg").write_bytes(b"half")
    with open(folder / "manifest.jsonl", "a") as file:
        file.write('{"done": "b.j')
    finish(Manifest(folder, SETTINGS), source, "c.jpg")
    assert Manifest(folder, SETTINGS).is_done("c.jpg", source) and not list(folder.glob(".partial-*"))


@pytest.fixture
def small_files():
    """No file can grow beyond a few bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_keeps_what_is_done(folder, source, small_files):
    manifest = Manifest(folder, SETTINGS)
    with pytest.raises(UserError, match=r"out: File too large; make room .* what is finished is kept"):
        for name in "abcdefgh":
            finish(manifest, source, f"{name}.jpg")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    manifest = Manifest(folder, SETTINGS)
    assert manifest.is_done("a.jpg", source) and not manifest.is_done("h.jpg", source)
    finish(manifest, source, "h.jpg")
    assert Manifest(folder, SETTINGS).is_done("h.jpg", source)
