"""Trains the stages of a run, from where it stands: translation, retrieval, guided.

--stage names the last stage to train; the ones it needs and that the workdir does not hold yet come first.
"""

from __future__ import annotations

import pathlib

from absl import flags as absl_flags
from ml_collections import config_flags

from rgunit_tf.cli import flags, launcher

_CONFIG = flags.config()
_WORKDIR = flags.workdir(required=False)
_STAGE = flags.stage()


def main(argv: list[str]) -> None:
    """Claims the workdir for the config, then trains and exports each stage that is missing."""
    del argv
    config = _CONFIG.value
    name = pathlib.Path(config_flags.get_config_filename(absl_flags.FLAGS["config"])).stem
    from rgunit_tf.stages.training import configure, train
    from rgunit_tf.workdir import Workdir

    workdir = Workdir(_WORKDIR.value or pathlib.Path("runs") / name)
    configure(config)
    with workdir.lock():
        workdir.claim(config)
        train(workdir, "guided" if _STAGE.value == "all" else _STAGE.value)


def run() -> None:
    """Entry point of `bin/train` and `rgunit-train`."""
    launcher.run(main)


if __name__ == "__main__":
    run()
