import numpy as np
import pytest

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.inference.attributes import check_changes, parse_changes, target_labels


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
