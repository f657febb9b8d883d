import json

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.cli import launcher, prepare


@pytest.fixture
def photos(tmp_path):
    for domain in ("cat", "dog"):
        (tmp_path / "photos" / domain).mkdir(parents=True)
        for number in range(60):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / domain / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def run(photos, tmp_path, capsys):
    def run(*arguments):
        common = ["--config=cat_dog", f"--config.data.root={photos}", f"--output={tmp_path / 'records'}", "--workers=1"]
        capsys.readouterr()
        code = launcher.call(prepare.main, prepare.FLAGS, ["prepare", "--verbosity=-2", *common, *arguments])
        return code, *capsys.readouterr()

    return run


def test_it_says_what_is_where(run, photos, tmp_path):
    (photos / "cat" / "7.png").write_bytes(b"no image")
    (photos / "cat" / "notes.txt").write_text("x")
    code, out, err = run()
    table, _, said = out.strip().rpartition("\n")
    assert (code, err) == (0, "")
    assert table.startswith(f"data: folder {photos}, 2 domains") and "left out: 1 file not read" in table
    assert said.startswith("prepare: 119 images (train ") and "; 1 unreadable skipped" in said
    assert f"--config.data.source=tfrecord --config.data.root={tmp_path / 'records'}" in out
    assert json.loads((tmp_path / "records" / "dataset.json").read_text())["splits"].keys() >= {"train", "test"}
    code, again, _ = run()
    assert code == 0 and "prepare: 119 images" in again


def test_images_to_retrieve_from_are_prepared_once_and_named_in_training(run, photos, tmp_path):
    code, out, _ = run(f"--config.data.retrieval_source={photos / 'cat'}")
    assert code == 0 and "retrieval 60" in out
    assert out.endswith(f" --config.data.retrieval_source={tmp_path / 'records'}\n")
    code, _, err = run(f"--config.data.retrieval_source={tmp_path / 'records'}")
    assert code == 2 and "it is prepared already; leave it out here, name it in training" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.data.root=/nowhere"], "/nowhere"),
        (["--config.data.root="], "data.root is empty"),
        (["--config.data.retrieval_source=/nowhere/at/all"], "data.retrieval_source=/nowhere/at/all: no such folder"),
        (["--workers=0"], "--workers=0"),
        (["--config.data.rot=x"], "did you mean --config.data.root?"),
        (["--output="], "--output"),
    ],
)
def test_mistakes_are_one_line_and_code_2(run, arguments, message, tmp_path):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and err.count("\n") == 1, err
    assert err.startswith("prepare: ") and message in err
    assert not (tmp_path / "records").exists()


def test_an_output_in_use(run, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "precious").write_text("x")
    code, _, err = run()
    assert code == 2 and "not empty; choose another --output" in err
    assert (tmp_path / "records" / "precious").read_text() == "x"
