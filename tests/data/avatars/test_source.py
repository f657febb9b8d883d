import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.data import avatars, decoding
from rgunit_tf.data.avatars.people import Person, sample_person
from rgunit_tf.errors import UserError

NUMBER, SIZE = 40, 32


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return avatars.draw_dataset(tmp_path_factory.mktemp("avatars") / "set", NUMBER, SIZE, seed=3, workers=1)


def _lines(root, name):
    return (root / name).read_text().splitlines()


def _labels(root):
    """Columns and values of list_attr_celeba.txt, read without the package's reader."""
    lines = _lines(root, "list_attr_celeba.txt")
    rows = [line.split() for line in lines[2:]]
    return lines[1].split(), [row[0] for row in rows], np.array([[int(value) for value in row[1:]] for row in rows])


def test_layout_is_celebas(root):
    names, ids, values = _labels(root)
    assert int(_lines(root, "list_attr_celeba.txt")[0]) == NUMBER == len(ids)
    assert tuple(names[:5]) == ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    assert len(names[5:]) >= 24 and len(set(names)) == len(names)
    assert np.isin(values, (-1, 1)).all()
    np.testing.assert_array_equal((values[:, :3] == 1).sum(axis=1), 1)
    assert ids == [f"{number:06d}.png" for number in range(1, NUMBER + 1)]
    for name in ids:
        with Image.open(root / "img_align_celeba" / name) as image:
            assert image.size == (SIZE, round(SIZE * 218 / 178)) and image.mode == "RGB"
    parts = [int(line.split()[1]) for line in _lines(root, "list_eval_partition.txt")]
    assert [parts.count(part) for part in (0, 1, 2)] == [30, 2, 8]


def test_records_hold_every_parameter(root):
    records = [json.loads(line) for line in _lines(root, "avatars.jsonl")]
    record = records[7]
    assert record.pop("id") == "000008.png"
    assert Person.from_dict(record) == sample_person(3, 7)


def test_same_numbers_same_files_whatever_the_workers(root, tmp_path):
    again = avatars.draw_dataset(tmp_path / "again", NUMBER, SIZE, seed=3, workers=2)
    for path in sorted(root.rglob("*.*")):
        assert (again / path.relative_to(root)).read_bytes() == path.read_bytes(), path


def test_interrupted_drawing_goes_on(tmp_path):
    folder = tmp_path / "set"
    command = f"from rgunit_tf.data import avatars; avatars.draw_dataset({str(folder)!r}, 400, 64, workers=2)"
    process = subprocess.Popen([sys.executable, "-c", command])
    images = folder / "img_align_celeba"
    deadline = time.monotonic() + 60
    while not (images.is_dir() and len(list(images.glob("0*.png"))) >= 40):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # the workers finish what they were at, then see the end of their input
    assert not avatars.is_whole(folder)
    with pytest.raises(UserError, match="not a whole"):
        avatars.person(folder, "000001.png")
    kept = {path: path.stat().st_mtime_ns for path in images.glob("0*.png")}
    assert 40 <= len(kept) < 400
    progress = []
    avatars.draw_dataset(folder, 400, 64, workers=2, progress=lambda done, number: progress.append((done, number)))
    assert progress[-1] == (400, 400)
    assert all(path.stat().st_mtime_ns == changed for path, changed in kept.items())
    assert len(list(images.glob("0*.png"))) == 400 and avatars.is_whole(folder)


def test_whole_set_is_left_alone(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    avatars.draw_dataset(root, NUMBER, SIZE, seed=3)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_images": NUMBER + 1}, r"num_images 40 \(asked: 41\); give another folder"),
        ({"seed": 4}, r"seed 3 \(asked: 4\)"),
        ({"size": 16}, r"size 32 \(asked: 16\)"),
        ({"num_images": 19}, "at least 20"),
        ({"size": 8}, "size=8"),
    ],
)
def test_user_errors(root, arguments, message):
    with pytest.raises(UserError, match=message):
        avatars.draw_dataset(root, **{"num_images": NUMBER, "size": SIZE, "seed": 3, **arguments})


def test_photographs_are_never_written_over(tmp_path):
    (tmp_path / "img_align_celeba").mkdir()
    with pytest.raises(UserError, match="not avatars"):
        avatars.draw_dataset(tmp_path, NUMBER, SIZE)
    assert sorted(os.listdir(tmp_path)) == ["img_align_celeba"]


def test_own_labels_give_the_file(root):
    _, ids, values = _labels(root)
    drawn = avatars.counterfactuals(root, ids[:3], values[:3, :5] > 0, workers=1)
    small = avatars.counterfactuals(root, ids[:3], values[:3, :5] > 0, size=16, workers=1)
    assert drawn.dtype == small.dtype == np.uint8 and small.shape == (3, 16, 16, 3)
    for name, picture, square in zip(ids, drawn, small, strict=False):
        path = root / "img_align_celeba" / name
        np.testing.assert_array_equal(picture, np.asarray(Image.open(path)))
        np.testing.assert_array_equal(square, decoding.decode(path.read_bytes(), 16))


@pytest.mark.parametrize("change", ["hair", "male", "young"])
def test_every_attribute_shows_at_32_pixels(root, change):
    _, ids, values = _labels(root)
    labels = (values[:, :5] > 0).astype(np.float32)
    target = labels.copy()
    if change == "hair":
        target[:, :3] = np.roll(target[:, :3], 1, axis=1)
    else:
        target[:, {"male": 3, "young": 4}[change]] *= -1
        target[:, {"male": 3, "young": 4}[change]] += 1
    before, after = (
        avatars.counterfactuals(root, ids, rows, size=32, workers=1).astype(int) for rows in (labels, target)
    )
    assert np.abs(before - after).mean() > 10


@pytest.mark.parametrize("labels", [[1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 0, 0, 0.5, 0], [1, 0, 0, 1]])
def test_impossible_labels(root, labels):
    with pytest.raises(ValueError, match="exactly one hair colour"):
        avatars.counterfactual(root, "000001.png", labels)


def test_unknown_image(root):
    with pytest.raises(UserError, match=r"000999\.png"):
        avatars.counterfactual(root, "000999.png", [1, 0, 0, 0, 0])
