import os
import re

import numpy as np
import pytest

from rgunit_tf import data
from rgunit_tf.data import celeba as source
from rgunit_tf.data.records import TEST, TRAIN, UNLABELED, VALIDATION
from rgunit_tf.errors import UserError

HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair")
ATTRIBUTES = (*HAIR, "Male", "Young")


def load(celeba, attributes=ATTRIBUTES, groups=(HAIR,), **options):
    return source.load_records(celeba.root, attributes, groups, **options)


def refused(celeba, message, **options):
    with pytest.raises(UserError, match=message) as caught:
        load(celeba, **options)
    assert "\n" not in str(caught.value)


def test_labels_and_content_labels_are_the_columns(celeba):
    records = load(celeba, attributes=("Young", "Blond_Hair"), groups=())
    np.testing.assert_array_equal(records.labels, celeba.values[:, [4, 1]] == 1)
    assert records.content_names == ("Black_Hair", "Brown_Hair", "Male", "Smiling", "Hat")
    np.testing.assert_array_equal(records.content_labels, celeba.values[:, [0, 2, 3, 5, 6]] == 1)
    assert records.ids.tolist() == celeba.names
    assert records.crop == 178


def test_zero_one_values_mean_the_same(celeba):
    expected = load(celeba).labels
    celeba.values = (celeba.values == 1).astype(int)
    celeba.write()
    np.testing.assert_array_equal(load(celeba).labels, expected)


@pytest.mark.parametrize("ending, mark", [("\r\n", b""), ("\r", b""), ("\n", b"\xef\xbb\xbf")])
def test_line_ends_and_byte_order_mark(celeba, ending, mark):
    expected = load(celeba).labels
    text = celeba.attributes.read_text().replace("\n", ending)
    celeba.attributes.write_bytes(mark + text.encode())
    np.testing.assert_array_equal(load(celeba).labels, expected)


def test_count_line_is_optional(celeba):
    celeba.edit(1, None)
    assert len(load(celeba).ids) == 40


def test_partition_file(celeba):
    parts = np.arange(40) % 3
    celeba.write_partition(parts)
    partition = load(celeba).partition
    for number, part in enumerate((TRAIN, VALIDATION, TEST)):
        np.testing.assert_array_equal(partition == part, parts == number)


@pytest.mark.parametrize("folder", ["", "Anno"])
def test_people_are_known_where_a_list_says_who_they_are(celeba, folder):
    assert load(celeba).identities is None
    people = np.arange(40) // 3 + 7
    celeba.write_identities(people, folder)
    np.testing.assert_array_equal(load(celeba).identities, people)
    dataset = data.load("celeba", celeba.root, attributes=ATTRIBUTES, groups=(HAIR,), image_size=16)
    known = dict(zip(celeba.names, people.tolist(), strict=True))
    for split in (dataset.train, dataset.validation, dataset.test, dataset.test.subset([2, 0])):
        assert split.identities.tolist() == [known[name] for name in split.ids]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "000001.png Anna",
            r"identity_CelebA.txt:1: '000001.png Anna'; write an image name and the number of a person",
        ),
        ("000002.png 4", r"identity_CelebA.txt:2: 000002.png occurs twice; remove one"),
        ("other.png 4", r"identity_CelebA.txt:1: other.png is not in the list of attributes; remove the line"),
        (
            "",
            r"identity_CelebA.txt: no line for 000001.png; add it, or delete the file for images whose people are not",
        ),
    ],
)
def test_a_list_of_people_with_a_mistake(celeba, line, message):
    path = celeba.write_identities(range(40))
    path.write_text(path.read_text().replace("000001.png 0", line))
    refused(celeba, message)


def test_random_partition_is_seeded_and_bounded(celeba):
    first, again, other = (load(celeba, seed=seed).partition for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first == TEST).sum() == 8  # a fifth, as 2,000 are more than there are
    assert (load(celeba, test_images=3).partition == TEST).sum() == 3
    assert (load(celeba, validation_fraction=0.25).partition == VALIDATION).sum() == 8
    assert (load(celeba, validation_fraction=0.0).partition == VALIDATION).sum() == 0


def test_partition_without_validation_gets_one_from_training(celeba):
    celeba.write_partition([2] * 10 + [0] * 30)
    partition = load(celeba, validation_fraction=0.1).partition
    assert (partition[:10] == TEST).all()
    assert (partition[10:] == VALIDATION).sum() == 3


def test_two_hair_colours_lose_the_label(celeba):
    celeba.values[5, :3] = celeba.values[9, :3] = 1
    celeba.write()
    celeba.write_partition([2 if row == 9 else row % 2 * 2 for row in range(40)])
    partition = load(celeba).partition
    assert partition[5] == -1
    assert partition[9] == -1
    celeba.write_partition([0] * 20 + [2] * 20)
    partition = load(celeba, validation_fraction=0.0).partition
    assert partition[5] == partition[9] == UNLABELED
    assert (partition == TRAIN).sum() == 18


def test_all_rows_impossible(celeba):
    celeba.values[:, :3] = 1
    celeba.write()
    refused(celeba, "every row breaks data.groups")


def test_categorical_row_without_any_is_unlabelled(celeba):
    records = load(celeba, attributes=HAIR, groups=(HAIR,), validation_fraction=0.0)
    bald = np.arange(40) % 4 == 3
    assert (records.partition[bald] == UNLABELED).all()


def test_missing_root(celeba):
    with pytest.raises(UserError, match=r"data.root=/nowhere: no such folder; give"):
        source.load_records("/nowhere", ATTRIBUTES)


def test_missing_files(celeba):
    kept = celeba.images.rename(celeba.root / "elsewhere")
    refused(celeba, r"img_align_celeba: no such folder; unpack")
    kept.rename(celeba.images)
    celeba.attributes.unlink()
    refused(celeba, r"list_attr_celeba.txt: no such file; put")


def test_unknown_attribute_names_the_nearest(celeba):
    refused(celeba, "data.attributes: .* no column 'Blond_Hare'; did you mean Blond_Hair", attributes=("Blond_Hare",),
            groups=())  # fmt: skip


@pytest.mark.parametrize(
    "line, text, message",
    [
        (5, "000003.png 1 -1 -1 1 1 1", r"list_attr_celeba.txt:5: 6 values, but 7 columns"),
        (6, "000004.png 1 -1 -1 1 1 1 1 1", r":6: 8 values, but 7 columns"),
        (7, "000005.png 1 -1 -1 2 1 1 1", r":7: Male is '2'; write 1 or -1"),
        (7, "000005.png 1 -1 -1 yes 1 1 1", r":7: Male is 'yes'"),
        (8, "000006.png 0 0 0 0 1 1 1", r":8: 0 and -1 both occur"),
        (9, "../000007.png 1 -1 -1 1 1 1 1", r":9: '../000007.png' is a path"),
        (9, "/etc/x.png 1 -1 -1 1 1 1 1", r":9: '/etc/x.png' is a path"),
        (9, "a\\x.png 1 -1 -1 1 1 1 1", r":9: .* is a path"),
        (9, ".. 1 -1 -1 1 1 1 1", r":9: '..' is a path"),
        (9, "000001.png 1 -1 -1 1 1 1 1", r":9: 000001.png is listed on line 3 already"),
        (9, "absent.png 1 -1 -1 1 1 1 1", r"absent.png: listed in list_attr_celeba.txt but missing \(1 in all\)"),
        (9, None, r":1: announces 40 images, but 39 follow"),
        (2, "", r":2: no column names"),
        (2, "Black_Hair Blond_Hair Brown_Hair Male Young Male Hat", r":2: column Male occurs twice"),
    ],
)
def test_malformed_attribute_file(celeba, line, text, message):
    celeba.edit(line, text)
    refused(celeba, message)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\xff\xfe\x00\xd8", "not a text file"),
        (b"0\nMale Young\n", "no image is listed"),
        (b"40\n", ":2: no column names"),
    ],
)
def test_attribute_file_without_rows(celeba, content, message):
    celeba.attributes.write_bytes(content)
    refused(celeba, re.escape(str(celeba.attributes)) + ".*" + message)


def test_names_that_are_not_utf8(celeba):
    """In the lists as on the disk: latin-1, say."""
    name = os.fsdecode(b"caf\xe9.png")
    (celeba.images / celeba.names[7]).rename(celeba.images / name)
    celeba.write_partition([0] * 30 + [1] * 4 + [2] * 6)
    for file in (celeba.attributes, celeba.partition):
        file.write_bytes(file.read_bytes().replace(celeba.names[7].encode(), b"caf\xe9.png"))
    dataset = data.load("celeba", celeba.root, image_size=16)
    assert name in dataset.train.ids
    batches = dataset.train.batches(30, training=False)
    assert b"caf\xe9.png" in next(iter(batches))["id"].numpy()
    celeba.partition.write_bytes(celeba.partition.read_bytes().replace(b"caf\xe9", b"caf\xe8"))
    refused(celeba, r"caf\\udce8.png is not in")


@pytest.mark.parametrize(
    "line, message",
    [
        ("000001.png 3", r"list_eval_partition.txt:1: '000001.png 3'; write"),
        ("000001.png", r":1: '000001.png'; write"),
        ("other.png 0", r":1: other.png is not in the list of attributes"),
        ("000002.png 0", r":2: 000002.png occurs twice"),
        ("", r"no line for 000001.png; add it"),
    ],
)
def test_malformed_partition(celeba, line, message):
    celeba.write_partition([0] * 40)
    lines = celeba.partition.read_text().split("\n")
    celeba.partition.write_text("\n".join([line, *lines[1:]]))
    refused(celeba, message)
