"""A figure: pictures in rows with what is said about them, kept as one PNG that remembers its own words."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from rgunit_tf import grid

FORMAT = 1
# Name of the PNG's text chunk.
NOTE = "rgunit_tf"


@dataclasses.dataclass(frozen=True)
class FigureSheet:
    """Pictures of one figure. The sheet can be looked at as it is; a report lays the same pictures out anew.

    Attributes:
      title: heading.
      caption: a sentence or two: what is shown, and how to read it.
      columns: what each column shows.
      rows: pictures uint8 [S, S, 3] or [S, S, 1]; rows may be shorter than `columns`.
      row_titles: what each row is about; empty for none.
    """

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[np.ndarray]]
    row_titles: Sequence[str] = ()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the sheet as a PNG with titles; its text chunk says where each picture lies.

        Raises:
          ValueError: no picture, or titles that are not as many as the rows or columns.
        """
        if self.row_titles and len(self.row_titles) != len(self.rows):
            raise ValueError(f"{len(self.row_titles)} row titles for {len(self.rows)} rows")
        if any(len(row) > len(self.columns) for row in self.rows):
            raise ValueError(f"a row has more pictures than the {len(self.columns)} column titles")
        scale = grid.whole_scale(self.rows)
        sheet, boxes = grid.lay_out(self.rows, self.columns, self.row_titles, scale)
        note = {
            "format": FORMAT,
            "title": self.title,
            "caption": self.caption,
            "columns": list(self.columns),
            "row_titles": list(self.row_titles),
            "scale": scale,
            "boxes": boxes,
        }
        grid.write_png(path, sheet, {NOTE: json.dumps(note)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> FigureSheet:
        """Reads what `save` wrote, with the pictures at the size and with the pixels they had.

        Raises:
          ValueError: the file is no PNG that `save` wrote.
          OSError: it cannot be read.
        """
        with Image.open(path) as sheet:
            try:
                note = json.loads(sheet.text[NOTE])
                if note["format"] != FORMAT:
                    raise ValueError(f"format {note['format']}, expected {FORMAT}")
                rows = [[_cut(sheet, box, note["scale"]) for box in row] for row in note["boxes"]]
                return cls(note["title"], note["caption"], note["columns"], rows, note["row_titles"])
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: no figure of an evaluation ({error})") from error


def _cut(sheet: Image.Image, box: Sequence[int], scale: int) -> np.ndarray:
    left, top, width, height = box
    # Every pixel is a block of `scale` by `scale` equal ones, of which one is enough.
    return np.asarray(sheet.crop((left, top, left + width, top + height)))[::scale, ::scale]
