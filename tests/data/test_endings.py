"""Files of every kind that this Pillow reads are taken; the others are counted by their ending."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.data import decoding, folder
from rgunit_tf.errors import UserError
from tests.data.conftest import picture

PLUGIN = """
import io
from PIL import Image, ImageFile

class Fake(ImageFile.ImageFile):
    format = "HEIF"

    def _open(self):
        with Image.open(io.BytesIO(self.fp.read()[12:])) as inner:
            image = inner.convert("RGB")
        self._size, self._mode, self.im, self.tile = image.size, "RGB", image.im, []

def register_heif_opener():
    Image.register_open("HEIF", Fake, lambda start: start[4:12] == b"ftypheic")
    Image.register_extension("HEIF", ".heic")
"""


@pytest.mark.parametrize(
    "name", ["a.tif", "a.TIFF", "a.gif", "a.jfif", "a.jpe", "a.avif", "a.webp", "a.bmp", "a.ppm", "a.jp2", "a.tga"]
)
def test_kinds_that_pillow_reads(tmp_path, name):
    image = picture(0, 32, 32)
    image.save(tmp_path / name)
    assert folder.image_names(tmp_path) == [name]
    pixels = decoding.decode((tmp_path / name).read_bytes(), 16).astype(int)
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC, reducing_gap=3.0), int)
    assert np.abs(pixels - expected).mean() < 16


def test_a_domain_of_tif_files_is_whole(make_folder):
    root = make_folder({"cat": 2, "dog": 2})
    for number in range(18):
        picture(number).save(root / "dog" / f"{number}.tif")
    records = folder.load_records(root)
    assert records.labels.sum(axis=0).tolist() == [2, 20] and not records.left_out


@pytest.mark.parametrize("name", ["a.eps", "a.wmf", "a.mpg", "a.h5", "a.txt", "a.pdf", "a"])
def test_what_pillow_does_not_decode_is_no_picture(name):
    assert not decoding.is_picture(name)


def test_the_rest_is_counted_by_ending():
    names = [*(f"{number}.CR2" for number in range(9)), "a.txt", "b.txt", "c", "d.x1", "d.x2", "d.x3", "d.x4"]
    assert decoding.counted(names) == "9 .cr2, 2 .txt, 1 without ending, 1 .x1, 1 .x2 and 2 other endings"
    assert [decoding.is_unread_picture(name) for name in ("a.CR2", "a.txt", "a.jpg")] == [True, False, False]


def test_a_folder_of_none_says_what_is_in_it(make_folder):
    root = make_folder({"cat": 2, "dog": 0})
    (root / "dog/a.cr2").write_bytes(b"x")
    with pytest.raises(UserError, match=r"dog: no image \(.*\) but 1 \.cr2; add some"):
        folder.load_records(root)


def test_a_telephone_s_photograph_is_read_upright(tmp_path):
    pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    upright = picture(0, 48, 32)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.heic", quality=95, exif=exif.tobytes())
    assert folder.image_names(tmp_path) == ["a.heic"] and decoding.counted(["b.heic"]) == "1 .heic"
    pixels = decoding.decode((tmp_path / "a.heic").read_bytes(), 16).astype(int)
    upright.save(tmp_path / "b.png")
    assert np.abs(pixels - decoding.decode((tmp_path / "b.png").read_bytes(), 16)).mean() < 8


@pytest.mark.skipif("HEIF" in Image.OPEN or decoding.is_picture("a.heic"), reason="the plugin is installed")
def test_heic_asks_for_its_plugin_and_takes_it(tmp_path, root):
    image = tmp_path / "photos/a.heic"
    image.parent.mkdir()
    Image.new("RGB", (8, 8), (9, 8, 7)).save(tmp_path / "inner.png")
    image.write_bytes(b"\0\0\0\x18ftypheic" + (tmp_path / "inner.png").read_bytes())
    with pytest.raises(decoding.UnreadableImageError, match="a HEIC image; pip install pillow-heif"):
        decoding.decode(image.read_bytes(), 8)
    assert decoding.counted(["a.heic"]) == "1 .heic (pip install pillow-heif reads them)"
    (tmp_path / "pillow_heif.py").write_text(PLUGIN)
    code = (
        "import sys\nfrom rgunit_tf.data import decoding, folder\n"
        "assert folder.image_names(sys.argv[1]) == ['a.heic']\n"
        "assert (decoding.decode(open(sys.argv[1] + '/a.heic', 'rb').read(), 8) == (9, 8, 7)).all()"
    )
    path = os.pathsep.join([str(tmp_path), str(root)])
    subprocess.run([sys.executable, "-c", code, str(image.parent)], check=True, env={**os.environ, "PYTHONPATH": path})
