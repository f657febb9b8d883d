"""Sheets of images with titles above the columns and beside the rows. Needs Pillow and numpy only."""

from __future__ import annotations

import os
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from rgunit_tf import atomic
from rgunit_tf.names import printable

# Small images are shown at about this size, so that a face of 32 pixels can be judged by eye.
CELL = 128
GAP = 4
FONT_SIZE = 13
BACKGROUND = (255, 255, 255)
INK = (32, 32, 32)
FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "FreeSans.ttf",
)
"""For what Pillow's own font, which has English letters alone, cannot draw; one of them is on most machines."""

# (left, top, width, height) of a cell on a sheet, pixels; None where the cell is empty.
Box = tuple[int, int, int, int] | None


def _as_rgb(image: np.ndarray) -> np.ndarray:
    """A uint8 image [H, W, 3], from [H, W, 3], [H, W, 1] or [H, W] (masks)."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"grid images are uint8, not {image.dtype}; map [-1, 1] or [0, 1] to 0..255 first")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"grid images are [H, W], [H, W, 1] or [H, W, 3], not {image.shape}")
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def _resample(image: np.ndarray, scale: float) -> Image.Image:
    """Scales by nearest neighbour for whole factors up (pixels stay honest), by bicubic otherwise."""
    picture = Image.fromarray(_as_rgb(image))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    method = Image.Resampling.NEAREST if scale >= 1 and float(scale).is_integer() else Image.Resampling.BICUBIC
    return picture.resize(size, method)


def _draws(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether a font has all letters of a text."""
    none = bytes(font.getmask("\uffff"))
    return all(letter.isspace() or bytes(font.getmask(letter)) != none for letter in set(text))


def _font_for(titles: Iterable[str]) -> ImageFont.FreeTypeFont:
    """Pillow's own font, or the first of the machine's that has all letters."""
    own, text = ImageFont.load_default(FONT_SIZE), "".join(map(_shown, titles))
    if _draws(own, text):
        return own
    for name in FONTS:
        try:
            found = ImageFont.truetype(name, FONT_SIZE)
        except OSError:
            continue
        if _draws(found, text):
            return found
    return own


def _drawn(title: str, font: ImageFont.FreeTypeFont) -> str:
    """A title in the letters that a font has: without accents, or a question mark, where it lacks one."""
    plain = (letter if _draws(font, letter) else unicodedata.normalize("NFKD", letter)[0] for letter in _shown(title))
    return "".join(letter if _draws(font, letter) else "?" for letter in plain)


def _shown(title: str) -> str:
    """A title as words; letters and accents that are apart, as in names of files on a Mac, are joined."""
    words = " ".join(title.replace(",", ", ").replace("_", " ").split())
    return printable(unicodedata.normalize("NFC", words))


def _wrap(title: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """Breaks a title into lines that fit `width` pixels; a word too long for a line is cut."""
    letters = max(4, int(width / max(font.getlength("n"), 1)))
    return textwrap.wrap(_drawn(title, font), letters) or [""]


def whole_scale(rows: Sequence[Sequence[np.ndarray | None]]) -> int:
    """The whole factor that brings small images to about 128 pixels and leaves larger ones as they are.

    Raises:
      ValueError: no image at all.
    """
    widths = [np.asarray(image).shape[1] for row in rows for image in row if image is not None]
    if not widths:
        raise ValueError("a grid needs at least one image")
    return max(1, round(CELL / max(widths)))


def lay_out(
    rows: Sequence[Sequence[np.ndarray | None]],
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    scale: float | None = None,
) -> tuple[np.ndarray, list[list[Box]]]:
    """`make_grid` of the same arguments, and the box of each cell on it."""
    scale = whole_scale(rows) if scale is None else scale
    cells = [[None if image is None else _resample(image, scale) for image in row] for row in rows]
    width = max(cell.width for row in cells for cell in row if cell is not None)
    heights = [max((cell.height for cell in row if cell is not None), default=width) for row in cells]
    columns = max(len(row) for row in cells)

    font = _font_for([*(column_titles or ()), *(row_titles or ())])
    line = FONT_SIZE + 4
    heads = [_wrap(title, width, font) for title in (column_titles or ())][:columns]
    top = line * max((len(head) for head in heads), default=0) + (2 * GAP if heads else GAP)
    sides = [_wrap(title, CELL, font) for title in (row_titles or ())][: len(cells)]
    left = GAP + (max((int(font.getlength(text)) for side in sides for text in side), default=-GAP) + GAP)

    sheet = Image.new("RGB", (left + columns * (width + GAP), top + sum(heights) + GAP * len(heights)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        # Titles stand on the images: short ones align with the last line of long ones.
        y = top - GAP - line * len(head)
        for text in head:
            centre = left + column * (width + GAP) + width / 2
            draw.text((centre, y), text, fill=INK, font=font, anchor="ma")
            y += line
    y = top
    boxes: list[list[Box]] = []
    for index, (row, height) in enumerate(zip(cells, heights, strict=True)):
        if index < len(sides):
            draw.multiline_text((GAP, y + height / 2), "\n".join(sides[index]), fill=INK, font=font, anchor="lm")
        boxes.append([])
        for column, cell in enumerate(row):
            x = left + column * (width + GAP)
            if cell is not None:
                sheet.paste(cell, (x, y))
            boxes[-1].append(None if cell is None else (x, y, cell.width, cell.height))
        y += height + GAP
    return np.asarray(sheet), boxes


def make_grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    scale: float | None = None,
) -> np.ndarray:
    """Lays images out in rows and columns, with titles.

    Args:
      rows: uint8 images [H, W, 3], [H, W, 1] or [H, W]; None leaves a cell empty. Rows may differ in length.
      column_titles: one a column; long ones are broken into lines.
      row_titles: one a row, left of it.
      scale: factor on the images' size; None brings small images to about 128 pixels by a whole factor and leaves
        larger ones as they are.

    Returns:
      uint8 sheet [height, width, 3] on white.

    Raises:
      ValueError: no image at all, an image of another type or shape.
    """
    return lay_out(rows, column_titles, row_titles, scale)[0]


def save_grid(
    path: str | os.PathLike,
    rows: Sequence[Sequence[np.ndarray | None]],
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    scale: float | None = None,
) -> None:
    """Writes `make_grid` of the same arguments to `path` (PNG), whole or not at all."""
    write_png(path, make_grid(rows, column_titles, row_titles, scale))


def write_png(path: str | os.PathLike, image: np.ndarray, notes: dict[str, str] | None = None) -> None:
    """Writes uint8 [H, W, 3] as a PNG, whole or not at all, with `notes` as its text chunks."""
    chunks = PngImagePlugin.PngInfo()
    for name, text in (notes or {}).items():
        chunks.add_itxt(name, text)
    with atomic.path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG", pnginfo=chunks)
