"""Decoding in-graph against the decoder of training."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.serving import image_codec


def picture(width, height, mode="RGB"):
    """Smooth structure with noise on it."""
    rng = np.random.default_rng(width * 10_000 + height)
    coarse = rng.integers(0, 256, (max(height // 12, 2), max(width // 12, 2), 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), int)
    noisy = smooth + rng.integers(-20, 20, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert(mode)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def translucent(mode):
    image = picture(60, 44).convert("RGBA")
    image.putalpha(picture(60, 44, "L").point(lambda value: value * 2 - 128))
    return image.convert(mode)


def sixteen_bit():
    grey = np.asarray(picture(60, 44, "L"), np.uint16)
    return Image.fromarray(grey * 257)


@pytest.fixture(scope="module")
def decoder():
    """(size, crop share) -> the decoder in a graph, traced once."""
    traced = {}

    def get(size, share=1.0):
        if (size, share) not in traced:
            files = tf.TensorSpec([None], tf.string)
            traced[size, share] = tf.function(
                lambda files: image_codec.decode_squares(files, size, share), input_signature=[files]
            )
        return traced[size, share]

    return get


@pytest.fixture(scope="module")
def decoded(decoder):
    return lambda content, *options: decoder(*options)(tf.constant([content])).numpy()[0].astype(int)


KINDS = {
    "grey.jpg": lambda: encode(picture(60, 44, "L"), "JPEG"),
    "cmyk.jpg": lambda: encode(picture(60, 44, "CMYK"), "JPEG"),
    "progressive.jpg": lambda: encode(picture(60, 44), "JPEG", progressive=True),
    "black and white.png": lambda: encode(picture(60, 44, "1"), "PNG"),
    "grey.png": lambda: encode(picture(60, 44, "L"), "PNG"),
    "16bit.png": lambda: encode(sixteen_bit(), "PNG"),
    "palette.png": lambda: encode(picture(60, 44).quantize(16), "PNG"),
    "transparent palette.png": lambda: encode(picture(60, 44).quantize(16), "PNG", transparency=3),
    "rgba.png": lambda: encode(translucent("RGBA"), "PNG"),
    "grey with alpha.png": lambda: encode(translucent("LA"), "PNG"),
}


# Smaller and larger than the result, both aspects, every reduction of JPEGs, box reduction with and without remainder.
@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("shape", [(16, 16), (9, 11), (41, 33), (300, 300), (257, 190), (519, 400), (1100, 700)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_as_in_training(decoded, shape, kind, size):
    content = encode(picture(*shape), kind)
    difference = np.abs(decoded(content, size) - decoding.decode(content, size))
    assert difference.max() <= 1 and difference.mean() < 0.01


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_files(decoded, name):
    content = KINDS[name]()
    difference = np.abs(decoded(content, 32) - decoding.decode(content, 32))
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_tall_images(decoded):
    """Pillow may make the vertical pass first here, which rounds in another order."""
    content = encode(picture(167, 256), "JPEG")
    difference = np.abs(decoded(content, 128) - decoding.decode(content, 128))
    assert difference.max() <= 6 and difference.mean() < 0.4


@pytest.mark.parametrize("share", [0.5, 0.25, 1.0])
def test_crop(decoded, share):
    content = encode(picture(60, 40), "PNG")
    difference = np.abs(decoded(content, 16, share) - decoding.decode(content, 16, share))
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_a_batch_keeps_its_order_and_may_be_empty(decoder):
    files = [encode(picture(30 + index, 30), "PNG" if index % 2 else "JPEG") for index in range(7)]
    found = decoder(16)(tf.constant(files)).numpy().astype(int)
    expected = np.stack([decoding.decode(file, 16) for file in files]).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert decoder(16)(tf.zeros([0], tf.string)).shape == (0, 16, 16, 3)


def test_photographs(decoder, shared_data):
    files = [path.read_bytes() for path in sorted((shared_data / "cat_dog" / "val").glob("*/*"))[::10]]
    found = decoder(64)(tf.constant(files)).numpy().astype(int)
    difference = np.abs(found - np.stack([decoding.decode(file, 64) for file in files]))
    assert difference.max() <= 6 and difference.mean() < 0.05


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_bound_of_pixels_is_a_setting(kind):
    content = tf.constant([encode(picture(20, 11), kind)])
    assert image_codec.decode_squares(content, 16, max_pixels=220).shape == (1, 16, 16, 3)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"image_bytes\[0\] is 20 by 11 pixels; at most 219 in all"
    ):
        image_codec.decode_squares(content, 16, max_pixels=219)


@pytest.mark.parametrize("channels", [1, 3])
def test_encoded_pngs_are_lossless(channels):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, channels), np.uint8)
    files = image_codec.encode_png(tf.constant(images)).numpy()
    read = np.stack([np.asarray(Image.open(io.BytesIO(file))).reshape(8, 8, channels) for file in files])
    assert (read == images).all()


def claiming(width: int, height: int) -> bytes:
    """A PNG file whose header claims another size than its pixels have."""
    content = bytearray(encode(picture(20, 11), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(("width", "too_many"), [(10_000, False), (10_001, True)])
def test_the_bound_is_that_of_training_and_of_the_commands(width, too_many):
    content = claiming(width, 10_000)
    with pytest.raises(decoding.UnreadableImageError) as trained:
        decoding.decode(content, 16)
    with pytest.raises(tf.errors.InvalidArgumentError) as served:
        image_codec.decode_squares(tf.constant([content]), 16)
    assert ("pixels are more than" in str(trained.value)) == ("pixels; at most" in str(served.value)) == too_many
