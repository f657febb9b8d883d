"""The table that a run begins with."""

import numpy as np
import pytest
from PIL import Image

from rgunit_tf import data
from rgunit_tf.data import summary
from rgunit_tf.data.records import FileReader, Records
from rgunit_tf.domains import AttributeSchema


def cells(text: str, name: str) -> list[str]:
    (row,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return row.split()[1:]


def test_domains_and_their_images_in_each_part(make_folder):
    root = make_folder({"train/cat": 30, "train/dog": 6, "val/cat": 2, "val/dog": 2, "test/cat": 3, "test/dog": 1})
    (root / "train/cat/notes.txt").write_text("x")
    text = data.load("folder", root, image_size=16).summary
    assert str(root) in text.splitlines()[0] and "2 domains" in text.splitlines()[0]
    assert cells(text, "cat") == ["30", "(83%)", "2", "(50%)", "3", "(75%)"]
    assert cells(text, "all") == ["36", "4", "4"]
    assert "cat has 30 training images, 5 times as many as dog (6); data.balance=True would repeat" in text
    assert "left out: 1 file not read as pictures: 1 .txt" in text
    assert len({len(line) for line in text.splitlines()[1:5]}) == 1, "the columns are aligned"
    balanced = data.load("folder", root, image_size=16, balance=True).summary
    assert "data.balance repeats those of rare ones" in balanced


def test_attributes_with_their_share(celeba):
    celeba.values[3, :3] = 1
    celeba.write()
    celeba.write_partition([0] * 30 + [1] * 4 + [2] * 6)
    dataset = data.load("celeba", celeba.root, image_size=16, fraction=0.5, retrieval_source="all")
    text = dataset.summary
    held = int(dataset.train.labels[:, 3].sum())
    assert cells(text, "Male")[:2] == [str(held), f"({held / len(dataset.train):.0%})"]
    assert cells(text, "all") == ["14", "4", "6"]
    assert "left out: the labels of 1 of 40 rows" in text and "the first: 000004.png" in text
    assert "left out: 15 training images by data.fraction=0.5" in text
    assert "retrieval: 30 images, data.retrieval_source=all" in text


def test_people_and_whether_the_parts_share_some(celeba):
    celeba.write_partition([0] * 30 + [1] * 4 + [2] * 6)
    options = {"image_size": 16, "attributes": ("Male",), "groups": ()}
    assert "people:" not in data.load("celeba", celeba.root, **options).summary
    for people, said in (
        (np.arange(40) // 2, "people: 20, each in one part alone"),
        (np.arange(40) // 4, "people: 10, 2 of them in several parts"),
    ):
        celeba.write_identities(people)
        assert said in data.load("celeba", celeba.root, **options).summary


def test_files_that_cannot_be_decoded_are_counted(make_folder):
    root = make_folder({"cat": 120, "dog": 120})
    (root / "cat/5.png").write_bytes(b"broken")
    text = data.load("folder", root, image_size=16).summary
    assert "left out: 1 files that cannot be decoded" in text


@pytest.mark.parametrize(
    ("size", "crop", "share", "said"),
    [
        ((178, 218), 178, 1.0, "178x218; of each the largest centred square is seen, 82% of its area"),
        ((64, 64), 178, 1.0, "64x64, which is not CelebA's 178x218; of each the largest centred square is seen, 100%"),
        ((40, 80), 0, 0.5, "40x80; of each the centre square of 50% of the shorter side is seen, 12% of its area"),
    ],
)
def test_what_is_seen_of_a_picture(tmp_path, size, crop, share, said):
    Image.new("RGB", size).save(tmp_path / "a.png")
    Image.new("RGB", size).save(tmp_path / "b.png")
    records = Records(
        FileReader(tmp_path, ["a.png", "b.png"]),
        np.array(["a.png", "b.png"]),
        np.eye(2, dtype=np.float32),
        np.zeros(2, np.int8),
        AttributeSchema(("a", "b"), (("a", "b"),)),
        crop=crop,
        crop_share=share,
    )
    settings = {"root": "", "source": "celeba", "image_size": 16, "balance": False}
    assert f"pictures: {said}" in summary.table(records, {"train": np.arange(2)}, settings, [])
