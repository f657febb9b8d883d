"""Writes a run's finished stages as SavedModels, for TensorFlow Serving, as ONNX or TFLite, or the run as a small copy.

Each goes to <workdir>/<stage>/export/<version>/, the version being the next free number, and its folder is printed. The
index `exact` runs on any server; `scann` is faster on large galleries and needs a server with ScaNN's ops.
<workdir>/serving/ gets what a server is started with: models.config and batching.config. Other formats go to
<workdir>/<stage>/onnx/<version>/ or tflite/<version>/.

    export --workdir=runs/avatars --format=compact --images=100

copies a finished run to <workdir>/compact/, in half precision and with so many images of its gallery: a few MB that
every --model takes.

    export --workdir=runs/avatars --stage=retrieval --gallery=shards

exports the retrieval stage once for each shard of a gallery, as bin/embed writes them, to
<workdir>/retrieval/shards/<shard>/<version>/: a server each; `serving.shard_client` asks them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

FLAGS = Flags()
_WORKDIR = FLAGS.workdir()
_STAGE = FLAGS.stage()
_INDEX = flags.DEFINE_enum(
    "index",
    None,
    ["exact", "scann"],
    "index of the gallery inside (default: as config.retrieval.index says)",
    flag_values=FLAGS.values,
)
_GALLERY_DTYPE = flags.DEFINE_enum(
    "gallery_dtype",
    "float32",
    ["float32", "float16"],
    "how embeddings and contents of the gallery are stored; float16 halves them",
    flag_values=FLAGS.values,
)
_FORMAT = flags.DEFINE_enum(
    "format",
    "savedmodel",
    ["savedmodel", "onnx", "tflite", "compact"],
    "what is written; onnx needs the extra `onnx`",
    flag_values=FLAGS.values,
)
_IMAGES = flags.DEFINE_integer(
    "images", 120, "with --format=compact: images of the gallery", lower_bound=1, flag_values=FLAGS.values
)
_GALLERY = FLAGS.gallery("with --stage=retrieval: galleries, or a folder of shards; an export for each")
_MODELS_ROOT = flags.DEFINE_string(
    "models_root",
    "/models",
    "absolute path at which the server sees the workdir, for models.config",
    flag_values=FLAGS.values,
)


def main(argv: list[str]) -> None:
    """Exports the stages asked for and prints their folders."""
    del argv
    from rgunit_tf.runs.workdir import Workdir

    workdir = Workdir(_WORKDIR.value)
    if _FORMAT.value == "compact":
        return _export_compact(workdir)
    if _GALLERY.value:
        return _export_shards(workdir)
    stages = workdir.finished_stages() if _STAGE.value == "all" else [_STAGE.value]
    if not stages:
        raise UserError(f"--workdir={_WORKDIR.value}: no stage is finished; run bin/train first")
    from rgunit_tf.evaluation.report import model_card
    from rgunit_tf.runs.exports import export_stage

    options = {"gallery_dtype": _GALLERY_DTYPE.value, "models_root": _MODELS_ROOT.value, "form": _FORMAT.value}
    with workdir.writing():
        for stage in stages:
            print(export_stage(workdir, stage, _INDEX.value, **options), flush=True)
        model_card.write(workdir)


def _export_compact(workdir: Workdir) -> None:
    if _STAGE.value != "all" or _GALLERY.value:
        raise UserError("--format=compact copies a whole run; leave --stage and --gallery out")
    from rgunit_tf.bundled import compact

    with workdir.writing():
        print(compact.write(workdir, workdir.path / "compact", _IMAGES.value))


def _export_shards(workdir: Workdir) -> None:
    if _STAGE.value != "retrieval" or _FORMAT.value != "savedmodel":
        raise UserError("--gallery: shards are exported as SavedModels of the retrieval stage; give --stage=retrieval")
    from rgunit_tf.runs.exports import export_shards

    with workdir.writing():
        for folder in export_shards(workdir, _GALLERY.value, _INDEX.value, _GALLERY_DTYPE.value):
            print(folder, flush=True)


def run() -> None:
    """Entry point of `bin/export` and `rgunit-export`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
