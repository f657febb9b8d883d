"""The bytes are those that TensorFlow's generated classes write."""

import pytest
import tensorflow as tf

from rgunit_tf.protobuf import field, varint


@pytest.mark.parametrize("length", [0, 1, 127, 128, 300, 70_000])
def test_a_field(length):
    content = b"x" * length
    assert field(1, content) == tf.train.BytesList(value=[content]).SerializeToString()


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16_383, 16_384, 2**40])
def test_a_number(value):
    assert field(1, varint(value)) == tf.train.Int64List(value=[value]).SerializeToString()


def test_a_field_beyond_number_15():
    # By the standard: TensorFlow's own messages have few such numbers.
    assert field(16, b"ab") == b"\x82\x01\x02ab"
