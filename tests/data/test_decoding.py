import io

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.data.records import FileReader

RAMP = np.linspace(0, 255, 16 * 16).reshape(16, 16)


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(values):
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=-1)


def test_rgb_of_the_right_size_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decoding.decode(encode(Image.fromarray(pixels)), 16), pixels)


def test_sixteen_bits_are_scaled_not_clipped():
    wide = (RAMP * 257).astype(np.uint16)
    np.testing.assert_array_equal(decoding.decode(encode(Image.fromarray(wide)), 16), grey(wide >> 8))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA"])
def test_modes(mode):
    image = Image.fromarray(RAMP.astype(np.uint8)).convert(mode)
    np.testing.assert_array_equal(decoding.decode(encode(image), 16), np.asarray(image.convert("RGB")))


def test_cmyk():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red = decoding.decode(encode(image, "JPEG", quality=95), 8).astype(int)
    np.testing.assert_allclose(red, np.broadcast_to([255, 0, 0], red.shape), atol=6)


def test_transparent_pixels_become_white():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4] = (200, 10, 10, 255)
    result = decoding.decode(encode(Image.fromarray(pixels)), 8)
    assert (result[:4] == (200, 10, 10)).all()
    assert (result[4:] == 255).all()
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    assert (decoding.decode(encode(palette, transparency=1), 8) == 255).all()


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation(orientation, turns):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(upright, -turns)
    result = decoding.decode(encode(Image.fromarray(stored), exif=exif), 16)
    np.testing.assert_array_equal(result, upright)


@pytest.mark.parametrize("width, height", [(40, 20), (20, 40), (21, 40)])
def test_centre_square(width, height):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    result = decoding.decode(encode(Image.fromarray(pixels)), side)
    np.testing.assert_array_equal(result, pixels[top : top + side, left : left + side])


def test_crop_is_of_the_centre_and_never_more_than_the_image():
    pixels = np.random.default_rng(1).integers(0, 256, (20, 16, 3), dtype=np.uint8)
    encoded = encode(Image.fromarray(pixels))
    np.testing.assert_array_equal(decoding.decode(encoded, 12, crop_share=12 / 16), pixels[4:16, 2:14])
    np.testing.assert_array_equal(decoding.decode(encoded, 16, crop_share=1.0), pixels[2:18])


def test_resize_is_antialiased():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    result = decoding.decode(encode(Image.fromarray(board.astype(np.uint8))), 8).astype(int)
    assert np.abs(result[1:-1, 1:-1] - 127.5).max() < 12


def test_large_jpeg_agrees_with_the_full_decoding():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize((601, 502))
    fast = decoding.decode(encode(image, "JPEG", quality=95), 16).astype(int)
    exact = decoding.decode(encode(image), 16).astype(int)
    assert np.abs(fast - exact).max() < 8
    cropped = decoding.decode(encode(image, "JPEG", quality=95), 16, crop_share=300 / 502).astype(int)
    assert np.abs(cropped - decoding.decode(encode(image), 16, crop_share=300 / 502)).max() < 8


@pytest.mark.parametrize("width, height", [(1, 1), (1, 300), (3, 2)])
def test_tiny_and_thin_images(width, height):
    assert (decoding.decode(encode(Image.new("RGB", (width, height), (9, 8, 7))), 8) == (9, 8, 7)).all()


def test_unreadable():
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    png = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    for encoded in (b"", b"no image", whole[: len(whole) // 2], png[: len(png) // 2], png[:60]):
        with pytest.raises(decoding.UnreadableImageError):
            decoding.decode(encoded, 8)


def test_bomb_is_refused_before_it_unpacks(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 399)
    with pytest.raises(decoding.UnreadableImageError, match="20x20 pixels"):
        decoding.decode(encode(Image.new("RGB", (20, 20))), 8)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 400)
    decoding.decode(encode(Image.new("RGB", (20, 20))), 8)


def test_rows_do_not_depend_on_the_threads(make_folder, monkeypatch):
    root = make_folder({".": 70})
    (root / "7.png").write_bytes(b"broken")
    reader = FileReader(root, [f"{number}.png" for number in range(70)])
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(decoding, "threads", lambda threads=threads: threads)
        results.append(decoding.decode_rows(reader, range(70), 8))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert list(results[0][1]) == list(results[1][1]) == [7]
    assert not results[0][0][7].any()
