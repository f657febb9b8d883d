import json

import pytest

from rgunit_tf import cluster
from rgunit_tf.errors import UserError

HOSTS = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    ("hosts", "task", "workers", "chief"),
    [
        (HOSTS, ("worker", 0), 2, True),
        (HOSTS, ("worker", 1), 2, False),
        ({"chief": ["c:3"], **HOSTS}, ("chief", 0), 3, True),
        ({"chief": ["c:3"], **HOSTS}, ("worker", 0), 3, False),
        ({"worker": ["a:1"]}, ("worker", 0), 1, True),
    ],
)
def test_the_chief_is_the_one_that_writes(monkeypatch, hosts, task, workers, chief):
    config = {"cluster": hosts, "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert (cluster.workers(), cluster.is_chief()) == (workers, chief)


@pytest.mark.parametrize("value", [None, "", "{}"])
def test_alone_without_a_cluster(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    assert (cluster.workers(), cluster.is_chief()) == (1, True)


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "x"}}',
        '{"cluster": ["a:1"], "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_value_that_cannot_be_read_is_named(monkeypatch, value):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UserError, match="TF_CONFIG=") as error:
        cluster.workers()
    assert "\n" not in str(error.value)
