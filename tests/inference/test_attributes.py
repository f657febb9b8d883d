import numpy as np
import pytest

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.inference.attributes import check_changes, nearest_labels, parse_changes, target_labels


def styles_of(*scores):
    """Styles whose blocks of two have the given means."""
    scores = np.array(scores, np.float32)
    return np.stack([scores - 0.5, scores + 0.5], -1).reshape(len(scores), -1)


def test_nearest_component_by_brute_force(schema):
    """Of all label vectors that can occur the one whose component's mean is nearest."""
    styles = np.random.default_rng(0).normal(0.0, 1.0, (50, schema.size * 2)).astype(np.float32)
    possible = np.array(np.meshgrid(*[[0.0, 1.0]] * schema.size)).reshape(schema.size, -1).T
    possible = possible[possible[:, :3].sum(1) <= 1]
    means = np.repeat(2.0 * possible - 1.0, 2, 1)
    nearest = possible[np.argmin(((styles[:, None] - means) ** 2).sum(-1), 1)]
    np.testing.assert_array_equal(nearest_labels(schema, styles), nearest)


def test_one_of_a_categorical_schema_always_holds():
    schema = AttributeSchema(["cat", "dog"], [["cat", "dog"]])
    np.testing.assert_array_equal(nearest_labels(schema, styles_of([-3, -2], [-2, -3])), [[0, 1], [1, 0]])


def test_the_same_as_the_training_stage(schema):
    from rgunit_tf.stages.translation import TranslationModel

    model = TranslationModel(schema, 16, width=4, residual_blocks=1, discriminator_layers=2, style_dim=2)
    images = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)
    styles = 30.0 * np.random.default_rng(1).normal(size=(8, model.prior.style_dim)).astype(np.float32)
    model.style_encoder = lambda x: (styles, None)
    np.testing.assert_array_equal(nearest_labels(schema, styles), model.predict_labels(images))


def test_changes_are_made_to_each_image(schema):
    assert parse_changes(" Blond_Hair, -Young,") == ("Blond_Hair", "-Young")
    own = np.stack([schema.vector(["Black_Hair", "Young"]), schema.vector(["Male"])])
    targets = target_labels(schema, own, ("Blond_Hair", "-Young"))
    assert [schema.names_of(row) for row in targets] == [("Blond_Hair",), ("Blond_Hair", "Male")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["Blond_Hiar"], "--to: unknown attribute 'Blond_Hiar'; did you mean Blond_Hair"),
        (["Blond_Hair", "Black_Hair"], "exclude each other"),
        (["Young", "-Young"], "Young is both on and off"),
        ("Young", r"write \['Young'\]"),
    ],
)
def test_changes_that_cannot_be_made(schema, changes, message):
    with pytest.raises(UserError, match=message):
        check_changes(schema, changes, "--to")


def test_where_one_must_hold_it_is_not_switched_off_alone():
    schema = AttributeSchema(["cat", "dog"], [["cat", "dog"]])
    with pytest.raises(UserError, match="exactly one of cat, dog holds; name it, such as dog"):
        check_changes(schema, ["-cat"])
    check_changes(schema, ["dog", "-cat"])
