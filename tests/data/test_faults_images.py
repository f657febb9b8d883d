"""Images and folders as strangers have them: decoded, skipped by name or refused; never a traceback, a wait, a bomb."""

from __future__ import annotations

import io
import os
import resource
import struct
import time
import zlib

import numpy as np
import pytest
from absl import logging
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rgunit_tf.data import decode_cache, decoding, folder
from rgunit_tf.data.records import FileReader
from rgunit_tf.data.store import ImageStore
from rgunit_tf.errors import UserError

FAST = settings(max_examples=120, derandomize=True, deadline=None, database=None)


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (20, 24), **options) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


SOURCES = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "cmyk": encoded("JPEG", "CMYK"),
    "png": encoded("PNG"),
    "palette": encoded("PNG", "P"),
    "webp": encoded("WEBP"),
    "gif": encoded("GIF", "P"),
    "bmp": encoded("BMP"),
    "tiff": encoded("TIFF"),
}


def decodes_or_says_why(data: bytes) -> bool:
    try:
        image = decoding.decode(data, 8)
    except decoding.UnreadableImageError as error:
        assert str(error) and " at 0x" not in str(error)
        return False
    assert image.shape == (8, 8, 3) and image.dtype == np.uint8
    return True


@FAST
@given(kind=st.sampled_from(sorted(SOURCES)), share=st.floats(0, 0.9))
def test_cut_off(kind, share):
    data = SOURCES[kind]
    assert not decodes_or_says_why(data[: int(len(data) * share)])


@FAST
@given(kind=st.sampled_from(sorted(SOURCES)), data=st.data())
def test_flipped_bits(kind, data):
    content = bytearray(SOURCES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        # Half of the flips hit the header.
        last = data.draw(st.sampled_from([min(120, len(content)), len(content)])) - 1
        content[data.draw(st.integers(0, last))] ^= 1 << data.draw(st.integers(0, 7))
    decodes_or_says_why(bytes(content))


@FAST
@given(
    data=st.binary(max_size=64), start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
)
def test_any_bytes(data, start):
    decodes_or_says_why(start + data)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (0, 5), (9_000, 9_000)])
def test_bombs(side):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not decodes_or_says_why(bomb(*side))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000


def test_a_large_photograph_is_taken():
    buffer = io.BytesIO()
    Image.new("RGB", (10_000, 5_000), (200, 10, 10)).save(buffer, "PNG", compress_level=1)
    started = time.process_time()
    assert (decoding.decode(buffer.getvalue(), 8) == (200, 10, 10)).all()
    assert time.process_time() - started < 20


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_odd_shapes(size):
    assert decodes_or_says_why(encoded("PNG", size=size))


def test_animation_gives_its_first_picture():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert (decoding.decode(buffer.getvalue(), 4) == (255, 0, 0)).all()


def test_no_other_program_is_started(monkeypatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(decoding.UnreadableImageError, match="EPS is a drawing"):
        decoding.decode(encoded("EPS"), 8)


@pytest.fixture
def many(make_folder):
    """150 images of two domains."""
    return make_folder({"cat": 75, "dog": 75})


@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("fault", ["empty", "text", "folder", "pipe", "device", "dangling", "loop", "sparse"])
def test_one_bad_file_is_skipped_and_named(many, fault, memory, monkeypatch):
    bad = many / "cat" / "7.png"
    bad.unlink()
    make = {
        "empty": lambda: bad.touch(),
        "text": lambda: bad.write_text("<html>404</html>"),
        "folder": bad.mkdir,
        "pipe": lambda: os.mkfifo(bad),
        "device": lambda: bad.symlink_to("/dev/zero"),
        "dangling": lambda: bad.symlink_to("nowhere"),
        "loop": lambda: bad.symlink_to(bad),
        "sparse": lambda: (bad.touch(), os.truncate(bad, 1 << 40)),
    }
    make[fault]()
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    names = [f"{domain}/{number}.png" for domain in ("cat", "dog") for number in range(75)]
    names = sorted(names[:75]) + names[75:]
    store = ImageStore(FileReader(many, names), 8, memory=memory)
    assert np.flatnonzero(~store.readable).tolist() == [names.index("cat/7.png")]
    assert len(said) == 1 and "Skipping 1 unreadable" in said[0] and str(bad) in said[0] and "\n" not in said[0]


def test_links_between_domains_are_refused(many):
    (many / "dog" / "up").symlink_to(many)
    with pytest.raises(UserError, match="links lead from cat and from dog to one folder"):
        folder.load_records(many)
    (many / "dog" / "up").unlink()
    (many / "wild").symlink_to(many / "cat")
    with pytest.raises(UserError, match="wild: links lead from cat and from wild to one folder"):
        folder.load_records(many)


def test_odd_names(many):
    good = (many / "cat" / "1.png").read_bytes()
    odd = [
        b"a b.png",
        b"a\nb.png",
        b"\xff\xfe.png",
        "😀.PNG".encode(),
        b"'\"$(x).jpeg",
        b"-rf.png",
        b"n" * 250 + b".png",
    ]
    for name in odd:
        with open(os.path.join(os.fsencode(many), b"cat", name), "wb") as file:
            file.write(good)
    (many / "cat" / "notes.txt").write_text("x")
    records = folder.load_records(many)
    assert {os.fsencode(name) for name in records.ids} >= {b"cat/" + name for name in odd}
    store = ImageStore(records.reader, 8)
    assert store.readable.all() and len(store.readable) == 150 + len(odd)


@pytest.mark.parametrize("name", [b"a\nb", b"\xff", b"a\x07"])
def test_domains_that_cannot_be_printed(many, name):
    os.mkdir(os.path.join(os.fsencode(many), name))
    with pytest.raises(UserError, match="has to be printable") as error:
        folder.load_records(many)
    assert str(error.value).isprintable()


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(data=st.data())
def test_a_spoilt_cache_never_gives_other_images(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number in range(3):
        Image.new("RGB", (8, 8), (number * 80, 7, 9)).save(root / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RGUNIT_CACHE", str(root / "cache"))
        patch.setattr(decode_cache, "SMALLEST_BYTES", 0)
        reader = FileReader(root, [f"{number}.png" for number in range(3)])
        images = decoding.decode_rows(reader, range(3), 8)[0]
        decode_cache.save(reader, 8, 1.0, images, {1: "broken"})
        decode_cache.save_unreadable(reader, {1: "broken"})
        for file in sorted((root / "cache" / "decoded").iterdir(), key=lambda file: file.stat().st_size):
            content = bytearray(file.read_bytes())
            content[data.draw(st.integers(0, 999)) * len(content) // 1000] ^= 1 << data.draw(st.integers(0, 7))
            file.write_bytes(content)
        held = decode_cache.load(reader, 8, 1.0)
        assert held is None or ((held[0] == images).all() and held[1] == {1: "broken"})
        assert decode_cache.load_unreadable(reader) in (None, {1: "broken"})


def test_images_of_one_domain_alone_are_refused(celeba):
    from rgunit_tf import data

    celeba.values[:, 4] = 1
    celeba.write()
    with pytest.raises(UserError, match="training images are of one domain, Young"):
        data.load("celeba", celeba.root, image_size=8, attributes=("Young",))
