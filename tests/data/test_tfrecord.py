import json

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import data
from rgunit_tf.data import tfrecord
from rgunit_tf.errors import UserError


@pytest.fixture
def dataset(celeba):
    return data.load("celeba", celeba.root, image_size=16, fraction=0.5, retrieval_source="all", crop=18)


@pytest.fixture
def written(dataset, tmp_path):
    tfrecord.write_tfrecord(dataset, tmp_path / "records", shards=3)
    return tmp_path / "records"


def assert_same(left, right):
    assert left.ids.tolist() == right.ids.tolist()
    np.testing.assert_array_equal(left.images(), right.images())
    if left.labels is None:
        assert right.labels is None
    else:
        np.testing.assert_array_equal(left.labels, right.labels)
        np.testing.assert_array_equal(left.content_labels, right.content_labels)


@pytest.mark.parametrize("image_size", [16, 24])
def test_round_trip(celeba, written, image_size):
    options = {"image_size": image_size, "crop": 18, "fraction": 0.5}
    original = data.load("celeba", celeba.root, **options)
    read = data.load("tfrecord", written, image_size=image_size)
    assert read.schema == original.schema
    assert read.train.content_names == original.train.content_names
    for name in ("train", "validation", "test"):
        assert_same(getattr(original, name), getattr(read, name))


def test_unlabelled_images_are_kept_apart(dataset, written):
    everything = data.load("tfrecord", written, image_size=16, retrieval_source="all").retrieval
    assert everything.labels is None
    assert sorted(everything.ids) == sorted(dataset.retrieval.ids)
    assert len(everything) > len(dataset.train)


def test_shards_are_plain_tfrecord(dataset, written):
    paths = sorted(str(path) for path in written.glob("train-*-of-00003.tfrecord"))
    assert len(paths) == 3
    features = {
        "image": tf.io.FixedLenFeature([], tf.string), "id": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([5], tf.float32), "content_label": tf.io.FixedLenFeature([2], tf.float32),
    }  # fmt: skip
    rows = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(paths)]
    assert [row["id"].numpy().decode() for row in rows] == dataset.train.ids.tolist()
    np.testing.assert_array_equal([row["label"].numpy() for row in rows], dataset.train.labels)
    assert rows[2]["image"].numpy() == dataset.train.encoded(2)


def test_manifest_counts(dataset, written):
    manifest = json.loads((written / "dataset.json").read_text())
    counts = {name: sum(entry["images"] for entry in shards) for name, shards in manifest["splits"].items()}
    assert counts["train"] == len(dataset.train)
    assert counts["train"] + counts["unlabeled"] == len(dataset.retrieval)
    assert sorted(path.name for path in written.iterdir()) == sorted(
        ["dataset.json", *(entry["file"] for shards in manifest["splits"].values() for entry in shards)]
    )


def test_interrupted_writing_goes_on(dataset, tmp_path, monkeypatch):
    output = tmp_path / "records"

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tfrecord.write_tfrecord(dataset, output, shards=3, progress=stop)
    assert not (output / "dataset.json").exists()
    with pytest.raises(UserError, match=r"dataset.json: no such file; run bin/prepare to the end"):
        data.load("tfrecord", output, image_size=16)
    kept = sorted(output.glob("train-*.tfrecord"))
    times = [path.stat().st_mtime_ns for path in kept]
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    tfrecord.write_tfrecord(dataset, output, shards=3)
    assert [path.stat().st_mtime_ns == time for path, time in zip(kept, times, strict=True)] == [True, False, True]
    assert_same(dataset.train, data.load("tfrecord", output, image_size=16).train)
    assert not (output / ".progress").exists()


def test_same_output_again(dataset, celeba, written):
    before = (written / "dataset.json").stat().st_mtime_ns
    tfrecord.write_tfrecord(dataset, written, shards=3)
    assert (written / "dataset.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="another data set lies there; choose another --output"):
        tfrecord.write_tfrecord(data.load("celeba", celeba.root, image_size=16, seed=1), written, shards=3)


def test_output_in_use(dataset, tmp_path):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(UserError, match="not empty; choose another --output"):
        tfrecord.write_tfrecord(dataset, tmp_path)


def test_more_shards_than_images(dataset, tmp_path):
    tfrecord.write_tfrecord(dataset, tmp_path / "records", shards=1000)
    assert len(data.load("tfrecord", tmp_path / "records", image_size=16).train) == len(dataset.train)


def test_folder_data(make_folder, tmp_path):
    original = data.load("folder", make_folder({"cat": 6, "dog": 6}), image_size=16)
    tfrecord.write_tfrecord(original, tmp_path / "records")
    read = data.load("tfrecord", tmp_path / "records", image_size=16)
    assert read.schema.categorical
    assert read.train.content_labels is None
    assert read.train.ids.tolist() == original.train.ids.tolist()
    np.testing.assert_array_equal(read.test.images(), original.test.images())


def refused(root, message):
    with pytest.raises(UserError, match=message) as caught:
        data.load("tfrecord", root, image_size=16)
    assert "\n" not in str(caught.value)


def test_damaged_shards(written):
    shard = written / "train-00001-of-00003.tfrecord"
    content = bytearray(shard.read_bytes())
    content[40] ^= 1
    shard.write_bytes(content)
    refused(written, "train-00001-of-00003.tfrecord: not as it was written")
    shard.write_bytes(content[:-1])
    refused(written, "train-00001-of-00003.tfrecord: not as it was written")
    shard.unlink()
    refused(written, "train-00001-of-00003.tfrecord: missing; copy it again")


@pytest.mark.parametrize(
    "change, message",
    [
        ("{", "dataset.json: not the manifest"),
        ("[]", "dataset.json: not the manifest"),
        ({"crop": None}, "not the manifest"),
        ({"plan": {"format": 99}}, "format 99, expected 1"),
        ({"splits": {"other": []}}, "not the manifest"),
        ({"splits": {"train": [{"file": "x"}]}}, "entry is not whole"),
        ({"splits": {"test": []}}, "no training images"),
        ({"splits": {"train": [{"file": "../x", "images": 1, "bytes": 1, "sha256": ""}]}}, "'../x' is a path"),
    ],
)
def test_damaged_manifest(written, change, message):
    path = written / "dataset.json"
    if isinstance(change, str):
        path.write_text(change)
    else:
        manifest = json.loads(path.read_text())
        for key, value in change.items():
            if value is None:
                del manifest[key]
            else:
                manifest[key] = value
        path.write_text(json.dumps(manifest))
    refused(written, message)


def test_missing_folder():
    refused("/nowhere", "data.root=/nowhere: no such folder")
