"""The model that comes with the package: what to begin with, before anything is trained.

Made of a run of `configs/avatars_64.py` by

    bin/export --workdir=runs/avatars_64 --format=compact
    mv runs/avatars_64/compact rgunit_tf/bundled/avatars_64
"""

from __future__ import annotations

import pathlib

from rgunit_tf.errors import UserError

FOLDER = pathlib.Path(__file__).parent / "avatars_64"


def path() -> pathlib.Path:
    """The folder of the model, as every `--model` takes it.

    Raises:
      UserError: this installation has none.
    """
    if not (FOLDER / "config.json").is_file():
        raise UserError(
            "no model comes with this installation; train one (bin/train --stage=guided) and give its --model"
        )
    return FOLDER
