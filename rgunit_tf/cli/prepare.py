"""Writes the images of any source as sharded TFRecord files, to train from one folder that is quick to copy and read.

    prepare --config=celeba --config.data.root=~/celeba --output=~/celeba_records --workers=8
    train --config=celeba --config.data.source=tfrecord --config.data.root=~/celeba_records

Training then gets the same batches, bit for bit, as from the source: original bytes, labels, splits, unlabelled images
and order are kept. data.fraction, data.image_size and data.retrieval_source=train|all are chosen when training;
attributes, groups, splits and crop are those given here. Images of a folder that data.retrieval_source names here
become a part of their own, which training retrieves from with --config.data.retrieval_source=~/celeba_records.

--runner=beam does the same, to the byte, as an Apache Beam pipeline (--beam_options says where).

A run that was killed goes on with the shards that are missing. dataset.json, with the checksum of each shard, comes
last; whoever reads verifies it. Images that cannot be read are skipped and named; more than 1 % of them stop the run.
"""

from __future__ import annotations

import os
import pathlib
import time
from typing import TYPE_CHECKING

from absl import flags

from rgunit_tf import progress
from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError
from rgunit_tf.names import several

if TYPE_CHECKING:
    from rgunit_tf.data.folder import FolderReader

FLAGS = Flags()
_CONFIG = FLAGS.config()
_OUTPUT = FLAGS.output("folder for the shards; a new one, or one where the same command was cut off")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "processes that read, check and write [all cores]", lower_bound=1, flag_values=FLAGS.values
)
_ALIGN_FACES = FLAGS.align_faces()
_RUNNER, _BEAM_OPTIONS = FLAGS.runner()


def main(argv: list[str]) -> None:
    """Prepares and says what is where."""
    del argv
    from rgunit_tf import data
    from rgunit_tf.data import decoding, prepare, summary
    from rgunit_tf.faces import alignment
    from rgunit_tf.pipelines import beam

    started = time.monotonic()
    if _ALIGN_FACES.value:
        alignment.check()
    output = pathlib.Path(_OUTPUT.value).expanduser()
    spread = beam.spreader(_RUNNER.value, _BEAM_OPTIONS.value, output / prepare.PROGRESS / "beam")
    settings = dict(_CONFIG.value.data)
    records = data.records_of(settings)
    retrieval = _retrieval(os.path.expanduser(settings["retrieval_source"]))
    with progress.bar(None, "image", "prepare") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        workers = _WORKERS.value or decoding.threads()
        manifest = prepare.write_tfrecord(
            records, output, retrieval, workers=workers, progress=show, align_faces=_ALIGN_FACES.value, spread=spread
        )
    parts = {name: sum(entry["images"] for entry in entries) for name, entries in manifest["splits"].items()}
    shards = [entry for entries in manifest["splits"].values() for entry in entries]
    counts = ", ".join(f"{name} {count}" for name, count in parts.items())
    said = f"prepare: {several(sum(parts.values()), 'image')} ({counts})"
    said += f" in {several(len(shards), 'shard')}, {sum(entry['bytes'] for entry in shards) / 2**20:.1f} MiB"
    said += f", {time.monotonic() - started:.1f} s"
    skipped = len(prepare.unreadable(manifest))
    said += f"; {skipped} unreadable skipped, see {output / 'dataset.json'}" if skipped else ""
    more = "" if retrieval is None else f" --config.data.retrieval_source={output}"
    print(summary.table(records, summary.parts_of(records), settings, []))
    print(f"{said}; train with --config.data.source=tfrecord --config.data.root={output}{more}")


def _retrieval(source: str) -> FolderReader | None:
    """The images of a folder that are to become a part of their own."""
    from rgunit_tf.data import folder, tfrecord

    if source in ("train", "all"):
        return None
    if os.path.exists(os.path.join(source, tfrecord.MANIFEST)):
        raise UserError(
            f"data.retrieval_source={source}: it is prepared already; leave it out here, name it in training"
        )
    return folder.unlabelled_reader(source)


def run() -> None:
    """Entry point of `bin/prepare` and `rgunit-prepare`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
