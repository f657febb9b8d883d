"""Reading TFRecords: whatever is wrong with them is said by name."""

import json

import pytest

from rgunit_tf import data
from rgunit_tf.data import folder, prepare
from rgunit_tf.errors import UserError


@pytest.fixture
def written(make_folder, tmp_path):
    records = folder.load_records(make_folder({"cat": 6, "dog": 6}))
    prepare.write_tfrecord(records, tmp_path / "records", shards=3)
    return tmp_path / "records"


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


def test_a_shard_that_is_cut_off_while_it_is_in_use(written):
    train = data.load("tfrecord", written, image_size=16, cache_mb=0).train
    shard = written / "train-00002-of-00003.tfrecord"
    with open(shard, "r+b") as file:
        file.truncate(100)
    with pytest.raises(UserError, match=r"in .*train-00002-of-00003.tfrecord: no longer readable .*cut off"):
        train.images()


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
        (
            {"splits": {"train": [{"file": "../x", "images": 1, "bytes": 1, "sha256": "", "unreadable": []}]}},
            "'../x' is a path",
        ),
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


def test_a_damaged_folder_to_retrieve_from(written, make_folder):
    next(written.glob("train-*")).unlink()
    with pytest.raises(UserError, match=r"train-.*\.tfrecord: missing; copy it again"):
        data.load("folder", make_folder({"a": 6, "b": 6}, "other"), image_size=16, retrieval_source=str(written))
