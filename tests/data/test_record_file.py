import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.data import record_file


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_of_the_standard(data, crc):
    assert record_file.crc32c(data) == crc


@pytest.mark.parametrize("length", [0, 1, 63, 64, 255, 256, 257, 1000, 5000])
def test_tensorflow_reads_what_is_framed(tmp_path, length):
    records = [np.random.default_rng(seed).bytes(length) for seed in range(3)]
    (tmp_path / "file").write_bytes(b"".join(map(record_file.frame, records)))
    found = list(tf.data.TFRecordDataset(str(tmp_path / "file")).as_numpy_iterator())
    assert found == records
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in records:
            writer.write(record)
    assert (tmp_path / "theirs").read_bytes() == (tmp_path / "file").read_bytes()


def test_examples_are_those_of_tensorflow():
    given = {"image": b"\0\xff" * 300, "id": "ä".encode(), "row": 300_000, "label": [0.0, 1.0, 0.5], "none": []}
    found = tf.train.Example.FromString(record_file.example(given)).features.feature
    assert set(found) == set(given)
    assert found["image"].bytes_list.value[:] == [given["image"]]
    assert found["id"].bytes_list.value[:] == [given["id"]]
    assert found["row"].int64_list.value[:] == [300_000]
    assert found["label"].float_list.value[:] == [0.0, 1.0, 0.5]
    assert found["none"].float_list.value[:] == []
