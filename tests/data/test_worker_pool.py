"""Jobs that are spread over processes."""

import importlib
import os
import subprocess
import sys

import pytest

from rgunit_tf.data.worker_pool import spread

JOBS = """
import os, time
from rgunit_tf.data.worker_pool import serve

def perform(job):
    if job == "wrong":
        raise ValueError("no such job")
    if job == "missing":
        open("/nowhere/at/all")
    if job == "die":
        os._exit(3)
    if job == "session":
        return str(os.getsid(0)).encode()
    if job == "slow":
        time.sleep(0.2)
    return ascii(job).encode()

if __name__ == "__main__":
    serve(perform)
"""


@pytest.fixture
def perform(tmp_path, monkeypatch):
    (tmp_path / "some_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    yield importlib.import_module("some_jobs").perform
    del sys.modules["some_jobs"]


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_answers_come_in_the_order_of_the_jobs(perform, workers):
    assert list(spread(perform, ["slow", 1, "a\udcff", None], workers)) == [b"'slow'", b"1", rb"'a\udcff'", b"None"]


def test_no_jobs(perform):
    assert list(spread(perform, [], 4)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_is_missing_is_told_as_in_this_process(perform, workers):
    with pytest.raises(FileNotFoundError) as caught:
        list(spread(perform, [1, "missing", 2], workers))
    assert caught.value.filename == "/nowhere/at/all"


def test_other_failures(perform):
    with pytest.raises(RuntimeError, match="ValueError: no such job"):
        list(spread(perform, [1, "wrong", 2], 2))
    with pytest.raises(RuntimeError, match="ended early"):
        list(spread(perform, [1, "die", 2], 2))


def test_workers_do_not_see_the_callers_ctrl_c(perform):
    assert str(os.getsid(0)).encode() not in list(spread(perform, ["session"] * 4, 2))


def test_a_worker_ends_with_its_input_and_leaves_a_job_that_was_broken_off(perform, tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "some_jobs"],
        input=b'1\n"brok',
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.fspath(tmp_path), *sys.path])},
    )
    assert process.returncode == 0 and process.stdout.endswith(b"1") and process.stderr == b""
