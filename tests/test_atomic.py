import collections
import errno
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import time
import types

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


def test_json_of_what_wraps_a_dict_or_a_list(tmp_path):
    value = {"a": types.MappingProxyType({"b": collections.UserList([1, types.MappingProxyType({})])})}
    atomic.write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": {"b": [1, {}]}}
    with pytest.raises(TypeError, match="set is not for JSON"):
        atomic.write_json(tmp_path / "y.json", {"a": {1}})
    assert not (tmp_path / "y.json").exists()


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


@pytest.fixture
def synced(monkeypatch):
    """Inodes in the order in which they are written to the disk, and what is published: (what it is, its inode)."""
    events = []
    fsync, rename = os.fsync, os.rename

    def recording_fsync(descriptor):
        fsync(descriptor)
        events.append(("synced", os.fstat(descriptor).st_ino))

    def recording_rename(source, target):
        events.append(("published", os.stat(source).st_ino))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "rename", recording_rename)
    return events


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, synced):
    final = tmp_path / "folder"
    with atomic.directory(final) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "weights").write_text("1")
        (temporary / "stage.json").write_text("{}")
    inode = {name: (tmp_path / name).stat().st_ino for name in ("folder/deep/weights", "folder/deep", "folder", "")}
    order = [synced.index(("synced", number)) for number in inode.values()]
    assert order == sorted(order), "files, then the folders that name them, then the folder that names it"
    published = synced.index(("published", inode["folder"]))
    assert order[2] < published < order[3]
    assert synced.index(("synced", (final / "stage.json").stat().st_ino)) < order[2]


def test_a_file_system_that_cannot_write_down_folders(tmp_path, monkeypatch):
    fsync = os.fsync

    def of_files_alone(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_alone)
    with atomic.directory(tmp_path / "folder") as temporary:
        (temporary / "file").write_text("1")
    assert (tmp_path / "folder" / "file").exists()


def test_a_file_that_does_not_reach_the_disk_is_not_published(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    def write():
        with atomic.directory(tmp_path / "folder") as temporary:
            (temporary / "file").write_text("1")

    with pytest.raises(OSError, match="No space left"):
        write()
    assert os.listdir(tmp_path) == []
