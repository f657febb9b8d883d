import json

from rgunit_tf.runs import clock
from rgunit_tf.runs.clock import Clock


def test_seconds_add_up_over_starts(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    first = Clock(tmp_path / "clock.json")
    now[0] += 40
    first.save()
    now[0] += 7  # lost: nothing was saved after it
    again = Clock(tmp_path / "clock.json")
    now[0] += 2
    assert again.seconds == 42
    again.save()
    assert json.loads((tmp_path / "clock.json").read_text()) == {"seconds": 42.0}


def test_a_damaged_file_counts_from_this_start(tmp_path):
    (tmp_path / "clock.json").write_text("{")
    assert Clock(tmp_path / "clock.json").seconds < 1
