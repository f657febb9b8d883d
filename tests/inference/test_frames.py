import io

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.data.decoding import UnreadableImageError, decode
from rgunit_tf.inference.frames import cut_square, read_square, upright


def encoded(image, kind="PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(width, height):
    columns, rows = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([columns, rows, 255 - columns], -1).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(90, 61), (61, 90), (64, 64), (700, 500)])
def test_crops_give_the_pixels_of_training(width, height):
    data = encoded(gradient(width, height), "JPEG")
    square, frame = read_square(data, 32)
    np.testing.assert_array_equal(square, decode(data, 32))
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    assert frame.size == (width, height) and frame.box == (left, upper, left + side, upper + side)
    assert frame.region == (0, 0, 32, 32) and frame.whole == (width == height)


def test_a_share_of_the_shorter_side():
    data = encoded(gradient(178, 218))
    square, frame = read_square(data, 32, crop_share=100 / 178)
    np.testing.assert_array_equal(square, decode(data, 32, 100 / 178))
    assert frame.box == (39, 59, 139, 159)


def test_a_chosen_square_is_moved_into_the_picture():
    data = encoded(gradient(90, 60))
    square, frame = cut_square(data, 20, (20, 10, 40))
    assert frame.box == (20, 10, 60, 50) and frame.region == (0, 0, 20, 20) and not frame.whole
    np.testing.assert_array_equal(square, np.asarray(gradient(90, 60).crop(frame.box).resize((20, 20), 3, None, 3.0)))
    assert cut_square(data, 20, (80, -5, 500))[1].box == (30, 0, 90, 60)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photographs(orientation):
    """The box is in pixels of the upright picture: what it cuts out is what the square shows."""
    image = gradient(96, 64)
    exif = image.getexif()
    exif[0x0112] = orientation
    data = encoded(image, "PNG", exif=exif)
    picture = upright(data)
    for fit in ("crop", "pad"):
        square, frame = read_square(data, 32, fit)
        assert frame.size == picture.size == ((96, 64) if orientation < 5 else (64, 96))
        expected = picture.crop(frame.box).resize(frame.cut(square).shape[1::-1], Image.Resampling.BICUBIC)
        assert np.abs(frame.cut(square).astype(int) - np.asarray(expected)).max() <= 2


def test_padding_draws_the_edges_out_and_is_cut_off_again():
    square, frame = read_square(encoded(gradient(100, 50)), 32, "pad")
    assert frame.whole and frame.region == (0, 8, 32, 24)
    np.testing.assert_array_equal(square[:8], np.repeat(square[8:9], 8, 0))
    np.testing.assert_array_equal(square[24:], np.repeat(square[23:24], 8, 0))
    assert frame.cut(square).shape == (16, 32, 3)


def test_a_line_of_pixels_still_shows():
    square, frame = read_square(encoded(gradient(400, 1)), 32, "pad")
    assert square.shape == (32, 32, 3) and frame.cut(square).shape == (1, 32, 3)


def test_kinds_of_pictures():
    deep = Image.fromarray(np.full((20, 30), 0x8000, np.uint16))
    assert abs(int(read_square(encoded(deep), 8)[0].mean()) - 128) <= 1
    clear = Image.new("RGBA", (20, 30), (10, 20, 30, 0))
    assert (read_square(encoded(clear), 8)[0] == 255).all()
    cmyk = Image.new("CMYK", (20, 30), (0, 255, 255, 0))
    assert read_square(encoded(cmyk, "JPEG"), 8)[0][0, 0].argmax() == 0
    assert upright(encoded(deep)).mode == upright(encoded(clear)).mode == "RGB"


def test_the_colour_profile_is_kept_for_the_full_size():
    assert upright(encoded(gradient(9, 9), icc_profile=b"profile")).info == {"icc_profile": b"profile"}
    assert upright(encoded(gradient(9, 9).convert("L"), icc_profile=b"grey")).info == {}


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("data", [b"", b"no picture", encoded(gradient(64, 64), "JPEG")[:400]])
def test_no_picture(data, fit):
    with pytest.raises(UnreadableImageError):
        read_square(data, 16, fit)
