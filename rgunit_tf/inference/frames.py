"""From a picture of any size and shape to the square that models take, and where in the picture that square lies."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import ExifTags, Image, ImageOps

from rgunit_tf.data import decoding


@dataclasses.dataclass(frozen=True)
class Frame:
    """How a square shows a part of a picture.

    Attributes:
      size: width and height of the upright picture, pixels.
      box: left, upper, right and lower edge of the part of the picture that the square shows, pixels of the picture.
      region: the same edges of what shows it, pixels of the square; the rest of the square is padding.
    """

    size: tuple[int, int]
    box: tuple[int, int, int, int]
    region: tuple[int, int, int, int]

    @property
    def whole(self) -> bool:
        """Whether the square shows all of the picture."""
        return self.box == (0, 0, *self.size)

    def cut(self, square: np.ndarray) -> np.ndarray:
        """The square [H, W, C] without its padding."""
        left, upper, right, lower = self.region
        return square[upper:lower, left:right]


def read_square(encoded: bytes, size: int, fit: str = "crop", crop_share: float = 1.0) -> tuple[np.ndarray, Frame]:
    """Decodes a picture for a model.

    Args:
      encoded: a file of any kind that Pillow reads; see `data.decoding.decode` for what becomes of EXIF rotation, CMYK,
        16 bits and transparency.
      size: side of the square, pixels.
      fit: `crop`: the centre square, cropped and resized exactly as in training; `pad`: all of the picture, its edges
        drawn out to a square.
      crop_share: side of the centre square as a share of the shorter side; of no effect with `pad`.

    Returns:
      uint8 [size, size, 3] and its frame.

    Raises:
      UnreadableImageError: damaged bytes, no image, or one of too many pixels.
    """
    width, height = _upright_size(encoded)
    if fit == "pad":
        return _padded(upright(encoded), size)
    side = max(round(min(width, height) * crop_share), 1)
    square = decoding.decode(encoded, size, crop_share)
    left, upper = (width - side) // 2, (height - side) // 2
    return square, Frame((width, height), (left, upper, left + side, upper + side), (0, 0, size, size))


def cut_square(encoded: bytes, size: int, box: tuple[int, int, int]) -> tuple[np.ndarray, Frame]:
    """As `read_square`, of a square that was chosen.

    Args:
      encoded: as there.
      size: as there.
      box: left and upper edge and side, pixels of the upright picture; what lies outside of it is moved into it.

    Raises:
      UnreadableImageError: as `read_square`.
    """
    picture = upright(encoded)
    side = max(min(box[2], *picture.size), 1)
    left, upper = (max(min(start, whole - side), 0) for start, whole in zip(box, picture.size, strict=False))
    edges = (left, upper, left + side, upper + side)
    square = picture.crop(edges).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(square, np.uint8), Frame(picture.size, edges, (0, 0, size, size))


def upright(encoded: bytes, alpha: bool = False) -> Image.Image:
    """All of a picture at its own resolution, turned upright; its colour profile is in `info`.

    Args:
      encoded: a file of any kind that Pillow reads.
      alpha: what is transparent stays so, in an RGBA picture; else it is laid over white.

    Returns:
      RGB, or RGBA.

    Raises:
      UnreadableImageError: as `read_square`.
    """
    # Refuses whatever cannot be decoded, in its own words.
    decoding.decode(encoded, 8)
    with Image.open(io.BytesIO(encoded)) as image:
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        picture = ImageOps.exif_transpose(image)
        keeps = alpha and decoding.has_alpha(picture)
        picture = picture.convert("RGBA") if keeps else decoding.to_rgb(picture)
    picture.info = {"icc_profile": profile} if profile else {}
    return picture


def _upright_size(encoded: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    # Pillow raises all kinds of things on damaged files; `decode` knows them, and says what is wrong.
    except Exception as error:
        decoding.decode(encoded, 8)
        raise decoding.UnreadableImageError(f"{type(error).__name__}: {error}") from error
    return (height, width) if turned else (width, height)


def _padded(picture: Image.Image, size: int) -> tuple[np.ndarray, Frame]:
    scale = size / max(picture.size)
    width, height = (max(round(side * scale), 1) for side in picture.size)
    small = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)
    left, upper = (size - width) // 2, (size - height) // 2
    square = np.pad(small, ((upper, size - height - upper), (left, size - width - left), (0, 0)), mode="edge")
    return square, Frame(picture.size, (0, 0, *picture.size), (left, upper, left + width, upper + height))
