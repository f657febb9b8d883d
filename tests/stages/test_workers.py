"""Two processes of one cluster take the steps of one process, and one of them writes."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("two_workers.py")
STEPS = 5


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="session")
def start_workers(root, tmp_path_factory):
    """Starts the processes that train one workdir together; their output is `log-<index>.txt` beside it."""
    from rgunit_tf.data.avatars import draw_dataset

    folder = tmp_path_factory.mktemp("workers")
    data = draw_dataset(folder / "set", 40, seed=0, workers=1)

    def start(name, count, steps=STEPS, last="guided"):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(count)]
        processes = []
        for index in range(count):
            environment = {**os.environ, "PYTHONPATH": str(root), "RGUNIT_CACHE": str(folder / "cache")}
            environment.pop("TF_CONFIG", None)
            if count > 1:
                task = {"type": "worker", "index": index}
                environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": hosts}, "task": task})
            command = [sys.executable, str(SCRIPT), str(folder / name), str(data), str(steps), last]
            log = open(folder / f"{name}-{index}.txt", "ab")  # noqa: SIM115
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return folder / name, processes

    return start


def log_of(workdir, index):
    return (workdir.parent / f"{workdir.name}-{index}.txt").read_text(errors="replace")


def state(workdir, stage, step):
    """All numbers of a checkpoint, one after the other."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(workdir / stage / f"checkpoints/step-{step}"))
    shapes = reader.get_variable_to_shape_map()
    names = sorted(name for name, shape in shapes.items() if shape and "OBJECT_GRAPH" not in name)
    return np.concatenate([np.ravel(reader.get_tensor(name)) for name in names])


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one(start_workers):
    alone, processes = start_workers("alone", 1)
    assert processes[0].wait(1500) == 0, log_of(alone, 0)[-3000:]
    together, processes = start_workers("together", 2)
    codes = [process.wait(1500) for process in processes]
    assert codes == [0, 0], log_of(together, 0)[-3000:] + log_of(together, 1)[-3000:]
    for stage, first, last in (("translation", 2, 5), ("guided", 2, 5)):
        change = state(alone, stage, last) - state(alone, stage, first)
        difference = state(together, stage, last) - state(alone, stage, last)
        assert np.linalg.norm(change) > 1e-3
        # Rounding alone, until it turns the sign of a pixel's error or of a unit: then a hundredth.
        assert np.linalg.norm(difference) < 2e-2 * np.linalg.norm(change), stage
        rows = (together / stage / "history.csv").read_text().splitlines()
        assert [row.partition(",")[0] for row in rows] == ["step", "2", "4", "5"]
        expected = (alone / stage / "history.csv").read_text().splitlines()
        for row, other in zip(rows[1:], expected[1:], strict=True):
            mine, theirs = (np.array(line.split(","), float) for line in (row, other))
            np.testing.assert_allclose(mine, theirs, rtol=1e-2, atol=1e-4)
        assert sorted(file.name for file in (together / stage).iterdir()) == sorted(
            file.name for file in (alone / stage).iterdir()
        )
        assert (together / stage / "final/stage.json").exists()
    assert not list(together.glob("**/.partial-*"))
