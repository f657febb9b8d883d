import io
import os

from rgunit_tf.data.worker_process import requests, worker_process


def test_a_request_that_was_broken_off_is_none():
    assert list(requests(io.BytesIO(b'{"a": 1}\n{"a": 2}\n{"a": "thr'))) == [{"a": 1}, {"a": 2}]


def test_a_worker_ends_with_its_input_and_does_not_see_the_callers_ctrl_c():
    with worker_process("rgunit_tf.data.shard_writer") as process:
        assert os.getpgid(process.pid) != os.getpgid(0)
        assert process.poll() is None
    assert process.returncode == 0
