import json

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
