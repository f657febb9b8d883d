"""Measures how fast it is here: bin/bench train_step|penalty_step|guided_step|steps|retrieval|input|serving|startup.

Prints one JSON object a line: name, value, unit, settings, the machine's matrix product peak in the same run, versions.
Warm-up and repeats are inside; values are medians. Run it alone: what else the machine does is measured with it.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

FLAGS = Flags()
WHAT = ("train_step", "penalty_step", "guided_step", "steps", "retrieval", "input", "serving", "startup")

_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 128, "side of the images, pixels", lower_bound=8, flag_values=FLAGS.values
)
_WIDTH = flags.DEFINE_integer(
    "width", 64, "channels of the first layer, of the discriminator's too", lower_bound=1, flag_values=FLAGS.values
)
_BATCH_SIZE = FLAGS.batch_size()
_REPEATS = flags.DEFINE_integer(
    "repeats", None, "timed rounds: 10, of retrieval 60", lower_bound=1, flag_values=FLAGS.values
)
_NEIGHBORS = flags.DEFINE_integer(
    "neighbors", 3, "r of guided_step and serving", lower_bound=1, flag_values=FLAGS.values
)
_GALLERY_SIZE = flags.DEFINE_integer(
    "gallery_size",
    None,
    "images of the gallery of guided_step (1000), retrieval (200000), serving (20000)",
    lower_bound=20,
    flag_values=FLAGS.values,
)
_INDEX = flags.DEFINE_enum(
    "gallery_index", "exact", ["exact", "scann"], "index of the served gallery", flag_values=FLAGS.values
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "of the networks in the steps",
    flag_values=FLAGS.values,
)
_JIT_COMPILE = flags.DEFINE_bool(
    "jit_compile", False, "compile train_step, penalty_step or guided_step with XLA", flag_values=FLAGS.values
)
_SECONDS = flags.DEFINE_float(
    "seconds", 480.0, "steps: all rows together; none is begun later", lower_bound=1.0, flag_values=FLAGS.values
)
_WORKDIR = FLAGS.workdir(required=False)
_PROFILE = flags.DEFINE_string(
    "profile", None, "folder for a TensorBoard trace of the measured part", flag_values=FLAGS.values
)

_STEPS = ("train_step", "penalty_step", "guided_step")


def main(argv: list[str]) -> None:
    """Prints the records of one benchmark."""
    if len(argv) != 2 or argv[1] not in WHAT:
        given = f"got {' '.join(argv[1:])!r}; " if len(argv) > 1 else ""
        raise UserError(f"{given}name one of {', '.join(WHAT)}")
    if _IMAGE_SIZE.value % 4:
        raise UserError(f"--image_size={_IMAGE_SIZE.value}: must be a multiple of 4, the stride of the content encoder")
    if _JIT_COMPILE.value and argv[1] not in _STEPS:
        raise UserError(f"--jit_compile is for {', '.join(_STEPS)}, not for {argv[1]}")
    with _profile(argv[1]):
        for record in _records(argv[1]):
            print(json.dumps(record), flush=True)


def _records(what: str) -> Iterator[dict[str, Any]]:
    repeats = _repeats(what)
    batch_size = _batch_size(what)
    if what in _STEPS:
        from rgunit_tf.benchmarks import train_step

        size = train_step.Size(
            _IMAGE_SIZE.value, _WIDTH.value, batch_size, repeats, _PRECISION.value, _JIT_COMPILE.value
        )
        if what == "train_step":
            return train_step.train_step(size)
        if what == "penalty_step":
            return train_step.penalty_step(size)
        return train_step.guided_step(size, _NEIGHBORS.value, _GALLERY_SIZE.value or 1000)
    if what == "steps":
        from rgunit_tf.benchmarks import steps

        sizes = {"image_size": _IMAGE_SIZE.value, "width": _WIDTH.value, "repeats": repeats}
        sizes |= {"neighbors": _NEIGHBORS.value, "gallery_size": _GALLERY_SIZE.value or 1000}
        return steps.steps([f"--{name}={value}" for name, value in sizes.items()], batch_size, _SECONDS.value)
    if what == "retrieval":
        from rgunit_tf.benchmarks import search

        return search.retrieval(_GALLERY_SIZE.value or 200_000, batch_size, repeats, _WORKDIR.value)
    if what == "input":
        from rgunit_tf.benchmarks import input_pipeline

        return input_pipeline.input_pipeline(_IMAGE_SIZE.value, batch_size, repeats=repeats, profile=_PROFILE.value)
    if what == "serving":
        return _serving(batch_size, repeats)
    from rgunit_tf.benchmarks import startup

    return startup.startup(repeats=repeats)


def _serving(batch_size: int, repeats: int) -> Iterator[dict[str, Any]]:
    from rgunit_tf.benchmarks import serving_latency as latency
    from rgunit_tf.benchmarks.timing import Recorder, matmul_peak

    settings = {
        "image_size": _IMAGE_SIZE.value,
        "width": _WIDTH.value,
        "gallery_size": _GALLERY_SIZE.value or 20_000,
        "index": _INDEX.value,
        "batch": batch_size,
        "repeats": repeats,
        "neighbors": _NEIGHBORS.value,
    }
    recorder = Recorder(settings, matmul_peak())
    yield recorder.record("matmul_peak", recorder.peak, "GFLOP/s")
    for found in latency.measure(**settings):
        yield recorder.record(found.pop("name"), found.pop("value"), found.pop("unit"), **found)


def _batch_size(what: str) -> int:
    """The one asked for, or what suits the benchmark."""
    if _BATCH_SIZE.present:
        return _BATCH_SIZE.value
    return {"retrieval": 64, "input": 16, "steps": 16}.get(what, 1)


def _repeats(what: str) -> int:
    """Those asked for, or what a steady median takes: a search lasts milliseconds."""
    return _REPEATS.value or (60 if what == "retrieval" else 10)


def _profile(what: str) -> Any:
    import contextlib

    if not _PROFILE.value or what == "input":  # it takes a trace in any case, of its training steps alone
        return contextlib.nullcontext()
    import tensorflow as tf

    folder = pathlib.Path(_PROFILE.value)
    folder.mkdir(parents=True, exist_ok=True)
    return tf.profiler.experimental.Profile(str(folder))


def run() -> None:
    """Entry point of `bin/bench` and `rgunit-bench`."""
    launcher.run(main, FLAGS, positional=True)


if __name__ == "__main__":
    run()
