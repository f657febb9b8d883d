"""How serving is timed."""

import time

from rgunit_tf.benchmarks import serving_latency as latency


def test_functions_are_timed_in_turn():
    calls = []
    functions = {
        "slow": lambda: (calls.append("slow"), time.sleep(0.02)),
        "fast": lambda: (calls.append("fast"), time.sleep(0.002)),
    }
    seconds = latency.time_in_turn(functions, 5)
    assert calls[:4] == ["slow", "fast", "fast", "slow"] and len(calls) == 14
    assert [len(values) for values in seconds.values()] == [5, 5]
    assert min(seconds["slow"]) >= 0.02 and sorted(seconds["fast"])[2] < sorted(seconds["slow"])[2]


def test_measurements():
    found = latency.measure(image_size=16, width=4, gallery_size=40, repeats=2, clock=time.process_time)
    units = {entry["name"]: entry["unit"] for entry in found}
    assert units == {
        "saved_model": "ms",
        "keras": "ms",
        "fixed_neighbors": "ms",
        "no_neighbors": "ms",
        "saved_model_over_keras": "ratio",
        "retrieval_share": "share",
        "neighbor_share": "share",
    }
    values = {entry["name"]: entry["value"] for entry in found}
    assert all(values[name] > 0 for name, unit in units.items() if unit != "share")
    assert values["retrieval_share"] < 1 and values["neighbor_share"] < 1
