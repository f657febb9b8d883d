import os

import numpy as np
import pytest

from rgunit_tf.data import folder as source
from rgunit_tf.data.records import TEST, TRAIN, VALIDATION
from rgunit_tf.errors import UserError

ALL = {"train/cat": 6, "train/dog": 5, "val/cat": 2, "val/dog": 2, "test/cat": 3, "test/dog": 1}


def count(records, part):
    return int((records.partition == part).sum())


def test_splits_and_labels_follow_the_folders(make_folder):
    records = source.load_records(make_folder(ALL))
    assert records.schema.names == ("cat", "dog")
    assert records.schema.categorical
    assert [count(records, part) for part in (TRAIN, VALIDATION, TEST)] == [11, 4, 4]
    for name, label, part in zip(records.ids, records.labels, records.partition, strict=True):
        split, domain, _ = name.split("/")
        assert records.schema.names_of(label) == (domain,)
        assert source.SPLITS[split] == part


def test_validation_may_be_written_out(make_folder):
    counts = {name.replace("val/", "validation/"): number for name, number in ALL.items()}
    assert count(source.load_records(make_folder(counts)), VALIDATION) == 4
    root = make_folder(counts)
    (root / "val").mkdir()
    with pytest.raises(UserError, match="val/ and validation/ both exist"):
        source.load_records(root)


def test_without_test_folder_val_is_the_test_part(make_folder):
    counts = {name: number for name, number in ALL.items() if not name.startswith("test")}
    records = source.load_records(make_folder(counts), validation_fraction=0.3)
    assert [count(records, part) for part in (TRAIN, VALIDATION, TEST)] == [8, 3, 4]
    assert all(name.startswith("val/") for name in records.ids[records.partition == TEST])


def test_domain_folders_get_a_seeded_split(make_folder):
    root = make_folder({"cat": 10, "dog": 10, "wild": 10})
    first, again, other = (source.load_records(root, seed=seed) for seed in (0, 0, 1))
    assert count(first, TEST) == 6
    assert count(first, VALIDATION) == 1
    np.testing.assert_array_equal(first.partition, again.partition)
    assert (first.partition != other.partition).any()


def test_hidden_files_and_other_files_are_passed_over(make_folder):
    root = make_folder({"cat": 3, "dog": 3, ".trash": 2, "cat/.thumbnails": 1})
    (root / "cat" / ".hidden.png").write_bytes(b"x")
    (root / "cat" / "notes.txt").write_text("x")
    assert len(source.load_records(root).ids) == 6


def test_links_are_followed_once(make_folder):
    root = make_folder({"cat": 2, "dog": 2})
    more = make_folder({"more": 3}, "elsewhere")
    os.symlink(more / "more", root / "cat" / "linked")
    os.symlink(root / "cat", root / "cat" / "loop")
    os.symlink("nowhere.png", root / "cat" / "dangling.png")
    names = source.load_records(root).ids.tolist()
    assert sum(name.startswith("cat/linked/") for name in names) == 3
    assert len(names) == 7


def test_nested_images_keep_their_path_as_id(make_folder):
    root = make_folder({"cat": 1, "cat/indoors": 1, "dog": 2})
    assert "cat/indoors/0.png" in source.load_records(root).ids


@pytest.mark.parametrize(
    "counts, message",
    [
        ({}, "no such folder; give one with train/"),
        ({"cat": 2}, "1 domain folders, at least 2"),
        ({"train/cat": 2}, "1 domain folders, at least 2"),
        ({"cat": 2, "dog": 0}, "dog: no image"),
        ({**ALL, "val/wild": 1}, "val: domains cat, dog, wild differ from those of train/: cat, dog"),
        ({"train/cat": 1, "train/dog": 1, "test/cat": 1}, "test: domains cat differ"),
        ({"a,b": 1, "dog": 1}, "may not hold a comma"),
        ({"-cat": 1, "dog": 1}, "or start with '-'"),
    ],
)
def test_refused(make_folder, counts, message):
    with pytest.raises(UserError, match=message) as caught:
        source.load_records(make_folder(counts))
    assert "\n" not in str(caught.value)


def test_unlabelled_folder(make_folder):
    reader = source.unlabelled_reader(make_folder({"a": 2, "b/c": 1}))
    assert [reader.relative_name(row) for row in range(len(reader))] == ["a/0.png", "a/1.png", "b/c/0.png"]
    with pytest.raises(UserError, match="retrieval_source=/nowhere: no such folder"):
        source.unlabelled_reader("/nowhere")
    with pytest.raises(UserError, match="no image"):
        source.unlabelled_reader(make_folder({"empty": 0}, "empty"))
