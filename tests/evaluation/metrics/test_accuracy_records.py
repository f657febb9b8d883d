import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import accuracy_records

NAMES = ("a", "b", "c")


@pytest.fixture
def labels():
    generator = np.random.default_rng(0)
    wanted, before = generator.integers(0, 2, (2, 50, 3)).astype(np.float32)
    decided = np.where(generator.random((50, 3)) < 0.8, wanted, 1 - wanted)
    return decided, wanted, before


def f1(decided, wanted):
    right = ((decided == 1) & (wanted == 1)).sum()
    precision, recall = right / (decided == 1).sum(), right / (wanted == 1).sum()
    return 2 * precision * recall / (precision + recall)


def test_figures_equal_their_definitions(labels):
    decided, wanted, before = labels
    records = accuracy_records.accuracy_records(decided, wanted, NAMES, "judge", 1)
    assert records["accuracy"]["value"] == pytest.approx((decided == wanted).mean())
    assert records["accuracy/b"]["value"] == pytest.approx((decided == wanted)[:, 1].mean())
    scores = [f1(decided[:, column], wanted[:, column]) for column in range(3)]
    assert records["f1/c"]["value"] == pytest.approx(scores[2]) and records["f1"]["value"] == pytest.approx(
        np.mean(scores)
    )
    assert records["exact_match"]["value"] == pytest.approx((decided == wanted).all(1).mean())
    changed = accuracy_records.changed_and_kept_records(decided, wanted, before, NAMES, "judge", 1)
    had_to = wanted != before
    by_attribute = [(decided == wanted)[had_to[:, column], column].mean() for column in range(3)]
    assert changed["changed_accuracy/a"]["value"] == pytest.approx(by_attribute[0])
    assert changed["changed_accuracy"]["value"] == pytest.approx(np.mean(by_attribute))
    kept = [(decided == wanted)[~had_to[:, column], column].mean() for column in range(3)]
    assert changed["kept_accuracy/c"]["value"] == pytest.approx(kept[2])
    assert changed["kept_accuracy"]["value"] == pytest.approx(np.mean(kept))
    for name, record in {**records, **changed}.items():
        low, high = record["interval"]
        assert low < record["value"] < high and "judge" in record["computed_with"], name


def test_images_are_those_that_a_figure_is_about():
    before, wanted = np.zeros((5, 3)), np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    changed = accuracy_records.changed_and_kept_records(wanted, wanted, before, NAMES, "judge", 1)
    assert {name: record["images"] for name, record in changed.items()} == {
        "changed_accuracy/a": 3,
        "changed_accuracy/b": 1,
        "changed_accuracy/c": 0,
        "changed_accuracy": 3,
        "kept_accuracy/a": 2,
        "kept_accuracy/b": 4,
        "kept_accuracy/c": 5,
        "kept_accuracy": 5,
    }
    records = accuracy_records.accuracy_records(wanted, wanted, NAMES, "judge", 1)
    assert {record["images"] for record in records.values()} == {5}


def test_what_never_occurs_is_undefined_and_left_out_of_the_mean(labels):
    decided, wanted, _ = (array.copy() for array in labels)
    decided[:, 0] = wanted[:, 0] = 0
    records = accuracy_records.accuracy_records(decided, wanted, NAMES, "judge", 1)
    assert records["f1/a"]["value"] is None and records["f1/a"]["interval"] is None
    assert records["f1"]["value"] == pytest.approx(np.mean([records["f1/b"]["value"], records["f1/c"]["value"]]))
    none = accuracy_records.changed_and_kept_records(decided, wanted, wanted, NAMES, "judge", 1)
    assert none["changed_accuracy"]["value"] is None and none["kept_accuracy"]["value"] is not None
