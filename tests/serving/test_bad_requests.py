"""Requests that are wrong are refused with a message that says how, and the process goes on."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

NAN = float("nan")


def encoded(width=20, height=16, kind="PNG"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that claims a size and holds no pixel."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


def jpeg_of_size(width, height):
    """A small JPEG whose header was changed to claim another size."""
    data = bytearray(encoded(kind="JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def floats(*shape, value=0.0):
    return np.full(shape, value, np.float32)


def pixels(*shape):
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"image_bytes\[1\] is neither a JPEG nor a PNG"),
        (b"GIF89a\x01\x00\x01\x00", r"image_bytes\[1\] is neither a JPEG nor a PNG"),
        (b"\x89PNG\r\n\x1a\n", r"image_bytes\[1\] is 0 by 0 pixels"),
        (png_header(0, 5), r"image_bytes\[1\] is 0 by 5 pixels"),
        (png_header(20_000, 20_000), r"image_bytes\[1\] is 20000 by 20000 pixels; at most 100000000"),
        (png_header(2**31 + 5, 1), r"image_bytes\[1\] is -?\d+ by 1 pixels"),
        (jpeg_of_size(30_000, 30_000), r"image_bytes\[1\] is 30000 by 30000 pixels"),
        (png_header(20, 20), "Invalid PNG"),
        (encoded()[:200], "Invalid PNG data"),
        (encoded(kind="JPEG")[:300], "Invalid JPEG data"),
        (b"\xff\xd8\xff" + b"\0" * 50, "Invalid JPEG data"),
    ],
)
def test_files(server, refused, attributes, content, message):
    files = np.array([encoded(), content], object)
    with refused(message):
        server.ask("translation", "translate_bytes", image_bytes=files, attributes=attributes[:2])
    with refused(message):
        server.ask("retrieval", "retrieve_bytes", image_bytes=files, attributes=attributes[:2], k=np.int32(2))


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (pixels(2, 16, 20, 3), floats(2, 5), r"images must have shape \[batch,16,16,3\], not \[2 16 20 3\]"),
        (pixels(2, 16, 16, 1), floats(2, 5), r"images must have shape \[batch,16,16,3\], not \[2 16 16 1\]"),
        (pixels(2, 16, 16, 3), floats(2, 4), r"attributes must have shape \[batch,5\], not \[2 4\]"),
        (pixels(2, 16, 16, 3), floats(3, 5), r"images and attributes must be equally many, not \[2\] and \[3\]"),
        (pixels(2, 16, 16, 3), floats(0, 5), r"images and attributes must be equally many, not \[2\] and \[0\]"),
        (pixels(2, 16, 16, 3), floats(2, 5, value=NAN), "attributes must be numbers from 0 to 1"),
        (pixels(2, 16, 16, 3), floats(2, 5, value=-1), "attributes must be numbers from 0 to 1"),
    ],
)
def test_images_and_attributes(server, refused, images, targets, message):
    for model, signature, more in (
        ("translation", "translate_images", {}),
        ("guided", "translate_images", {}),
        ("guided", "embed", {}),
        ("retrieval", "retrieve", {"k": np.int32(1)}),
    ):
        with refused(by(server, message)):
            server.ask(model, signature, images=images, attributes=targets, **more)


def by(server, message):
    """The Python loader refuses shapes that were not declared itself, in its own words."""
    return message if server.kind == "cc" or "shape" not in message else "TensorSpec|shape|incompatible"


def two_colours(*, rows=2):
    targets = np.zeros((rows, 5), np.float32)
    targets[-1, :2] = 1.0
    return targets


def test_attributes_that_exclude_each_other(server, refused, images):
    message = "attributes: at most one of Black_Hair, Blond_Hair, Brown_Hair may hold"
    for model, signature, more in (
        ("translation", "translate_images", {"images": images[:2]}),
        ("guided", "translate", {"images": images[:2]}),
        ("guided", "translate_files", {"image_bytes": np.array([encoded()] * 2, object)}),
        ("retrieval", "retrieve", {"images": images[:2], "k": np.int32(1)}),
        ("retrieval", "sample_styles", {"noise": floats(2, 40)}),
    ):
        with refused(message):
            server.ask(model, signature, attributes=two_colours(), **more)
    # A mixture of two is one.
    server.ask("translation", "translate_images", images=images[:2], attributes=0.5 * two_colours())


def test_one_dimension_too_few_or_too_many(server, refused, images, attributes):
    """The Python loader refuses these itself, in its own words; a server lets them through to the graph."""
    by_graph = server.kind == "cc"
    for wrong in (images[0], images[:, None], np.uint8(3)):
        with refused(r"images must have shape \[batch,16,16,3\]" if by_graph else "images|shape|incompatible"):
            server.ask("guided", "encode", images=wrong)
    with refused(r"attributes must have shape \[batch,5\], not \[5\]|equally many|incompatible"):
        server.ask("guided", "translate_images", images=images[:1], attributes=attributes[0])
    with refused(r"image_bytes\S* \[1,1\] is not compatible" if by_graph else "shape|image_bytes"):
        files = np.array([[encoded()]], object)
        server.ask("translation", "translate_bytes", image_bytes=files, attributes=attributes[:1])


@pytest.mark.parametrize("model", ["retrieval", "guided", "retrieval_scann", "guided_scann"])
@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, "k must be from 1 to 12"),
        (-3, "k must be from 1 to 12"),
        (13, "k must be from 1 to 12, the size of the gallery, not 13"),
        ([2, 2, 13], "k must be from 1 to 12"),
        ([2, 2], r"k must be one number, or one for each of 3 queries, not \[2 2\]"),
        ([], "k must be one number"),
    ],
)
def test_k(server, refused, images, attributes, model, k, message):
    with refused(message):
        server.ask(model, "retrieve", images=images, attributes=attributes, k=np.array(k, np.int32))


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        (floats(3, 39), r"styles must have shape \[batch,40\], not \[3 39\]"),
        (floats(3, 40, value=NAN), "styles must be numbers from -100 to 100"),
        (floats(3, 40, value=np.inf), "styles must be numbers from -100 to 100"),
        (floats(2, 40), r"images and styles must be equally many, not \[3\] and \[2\]"),
    ],
)
def test_styles(server, refused, images, styles, message):
    for model in ("translation", "guided", "guided_scann"):
        with refused(by(server, message)):
            server.ask(model, "translate_to_style", images=images, styles=styles)


def test_noise(server, refused, attributes):
    with refused(by(server, r"noise must have shape \[batch,40\]")):
        server.ask("retrieval", "sample_styles", attributes=attributes, noise=floats(3, 8))
    with refused("attributes and noise must be equally many"):
        server.ask("retrieval", "sample_styles", attributes=attributes, noise=floats(2, 40))
    with refused("noise must be numbers"):
        server.ask("retrieval", "sample_styles", attributes=attributes, noise=floats(3, 40, value=NAN))


def test_flipped_bits_and_cut_files_are_answered_or_refused(server, attributes):
    """Whatever the bytes, there is an answer or a message, and a good request is answered afterwards."""
    rng = np.random.default_rng(0)
    good = [encoded(), encoded(kind="JPEG")]
    outcomes = {True: 0, False: 0}
    for trial in range(60):
        data = bytearray(good[trial % 2])
        if trial % 3 == 0:
            data = data[: rng.integers(1, len(data))]
        for _ in range(rng.integers(0, 6)):
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            server.ask(
                "guided", "translate_bytes", image_bytes=np.array([bytes(data)], object), attributes=attributes[:1]
            )
            outcomes[True] += 1
        except Exception as error:
            assert "image_bytes" in str(error) or "Invalid" in str(error) or "invalid" in str(error), error
            outcomes[False] += 1
    assert min(outcomes.values()) > 5
    found = server.ask("guided", "translate_bytes", image_bytes=np.array(good, object), attributes=attributes[:2])
    assert all(file.startswith(b"\x89PNG") for file in found["image_bytes"])
