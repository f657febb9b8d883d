import dataclasses

import numpy as np
import pytest

from rgunit_tf.data.avatars.drawing import draw, hair_rgb
from rgunit_tf.data.avatars.people import (
    HAIR_COLOURS,
    HAIR_PAIRS,
    content_attributes,
    domain_labels,
    sample_person,
    with_labels,
)


def test_counterfactual_changes_domain_attributes_only():
    for index in range(12):
        person = sample_person(5, index)
        labels = domain_labels(person)
        target = np.concatenate([np.roll(labels[:3], 1), 1 - labels[3:]])
        other = with_labels(person, target)
        np.testing.assert_array_equal(domain_labels(other), target)
        assert content_attributes(other) == content_attributes(person)
        assert with_labels(other, labels) == person
        first, second = draw(person), draw(other)
        assert first.shape == (218, 178, 3) and first.dtype == np.uint8
        # The corners show background and clothes, which stay; the middle shows the face, which does not.
        np.testing.assert_array_equal(first[:12, :12], second[:12, :12])
        assert np.abs(first[60:140, 50:128].astype(int) - second[60:140, 50:128]).mean() > 8


def test_hair_colours_are_apart():
    """Mean colour of the hair of each class, whatever the jitters: nearer to its own class than to another."""
    classes = {name: [] for name in HAIR_COLOURS}
    for index in range(60):
        person = sample_person(9, index)
        classes[person.hair_colour].append(hair_rgb(person))
    centres = {name: np.mean(values, axis=0) for name, values in classes.items()}
    for name, values in classes.items():
        within = max(np.linalg.norm(value - centres[name]) for value in np.array(values))
        between = min(np.linalg.norm(centres[name] - centres[other]) for other in centres if other != name)
        assert within < between / 2


@pytest.mark.parametrize("pair", range(len(HAIR_PAIRS)))
def test_long_hair_for_women_only(pair):
    """Beside the chin there is a woman's hair, and of a man there is the background."""
    plain = {"background": "plain", "rotation": 0.0, "scale": 1.0, "shift": (0.0, 0.0), "mirrored": False}
    person = dataclasses.replace(sample_person(0, 0), young=True, hair_pair=pair, **plain)
    woman, man = (draw(dataclasses.replace(person, male=male)) for male in (False, True))
    row, column = 153, 40  # left of the jaw, above the shoulder
    np.testing.assert_array_equal(man[row, column], person.background_rgb)
    assert np.abs(woman[row, column] - np.array(hair_rgb(person))).max() < 25
