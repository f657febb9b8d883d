import math

import numpy as np
import pytest
import scipy.stats

from rgunit_tf.experiments import rendering
from rgunit_tf.experiments.tables import CHANGED, CONTINUED, KERNEL, REALISM, all_tables


def records(**values):
    return {name.replace("__", "/"): {"value": value} for name, value in values.items()}


@pytest.fixture
def rows():
    """Table 2 of two seeds, without Inception."""
    return {
        "GMM-UNIT": [records(frechet_classifier_distance=2.0, accuracy=0.9), records(frechet_classifier_distance=4.0)],
        CONTINUED: [
            records(frechet_classifier_distance=1.6, frechet_efficientnet_distance=50.0),
            records(frechet_classifier_distance=3.0),
        ],
        "RG-UNIT": [
            records(frechet_classifier_distance=1.2, frechet_efficientnet_distance=60.0),
            records(frechet_classifier_distance=2.7),
        ],
        "Real images": [records(accuracy=0.99), records(accuracy=0.98)],
    }


def test_the_papers_claims_by_hand(rows):
    claims = {claim["text"]: claim for claim in rendering.to_json(all_tables()[2], rows)["comparisons"]}
    plain = claims["RG-UNIT against GMM-UNIT"]
    assert plain["values"] == pytest.approx([1.2 / 2.0 - 1, 2.7 / 4.0 - 1])
    assert plain["paper"] == pytest.approx(27.61 / 30.04 - 1)
    assert plain["metric"] == "frechet_classifier_distance"
    assert claims["RG-UNIT against GMM-UNIT of as many updates"]["values"] == pytest.approx([-0.25, -0.1])
    on_imagenet = claims["RG-UNIT against GMM-UNIT of as many updates, ImageNet features"]
    assert on_imagenet["values"] == pytest.approx([0.2]) and on_imagenet["metric"] == "frechet_efficientnet_distance"
    assert claims["RG-UNIT against random retrieval"]["values"] == []


def test_a_difference_is_not_a_share():
    rows = {"All": [records(precision_at_10__average=0.8)], "Random images": [records(precision_at_10__average=0.7)]}
    claim = rendering.to_json(all_tables()[1], rows)["comparisons"][0]
    assert claim["values"] == pytest.approx([0.1])
    assert not claim["relative"]


def test_markdown_shows_mean_and_deviation_in_the_papers_unit(rows):
    text = rendering.to_markdown(all_tables()[2], rows, "2 seeds")
    line = next(line for line in text.splitlines() if line.startswith("| GMM-UNIT |"))
    assert f"3.000 ± {math.sqrt(2):.3f}" in line
    assert "30.04" in line
    assert "90.000" in line
    assert "(seeds: -40.0%, -32.5%); paper: -8.1%" in text
    assert "RG-UNIT against random retrieval: not measured" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_one_metric_a_column_the_papers_own_only_where_every_row_has_it():
    table = all_tables()[4]
    column = table.columns[0]
    both = records(fid=30.0, frechet_classifier_distance=2.0)
    assert rendering.metric_of(column, {"a": [both], "b": [both]}) == "fid"
    only = records(frechet_classifier_distance=1.0)
    assert rendering.metric_of(column, {"a": [both], "b": [only]}) == "frechet_classifier_distance"
    assert rendering.metric_of(column, {"a": [both], "real": [records(accuracy=1.0)]}) == "fid"


def test_a_column_that_nothing_fills_is_left_out(rows):
    table = all_tables()[2]
    assert [column.heading for column in rendering.shown(table, rows)] == ["FID", REALISM.heading, "ACC"]
    text = rendering.to_markdown(table, rows)
    assert "lpips" not in text and KERNEL.heading not in text
    assert rendering.shown(table, {}) == list(table.columns)


def test_a_mean_over_seeds_has_students_interval():
    assert rendering.mean_interval([0.1]) is None
    low, high = rendering.mean_interval([0.1, 0.2, 0.6])
    expected = scipy.stats.t.interval(0.95, 2, loc=0.3, scale=scipy.stats.sem([0.1, 0.2, 0.6]))
    assert (low, high) == pytest.approx(expected, rel=1e-3)


def test_models_are_compared_on_the_same_images():
    """One model is right on every tenth image more: far surer than two intervals that overlap would say."""
    random, name = np.random.default_rng(0), "face_changed_accuracy"
    other = (random.random((400, 1)) < 0.5).astype(np.float32)
    mine = np.where(np.arange(400)[:, None] % 10 == 0, 1.0, other).astype(np.float32)
    ones = np.ones_like(other)
    label, against = "RG-UNIT", CONTINUED
    rows = {label: [records(**{name: mine.mean()})] * 2, against: [records(**{name: other.mean()})] * 2}
    images = {label: [("key", {name: (mine, ones)})] * 2, against: [("key", {name: (other, ones)})] * 2}
    claims = rendering.to_json(all_tables()[2], rows, images)["comparisons"]
    (claim,) = [claim for claim in claims if CHANGED.heading in claim["text"] and "as many" in claim["text"]]
    low, high = claim["over_images"]
    assert low < claim["values"][0] < high and claim["values"][0] == pytest.approx(100 * (mine - other).mean())
    assert low > 0.0 and high - low < 6.0
    assert claim["over_seeds"] == pytest.approx([claim["values"][0]] * 2)
    text = rendering.to_markdown(all_tables()[2], rows, "", images)
    assert f"95 % over images: {low:+.3f} to {high:+.3f}" in text
    images[against] = [("another", {name: (other, ones)})] * 2
    claims = rendering.to_json(all_tables()[2], rows, images)["comparisons"]
    assert all(claim["over_images"] is None for claim in claims), "other images"
    images[against] = images[label] = [("", {})] * 2
    claims = rendering.to_json(all_tables()[2], rows, images)["comparisons"]
    assert all(claim["over_images"] is None for claim in claims), "nothing was kept"


def test_variants_are_further_rows_beside_their_own_random_images():
    tables = all_tables(percents=(5, 100), variants=("attention", "attention+neighbor_styles"))
    labels = [row.label for row in tables[2].rows]
    assert labels[4:-1] == [
        "RG-UNIT, attention - Random Retrieval",
        "RG-UNIT, attention",
        "RG-UNIT, attention+neighbor_styles - Random Retrieval",
        "RG-UNIT, attention+neighbor_styles",
    ]
    for number in (2, 3):
        labels = {row.label for row in tables[number].rows}
        assert len(labels) == len(tables[number].rows)
        for comparison in tables[number].comparisons:
            assert {comparison.row, comparison.against} <= labels, comparison.text


def test_a_metric_that_training_saw_stands_nowhere_unmarked(rows):
    table, name, other = all_tables()[2], "frechet_efficientnet_distance", "frechet_mobilenet_distance"
    column = next(column for column in table.columns if name in column.metrics)
    for label in rows:
        rows[label] = [{name: {"value": 2.0, "seen_in_training": True}, other: {"value": 3.0}}]
    assert rendering.metric_of(column, rows) == other
    for label in rows:
        del rows[label][0][other]
    assert rendering.metric_of(column, rows) == name
    marked = f"{name} (no judgement: training saw this network)"
    text = rendering.to_markdown(table, rows)
    assert text.count(name) == text.count(marked) >= 2


def test_tables_take_the_asked_shares_and_numbers():
    tables = all_tables(percents=(10, 100), counts=(2,))
    assert [row.label for row in tables[3].rows][::4] == ["GMM-UNIT 10 %", "GMM-UNIT 100 %"]
    assert tables[3].rows[0].paper == {}
    assert tables[3].rows[4].paper == {"FID": 30.04, "IS": 3.051}
    assert tables[4].rows[0].label == "RG-UNIT, r = 2"
