"""Translates pictures with a trained model: what to change is named by attributes, or shown by a reference picture.

    translate --model=runs/avatars --input=photos --to=Blond_Hair,-Young --output=out
    translate --model=runs/cat_dog --input=cat.jpg --interpolate=cat..dog --animate=gif --output=out

--to names attributes to set, with a dash those to switch off; of a group that excludes each other the new one replaces
the old one. The others stay as the model sees them in the picture. The result is of the mean style of that target, or
of --samples styles drawn from it.

Results have the names, relative folders and formats of their pictures, and the model's size unless --paste_back is
given. Beside them lie contact_sheet.png (the first 24) and manifest.jsonl, by which the same command goes on where it
was ended: what is done is not done again, what was made with other settings or of another picture is made anew. Files
that are no pictures are named and skipped; pictures unlike those of the training are translated and named.

Exit codes: 0 all pictures are translated; 1 some were skipped; 2 a mistake in the flags, or no picture could be read.
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
from rgunit_tf.names import printable, several

if TYPE_CHECKING:
    from rgunit_tf.inference.description import Description
    from rgunit_tf.inference.request import Request
    from rgunit_tf.inference.translation_job import Outcome, TranslationJob

_NAMED = 10
"""Pictures that a message names at most."""

FLAGS = Flags()
_MODEL = FLAGS.model()
_INPUT = FLAGS.pictures()
_OUTPUT = FLAGS.output("folder of the results")
_TO = FLAGS.to()
_REFERENCE = FLAGS.reference()
_FIT = FLAGS.fit()
_BATCH_SIZE = FLAGS.batch_size()
_SEED = FLAGS.seed()
_SAMPLES = flags.DEFINE_integer(
    "samples",
    0,
    "styles to draw of the target, a result each; 0: its mean style alone",
    lower_bound=0,
    flag_values=FLAGS.values,
)
_INTERPOLATE = flags.DEFINE_string(
    "interpolate",
    None,
    "from..to: the styles between two targets, such as cat..dog; ..dog starts at the own style",
    flag_values=FLAGS.values,
)
_STEPS = flags.DEFINE_integer(
    "steps", 8, "of --interpolate, both ends included", lower_bound=2, flag_values=FLAGS.values
)
_ANIMATE = flags.DEFINE_enum(
    "animate", None, ["gif", "webp"], "write the steps or samples as an animation too", flag_values=FLAGS.values
)
_STRENGTH = flags.DEFINE_float(
    "strength",
    1.0,
    "1: the target's style; 0: the picture's own style, which gives the model's reconstruction of the picture, not "
    "the picture; between: their mixture",
    lower_bound=0.0,
    upper_bound=1.0,
    flag_values=FLAGS.values,
)
_SHOW_MASK = flags.DEFINE_bool(
    "show_mask", False, "write where the model drew, white, beside each result", flag_values=FLAGS.values
)
_SHOW_NEIGHBORS = flags.DEFINE_bool(
    "show_neighbors",
    False,
    "write the real images that guided each result beside it (guided models of a run)",
    flag_values=FLAGS.values,
)
_ALIGN_FACES = FLAGS.align_faces()
_PASTE_BACK = flags.DEFINE_bool(
    "paste_back", False, "put each result back into its full-size picture, through the mask", flag_values=FLAGS.values
)


def main(argv: list[str]) -> int:
    """Translates what is not done yet and says what became of the pictures; returns the exit code."""
    del argv
    from rgunit_tf.data import decoding
    from rgunit_tf.inference.description import describe
    from rgunit_tf.inference.inputs import find_pictures, passed_over
    from rgunit_tf.inference.translation_job import Outcome, TranslationJob

    started = time.monotonic()
    description = describe(_MODEL.value, "translate")
    request = _request()
    request.check(description)
    others: list[str] = []
    pictures = find_pictures(_INPUT.value, _OUTPUT.value, others=others)
    job = TranslationJob(description, request, pictures, pathlib.Path(_OUTPUT.value).expanduser(), _BATCH_SIZE.value)
    outcome = Outcome(kept=len(pictures)) if job.is_finished() else _run(job, description)
    for name, reason in outcome.failed.items():
        print(f"translate: {printable(name)}: skipped, {reason}", file=sys.stderr)
    if outcome.unlike:
        print(f"translate: {_unlike(outcome.unlike)}", file=sys.stderr)
    if others:
        print(f"translate: {passed_over(others)}", file=sys.stderr)
    if len(outcome.failed) == len(pictures):
        raise UserError(f"--input={','.join(_INPUT.value)}: no picture could be read; give another")
    print(_summary(outcome, request, description, time.monotonic() - started))
    return 1 if outcome.failed or any(map(decoding.is_unread_picture, others)) else 0


def _request() -> Request:
    from rgunit_tf.inference.attributes import parse_changes
    from rgunit_tf.inference.inputs import split_list
    from rgunit_tf.inference.request import Request, parse_interpolation

    targets = [parse_changes(text) for text in _TO.value or ()]
    return Request(
        to=tuple(changes for changes in targets if changes),
        references=tuple(pathlib.Path(path).expanduser() for path in split_list(_REFERENCE.value)),
        interpolate=parse_interpolation(_INTERPOLATE.value) if _INTERPOLATE.value is not None else None,
        steps=_STEPS.value,
        samples=_SAMPLES.value,
        strength=_STRENGTH.value,
        seed=_SEED.value,
        fit=_FIT.value,
        paste_back=_PASTE_BACK.value,
        show_mask=_SHOW_MASK.value,
        show_neighbors=_SHOW_NEIGHBORS.value,
        animate=_ANIMATE.value,
        align_faces=_ALIGN_FACES.value,
    )


def _run(job: TranslationJob, description: Description) -> Outcome:
    from rgunit_tf.inference.model import load

    model = load(description)
    with progress.bar(len(job.pictures), "picture", "translate") as bar:
        return job.run(model, bar.update)


def _unlike(names: list[str]) -> str:
    shown = ", ".join(map(printable, names[:_NAMED])) + (
        f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    )
    return (
        f"{shown}: unlike the pictures that the model was trained on (farther from its gallery than 99 % of real test "
        "pictures); expect a poor translation"
    )


def _summary(outcome: Outcome, request: Request, description: Description, seconds: float) -> str:
    said = []
    if outcome.made or not outcome.kept:
        rate = outcome.made / seconds
        said.append(
            f"{several(outcome.made, 'picture')} translated {request.target} by the {description} "
            f"in {seconds:.1f} s ({rate:.1f} a second)"
        )
    if outcome.replaced:
        said.append(f"{outcome.replaced} of them in the place of results of other settings")
    if outcome.cropped:
        said.append(f"of {outcome.cropped} the centre square alone (--fit=pad takes all of a picture)")
    if outcome.made and request.fit == "pad":
        said.append("the whole of each picture, edges drawn out to a square")
    if outcome.kept:
        said.append(f"{outcome.kept} {'was' if outcome.kept == 1 else 'were'} done before")
    if outcome.failed:
        said.append(f"{len(outcome.failed)} skipped, named above")
    return f"translate: {'; '.join(said)}; see {pathlib.Path(_OUTPUT.value) / 'contact_sheet.png'}"


def run() -> None:
    """Entry point of `bin/translate` and `rgunit-translate`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
