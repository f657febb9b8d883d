import json
import os
import socket
import subprocess
import sys

import pytest
import tensorflow as tf

from rgunit_tf.distribution import barrier, chief_first, make_strategy
from rgunit_tf.errors import UserError


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def test_one_device():
    assert make_strategy("one_device").num_replicas_in_sync == 1


def test_auto_uses_every_device_of_the_machine():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert make_strategy("auto").num_replicas_in_sync == len(devices)


def test_a_process_has_one_strategy():
    # Collective operations of a second one would be numbered like those of the first.
    assert make_strategy("auto") is make_strategy("auto")
    assert make_strategy("mirrored") is make_strategy("mirrored")


def test_several_workers_need_their_cluster():
    with pytest.raises(UserError, match="TF_CONFIG"):
        make_strategy("multi_worker")


def test_a_cluster_needs_its_strategy(monkeypatch):
    cluster = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(UserError, match="names 2 workers"):
        make_strategy("one_device")


def test_one_worker_waits_for_nobody():
    barrier()
    assert chief_first(lambda: 3) == 3


WORKER = """
import sys
from rgunit_tf.distribution import chief_first, make_strategy
from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

def main(argv):
    make_strategy("auto")
    print(chief_first(lambda: 3))
    chief_first(fail)

def fail():
    raise UserError("the disk is full")

sys.exit(launcher.call(main, Flags(), ["train"]))
"""


@pytest.mark.slow
def test_where_the_chief_fails_the_others_end_too(tmp_path, root):
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in (first, second)]
    workers = []
    for index in range(2):
        config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "PYTHONPATH": str(root), "TF_CONFIG": json.dumps(config)}
        environment |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(tmp_path / f"{index}.txt", "w") as log:
            workers.append(
                subprocess.Popen([sys.executable, "-u", "-c", WORKER], stdout=log, stderr=log, env=environment)
            )
    try:
        codes = [worker.wait(timeout=240) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    chief, other = ((tmp_path / f"{index}.txt").read_text() for index in range(2))
    assert codes == [2, 1], chief + other
    assert "\n3\n" in chief and chief.endswith("\ntrain: the disk is full\n")
    assert "\n3\n" in other and "\ntrain: the chief failed at what all workers wait for" in other
    assert "Traceback" not in other
