import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from rgunit_tf import atomic
from rgunit_tf.errors import RunError


def test_a_file_appears_whole(tmp_path):
    final = tmp_path / "new" / "picture.png"
    with atomic.path(final) as temporary:
        assert temporary.parent == final.parent and temporary.suffix == ".png"
        temporary.write_text("whole")
        assert not final.exists()
    assert final.read_text() == "whole"
    assert os.listdir(final.parent) == ["picture.png"]


def test_a_failure_leaves_the_old_file(tmp_path):
    final = tmp_path / "file"
    final.write_text("old")

    def write():
        with atomic.path(final) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic.path(tmp_path / "file"):
        pass
    with atomic.directory(tmp_path / "folder"):
        pass
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    final = tmp_path / "new" / "folder"
    with atomic.directory(final) as temporary:
        (temporary / "a").write_text("1")
        assert not final.exists()
    assert (final / "a").read_text() == "1"

    def write():
        with atomic.directory(tmp_path / "new" / "other") as temporary:
            (temporary / "a").write_text("1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert os.listdir(final.parent) == ["folder"]


def test_a_published_folder_is_not_written_over(tmp_path):
    with pytest.raises(FileExistsError, match="exists already"), atomic.directory(tmp_path):
        pass


def test_json_is_readable_and_sorted(tmp_path):
    atomic.write_json(tmp_path / "x.json", {"b": 1, "a": [1.5, None]})
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == {"a": [1.5, None], "b": 1}
    assert text.index('"a"') < text.index('"b"') and text.endswith("\n")


def test_a_killed_writer_leaves_no_file_that_looks_whole(tmp_path):
    script = (
        "import sys, time; from rgunit_tf import atomic\n"
        "with atomic.path(sys.argv[1]) as file:\n"
        "    file.write_text('half'); time.sleep(60)\n"
    )
    final = tmp_path / "file.json"
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(atomic.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", script, str(final)], env=environment)
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size for file in tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [file.name.startswith(".partial-") for file in tmp_path.iterdir()] == [True]
    with atomic.path(final) as alive:
        atomic.clear(tmp_path.glob(".partial-*"))
        assert list(tmp_path.iterdir()) == [alive], "only what the killed writer left is cleared away"


def test_leftover_folders_are_cleared_and_living_ones_are_not(tmp_path):
    (tmp_path / ".partial-left" / "deep").mkdir(parents=True)
    (tmp_path / ".partial-left" / "deep" / "file").write_text("half")
    with atomic.directory(tmp_path / "folder") as alive:
        atomic.clear(atomic.temporaries(tmp_path))
        assert list(tmp_path.iterdir()) == [alive]
    atomic.clear([tmp_path / ".partial-gone"])


def test_a_folder_deleted_meanwhile_is_not_published_with_what_came_after(tmp_path):
    def write():
        with atomic.directory(tmp_path / "folder") as temporary:
            (temporary / "first").write_text("1")
            shutil.rmtree(temporary)
            atomic.write_json(temporary / "deep" / "last.json", 2)

    with pytest.raises(RunError, match=r"folder was deleted while it was written; give the same command again"):
        write()
    assert os.listdir(tmp_path) == []
