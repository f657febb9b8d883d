"""Whole commands on disks that fill up or are read-only, beside damaged and deleted files, and two at a time.

Each fault is one line and the exit code that README promises, nothing that was whole is lost, and the same command goes
on to the undisturbed result once the fault is gone. Full and read-only disks are mounted, which takes root.
"""

import contextlib
import importlib.util
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

_FILE = pathlib.Path(__file__).with_name("small_runs.py")
_spec = importlib.util.spec_from_file_location("small_runs", _FILE)
small_runs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small_runs)

JOBS = ("train", "export", "prepare", "translate")
SHORT = {"translation.steps": 60, "retrieval.steps": 30, "guided.steps": 30, "train.checkpoint_every": 10}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("place")
    small_runs.draw_pictures(folder / "small", 60, 16)
    small_runs.draw_pictures(folder / "large", 300, 96)
    return folder


@pytest.fixture(scope="module")
def trained(place) -> pathlib.Path:
    """The workdir of a run of all stages that nothing disturbed."""
    arguments = small_runs.training(place / "small", place / "trained", "guided", **SHORT)
    code, said = small_runs.run(arguments, place / "trained.txt")
    assert code == 0, said[-3000:]
    return place / "trained"


@pytest.fixture(scope="module")
def job(place, trained):
    """By name of a command: its arguments for a folder, laid out there, and the results it has to come to."""
    known = {}

    def arguments_of(name, folder):
        if name == "train":
            return small_runs.training(place / "small", folder, "translation", **SHORT)
        if name == "export":
            return small_runs.command("export", f"--workdir={folder}", "--stage=guided")
        if name == "prepare":
            where = [f"--config.data.root={place / 'large'}", f"--output={folder}", "--workers=2"]
            return small_runs.command("prepare", "--config=cat_dog", *where)
        options = [f"--input={place / 'small'}", "--to=red", "--samples=3", "--batch_size=2", f"--output={folder}"]
        return small_runs.command("translate", f"--model={trained / 'guided/export/1'}", *options)

    def job(name, folder):
        folder.mkdir(exist_ok=True)
        if name == "export":
            shutil.copytree(trained, folder, dirs_exist_ok=True)
            shutil.rmtree(folder / "guided" / "export")
        if name not in known:
            whole = trained
            if name in ("prepare", "translate"):
                whole = place / f"whole-{name}"
                code, said = small_runs.run(arguments_of(name, whole), place / "log.txt")
                assert code == 0, said[-3000:]
            known[name] = small_runs.results(whole)
            if name == "train":
                known[name] = {key: value for key, value in known[name].items() if key.startswith("translation/")}
        return arguments_of(name, folder), known[name]

    return job


def wait_for(condition, process, log):
    while not condition():
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.01)


def one_line(said, name):
    """The line with which a command ended."""
    assert "Traceback" not in said, said[-3000:]
    line = said.rstrip().splitlines()[-1]
    assert line.startswith(f"{name}: "), said[-3000:]
    return line


def goes_on(arguments, folder, expected, log):
    """The same command comes to the undisturbed results and leaves nothing else."""
    assert small_runs.check(folder) == []
    code, said = small_runs.run(arguments, log)
    assert code == 0, said[-3000:]
    found = small_runs.results(folder)
    found = {key: value for key, value in found.items() if key != "serving/models.config" or key in expected}
    assert found == expected
    assert small_runs.leftovers(folder) == []
    return said


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A disk of its own of 100 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not mount("-t", "tmpfs", "-o", "size=100m", "tmpfs", folder):
        pytest.skip("mounting a disk takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file):
    with open(file, "wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass


@pytest.mark.parametrize("name", JOBS)
def test_a_disk_that_fills_up(name, job, disk, tmp_path):
    folder, log = disk / "run", tmp_path / "log.txt"
    arguments, expected = job(name, folder)
    before = small_runs.work_in(folder)
    process = small_runs.start(arguments, log)
    wait_for(lambda: small_runs.work_in(folder) - before, process, log)
    fill(disk / "ballast")
    assert process.wait() == 2, log.read_text()[-3000:]
    line = one_line(log.read_text(), name)
    assert "No space left on device" in line and str(folder) in line and re.search("free space|make room", line)
    (disk / "ballast").unlink()
    goes_on(arguments, folder, expected, log)


@pytest.mark.parametrize("name", JOBS)
def test_files_that_may_not_grow(name, job, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments, expected = job(name, folder)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))  # noqa: E731
    code, said = small_runs.run(arguments, log, preexec_fn=limit)
    assert code == 2, said[-3000:]
    line = one_line(said, name)
    assert "File too large" in line and str(folder) in line and re.search("free space|make room", line)
    goes_on(arguments, folder, expected, log)


@pytest.mark.parametrize("name", JOBS)
def test_a_read_only_disk(name, job, disk, tmp_path):
    folder, log = disk / "run", tmp_path / "log.txt"
    arguments, expected = job(name, folder)
    before = small_runs.work_in(folder)
    process = small_runs.start(arguments, log)
    wait_for(lambda: small_runs.work_in(folder) - before, process, log)
    process.kill()
    process.wait()
    while not mount("-o", "remount,ro", disk):
        time.sleep(0.1)  # until the command's own processes are gone too
    code, said = small_runs.run(arguments, log)
    assert code == 2, said[-3000:]
    line = one_line(said, name)
    assert "Read-only file system" in line and str(folder) in line and re.search("writable|another", line)
    assert mount("-o", "remount,rw", disk)
    goes_on(arguments, folder, expected, log)


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(damage, job, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments, expected = job("train", folder)
    process = small_runs.start(arguments, log)
    wait_for((folder / "translation/checkpoints/step-20.index").exists, process, log)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    step = int(re.search(r"saved at step (\d+); the same command goes on", log.read_text()).group(1))
    newest = folder / f"translation/checkpoints/step-{step}.data-00000-of-00001"
    content = bytearray(newest.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    code, said = small_runs.run(arguments, log)
    assert code == 0, said[-3000:]
    assert f"step-{step} is damaged" in said and re.search(r"resuming from .*step-\d+", said)
    found = {key: value for key, value in small_runs.results(folder).items() if key in expected}
    assert found == expected


@pytest.mark.parametrize("name", ["embeddings.npy", "images.npy", "ids.json", "manifest.json"])
def test_a_missing_gallery_file_is_named_and_the_gallery_can_be_built_again(name, place, trained, tmp_path):
    folder, log = shutil.copytree(trained, tmp_path / "run"), tmp_path / "log.txt"
    shutil.rmtree(folder / "guided")
    (folder / "retrieval" / "gallery" / name).unlink()
    arguments = small_runs.training(place / "small", folder, "guided", **SHORT)
    code, said = small_runs.run(arguments, log)
    assert code == 2, said[-3000:]
    line = one_line(said, "train")
    assert str(folder / "retrieval" / "gallery" / name) in line and re.search("built again|build it", line)
    if name == "images.npy":
        shutil.rmtree(folder / "retrieval" / "gallery")
        code, said = small_runs.run(arguments, log)
        assert code == 0, said[-3000:]
        assert small_runs.results(folder) == small_runs.results(trained)


def test_an_export_folder_deleted_while_it_is_written(job, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments, expected = job("export", folder)
    process = small_runs.start(arguments, log)
    wait_for(lambda: list(folder.glob("guided/export/.partial-*/*")), process, log)
    shutil.rmtree(folder / "guided" / "export", ignore_errors=True)
    assert process.wait() == 1, log.read_text()[-3000:]
    line = one_line(log.read_text(), "export")
    assert f"{folder / 'guided/export/1'} was deleted while it was written; give the same command again" in line
    goes_on(arguments, folder, expected, log)


def test_an_export_deleted_under_a_translation(job, trained, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments, expected = job("translate", folder)
    model = shutil.copytree(trained / "guided/export/1", tmp_path / "export" / "1")
    arguments = [f"--model={model}" if argument.startswith("--model=") else argument for argument in arguments]
    process = small_runs.start(arguments, log)
    wait_for(lambda: any(path.suffix == ".png" for path in small_runs.work_in(folder)), process, log)
    shutil.rmtree(model)
    assert process.wait() == 0, log.read_text()[-3000:]
    found = small_runs.results(folder)
    assert {key for key in found if key.startswith(("red/", "blue/"))} == {
        key for key in expected if key.startswith(("red/", "blue/"))
    }
    code, said = small_runs.run(arguments, log)
    assert code == 2 and str(model) in one_line(said, "translate")
    assert small_runs.results(folder) == found


@pytest.mark.parametrize("name", ["train", "prepare", "translate"])
def test_a_second_run_is_refused_and_a_killed_one_is_not_in_the_way(name, job, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments, expected = job(name, folder)
    first = small_runs.start(arguments, log)
    wait_for(lambda: small_runs.work_in(folder), first, log)
    first.send_signal(signal.SIGSTOP)
    code, said = small_runs.run(arguments, tmp_path / "second.txt")
    assert code == 2, said[-3000:]
    line = one_line(said, name)
    assert str(folder) in line and re.search("in use|another bin/prepare", line) and "wait for it or choose" in line
    first.kill()
    first.wait()
    goes_on(arguments, folder, expected, log)
