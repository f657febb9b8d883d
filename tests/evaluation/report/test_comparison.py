"""Two runs' evaluations side by side."""

import json

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.metrics import each_image
from rgunit_tf.evaluation.metrics.accuracy_records import accuracy_records
from rgunit_tf.evaluation.report import comparison
from tests.evaluation.report.runs_and_pages import Page, make_run


def evaluated(folder, share, judge="one", key="same"):
    """A run whose translations of 200 images are right with a chance of `share`."""
    folder.mkdir()
    run = make_run(folder)
    random = np.random.default_rng(0)
    wanted = random.integers(0, 2, (200, 2))
    decided = np.where(random.random((200, 2)) < share, wanted, 1 - wanted)
    records = accuracy_records(decided, wanted, ("Male", "Young"), "attribute classifier", 0)
    path = run.path / "evaluation/metrics.json"
    metrics = json.loads(path.read_text())
    for stage in ("translation", "guided"):
        each_image.write(run.path / f"evaluation/each_image/{stage}.npz", records, key)
        metrics["stages"][stage]["metrics"]["accuracy"] = records["accuracy"]
    metrics["classifier"]["fingerprint"] = judge
    path.write_text(json.dumps(metrics))
    return run.path


def compared(*paths):
    return comparison.Comparison(comparison.read(paths))


def test_a_difference_stands_beside_the_figure_it_is_of(tmp_path):
    paths = evaluated(tmp_path / "a", 0.6), evaluated(tmp_path / "b", 0.9)
    found = compared(*paths)
    less = found.difference("guided", "accuracy", found.runs[1])
    assert less["value"] == pytest.approx(0.3, abs=0.07) and less["interval"][0] > 0.0
    assert found.remarks == []
    line = next(line for line in found.lines() if line.startswith("guided ") and " accuracy " in line)
    assert "difference 0." in line and str(paths[0]) in line, "runs of one name are told by their paths"
    page = Page(found.write(tmp_path / "page.html"))
    assert "better" in page.words and "Translation stage" in page.words and "Retrieval stage" in page.words
    assert "Side by side" in page.words and "paired" not in page.words


def test_a_small_difference_may_be_chance(tmp_path):
    found = compared(evaluated(tmp_path / "a", 0.8), evaluated(tmp_path / "b", 0.8))
    assert "may be chance" in Page(found.write(tmp_path / "page.html")).words


def test_other_images_and_other_judges_are_no_pairs(tmp_path):
    first = evaluated(tmp_path / "a", 0.6)
    for name, options, said in (
        ("b", {"key": "other"}, "not the same was asked"),
        ("c", {"judge": "two"}, "classifiers of their own"),
    ):
        found = compared(first, evaluated(tmp_path / name, 0.9, **options))
        assert found.difference("guided", "accuracy", found.runs[1]) is None
        (remark,) = found.remarks
        assert said in remark and found.lines()[0] == remark
        assert remark in Page(found.write(tmp_path / "page.html")).words


def test_what_cannot_be_compared_is_one_line(tmp_path):
    run = evaluated(tmp_path / "a", 0.6)
    for paths in ([run], [run, run]):
        with pytest.raises(UserError, match="name two runs or more"):
            comparison.read(paths)
    with pytest.raises(UserError, match="was not evaluated; run bin/evaluate"):
        comparison.read([run, tmp_path / "nowhere"])
