import json

from rgunit_tf.benchmarks import timing


def test_the_warm_up_is_not_timed():
    calls = []
    assert len(timing.seconds_of(lambda: calls.append(1), repeats=3, warm_up=2)) == 3
    assert len(calls) == 5


def test_variants_take_turns():
    order = []
    seconds = timing.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2, warm_up=1)
    assert order == ["a", "b"] * 3
    assert set(seconds) == {"a", "b"}


def test_a_record_says_what_it_takes_to_repeat_it():
    record = timing.Recorder({"width": 4}, 123.4).record("x", 1.5, "s", fastest=1.0)
    assert json.loads(json.dumps(record)) == record
    assert record["value"] == 1.5
    assert record["fastest"] == 1.0
    assert record["settings"] == {"width": 4}
    assert record["matmul_peak_gflop_per_s"] == 123.4
    assert record["versions"]["tensorflow"]


def test_the_peak_is_a_rate_of_this_machine():
    assert 0.1 < timing.matmul_peak(side=256, repeats=2) < 1e6
