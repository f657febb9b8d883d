import numpy as np
import pytest

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError


@pytest.fixture
def categorical():
    return AttributeSchema(["cat", "dog"], groups=[["dog", "cat"]])


def test_vectors_and_names(schema):
    vector = schema.vector(["Young", "Blond_Hair"])
    assert vector.dtype == np.float32
    assert vector.tolist() == [0, 1, 0, 0, 1]
    assert schema.names_of(vector) == ("Blond_Hair", "Young")
    assert schema.describe(vector) == "Blond_Hair, Young"
    assert schema.describe(np.zeros(5)) == "none"


def test_setting_a_member_of_a_group_unsets_the_others(schema):
    before = schema.vector(["Black_Hair", "Male"])
    after = schema.apply(before, ["Brown_Hair", "Young", "-Male"])
    assert schema.names_of(after) == ("Brown_Hair", "Young")
    assert schema.names_of(before) == ("Black_Hair", "Male")  # the argument stays as it was
    assert schema.names_of(schema.apply(before, ["-Black_Hair", ""])) == ("Male",)


def test_two_members_of_a_group_are_refused(schema):
    with pytest.raises(UserError, match="Black_Hair and Brown_Hair exclude each other"):
        schema.vector(["Black_Hair", "Brown_Hair"])


def test_an_unknown_attribute_gets_the_nearest_name(schema):
    with pytest.raises(UserError, match="'Blonde_Hair'; did you mean Blond_Hair"):
        schema.vector(["Blonde_Hair"])
    with pytest.raises(UserError, match="known: Black_Hair"):
        schema.apply(np.zeros(5), ["-zzz"])


def test_categorical_is_one_group_of_all_names(schema, categorical):
    assert categorical.categorical
    assert not schema.categorical
    assert not AttributeSchema(["a", "b", "c"], [["a", "b"]]).categorical


@pytest.mark.parametrize(
    ("names", "groups", "message"),
    [
        ([], [], "at least one name"),
        (["a", "a"], [], "twice"),
        (["a", "b"], [["a", "c"]], "unknown attribute 'c'"),
        (["a", "b", "c"], [["a", "b"], ["b", "c"]], "one group only"),
    ],
)
def test_schemas_that_cannot_be(names, groups, message):
    with pytest.raises(UserError, match=message):
        AttributeSchema(names, groups)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 4)), r"faces: shape \(2, 4\), expected \[N, 5\]"),
        (np.zeros(5), "shape"),
        (np.full((1, 5), 0.5), "other than 0 and 1"),
        (-np.ones((1, 5)), "other than 0 and 1"),
        ([[0, 0, 0, 0, 0], [1, 0, 1, 0, 0]], "row 1 has Black_Hair, Brown_Hair; at most one"),
    ],
)
def test_labels_that_cannot_be(schema, labels, message):
    with pytest.raises(UserError, match=message):
        schema.check_labels(np.asarray(labels), "faces")


def test_labels_that_can_be(schema, categorical):
    labels = schema.check_labels(np.array([[0, 0, 0, 0, 0], [0, 1, 0, 1, 1]]))
    assert labels.dtype == np.float32
    with pytest.raises(UserError, match="row 0 has none; exactly one"):
        categorical.check_labels(np.zeros((1, 2)))


def test_round_trip_and_equality(schema, categorical):
    again = AttributeSchema.from_dict(schema.to_dict())
    assert again == schema and hash(again) == hash(schema)
    assert again != categorical
    assert again != AttributeSchema(schema.names)


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
    np.testing.assert_array_equal(schema.nearest_labels(styles), nearest)


def test_one_of_a_categorical_schema_always_holds():
    schema = AttributeSchema(["cat", "dog"], [["cat", "dog"]])
    np.testing.assert_array_equal(schema.nearest_labels(styles_of([-3, -2], [-2, -3])), [[0, 1], [1, 0]])


def test_one_attribute_is_changed(schema):
    label = schema.vector(["Black_Hair", "Male"])
    changed = {name: schema.names_of(schema.switched(label, name)) for name in schema.names}
    assert changed == {
        "Black_Hair": ("Black_Hair", "Male"),  # one of a group is set, never taken away
        "Blond_Hair": ("Blond_Hair", "Male"),
        "Brown_Hair": ("Brown_Hair", "Male"),
        "Male": ("Black_Hair",),
        "Young": ("Black_Hair", "Male", "Young"),
    }
