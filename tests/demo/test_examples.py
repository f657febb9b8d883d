import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.demo import examples
from rgunit_tf.errors import UserError


@pytest.fixture
def run(make_model, root_of_data, tmp_path):
    """The description of a run on folders of pictures, with a gallery of 30 images, and these."""
    folder = tmp_path / "run" / "retrieval" / "gallery"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
    np.save(folder / "images.npy", images)
    (folder / "ids.json").write_text(json.dumps([f"set/{row}.jpg" for row in range(30)]))
    settings = {"data": {"source": "folder", "root": str(root_of_data)}}
    (tmp_path / "run" / "config.json").write_text(json.dumps({"config": settings}))
    return dataclasses.replace(make_model().description, path=tmp_path / "run"), images


@pytest.fixture
def root_of_data(tmp_path, picture):
    """Two domains with two training and ten test pictures each."""
    for split, count in (("train", 2), ("test", 10)):
        for domain in ("cat", "dog"):
            (tmp_path / "data" / split / domain).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "data" / split / domain / f"{number}.png").write_bytes(picture(seed=number))
    return tmp_path / "data"


def test_test_pictures_of_all_domains(run, picture):
    found = examples.from_run(run[0])
    names = [name for name, _ in found.pictures]
    assert found.source == "test pictures of the run"
    assert len(set(names)) == examples.COUNT and all(name.startswith("test/") for name in names)
    assert sum("/cat/" in name for name in names) == 6
    assert found.pictures[0] == ("test/cat/0.png", picture(seed=0))


def test_where_the_data_are_gone_pictures_spread_over_the_gallery(run, root_of_data):
    description, images = run
    root_of_data.rename(root_of_data.with_name("elsewhere"))
    found = examples.from_run(description)
    assert found.source == "pictures of the gallery"
    assert [name for name, _ in found.pictures][:4] == ["set/0.jpg", "set/2.jpg", "set/5.jpg", "set/7.jpg"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.pictures[2][1]))), images[5])


def test_avatars_are_not_drawn_for_it(run, monkeypatch):
    (run[0].path / "config.json").write_text(json.dumps({"config": {"data": {"source": "avatars"}}}))
    assert examples.from_run(run[0]).source == "pictures of the gallery"


def test_without_a_whole_gallery_there_are_none(run, root_of_data):
    description, _ = run
    root_of_data.rename(root_of_data.with_name("elsewhere"))
    assert examples.from_run(dataclasses.replace(description, kind="export")).pictures == []
    (description.path / "retrieval" / "gallery" / "ids.json").write_text("[")
    assert examples.from_run(description).pictures == []


def test_files_and_folders(tmp_path, picture):
    for number in range(24):
        (tmp_path / f"{number:02d}.png").write_bytes(picture(seed=number))
    found = examples.from_files([str(tmp_path)])
    assert [name for name, _ in found.pictures] == [f"{n:02d}.png" for n in range(0, 24, 2)]
    with pytest.raises(UserError, match="no such file"):
        examples.from_files([str(tmp_path / "nowhere")])
