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

    def start(name, count, steps=STEPS, last="retrieval", optimizer="sgd"):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(count)]
        processes = []
        for index in range(count):
            environment = {**os.environ, "PYTHONPATH": str(root), "RGUNIT_CACHE": str(folder / "cache")}
            environment.pop("TF_CONFIG", None)
            if count > 1:
                task = {"type": "worker", "index": index}
                environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": hosts}, "task": task})
            command = [sys.executable, str(SCRIPT), str(folder / name), str(data), str(steps), last, optimizer]
            log = open(folder / f"{name}-{index}.txt", "ab")  # noqa: SIM115
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return folder / name, processes

    return start


def log_of(workdir, index):
    return (workdir.parent / f"{workdir.name}-{index}.txt").read_text(errors="replace")


def state(workdir, stage, step, kind=""):
    """All numbers of a checkpoint, or of the variables whose names hold `kind`, one after the other."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(workdir / stage / f"checkpoints/step-{step}"))
    shapes = reader.get_variable_to_shape_map()
    names = sorted(name for name, shape in shapes.items() if shape and "OBJECT_GRAPH" not in name and kind in name)
    return np.concatenate([np.ravel(reader.get_tensor(name)) for name in names])


def gradient(workdir, stage, step):
    """What the optimisers of `two_workers.Recorder` kept of a step."""
    return state(workdir, stage, step, "_variables/")


def run_both(start_workers, name, **arguments):
    """Workdirs of the same training by one process and by two."""
    workdirs = []
    for count in (1, 2):
        workdir, processes = start_workers(f"{name}-{count}", count, **arguments)
        codes = [process.wait(1500) for process in processes]
        assert codes == [0] * count, "".join(log_of(workdir, index)[-3000:] for index in range(count))
        workdirs.append(workdir)
    assert not list(workdirs[1].glob("**/.partial-*"))
    return workdirs


def check_stage(alone, together, stage):
    """Two workers trained a stage as one did, and left the same files."""
    change = np.linalg.norm(state(alone, stage, 5) - state(alone, stage, 2))
    assert change > 1e-3
    difference = [np.linalg.norm(state(together, stage, step) - state(alone, stage, step)) for step in (2, 5)]
    # Rounding alone, until it turns the sign of a pixel's error or of a unit: then some hundredths. Gradients from the
    # same weights are compared below.
    if stage == "translation":
        assert difference[0] < 1e-3 * change
    assert difference[1] < 0.1 * change, stage
    rows = (together / stage / "history.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["step", "2", "4", "5"]
    expected = (alone / stage / "history.csv").read_text().splitlines()
    for row, other in zip(rows[1:], expected[1:], strict=True):
        mine, theirs = (np.array(line.split(","), float) for line in (row, other))
        np.testing.assert_allclose(mine, theirs, rtol=5e-2, atol=1e-3)
    names = [sorted(file.name for file in (workdir / stage).iterdir()) for workdir in (alone, together)]
    assert names[0] == names[1]
    assert (together / stage / "final/stage.json").exists()


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one(start_workers):
    alone, together = run_both(start_workers, "retrieval", last="retrieval")
    check_stage(alone, together, "translation")
    galleries = [workdir / "retrieval/gallery" for workdir in (alone, together)]
    assert len({(gallery / "ids.json").read_bytes() for gallery in galleries}) == 1
    one, other = (np.load(gallery / "embeddings.npy") for gallery in galleries)
    assert one.shape == other.shape and np.linalg.norm(one) > 0.1


@pytest.mark.soak
def test_two_workers_train_the_guided_stage_as_one_does(start_workers):
    alone, together = run_both(start_workers, "guided", last="guided")
    for stage in ("translation", "guided"):
        check_stage(alone, together, stage)


@pytest.mark.soak
def test_gradients_of_twenty_steps_from_the_same_weights(start_workers):
    alone, together = run_both(start_workers, "gradients", steps=20, last="guided", optimizer="record")
    for stage in ("translation", "guided"):
        differences = []
        for step in range(1, 21):
            one, other = (gradient(workdir, stage, step) for workdir in (alone, together))
            assert np.linalg.norm(one) > 0.1
            differences.append(float(np.linalg.norm(one - other) / np.linalg.norm(one)))
        print(f"{stage}: largest difference of a gradient, of its norm: {max(differences):.1e}")
        assert max(differences) < 1e-4, (stage, differences)
