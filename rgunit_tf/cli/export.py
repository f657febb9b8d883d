"""Writes the SavedModels of a run's finished stages, for TensorFlow Serving.

Each goes to <workdir>/<stage>/export/<version>/, the version being the next free number, and its folder is printed. The
index `exact` runs on any server; `scann` is faster on large galleries and needs a server with ScaNN's ops.
"""

from __future__ import annotations

from absl import flags as absl_flags

from rgunit_tf.cli import flags, launcher
from rgunit_tf.errors import UserError

_WORKDIR = flags.workdir()
_STAGE = flags.stage()
_INDEX = absl_flags.DEFINE_enum(
    "index", None, ["exact", "scann"], "index of the gallery inside (default: as config.retrieval.index says)"
)


def main(argv: list[str]) -> None:
    """Exports the stages asked for and prints their folders."""
    del argv
    from rgunit_tf.workdir import Workdir

    workdir = Workdir(_WORKDIR.value)
    stages = workdir.finished_stages() if _STAGE.value == "all" else [_STAGE.value]
    if not stages:
        raise UserError(f"--workdir={_WORKDIR.value}: no stage is finished; run bin/train first")
    from rgunit_tf.serving.export import export_stage

    for stage in stages:
        print(export_stage(workdir, stage, _INDEX.value), flush=True)


def run() -> None:
    """Entry point of `bin/export` and `rgunit-export`."""
    launcher.run(main)


if __name__ == "__main__":
    run()
