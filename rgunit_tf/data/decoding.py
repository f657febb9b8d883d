"""From encoded bytes of any kind of image to a square of uint8 RGB pixels.

There is one decoder, Pillow, whether images are held in memory or read on the fly, so that the pixels do not depend on
`cache_mb`. It releases Python's lock while it decodes and resizes, so threads scale.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent import futures

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from rgunit_tf.data.records import Reader
from rgunit_tf.faces import alignment
from rgunit_tf.names import printable

# Part of the key of decoded caches: raise it whenever the pixels that `decode` returns change.
VERSION = 1
MAX_PIXELS = 100_000_000
"""Larger images are refused, in training and when served: small files could unpack to gigabytes."""
# Pillow runs other programs to draw these, whatever the file is called.
_PROGRAMS = ("EPS", "WMF")
# Pillow knows these when it sees them, and that is all.
_OPAQUE = ("BUFR", "GRIB", "HDF5", "IPTC", "MPEG")
_UNREAD = (".ai", ".arw", ".avif", ".cr2", ".cr3", ".dng", ".eps", ".heic", ".heif", ".hif", ".jxl", ".nef", ".svg")
_HEIF = (".heic", ".heif", ".hif")
_HEIF_MARKS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
# Endings and files that are named in a message, one by one.
_ENDINGS, _NAMED = 5, 10
_CHUNK = 32

with contextlib.suppress(ImportError):
    # An optional plugin: photographs of telephones.
    import pillow_heif

    pillow_heif.register_heif_opener()


class UnreadableImageError(ValueError):
    """The bytes are no image, a damaged one, or one too large to unpack."""


@functools.cache
def endings() -> frozenset[str]:
    """Endings, in small letters, of the files that this Pillow, with its plugins, reads as pictures."""
    known = Image.registered_extensions()
    return frozenset(
        ending for ending, kind in known.items() if kind in Image.OPEN and kind not in (*_PROGRAMS, *_OPAQUE)
    )


def ending_of(name: str) -> str:
    """`.jpg` of `A.JPG`; empty where there is none."""
    return os.path.splitext(name)[1].lower()


def is_picture(name: str) -> bool:
    """Whether a file's ending is of a kind that is read."""
    return ending_of(name) in endings()


def is_unread_picture(name: str) -> bool:
    """Whether a file's ending is that of pictures, though of a kind that is not read here."""
    return ending_of(name) in _UNREAD and not is_picture(name)


def counted(names: Iterable[str]) -> str:
    """Files that are not read, by their ending, in words: `9 .heic (pip install pillow-heif reads them), 2 .txt`."""
    said = []
    numbers = Counter(ending_of(name) for name in names)
    for ending, count in sorted(numbers.items(), key=lambda item: (-item[1], item[0])):
        heif = ending in _HEIF and ending not in endings()
        shown = printable(ending) or "without ending"
        said.append(f"{count} {shown}{' (pip install pillow-heif reads them)' if heif else ''}")
    more = f" and {len(said) - _ENDINGS} other endings" if len(said) > _ENDINGS else ""
    return ", ".join(said[:_ENDINGS]) + more


def listed(unreadable: Sequence[tuple[str, str]]) -> str:
    """The first ten (name, reason) of images that cannot be read, on one line."""
    named = "; ".join(f"{printable(name)} ({reason})" for name, reason in unreadable[:_NAMED])
    return named + (f"; and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else "")


def decode(encoded: bytes, size: int, crop_share: float = 1.0) -> np.ndarray:
    """Decodes, turns upright, crops the centre square and resizes with antialiasing.

    Greyscale, palette, CMYK and 16-bit images become 8-bit RGB; transparent pixels become white.

    Args:
      encoded: a JPEG, PNG or another format that Pillow reads.
      size: side of the result, pixels.
      crop_share: side of the centre crop as a share of the shorter side; 1: the largest square.

    Returns:
      uint8 [size, size, 3].

    Raises:
      UnreadableImageError: damaged bytes, no image, or more than `MAX_PIXELS` pixels.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            if image.format in _PROGRAMS:
                raise UnreadableImageError(f"{image.format} is a drawing, not an image")
            if width * height > MAX_PIXELS:
                raise UnreadableImageError(f"{width}x{height} pixels are more than {MAX_PIXELS}")
            side = max(round(min(width, height) * crop_share), 1)
            shrink = _draft(image, side, size)
            if image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
                width, height = height, width
            upright = to_rgb(ImageOps.exif_transpose(image))
        # Whole pixels of the full-size image; fractions of those that a draft has left.
        left, top = (width - side) // 2 / shrink, (height - side) // 2 / shrink
        box = (left, top, min(left + side / shrink, upright.width), min(top + side / shrink, upright.height))
        return np.asarray(_resize(upright, box, size), np.uint8)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        # Pillow's own words name an object in memory.
        raise UnreadableImageError(_unknown(encoded)) from error
    except Exception as error:
        # On damaged files Pillow's plugins raise nearly everything that there is.
        raise UnreadableImageError(f"{type(error).__name__}: {error}") from error


def _unknown(encoded: bytes) -> str:
    """What bytes are that no plugin of Pillow's takes."""
    if encoded[4:12] in _HEIF_MARKS:
        return "a HEIC image; pip install pillow-heif to read it"
    return "no image of a known kind" if encoded else "the file is empty"


def _draft(image: Image.Image, side: int, size: int) -> int:
    """Lets the JPEG decoder skip detail that the resize would drop; returns by how much it shrinks."""
    if image.format != "JPEG":
        return 1
    width = image.size[0]
    scale = next((scale for scale in (8, 4, 2) if side >= 2 * scale * size), 1)
    if scale == 1:
        return 1
    image.draft(None, (image.size[0] // scale, image.size[1] // scale))
    return max(round(width / image.size[0]), 1)


def has_alpha(image: Image.Image) -> bool:
    """Whether parts of a picture may be transparent."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: 16-bit values scaled, transparency laid over white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        # Pillow clips 16-bit values at 255 instead of scaling them.
        return Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8)).convert("RGB")
    if has_alpha(image):
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _resize(image: Image.Image, box: tuple[float, float, float, float], size: int) -> Image.Image:
    if box[2] - box[0] == size and all(edge == int(edge) for edge in box):
        return image.crop(tuple(map(int, box)))
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)


def threads() -> int:
    """Number of threads that decode: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def face_of(encoded: bytes) -> bytes:
    """The largest face of a picture, aligned as CelebA's are: a PNG file of `alignment.SIZE`.

    Raises:
      UnreadableImageError: no image, or no face in it.
    """
    # Refuses whatever cannot be decoded, in its own words.
    decode(encoded, 8)
    with Image.open(io.BytesIO(encoded)) as image:
        face = alignment.aligned(to_rgb(ImageOps.exif_transpose(image)))
    if face is None:
        raise UnreadableImageError("no face was found in it")
    buffer = io.BytesIO()
    face.save(buffer, "PNG")
    return buffer.getvalue()


def decode_rows(
    reader: Reader, rows: Iterable[int], size: int, crop_share: float = 1.0, pool: futures.Executor | None = None
) -> tuple[np.ndarray, dict[int, str]]:
    """Decodes many images in a pool of threads; the result does not depend on how many.

    Args:
      reader: where the encoded images are.
      rows: rows of it, n of them.
      size: side of the result, pixels.
      crop_share: see `decode`.
      pool: threads to use; None: a pool for this call.

    Returns:
      images: uint8 [n, size, size, 3]; zeros where an image is unreadable.
      unreadable: row -> what is wrong with it.
    """
    rows = np.asarray(list(rows), np.int64)
    images = np.zeros((len(rows), size, size, 3), np.uint8)
    unreadable: dict[int, str] = {}

    def fill(start: int) -> None:
        for position in range(start, min(start + chunk, len(rows))):
            row = int(rows[position])
            try:
                images[position] = decode(reader.read(row), size, crop_share)
            except (OSError, UnreadableImageError) as error:
                unreadable[row] = str(error)

    workers = threads()
    chunk = max(1, min(_CHUNK, -(-len(rows) // workers)))
    starts = range(0, len(rows), chunk)
    if pool is not None:
        list(pool.map(fill, starts))
    elif workers == 1 or len(starts) <= 1:
        for start in starts:
            fill(start)
    else:
        with futures.ThreadPoolExecutor(workers) as own:
            list(own.map(fill, starts))
    return images, unreadable
