"""A SavedModel in a session: the answers of `tf.saved_model.load`, to the bit, from the part of the graph they need."""

import shutil

import numpy as np
import pytest

from rgunit_tf.inference.saved_model import SavedModel

NAMES = (("encode",), ("translate_to_style", "translate_with_style"), ("retrieve",))


@pytest.mark.parametrize("kind", ["translation", "guided", "attention", "retrieval", "guided_half", "guided_scann"])
def test_answers_are_those_of_the_whole_model(exports, kind, images, attributes):
    import tensorflow as tf

    if kind.endswith("scann"):
        pytest.importorskip("scann").scann_ops  # noqa: B018  (registers the ops)
    whole, part = tf.saved_model.load(str(exports[kind])), SavedModel(exports[kind], NAMES)
    styles = np.random.default_rng(2).standard_normal((3, 40)).astype(np.float32)
    asked = {
        "encode": {"images": images},
        "translate_to_style": {"images": images, "styles": styles},
        "retrieve": {"images": images, "attributes": attributes, "k": np.array([2, 5, 3], np.int32)},
    }
    answered = [name for name in asked if name in part]
    assert answered == [name for name in asked if name in whole.signatures]
    for name in answered:
        for rows in (slice(0, 1), slice(None)):
            inputs = {key: value[rows] for key, value in asked[name].items()}
            expected = whole.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
            found = part(name, **inputs)
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_array_equal(found[key], value.numpy(), key)


def test_two_of_them_do_not_share_what_they_hold(exports, images):
    first, second = (SavedModel(exports[kind], [["encode"]]) for kind in ("translation", "guided"))
    content = first("encode", images=images)["content"]
    second("encode", images=images)
    np.testing.assert_array_equal(first("encode", images=images)["content"], content)


def test_what_is_not_asked_for_is_left_out(exports, images):
    import tensorflow as tf

    model = SavedModel(exports["guided"], [["no such signature"], ["nor this", "translate_with_style", "encode"]])
    assert "translate_with_style" in model and "encode" not in model and "no such signature" not in model
    assert {"images", "masks"} == model("translate_with_style", images=images, styles=np.zeros((3, 40))).keys()
    with pytest.raises(tf.errors.InvalidArgumentError, match="images and styles"):
        model("translate_with_style", images=images, styles=np.zeros((2, 40)))


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
@pytest.mark.parametrize("left", [0.0, 0.5, None])
def test_damaged_files_are_noticed(exports, tmp_path, name, left):
    import tensorflow as tf

    folder = shutil.copytree(exports["translation"], tmp_path / "1")
    content = (folder / name).read_bytes()
    (folder / name).unlink() if left is None else (folder / name).write_bytes(content[: int(len(content) * left)])
    with pytest.raises((OSError, LookupError, ValueError, tf.errors.OpError)):
        SavedModel(folder, NAMES)
