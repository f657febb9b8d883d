import numpy as np
import pytest

from rgunit_tf.names import printable, several, to_array, to_bytes, to_tensor, to_text

NAMES = ["a.png", "é.png", "caf\udce9.png", ""]


def test_there_and_back():
    tensor = to_tensor(NAMES)
    assert tensor.numpy().tolist() == [b"a.png", b"\xc3\xa9.png", b"caf\xe9.png", b""]
    assert to_array(tensor).tolist() == NAMES
    assert [to_text(to_bytes(name)) for name in NAMES] == NAMES
    assert to_text("as it is") == "as it is" and to_bytes(b"as it is") == b"as it is"


@pytest.mark.parametrize("shape", [(2, 2), (4, 1), (4,)])
def test_arrays_keep_their_shape(shape):
    names = np.array(NAMES).reshape(shape)
    assert to_tensor(names).shape == shape
    np.testing.assert_array_equal(to_array(to_tensor(names)), names)


def test_no_names():
    assert to_tensor([]).shape == (0,) and to_array(to_tensor([])).shape == (0,)


def test_a_message_can_be_printed():
    assert printable("caf\udce9\n.png").encode() == rb"caf\udce9\n.png"


def test_one_is_no_several():
    assert [several(count, "test image") for count in (0, 1, 2)] == ["0 test images", "1 test image", "2 test images"]
