"""A worker dies in the middle of a training of two; both are started again and end with the undisturbed weights."""

import importlib.util
import pathlib
import signal
import sys
import time

import numpy as np

_FILE = pathlib.Path(__file__).resolve().parent.parent / "stages" / "test_workers.py"
_spec = importlib.util.spec_from_file_location("workers", _FILE)
workers = importlib.util.module_from_spec(_spec)
sys.modules["workers"] = workers
_spec.loader.exec_module(workers)
start_workers = workers.start_workers
STEPS = 20


def wait_for(condition, seconds, processes, message):
    end = time.monotonic() + seconds
    while not condition():
        assert all(process.poll() is None for process in processes) and time.monotonic() < end, message()
        time.sleep(0.05)


def test_a_killed_worker_comes_back(start_workers):
    undisturbed, processes = start_workers("undisturbed", 2, STEPS, "translation")
    assert [process.wait(1500) for process in processes] == [0, 0], workers.log_of(undisturbed, 0)[-3000:]

    workdir, processes = start_workers("killed", 2, STEPS, "translation")
    saved = workdir / "translation/checkpoints/step-6.index"
    wait_for(saved.exists, 1500, processes, lambda: workers.log_of(workdir, 0)[-3000:])
    processes[1].send_signal(signal.SIGKILL)
    assert processes[1].wait() == -signal.SIGKILL
    # The chief notices by itself that it is alone, and says how to go on.
    assert processes[0].wait(300) == 1, workers.log_of(workdir, 0)[-3000:]
    assert "a worker is gone" in workers.log_of(workdir, 0)
    assert not (workdir / "translation/final").exists(), "the training was over before the worker was killed"

    workdir, processes = start_workers("killed", 2, STEPS, "translation")
    assert [process.wait(1500) for process in processes] == [0, 0], workers.log_of(workdir, 0)[-3000:]
    assert "resuming from" in workers.log_of(workdir, 0)
    change = workers.state(undisturbed, "translation", STEPS) - workers.state(undisturbed, "translation", 2)
    difference = workers.state(workdir, "translation", STEPS) - workers.state(undisturbed, "translation", STEPS)
    assert np.linalg.norm(difference) < 1e-3 * np.linalg.norm(change)
