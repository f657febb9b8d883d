import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import bootstrap, each_image
from rgunit_tf.evaluation.metrics.accuracy_records import accuracy_records
from rgunit_tf.evaluation.metrics.measurement import measurement

NAMES = ("Male", "Young")


def test_a_paired_interval_knows_that_the_images_are_the_same():
    random = np.random.default_rng(0)
    hard = random.normal(size=400) * 10.0
    first, second = hard, hard + 1.0 + 0.1 * random.normal(size=400)
    value, (low, high) = bootstrap.paired_difference((first, None), (second, None))
    assert value == pytest.approx((second - first).mean())
    assert 0.95 < low < value < high < 1.05
    alone = bootstrap.mean_interval(second)
    assert high - low < 0.05 * (alone[1] - alone[0])
    assert bootstrap.paired_difference((first, None), (first, None)) == (0.0, (0.0, 0.0))


def test_the_difference_of_ratios_is_that_of_the_figures():
    random = np.random.default_rng(1)
    asked = random.random((300, 2)) < 0.4
    right = [asked & (random.random((300, 2)) < share) for share in (0.5, 0.8)]
    value, (low, high) = bootstrap.paired_difference((right[0], asked), (right[1], asked))
    expected = np.mean(right[1].sum(0) / asked.sum(0)) - np.mean(right[0].sum(0) / asked.sum(0))
    assert value == pytest.approx(expected) and 0.0 < low < value < high


def records(seed, share=0.8):
    random = np.random.default_rng(seed)
    wanted = random.integers(0, 2, (200, 2))
    decided = np.where(random.random((200, 2)) < share, wanted, 1 - wanted)
    return accuracy_records(decided, wanted, NAMES, "judge", 0)


def test_what_was_written_comes_back_and_figures_without_images_are_left_out(tmp_path):
    found = {**records(0), "images_per_second": measurement(9.0, None, 200, "speed", 0, 0.0)}
    each_image.write(tmp_path / "a/translation.npz", found, "key")
    key, numbers = each_image.read(tmp_path / "a/translation.npz")
    assert key == "key" and set(numbers) == {"accuracy", "f1", "exact_match"}
    above, below = numbers["accuracy"]
    assert np.mean(above.sum(0) / below.sum(0)) == pytest.approx(found["accuracy"]["value"])


def test_differences_are_of_the_same_images_asked_for_the_same(tmp_path):
    for name, share, key in (("worse", 0.6, "one"), ("better", 0.9, "one"), ("other", 0.9, "two")):
        each_image.write(tmp_path / name, records(0, share), key)
    less = each_image.differences(tmp_path / "worse", tmp_path / "better")
    gained = records(0, 0.9)["accuracy"]["value"] - records(0, 0.6)["accuracy"]["value"]
    assert less["accuracy"]["value"] == pytest.approx(gained) and less["accuracy"]["interval"][0] > 0.0
    assert each_image.differences(tmp_path / "worse", tmp_path / "other") == {}
    assert each_image.differences(tmp_path / "worse", tmp_path / "missing") == {}
    (tmp_path / "damaged").write_bytes(b"PK no archive")
    assert each_image.differences(tmp_path / "worse", tmp_path / "damaged") == {}


def test_the_key_changes_with_the_images_and_with_what_is_asked():
    targets = np.eye(2)
    keys = {each_image.key_of(ids, asked) for ids in (["a", "b"], ["b", "a"]) for asked in (targets, targets[::-1])}
    assert len(keys) == 4 and each_image.key_of(["a", "b"], targets) in keys
