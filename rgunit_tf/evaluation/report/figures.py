"""Figures of a report: the pictures of the sheets, laid out so that they fit a phone as well as paper."""

from __future__ import annotations

import base64
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from markupsafe import Markup
from PIL import Image

from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.report.html import details, element, join, words

# Stage -> name of the figure -> its sheet.
Sheets = Mapping[str, Mapping[str, FigureSheet]]

# In the order in which they are shown; others follow.
ORDER = ("translations", "beside_truth", "samples", "interpolation", "masks", "guides", "retrievals")
CASES = ("best", "worst")
# Pictures in a row -> rows abreast.
ABREAST = {1: 4, 2: 4, 3: 3, 4: 2, 5: 2}
# Pairs at the head of the page.
PAIRS = 6
# Figures in which an earlier stage is shown too, so that two stages can be compared.
COMPARED = ("translations", "beside_truth")
# Pictures up to this size are kept as they are; larger ones become JPEG.
LOSSLESS = 48
# Sides that larger pictures are brought to, the first that keeps the page small enough.
SIZES = (160, 128, 96, 64)


def data_uri(image: np.ndarray) -> str:
    """A picture, uint8 [H, W, 3], as a `data:` URI."""
    picture = Image.fromarray(image)
    buffer = io.BytesIO()
    if max(picture.size) <= LOSSLESS:
        picture.save(buffer, format="PNG", optimize=True)
        return _uri("png", buffer)
    picture.save(buffer, format="JPEG", quality=88, subsampling=0, optimize=True)
    return _uri("jpeg", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def tile(image: np.ndarray, caption: str, alt: str) -> Markup:
    """One picture with its caption."""
    height, width = image.shape[:2]
    sharp = "sharp" if max(height, width) <= LOSSLESS else None
    picture = element("img", src=data_uri(image), alt=alt, width=width, height=height, class_=sharp, decoding="async")
    return element("figure", picture, element("figcaption", caption), class_="tile")


def sheet_section(sheet: FigureSheet, heading: str = "h3") -> Markup:
    """Heading, caption and pictures of a sheet."""
    rows = []
    # Rows of few pictures stand abreast where there is room.
    abreast = ABREAST.get(len(sheet.columns))
    kind, layout = ("rows narrow", f"--n:{len(sheet.columns)};--abreast:{abreast}") if abreast else ("rows", None)
    for number, row in enumerate(sheet.rows):
        title = words(sheet.row_titles[number]) if number < len(sheet.row_titles) else ""
        tiles = [
            tile(image, words(column), f"{words(column)}{', ' if title else ''}{title}")
            for image, column in zip(row, sheet.columns, strict=False)
        ]
        rows.append(
            element(
                "div",
                element("p", title, class_="row-title") if title else None,
                element("div", *tiles, class_="tiles"),
                class_="row titled" if title else "row",
            )
        )
    return join(
        [
            element(heading, sheet.title),
            element("p", sheet.caption, class_="caption"),
            element("div", *rows, class_=kind, style=layout),
        ]
    )


def load_sheets(folder: pathlib.Path, names: Sequence[str]) -> dict[str, FigureSheet]:
    """Sheets by name; one that cannot be read is left out, and said so."""
    sheets = {}
    for name in names:
        try:
            sheet = FigureSheet.load(folder / pathlib.PurePath(name).name)
            sheets[pathlib.PurePath(name).stem] = _shrunk_sheet(sheet, SIZES[0])
        except (OSError, ValueError) as error:
            logging.warning("the report leaves out a figure: %s", error)
    return sheets


def stage_sheets(stages: Mapping[str, Any], folder: pathlib.Path) -> Sheets:
    """Sheets of each measured stage, from `evaluation/figures/<stage>/`, with pictures of the largest size shown."""
    return {stage: load_sheets(folder / stage, result.get("figures") or ()) for stage, result in stages.items()}


def shrunk(sheets: Sheets, size: int) -> Sheets:
    """The same sheets with no picture larger than `size` pixels."""
    return {
        stage: {name: _shrunk_sheet(sheet, size) for name, sheet in named.items()} for stage, named in sheets.items()
    }


def _shrunk_sheet(sheet: FigureSheet, size: int) -> FigureSheet:
    return dataclasses.replace(sheet, rows=[[_shrunk(image, size) for image in row] for row in sheet.rows])


def _shrunk(image: np.ndarray, size: int) -> np.ndarray:
    if max(image.shape[:2]) <= size:
        return image
    picture = Image.fromarray(image)
    picture.thumbnail((size, size))
    return np.asarray(picture)


def pictures(sheets: Sheets) -> Markup:
    """Every figure but the extreme cases, of the last stage that has it: the first in sight, the others folded."""
    names = {name for stage in sheets.values() for name in stage} - set(CASES)
    first, *others = [*(name for name in ORDER if name in names), *sorted(names - set(ORDER))] or [None]
    if first is None:
        return join([])
    return join([_of_stages(first, sheets), *(_folded(name, sheets) for name in others)])


def opening(sheets: Sheets) -> Markup | None:
    """Some inputs with one translation each, for the head of the page; None where there are none."""
    having = [stage["translations"] for stage in sheets.values() if "translations" in stage]
    if not having:
        return None
    sheet, pairs = having[-1], []
    for number, row in enumerate(sheet.rows[:PAIRS]):
        column = _other_domain(sheet, number)
        title = words(sheet.columns[column])
        pairs.append(
            element("div", tile(row[0], "Input", f"Input {1 + number}"), tile(row[column], title, title), class_="pair")
        )
    return element("div", *pairs, class_="opening")


def side_by_side(sheets: Sequence[FigureSheet], names: Sequence[str], rows: int) -> Markup | None:
    """Some inputs with one translation each by several models; None where these show different inputs.

    Args:
      sheets: of translations, a model each.
      names: of the models.
      rows: inputs at most.
    """
    first = sheets[0]
    count = min(rows, *(len(sheet.rows) for sheet in sheets))
    if not count or any(
        sheet.columns != first.columns or not np.array_equal(sheet.rows[row][0], first.rows[row][0])
        for sheet in sheets[1:]
        for row in range(count)
    ):
        return None
    columns = [_other_domain(first, row) for row in range(count)]
    titles = [f"to {words(first.columns[column])}" for column in columns]
    pictures = [
        [first.rows[row][0], *(sheet.rows[row][column] for sheet in sheets)] for row, column in enumerate(columns)
    ]
    caption = "The same test images by each run, each to one other domain."
    return sheet_section(FigureSheet("Side by side", caption, ["Input", *names], pictures, titles))


def _other_domain(sheet: FigureSheet, number: int) -> int:
    """Column of a translation to what the input of a row is not yet; another one with each row."""
    own = sheet.row_titles[number].split(", ") if sheet.row_titles else []
    columns = range(1, len(sheet.rows[number]))
    others = [column for column in columns if sheet.columns[column] not in own] or [0]
    return others[number % len(others)]


def cases(sheets: Sheets) -> Markup:
    """The worst cases of the last stage that has them, in sight, and the best, folded."""
    known = [name for name in reversed(CASES) if any(name in stage for stage in sheets.values())]
    return join(_of_stages(name, sheets) if name == "worst" else _folded(name, sheets) for name in known)


def _folded(name: str, sheets: Sheets) -> Markup:
    title = next(stage[name].title for stage in reversed(sheets.values()) if name in stage)
    return details(title, _of_stages(name, sheets))


def _of_stages(name: str, sheets: Sheets) -> Markup:
    having = [stage for stage in sheets if name in sheets[stage]]
    last, earlier = having[-1], having[:-1] if name in COMPARED else []
    shown = sheet_section(sheets[last][name])
    note = element("p", f"{words(last).capitalize()} stage", class_="chip")
    folded = [
        details(f"The same by the {words(stage)} stage", sheet_section(sheets[stage][name], "h4")) for stage in earlier
    ]
    return element("section", note, shown, *folded, class_="sheet")
