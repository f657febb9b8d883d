"""The share of a picture that training sees: what serving crops from pictures of any size."""

import json

import pytest

from rgunit_tf import config, data
from rgunit_tf.data import prepare
from rgunit_tf.data.crop import crop_share
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
