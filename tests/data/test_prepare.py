"""Writing TFRecords: what is kept, what is skipped, and what becomes of a call that is cut off."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import atomic, data
from rgunit_tf.data import celeba as celeba_source
from rgunit_tf.data import folder, prepare, shard_writer
from rgunit_tf.errors import UserError

ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
GROUPS = (ATTRIBUTES[:3],)


@pytest.fixture
def records(celeba):
    """40 images of which a tenth shows two hair colours, and so has no label."""
    celeba.values[::10, :2] = 1
    celeba.write()
    return celeba_source.load_records(celeba.root, ATTRIBUTES, GROUPS, crop=18)


def batches_of(split, count=3):
    return list(split.stream(4, seed=5, start_step=7).take(count).as_numpy_iterator())


def assert_same_batches(left, right):
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            np.testing.assert_array_equal(value, b[name], err_msg=name)


@pytest.mark.parametrize("fraction", [1.0, 0.5])
@pytest.mark.parametrize("retrieval_source", ["train", "all"])
def test_training_gets_the_same_batches_from_records_and_source(celeba, tmp_path, fraction, retrieval_source):
    celeba = type(celeba)(tmp_path / "many", 120)
    celeba.values[::10, :2] = 1  # two hair colours: no label
    celeba.write()
    celeba.write_identities(np.arange(120) // 2)
    (celeba.images / celeba.names[3]).write_bytes(b"no image")
    records = celeba_source.load_records(celeba.root, ATTRIBUTES, GROUPS, crop=18)
    prepare.write_tfrecord(records, tmp_path / "records", shards=3)
    options = {"image_size": 16, "fraction": fraction, "retrieval_source": retrieval_source, "resize_margin": 0.25}
    source = data.load("celeba", celeba.root, crop=18, **options)
    read = data.load("tfrecord", tmp_path / "records", **options)
    assert_same_batches(batches_of(source.train), batches_of(read.train))
    for name in ("validation", "test", "retrieval"):
        left, right = (getattr(dataset, name).batches(8, training=False) for dataset in (source, read))
        assert_same_batches(left.as_numpy_iterator(), right.as_numpy_iterator())
    np.testing.assert_array_equal(source.train.content_labels, read.train.content_labels)
    assert source.train.content_names == read.train.content_names
    np.testing.assert_array_equal(source.test.identities, read.test.identities)
    assert len(set(read.test.identities)) > 1
    assert celeba.names[3] not in read.train.ids
    assert read.fingerprint == source.fingerprint
    excluded, unreadable = (line for line in read.summary.splitlines() if "left out" in line and "fraction" not in line)
    assert "12 of 120 rows, which data.groups" in excluded and "left out: 1 image that could not be read" in unreadable


def test_shards_are_plain_tfrecord(records, tmp_path):
    manifest = prepare.write_tfrecord(records, tmp_path / "records", shards=3)
    paths = sorted(str(path) for path in (tmp_path / "records").glob("train-*-of-00003.tfrecord"))
    assert len(paths) == 3
    features = {
        "image": tf.io.FixedLenFeature([], tf.string), "id": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([5], tf.float32), "content_label": tf.io.FixedLenFeature([2], tf.float32),
        "row": tf.io.FixedLenFeature([], tf.int64),
    }  # fmt: skip
    found = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(paths)]
    rows = np.flatnonzero(records.partition == 0)
    assert [int(example["row"]) for example in found] == rows.tolist()
    assert [example["id"].numpy().decode() for example in found] == records.ids[rows].tolist()
    np.testing.assert_array_equal([example["label"].numpy() for example in found], records.labels[rows])
    assert found[2]["image"].numpy() == records.reader.read(rows[2])
    assert {name: sum(entry["images"] for entry in entries) for name, entries in manifest["splits"].items()} == {
        "train": len(rows),
        **{name: int((records.partition == part).sum()) for name, part in (("validation", 1), ("test", 2))},
        "unlabeled": int((records.partition == 3).sum()),
    }


@pytest.mark.parametrize("image_size", [16, 24])
def test_a_folder_and_unlabelled_images_besides(make_folder, tmp_path, image_size):
    root = make_folder({"cat": 6, "dog": 6})
    others = make_folder({"a": 3, "b/c": 2}, "others")
    prepare.write_tfrecord(folder.load_records(root), tmp_path / "records", folder.unlabelled_reader(others))
    options = {"image_size": image_size, "retrieval_source": os.fspath(others)}
    original, read = data.load("folder", root, **options), data.load("tfrecord", tmp_path / "records", **options)
    assert read.schema.categorical and read.train.content_labels is None
    assert_same_batches(batches_of(original.train), batches_of(read.train))
    prepared = {**options, "retrieval_source": os.fspath(tmp_path / "records")}
    read = data.load("tfrecord", tmp_path / "records", **prepared)
    assert read.retrieval.ids.tolist() == original.retrieval.ids.tolist() and len(read.retrieval) == 5
    np.testing.assert_array_equal(read.retrieval.images(), original.retrieval.images())
    assert [read.retrieval.encoded(row) for row in range(5)] == [original.retrieval.encoded(row) for row in range(5)]


def test_the_training_images_of_a_prepared_folder_can_be_retrieved(celeba, records, make_folder, tmp_path):
    prepare.write_tfrecord(records, tmp_path / "records", shards=2)
    root = make_folder({"cat": 6, "dog": 6})
    dataset = data.load("folder", root, image_size=16, retrieval_source=os.fspath(tmp_path / "records"))
    everyone = data.load("celeba", celeba.root, crop=18, image_size=16, retrieval_source="all").retrieval
    assert dataset.retrieval.ids.tolist() == [f"retrieval/{name}" for name in everyone.ids]
    np.testing.assert_array_equal(dataset.retrieval.images(), everyone.images())


def test_records_of_records(records, tmp_path):
    prepare.write_tfrecord(records, tmp_path / "first", shards=2)
    prepare.write_tfrecord(data.tfrecord.load_records(tmp_path / "first"), tmp_path / "second", shards=3)
    first, second = (data.load("tfrecord", tmp_path / name, image_size=16) for name in ("first", "second"))
    assert len(list((tmp_path / "second").glob("train-*"))) == 3
    assert_same_batches(batches_of(first.train), batches_of(second.train))


def contents(root: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_processes_write_the_same_files(records, tmp_path):
    seen = []
    prepare.write_tfrecord(records, tmp_path / "one", shards=2)
    prepare.write_tfrecord(
        records, tmp_path / "two", shards=2, workers=2, progress=lambda done, total: seen.append((done, total))
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert [done for done, _ in seen] == sorted({done for done, _ in seen}) and seen[-1] == (40, 40)


def test_workers_start_without_tensorflow():
    program = f"import sys, {shard_writer.__name__}; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_interrupted_writing_goes_on(records, tmp_path):
    output = tmp_path / "records"

    def stop(done, total):
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare.write_tfrecord(records, output, shards=5, progress=stop)
    with pytest.raises(UserError, match=r"dataset.json: no such file; run bin/prepare to the end"):
        data.load("tfrecord", output, image_size=16)
    kept = sorted(output.glob("train-*.tfrecord"))
    assert len(kept) > 1
    times = [path.stat().st_mtime_ns for path in kept]
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    (output / ".partial-left.tfrecord").write_text("x")
    prepare.write_tfrecord(records, output, shards=5)
    assert [path.stat().st_mtime_ns == time for path, time in zip(kept, times, strict=True)] == [
        place != 1 for place in range(len(kept))
    ]
    prepare.write_tfrecord(records, tmp_path / "at once", shards=5)
    assert contents(output) == contents(tmp_path / "at once")


def test_a_process_that_is_killed_loses_only_what_it_was_at(celeba, records, tmp_path):
    program = (
        "import os, sys; from rgunit_tf.data import celeba, prepare\n"
        f"records = celeba.load_records(sys.argv[1], {ATTRIBUTES!r}, {GROUPS!r}, 18)\n"
        "stop = lambda done, total: done > 10 and os.kill(os.getpid(), 9)\n"
        "prepare.write_tfrecord(records, sys.argv[2], shards=8, progress=stop)"
    )
    output = tmp_path / "records"
    killed = subprocess.run([sys.executable, "-c", program, celeba.root, output], cwd=pathlib.Path(__file__).parents[2])
    assert killed.returncode == -9 and not (output / "dataset.json").exists()
    finished = {path: path.stat().st_ino for path in output.glob("*.tfrecord")}
    assert finished
    prepare.write_tfrecord(records, output, shards=8)
    assert all(path.stat().st_ino == inode for path, inode in finished.items())
    assert not (output / ".progress").exists()


def test_same_output_again(celeba, records, tmp_path):
    output = tmp_path / "records"
    manifest = prepare.write_tfrecord(records, output, shards=3)
    before = (output / "dataset.json").stat().st_mtime_ns
    assert json.loads(json.dumps(prepare.write_tfrecord(records, output, shards=3))) == json.loads(json.dumps(manifest))
    assert (output / "dataset.json").stat().st_mtime_ns == before
    # A call that was killed after the manifest leaves its notes to the next one.
    before_that = contents(output)
    atomic.write_json(output / shard_writer.PROGRESS / "plan.json", {})
    (output / ".partial-x.json").write_text("{")
    prepare.write_tfrecord(records, output, shards=3)
    assert contents(output) == before_that
    other = celeba_source.load_records(celeba.root, ATTRIBUTES, GROUPS, crop=18, seed=1)
    with pytest.raises(UserError, match="another data set lies there; choose another --output"):
        prepare.write_tfrecord(other, output, shards=3)


def test_outputs_that_cannot_be_used(celeba, records, tmp_path):
    (tmp_path / "full" / "precious").mkdir(parents=True)
    with pytest.raises(UserError, match="not empty; choose another --output"):
        prepare.write_tfrecord(records, tmp_path / "full")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file: cannot be written"):
        prepare.write_tfrecord(records, tmp_path / "file")
    with pytest.raises(UserError, match="another bin/prepare writes there"):
        # While the first call writes, a second one begins.
        prepare.write_tfrecord(
            records, tmp_path / "busy", progress=lambda *_: prepare.write_tfrecord(records, tmp_path / "busy")
        )
    with pytest.raises(KeyboardInterrupt):
        prepare.write_tfrecord(records, tmp_path / "begun", shards=2, progress=interrupt)
    other = celeba_source.load_records(celeba.root, ATTRIBUTES, GROUPS, crop=18, seed=1)
    with pytest.raises(UserError, match="another data set was begun there"):
        prepare.write_tfrecord(other, tmp_path / "begun")


def interrupt(done, total):
    raise KeyboardInterrupt


def test_a_full_disk_is_one_line(records, tmp_path, monkeypatch):
    def full(job):
        raise OSError(28, "No space left on device", job["file"])

    monkeypatch.setattr(shard_writer, "write_shard", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\); make room"):
        prepare.write_tfrecord(records, tmp_path / "records")


def test_more_than_one_percent_unreadable_stops_and_leaves_nothing_in_the_way(celeba, records, tmp_path):
    good = (celeba.images / celeba.names[5]).read_bytes()
    (celeba.images / celeba.names[5]).write_bytes(good[:60])
    with pytest.raises(UserError, match=rf"at least 1 of 40 images cannot be read.*{celeba.names[5]} \(") as caught:
        prepare.write_tfrecord(records, tmp_path / "records", shards=4)
    assert "\n" not in str(caught.value)
    (celeba.images / celeba.names[5]).write_bytes(good)
    again = celeba_source.load_records(celeba.root, ATTRIBUTES, GROUPS, crop=18)
    manifest = prepare.write_tfrecord(again, tmp_path / "records", shards=4)
    assert not prepare.unreadable(manifest)


def test_skipped_images_are_named(make_folder, tmp_path):
    root = make_folder({"cat": 60, "dog": 60})
    records = folder.load_records(root)
    (root / "cat" / "7.png").unlink()
    manifest = prepare.write_tfrecord(records, tmp_path / "records", workers=1)
    ((name, reason),) = prepare.unreadable(manifest)
    assert name.endswith("cat/7.png") and "No such file" in reason
    assert len(data.tfrecord.load_records(tmp_path / "records").ids) == 119


def test_more_shards_than_images(records, tmp_path):
    prepare.write_tfrecord(records, tmp_path / "records", shards=1000)
    assert len(data.tfrecord.load_records(tmp_path / "records").ids) == 40
