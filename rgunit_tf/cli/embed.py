"""Embeds prepared images by a run's retrieval model into a gallery in shards, which need not fit one machine's memory.

    prepare --config=celeba --config.data.root=~/celeba --output=records
    embed --workdir=runs/celeba --records=records --output=shards --shards=8 --index=scann
    retrieve --model=runs/celeba --gallery=shards --input=photo.jpg --to=Black_Hair --output=sheet.png

The images are those of a retrieval folder, where it was prepared too, else the training images. Each shard is a gallery
of its own, whose index is searched beside the others'. A run that was killed goes on with the shards that are missing.
"""

from __future__ import annotations

import pathlib
import time

from absl import flags

from rgunit_tf import progress
from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.names import several

FLAGS = Flags()
_WORKDIR = FLAGS.workdir()
_RECORDS = FLAGS.records()
_OUTPUT = FLAGS.output("folder for the shards; a new one, or one where the same command was cut off")
_SHARDS = flags.DEFINE_integer(
    "shards", 0, "galleries to write; 0: one for each TFRecord file", lower_bound=0, flag_values=FLAGS.values
)
_INDEX = flags.DEFINE_enum("index", "exact", ["exact", "scann"], "index of each shard", flag_values=FLAGS.values)
_IMAGES = flags.DEFINE_bool("keep_images", True, "hold the images too", flag_values=FLAGS.values)
_WORKERS = flags.DEFINE_integer(
    "workers", 1, "processes that embed; each loads the model", lower_bound=1, flag_values=FLAGS.values
)
_RUNNER, _BEAM_OPTIONS = FLAGS.runner()


def main(argv: list[str]) -> None:
    """Embeds and says what is where."""
    del argv
    from rgunit_tf.data.shard_writer import PROGRESS
    from rgunit_tf.pipelines import beam
    from rgunit_tf.runs.workdir import Workdir

    started = time.monotonic()
    output = pathlib.Path(_OUTPUT.value).expanduser()
    spread = beam.spreader(_RUNNER.value, _BEAM_OPTIONS.value, output / PROGRESS / "beam")
    from rgunit_tf.pipelines.embedding import embed

    with progress.bar(None, "image", "embed") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        folders = embed(
            Workdir(pathlib.Path(_WORKDIR.value).expanduser()),
            _RECORDS.value,
            output,
            _SHARDS.value,
            _INDEX.value,
            _IMAGES.value,
            _WORKERS.value,
            spread,
            show,
        )
        count = bar.total
    print(
        f"embed: {several(count, 'image')} in {several(len(folders), 'shard')}, {time.monotonic() - started:.1f} s; "
        f"search them with bin/retrieve --model={_WORKDIR.value} --gallery={output}"
    )


def run() -> None:
    """Entry point of `bin/embed` and `rgunit-embed`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
