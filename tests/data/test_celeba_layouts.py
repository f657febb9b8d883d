"""CelebA as people have it: from its authors, from Kaggle, from torchvision, with other endings, and in part."""

import os
import shutil

import numpy as np
import pytest

from rgunit_tf.data import celeba as source
from rgunit_tf.data.records import TEST, TRAIN, VALIDATION
from rgunit_tf.errors import UserError
from tests.data.conftest import COLUMNS, picture

ATTRIBUTES = ("Male", "Young")


@pytest.fixture
def parts(celeba):
    """The list that a partition file gives."""
    parts = np.arange(40) % 3
    celeba.write_partition(parts)
    return parts


@pytest.fixture
def expected(celeba, parts):
    records = source.load_records(celeba.root, ATTRIBUTES)
    return records, [records.reader.read(row) for row in range(40)]


def same(records, known):
    """The same labels and parts of the same images, and each image is there."""
    expected, images = known
    np.testing.assert_array_equal(records.labels, expected.labels)
    np.testing.assert_array_equal(records.content_labels, expected.content_labels)
    np.testing.assert_array_equal(records.partition, expected.partition)
    stems = [[os.path.splitext(name)[0] for name in each.ids] for each in (records, expected)]
    assert stems[0] == stems[1]
    assert [records.reader.read(row) for row in range(40)] == images


def move(celeba, tmp_path, images: str, attributes: str, partition: str):
    """The same files in other places of a new root."""
    root = tmp_path / "moved"
    for old, new in ((celeba.images, images), (celeba.attributes, attributes), (celeba.partition, partition)):
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if old.is_dir() else shutil.copy)(old, root / new)
    return root


@pytest.mark.parametrize(
    ("images", "attributes", "partition"),
    [
        ("Img/img_align_celeba", "Anno/list_attr_celeba.txt", "Eval/list_eval_partition.txt"),
        ("img_align_celeba/img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"),
        ("celeba/img_align_celeba", "celeba/list_attr_celeba.txt", "celeba/list_eval_partition.txt"),
        ("CelebA/Img/img_align_celeba_png", "CelebA/Anno/list_attr_celeba.txt", "CelebA/Eval/list_eval_partition.txt"),
        ("CelebA-HQ-img", "CelebAMask-HQ-attribute-anno.txt", "list_eval_partition.txt"),
    ],
)
def test_trees(celeba, parts, expected, tmp_path, images, attributes, partition):
    same(source.load_records(move(celeba, tmp_path, images, attributes, partition), ATTRIBUTES), expected)


@pytest.mark.parametrize("head", ["image_id", "", "filename"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_kaggle(celeba, parts, expected, head, ending):
    """Lists of commas with a cell above the names, and the images twice as deep."""
    rows = [",".join([name, *map(str, values)]) for name, values in zip(celeba.names, celeba.values, strict=True)]
    text = ending.join([",".join([head, *COLUMNS]), *rows]) + ending
    (celeba.root / "list_attr_celeba.csv").write_bytes(text.encode())
    rows = [f"{name},{part}" for name, part in zip(celeba.names, parts, strict=True)]
    (celeba.root / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *rows]))
    kept = celeba.images.rename(celeba.root / "kept")
    celeba.images.mkdir()
    kept.rename(celeba.images / "img_align_celeba")
    celeba.attributes.unlink()
    celeba.partition.unlink()
    same(source.load_records(celeba.root, ATTRIBUTES), expected)
    text = (celeba.root / "list_attr_celeba.csv").read_text().replace(f"{celeba.names[3]},", f"{celeba.names[3]},7,")
    (celeba.root / "list_attr_celeba.csv").write_text(text)
    with pytest.raises(UserError, match=r"list_attr_celeba\.csv:5: 8 values, but 7 columns are named"):
        source.load_records(celeba.root, ATTRIBUTES)


def test_a_name_above_the_images_in_a_spaced_list(celeba, parts, expected):
    celeba.edit(2, f"image_id {' '.join(COLUMNS)}")
    same(source.load_records(celeba.root, ATTRIBUTES), expected)


def test_png_images_under_the_names_of_jpg_ones(celeba, parts, expected):
    for file in (celeba.attributes, celeba.partition):
        file.write_text(file.read_text().replace(".png", ".jpg"))
    records = source.load_records(celeba.root, ATTRIBUTES)
    same(records, expected)
    assert records.ids[0] == "000001.jpg" and records.reader.name(0).endswith("000001.png")


def test_the_folder_that_holds_the_listed_images_is_the_one(celeba, parts, expected):
    (celeba.root / "CelebA-HQ-img").mkdir()
    picture(1).save(celeba.root / "CelebA-HQ-img" / "0.png")
    same(source.load_records(celeba.root, ATTRIBUTES), expected)


class TestInPart:
    @pytest.fixture
    def few(self, celeba, parts):
        for name in celeba.names[10:]:
            (celeba.images / name).unlink()
        return celeba

    def test_is_refused_with_the_remedy(self, few):
        with pytest.raises(UserError, match=r"000011\.png: listed .* \(30 in all\).*the 10 .* data\.missing=skip"):
            source.load_records(few.root, ATTRIBUTES)

    def test_is_read_where_that_is_asked_for(self, few, parts):
        records = source.load_records(few.root, ATTRIBUTES, missing="skip")
        assert records.ids.tolist() == few.names[:10]
        np.testing.assert_array_equal(records.labels, few.values[:10, 3:5] == 1)
        for number, part in enumerate((TRAIN, VALIDATION, TEST)):
            np.testing.assert_array_equal(records.partition == part, parts[:10] == number)
        assert records.left_out == (
            "30 of 40 rows of list_attr_celeba.txt, whose images are not there (the first: 000011.png)",
        )

    @pytest.mark.parametrize("cut", ["attributes", "partition"])
    def test_lists_may_be_cut_too(self, few, cut):
        file = getattr(few, cut)
        file.write_text("\n".join(file.read_text().split("\n")[: 12 if cut == "attributes" else 10]))
        assert source.load_records(few.root, ATTRIBUTES, missing="skip").ids.tolist() == few.names[:10]

    def test_nothing_there_is_refused_all_the_same(self, few):
        for name in few.names[:10]:
            (few.images / name).unlink()
        with pytest.raises(UserError, match=r"missing \(40 in all\)"):
            source.load_records(few.root, ATTRIBUTES, missing="skip")

    def test_images_that_no_list_names_are_counted(self, celeba):
        picture(1).save(celeba.images / "more.png")
        (celeba.images / "notes.txt").write_text("x")
        records = source.load_records(celeba.root, ATTRIBUTES)
        assert records.left_out == ("1 picture in img_align_celeba/ that list_attr_celeba.txt does not name",)
