"""The share of a picture that training sees: what serving crops from pictures of any size."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from rgunit_tf import config, data
from rgunit_tf.data import decoding, prepare
from rgunit_tf.data.crop import crop_share
from rgunit_tf.data.records import share_of
from rgunit_tf.errors import UserError


def settings(**options):
    group = config.default_config().data
    group.update(options)
    return group


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({"source": "celeba", "crop": 89}, 0.5),
        ({"source": "celeba", "crop": 178}, 1.0),
        ({"source": "avatars", "crop": 0}, 1.0),
        ({"source": "avatars", "crop": 89, "image_size": 256}, 0.5),
        ({"source": "folder", "crop": 89}, 1.0),
    ],
)
def test_shares(options, share):
    assert crop_share(settings(**options)) == share


def test_large_avatars_that_were_prepared(tmp_path):
    """At 256 pixels a crop of 120 takes 172 of 256: 0.67 of the picture, as 120 of 178."""
    pytest.importorskip("python_avatars")
    drawn = settings(source="avatars", root=str(tmp_path / "drawn"), image_size=256, crop=120, num_images=20)
    records = data.records_of(drawn)
    assert records.crop == 172
    prepare.write_tfrecord(records, tmp_path / "records")
    prepared = settings(source="tfrecord", root=str(tmp_path / "records"), image_size=256)
    assert crop_share(prepared) == crop_share(drawn) == pytest.approx(120 / 178)
    # A copy of a copy knows it too.
    prepare.write_tfrecord(data.records_of(prepared), tmp_path / "again")
    assert crop_share({**prepared, "root": str(tmp_path / "again")}) == crop_share(drawn)


@pytest.mark.parametrize(("pixels", "share"), [(89, 0.5), (0, 1.0)])
def test_data_that_were_prepared_before_the_share_was_noted(celeba, tmp_path, pixels, share):
    prepare.write_tfrecord(data.records_of(settings(source="celeba", root=str(celeba.root))), tmp_path / "records")
    manifest = tmp_path / "records" / "dataset.json"
    facts = json.loads(manifest.read_text())
    del facts["crop_share"]
    manifest.write_text(json.dumps({**facts, "crop": pixels}))
    assert crop_share(settings(source="tfrecord", root=str(tmp_path / "records"))) == share


def test_a_manifest_without_any_crop(celeba, tmp_path):
    prepare.write_tfrecord(data.records_of(settings(source="celeba", root=str(celeba.root))), tmp_path / "records")
    manifest = tmp_path / "records" / "dataset.json"
    facts = json.loads(manifest.read_text())
    del facts["crop"], facts["crop_share"]
    manifest.write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"dataset\.json: not the manifest of a data set"):
        crop_share(settings(source="tfrecord", root=str(tmp_path / "records")))


def photograph(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("crop", [178, 177, 148, 121, 89, 0])
@pytest.mark.parametrize("size", [128, 64, 32])
def test_an_image_of_celebas_size_gives_the_pixels_that_it_always_gave(kind, crop, size):
    """In pixels: the centre square of 178x218, at whole pixels, resized as before crops became shares."""
    buffer = io.BytesIO()
    photograph(178, 218).save(buffer, kind)
    side = crop or 178
    with Image.open(buffer) as image:
        scale = next((scale for scale in (8, 4, 2) if kind == "JPEG" and side >= 2 * scale * size), 1)
        if scale > 1:
            image.draft(None, (178 // scale, 218 // scale))
        left, top = (178 - side) // 2 / scale, (218 - side) // 2 / scale
        box = (left, top, min(left + side / scale, image.width), min(top + side / scale, image.height))
        whole = side / scale == size and left == int(left) and top == int(top)
        expected = (
            image.crop(tuple(map(int, box)))
            if whole
            else image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
        )
    np.testing.assert_array_equal(decoding.decode(buffer.getvalue(), size, share_of(crop)), np.asarray(expected))


def test_every_crop_of_celebas_images_is_as_many_pixels_as_it_says():
    assert [round(178 * share_of(crop)) for crop in range(1, 179)] == list(range(1, 179))


def test_larger_images_are_not_cut_to_their_middle(celeba):
    """CelebA-HQ under CelebA's names: the whole face, not the nose; and it is said."""
    for name in celeba.names:
        photograph(512, 512).save(celeba.images / name)
    dataset = data.load("celeba", celeba.root, image_size=16)
    whole = decoding.decode((celeba.images / celeba.names[0]).read_bytes(), 16)
    np.testing.assert_array_equal(dataset.train.image(0), whole)
    half = data.load("celeba", celeba.root, image_size=16, crop=89)
    box = (128, 128, 384, 384)
    middle = photograph(512, 512).resize((16, 16), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    np.testing.assert_array_equal(half.train.image(0), np.asarray(middle))
    assert "512x512, which is not CelebA's 178x218; of each the largest centred square is seen, 100%" in dataset.summary
    assert "of each the centre square of 50% of the shorter side is seen, 25% of its area" in half.summary
