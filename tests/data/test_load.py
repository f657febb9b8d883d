import os
import subprocess
import sys

import numpy as np
import pytest

from rgunit_tf import config, data
from rgunit_tf.errors import UserError


def test_import_is_light():
    code = "import sys, rgunit_tf.data as d; d.load; assert 'tensorflow' not in sys.modules; d.Split; d.Dataset"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_config_and_options_agree(celeba):
    settings = config.default_config().data
    settings.source, settings.root, settings.image_size = "celeba", str(celeba.root), 16
    read = data.from_config(settings)
    loaded = data.load("celeba", celeba.root, image_size=16)
    assert read.fingerprint == loaded.fingerprint
    assert read.schema.size == 5
    assert len(read.train) + len(read.validation) + len(read.test) == 40
    assert read.retrieval is read.train


def test_splits_are_disjoint(celeba):
    dataset = data.load("celeba", celeba.root, image_size=16, validation_fraction=0.2)
    ids = [set(split.ids) for split in (dataset.train, dataset.validation, dataset.test)]
    assert all(ids)
    assert sum(map(len, ids)) == len(set.union(*ids)) == 40


def test_groups_follow_the_attributes(celeba):
    dataset = data.load("celeba", celeba.root, image_size=16, attributes=("Black_Hair", "Blond_Hair", "Hat"))
    assert dataset.schema.groups == (("Black_Hair", "Blond_Hair"),)
    assert data.load("celeba", celeba.root, image_size=16, attributes=("Male", "Hat")).schema.groups == ()


def test_fraction_and_the_larger_retrieval_set(celeba):
    celeba.values[3, :3] = 1
    celeba.write()
    celeba.write_partition([0] * 30 + [1] * 4 + [2] * 6)
    whole = data.load("celeba", celeba.root, image_size=16)
    part = data.load("celeba", celeba.root, image_size=16, fraction=0.25, retrieval_source="all")
    assert len(whole.train) == 29
    assert len(part.train) == 7
    assert set(part.train.ids) < set(whole.train.ids)
    assert part.retrieval.labels is None
    assert set(part.retrieval.ids) == set(whole.train.ids) | {celeba.names[3]}
    assert part.test.ids.tolist() == whole.test.ids.tolist()
    np.testing.assert_array_equal(part.retrieval.image(0), whole.train.image(0))


def test_retrieval_from_a_folder(celeba, make_folder):
    folder = make_folder({"000001": 2, "more": 3})
    dataset = data.load("celeba", celeba.root, image_size=16, retrieval_source=str(folder))
    assert dataset.retrieval.ids[:2].tolist() == ["retrieval/000001/0.png", "retrieval/000001/1.png"]
    assert dataset.retrieval.labels is None
    assert dataset.retrieval.images().shape == (5, 16, 16, 3)
    with pytest.raises(UserError, match=r"data.retrieval_source=nowhere: no such folder"):
        data.load("celeba", celeba.root, image_size=16, retrieval_source="nowhere")


def test_unreadable_image_is_in_no_split(celeba, monkeypatch):
    monkeypatch.setattr("rgunit_tf.data.store.MAX_UNREADABLE", 0.1)
    (celeba.images / celeba.names[11]).write_bytes(b"broken")
    dataset = data.load("celeba", celeba.root, image_size=16, retrieval_source="all")
    splits = (dataset.train, dataset.validation, dataset.test, dataset.retrieval)
    assert all(celeba.names[11] not in split.ids for split in splits)
    assert sum(map(len, splits[:3])) == 39


@pytest.mark.parametrize(
    "source, options, message",
    [
        ("celeb", {}, "data.source='celeb' must be one of avatars, celeba"),
        ("celeba", {}, "data.root is empty; give the folder of the celeba data"),
        ("celeba", {"root": "/nowhere"}, "data.root=/nowhere: no such folder"),
        ("celeba", {"root": "/nowhere", "cache": 1}, "data.cache: no such setting; did you mean cache_mb"),
        ("celeba", {"root": "/nowhere", "fraction": 0.0}, "data.fraction=0.0 must be at least"),
        ("celeba", {"root": "/nowhere", "image_size": 4}, "data.image_size=4 must be at least 8"),
    ],
)
def test_refused(source, options, message):
    with pytest.raises(UserError, match=message):
        data.load(source, **options)


def test_avatars_are_drawn_where_they_are_missing(tmp_path, cache, monkeypatch, celeba):
    pytest.importorskip("python_avatars")
    from rgunit_tf.data import avatars

    calls = []

    def draw(root, number, size, seed):
        calls.append((root, number, size, seed))
        celeba.root.rename(root) if celeba.root.exists() else None

    monkeypatch.setattr(avatars, "draw_dataset", draw)
    dataset = data.load("avatars", tmp_path / "drawn", image_size=16, num_images=40, seed=3)
    assert calls == [(str(tmp_path / "drawn"), 40, 178, 3)]
    assert dataset.crop == 178
    with pytest.raises(UserError):
        data.load("avatars", image_size=256, num_images=40)
    assert calls[1] == (str(cache / "data" / "avatars-40-0-256"), 40, 256, 0)


def test_avatars_for_real(tmp_path):
    pytest.importorskip("python_avatars")
    dataset = data.load("avatars", tmp_path / "drawn", image_size=16, num_images=24)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 24
    assert dataset.train.content_names


def test_real_photographs(shared_data):
    dataset = data.load("folder", shared_data / "cat_dog", image_size=16)
    assert dataset.schema.names == ("cat", "dog")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [1175, 24, 200]
