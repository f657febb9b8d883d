"""Distances over those of real images."""

import pytest

from rgunit_tf.evaluation.metrics import floor


def record(value, interval=None):
    return {"value": value, "interval": interval, "images": 7, "computed_with": "words"}


def test_a_distance_and_its_interval_are_divided_by_the_floor():
    found = floor.over_floor(record(6.0, [4.0, 8.0]), record(2.0, [1.0, 3.0]), 5)
    assert (found["value"], found["interval"], found["images"], found["seed"]) == (3.0, [2.0, 4.0], 7, 5)
    assert found["computed_with"].startswith("words; over that of as many real test images")


@pytest.mark.parametrize(("distance", "least"), [(6.0, 0.0), (6.0, None), (None, 2.0)])
def test_without_a_floor_it_is_undefined(distance, least):
    found = floor.over_floor(record(distance, [1.0, 2.0]), record(least), 0)
    assert found["value"] is None and found["interval"] is None


def test_name():
    assert floor.name_of("frechet_mobilenet_distance") == "frechet_mobilenet_over_floor"
