"""Where the results of a retrieval go."""

from __future__ import annotations

import dataclasses
import pathlib

from rgunit_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Places:
    """Where results go: for `--output=sheet.png` sheet.png, sheet.json and sheet/; for a folder, all inside it."""

    sheet: pathlib.Path
    facts: pathlib.Path
    folder: pathlib.Path

    @classmethod
    def of(cls, output: pathlib.Path) -> Places:
        """The places that `--output` means.

        Raises:
          UserError: a file where a folder is meant.
        """
        if output.suffix.lower() == ".png":
            return cls(output, output.with_suffix(".json"), output.with_suffix(""))
        if output.exists() and not output.is_dir():
            raise UserError(f"--output={output} is a file; name a folder, or a .png for the contact sheet")
        return cls(output / "contact_sheet.png", output / "results.json", output)
