"""Finds the real pictures that are nearest to the content of a picture in the domain asked for.

    retrieve --model=runs/avatars --input=photo.jpg --to=Black_Hair --top=10 --output=sheet.png
    retrieve --model=runs/cat_dog --input=photos --reference=dog.jpg --output=found
    retrieve --model=runs/avatars --gallery=shards --input=photo.jpg --to=Male --output=sheet.png

The question is a picture's content with another style: that of the attributes named by --to (with a dash those to
switch off; the others stay as the model sees them in the picture), or that of a --reference picture.

--output=sheet.png is a contact sheet; sheet.json beside it holds ids, distances and the attributes that the model sees,
and the folder sheet/ the pictures found. Any other --output is a folder with contact_sheet.png (the first 24 pictures),
results.json and a folder a picture. A run's gallery holds its pictures; an export gives ids and distances alone.

--gallery searches other galleries in the place of the run's own: one, several by commas, or a folder of shards as
bin/embed writes them. They are searched side by side, and what they find is merged.

Exit codes: 0 done; 1 some files were skipped, which are named; 2 a mistake in the flags, or no picture could be read.
"""

from __future__ import annotations

import pathlib
import sys
import time
from typing import TYPE_CHECKING

from absl import flags

from rgunit_tf import progress
from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable

if TYPE_CHECKING:
    from rgunit_tf.inference.description import Description
    from rgunit_tf.inference.retrieval_job import RetrievalJob

FLAGS = Flags()
_MODEL = FLAGS.model()
_INPUT = FLAGS.pictures()
_OUTPUT = FLAGS.output("the contact sheet (.png), or a folder")
_TO = FLAGS.to()
_REFERENCE = FLAGS.reference()
_FIT = FLAGS.fit()
_BATCH_SIZE = FLAGS.batch_size()
_GALLERY = FLAGS.gallery("galleries, or a folder of shards, to search in the place of the run's own")
_TOP = flags.DEFINE_integer("top", 10, "pictures to find for each", lower_bound=1, flag_values=FLAGS.values)


def main(argv: list[str]) -> int:
    """Finds, writes and says where; returns the exit code."""
    del argv
    from rgunit_tf.data import decoding
    from rgunit_tf.inference.description import describe, with_galleries
    from rgunit_tf.inference.inputs import passed_over

    started = time.monotonic()
    description = with_galleries(describe(_MODEL.value, "retrieve"), _GALLERY.value or ())
    changes, reference = _question(description)
    others: list[str] = []
    job = _job(description, changes, reference, others)
    for name, reason in job.failed.items():
        print(f"retrieve: {printable(name)}: skipped, {reason}", file=sys.stderr)
    if others:
        print(f"retrieve: {passed_over(others)}", file=sys.stderr)
    if not job.results:
        raise UserError(f"--input={','.join(_INPUT.value)}: no picture could be read; give another")
    asked = ", ".join(changes) if reference is None else f"the style of {reference.name}"
    print(_summary(job, asked, description, time.monotonic() - started))
    return 1 if job.failed or any(map(decoding.is_unread_picture, others)) else 0


def _question(description: Description) -> tuple[tuple[str, ...], pathlib.Path | None]:
    """The changes that are asked for, or none and the picture that is asked for.

    Raises:
      UserError: not one question, or one that the model cannot answer.
    """
    from rgunit_tf.inference.attributes import check_changes, parse_changes
    from rgunit_tf.inference.inputs import split_list

    targets = [changes for text in _TO.value or () if (changes := parse_changes(text))]
    references = [pathlib.Path(path).expanduser() for path in split_list(_REFERENCE.value)]
    if len(targets) + len(references) != 1:
        raise UserError("give --to once or one --reference: it says in which domain to look")
    for changes in targets:
        check_changes(description.schema, changes, "--to")
    if not description.gallery:
        raise UserError(
            f"--model={_MODEL.value} has no gallery; name a run, or an export, of the retrieval or guided stage"
        )
    if references and description.kind == "export":
        raise UserError(
            "--reference: an export retrieves by attributes alone; give --to, or the run's folder as --model"
        )
    return (targets[0], None) if targets else ((), references[0])


def _job(
    description: Description, changes: tuple[str, ...], reference: pathlib.Path | None, others: list[str]
) -> RetrievalJob:
    """Finds what is asked for; the job when it is done. `others` gets the files of --input that are no pictures."""
    from rgunit_tf.inference.inputs import find_pictures, read_reference
    from rgunit_tf.inference.places import Places

    places = Places.of(pathlib.Path(_OUTPUT.value).expanduser())
    pictures = find_pictures(_INPUT.value, places.folder, places.sheet, others=others)
    square = None if reference is None else read_reference(reference, description, _FIT.value)

    from rgunit_tf.inference.model import load
    from rgunit_tf.inference.retrieval_job import RetrievalJob

    model = load(description)
    job = RetrievalJob(model, pictures, places, changes, square, _TOP.value, _FIT.value, _BATCH_SIZE.value)
    with progress.bar(len(pictures), "picture", "retrieve") as bar:
        job.run(bar.update)
    return job


def _summary(job: RetrievalJob, asked: str, description: Description, seconds: float) -> str:
    said = f"retrieve: {_TOP.value} pictures for {asked} found for each of {len(job.results)} by the {description}"
    said += f" in {seconds:.1f} s"
    said += f"; {len(job.failed)} skipped, named above" if job.failed else ""
    if description.kind == "export":
        said += "; an export holds no pictures, ids alone (give the run's folder as --model for pictures)"
        return f"{said}; see {job.places.facts}"
    return f"{said}; see {job.places.sheet} and {job.places.facts}"


def run() -> None:
    """Entry point of `bin/retrieve` and `rgunit-retrieve`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
