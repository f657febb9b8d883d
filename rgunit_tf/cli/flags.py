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
        required_flags.add((sys._getframe(1).f_globals["__name__"], "workdir"))
    return _holder("workdir")


def stage() -> flags.FlagHolder[str]:
    """`--stage=translation|retrieval|guided|all`."""
    if "stage" not in flags.FLAGS:
        flags.DEFINE_enum("stage", "all", [*STAGES, "all"], "stage of the training, or all three")
    return _holder("stage")


def _holder(name: str) -> flags.FlagHolder:
    flags.declare_key_flag(name)
    return flags.FlagHolder(flags.FLAGS, flags.FLAGS[name])
