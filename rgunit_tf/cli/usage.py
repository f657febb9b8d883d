"""The text of `--help`."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from absl.flags import Flag

from rgunit_tf.config import SETTINGS

FLAGS = ("-h", "-help", "--help", "--helpshort", "-helpfull", "--helpfull")
_WIDTH = 100


def text(name: str, doc: str | None, own: Sequence[Flag], config: Mapping[str, Any] | None = None) -> str:
    """What a command does, its flags and, where a config is given, every setting.

    Args:
      name: the command.
      doc: docstring of its module.
      own: its flags, in the order in which they are listed.
      config: whose settings are listed too, with their values; None: none are.
    """
    lines = [f"{name}: {(doc or '').strip()}", "", "Flags:"]
    for flag in own:
        lines += _entry(f"--{flag.name}", flag.help or "", flag.default)
    if "config" not in {flag.name for flag in own}:
        return "\n".join(lines)
    if config is None:
        return "\n".join(
            [*lines, "", f"{name} --helpfull lists the settings, --config.group.name=value, as --config has them."]
        )
    for group, settings in SETTINGS.items():
        lines += ["", f"Settings of {group}:"]
        for setting_name, setting in settings.items():
            choices = f" ({', '.join(map(str, setting.choices))})" if setting.choices else ""
            value = config[group][setting_name]
            lines += _entry(f"--config.{group}.{setting_name}", setting.meaning + choices, value)
    return "\n".join(lines)


def in_force(config: Mapping[str, Any]) -> list[str]:
    """Every setting of a config as it would be given on the command line, a line each."""
    return [
        f"--config.{group}.{name}={_shown(config[group][name])}" for group, known in SETTINGS.items() for name in known
    ]


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple) and not all(isinstance(item, str) for item in value):
        return shlex.quote(repr(value))
    return shlex.quote(",".join(value) if isinstance(value, list | tuple) else str(value))


def _entry(head: str, meaning: str, default: object) -> list[str]:
    if default is not None and default != "":
        shown = ",".join(map(str, default)) if isinstance(default, list | tuple) else default
        meaning = f"{meaning} [{shown}]"
    return [f"  {head}", *textwrap.wrap(meaning, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)]
