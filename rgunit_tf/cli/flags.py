"""Flags that several commands have. A command calls the ones it has, at the top of its module.

The flags are defined once and shared, so that the modules of two commands can be imported into one process.
"""

from __future__ import annotations

import ast
import sys
from typing import Any

from absl import flags
from ml_collections import config_flags
from ml_collections.config_flags import tuple_parser

from rgunit_tf.cli import configs

# The arguments in which ml_collections looks for overrides; filled by the launcher.
ARGUMENTS: list[str] = []
# (module, flag): what `launcher` refuses to run a command without. Not absl's required flags: those would bind every
# command whose module happens to be imported.
required_flags: set[tuple[str, str]] = set()
STAGES = ("translation", "retrieval", "guided")

flags.disclaim_key_flags()


class _TupleParser(tuple_parser.TupleParser):
    """Tuples as Python writes them, `("Male", "Young")`, or names joined by commas, `Male,Young`."""

    def parse(self, argument: Any) -> tuple[Any, ...]:
        if not isinstance(argument, str):
            return _nested_tuple(argument if isinstance(argument, list | tuple) else (argument,))
        if not argument.strip():
            return ()
        try:
            value = ast.literal_eval(argument)
        except (ValueError, SyntaxError):
            if any(character in argument for character in "()[]{}'\""):
                raise ValueError("not a tuple") from None
            value = [name.strip() for name in argument.split(",") if name.strip()]
        return _nested_tuple(value if isinstance(value, list | tuple) else (value,))


def _nested_tuple(value: Any) -> Any:
    return tuple(_nested_tuple(item) for item in value) if isinstance(value, list | tuple) else value


def config() -> flags.FlagHolder:
    """`--config=<file or name>` and its overrides `--config.group.name=value`; the value is a locked ConfigDict."""
    if "config" not in flags.FLAGS:
        config_flags.register_flag_parser_for_type(tuple, _TupleParser())
        # No default here: ml_collections would load the file, and fail, while the command's module is imported.
        config_flags.DEFINE_config_file(
            "config",
            None,
            f"a config file, or the name of one in configs/ (default: {configs.DEFAULT}); "
            "--config.group.name=value overrides a setting",
            sys_argv=ARGUMENTS,
        )
    return _holder("config")


def workdir(required: bool = True) -> flags.FlagHolder[str]:
    """`--workdir=<folder>`: everything a training writes."""
    if "workdir" not in flags.FLAGS:
        flags.DEFINE_string("workdir", None, "folder of the run: checkpoints, samples, logs, exports")
    if required:
        _require("workdir")
    return _holder("workdir")


def model() -> flags.FlagHolder[str]:
    """`--model=<folder>`, required: a trained model, in any shape that `inference.load` takes."""
    if "model" not in flags.FLAGS:
        flags.DEFINE_string("model", None, "a run's folder, one of its stages, or an export (SavedModel)")
    _require("model")
    return _holder("model")


def pictures() -> flags.FlagHolder[list[str]]:
    """`--input=<file or folder>[,...]`, required, may be repeated."""
    if "input" not in flags.FLAGS:
        flags.DEFINE_multi_string(
            "input", None, "a picture, or a folder of pictures; several by commas or by repeating the flag"
        )
    _require("input")
    return _holder("input")


def to() -> flags.FlagHolder[list[str]]:
    """`--to=<attributes>`: names by commas, with a dash before those that shall not hold; may be repeated."""
    if "to" not in flags.FLAGS:
        flags.DEFINE_multi_string(
            "to",
            None,
            "attributes to set (Blond_Hair) or to switch off (-Young), by commas; the others stay as the model sees "
            "them in the picture; repeat the flag for several targets",
        )
    return _holder("to")


def reference() -> flags.FlagHolder[list[str]]:
    """`--reference=<picture>[,...]`: pictures whose style is the target, in the place of `--to`."""
    if "reference" not in flags.FLAGS:
        flags.DEFINE_multi_string("reference", None, "a picture whose style is the target, in the place of --to")
    return _holder("reference")


def output(meaning: str, required: bool = True) -> flags.FlagHolder[str]:
    """`--output=<path>`; `meaning` says what is written there, for `--help` of the first command defined."""
    if "output" not in flags.FLAGS:
        flags.DEFINE_string("output", None, meaning)
    if required:
        _require("output")
    return _holder("output")


def fit() -> flags.FlagHolder[str]:
    """`--fit=crop|pad`: what becomes of pictures that are not square."""
    if "fit" not in flags.FLAGS:
        flags.DEFINE_enum(
            "fit", "crop", ["crop", "pad"], "the centre square of a picture, as in training, or all of it, filled up"
        )
    return _holder("fit")


def batch_size() -> flags.FlagHolder[int]:
    """`--batch_size=<number>`: pictures that go through the networks together."""
    if "batch_size" not in flags.FLAGS:
        flags.DEFINE_integer("batch_size", 16, "pictures at a time", lower_bound=1)
    return _holder("batch_size")


def seed() -> flags.FlagHolder[int]:
    """`--seed=<number>`: of everything that is drawn at random."""
    if "seed" not in flags.FLAGS:
        flags.DEFINE_integer("seed", 0, "seed of what is drawn at random", lower_bound=0)
    return _holder("seed")


def stage() -> flags.FlagHolder[str]:
    """`--stage=translation|retrieval|guided|all`."""
    if "stage" not in flags.FLAGS:
        flags.DEFINE_enum("stage", "all", [*STAGES, "all"], "stage of the training, or all three")
    return _holder("stage")


def _require(name: str) -> None:
    """Notes that the command whose module calls the caller of this function needs the flag."""
    required_flags.add((sys._getframe(2).f_globals["__name__"], name))


def _holder(name: str) -> flags.FlagHolder:
    flags.declare_key_flag(name)
    return flags.FlagHolder(flags.FLAGS, flags.FLAGS[name])
