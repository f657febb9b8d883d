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


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("Train", "Valid", "Test"), ("training", "validation", "testing"), ("TRAIN", "VAL", "TEST")],
)
def test_parts_in_the_spellings_that_people_have(make_folder, train, validation, test):
    names = {"train": train, "val": validation, "test": test}
    counts = {f"{names[part]}/{domain}": number for (part, domain), number in
              ((name.split("/"), number) for name, number in ALL.items())}  # fmt: skip
    records = source.load_records(make_folder(counts))
    assert records.schema.names == ("cat", "dog")
    assert [count(records, part) for part in (TRAIN, VALIDATION, TEST)] == [11, 4, 4]


@pytest.mark.parametrize(
    ("folders", "domains"),
    [
        (("trainA", "trainB", "testA", "testB"), ("A", "B")),
        (("traina", "trainb", "testa", "testb"), ("A", "B")),
        (("train_cat", "train_dog", "test_cat", "test_dog"), ("cat", "dog")),
    ],
)
def test_a_folder_for_each_part_and_domain(make_folder, folders, domains):
    """CycleGAN's layout: no test picture is trained on."""
    root = make_folder(dict(zip(folders, (12, 10, 3, 2), strict=True)))
    records = source.load_records(root, validation_fraction=0.0)
    assert records.schema.names == domains
    assert [count(records, part) for part in (TRAIN, VALIDATION, TEST)] == [22, 0, 5]
    for name, label in zip(records.ids, records.labels, strict=True):
        assert name.split("/")[0] in (folders[0], folders[2]) if label[0] else (folders[1], folders[3])


def test_domains_may_begin_like_a_part(make_folder):
    records = source.load_records(make_folder({"test_tube": 5, "flask": 5}))
    assert records.schema.names == ("flask", "test_tube")


def test_the_only_folder_of_an_archive_is_entered(make_folder):
    root = make_folder({f"photos/{name}": number for name, number in ALL.items()})
    records = source.load_records(root)
    assert [count(records, part) for part in (TRAIN, VALIDATION, TEST)] == [11, 4, 4]
    assert "train/cat/0.png" in records.ids


def test_what_is_left_out_is_counted_and_named(make_folder):
    root = make_folder({**ALL, "drafts": 2, "train": 3})
    for name in ("a.txt", "b.heic", "c.HEIC", "d"):
        (root / "train/cat" / name).write_bytes(b"x")
    records = source.load_records(root)
    assert len(records.ids) == sum(ALL.values())
    folders, beside, others = records.left_out
    assert folders == "drafts/: no part of the data by its name"
    assert beside == "3 pictures beside the domains' folders: of no domain"
    assert others.startswith("4 files not read as pictures: 2 .heic")
    assert "1 .txt" in others and "1 without ending" in others


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
        ({"trainA": 1, "trainB": 1, "testA": 1}, "testA: domains A differ from those of trainA/: A, B"),
        ({"trainA": 1, "testA": 1}, r"1 domain folders, at least 2 .* \(found: testA, trainA\)"),
        ({"testA": 1, "testB": 1}, "testA/ is named like a part of the data, but there is no trainA/"),
        ({"cat": 1, "dog": 1, "Valid": 1}, "Valid/ is named like a part of the data, but there is no train/"),
        ({"train/cat": 1, "train/test": 1}, "test: a domain may not be named like a part"),
        ({"train/cat": 1, "train/dog": 1, "Train/cat": 1}, "Train/ and train/ both exist"),
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
