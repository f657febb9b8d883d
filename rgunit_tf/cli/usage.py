"""The text of `--help`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from absl.flags import Flag

from rgunit_tf.config import SETTINGS

FLAGS = ("-h", "-help", "--help", "--helpshort", "-helpfull", "--helpfull")
_WIDTH = 100


def text(name: str, doc: str | None, own: Sequence[Flag], full: bool) -> str:
    """What a command does, its flags and, when `full`, every setting of the config.

    Args:
      name: the command.
      doc: docstring of its module.
      own: its flags, in the order in which they are listed.
      full: whether to list the settings too.
    """
    lines = [f"{name}: {(doc or '').strip()}", "", "Flags:"]
    for flag in own:
        lines += _entry(f"--{flag.name}", flag.help or "", flag.default)
    if "config" not in {flag.name for flag in own}:
        return "\n".join(lines)
    if not full:
        return "\n".join([*lines, "", f"{name} --helpfull lists the settings, --config.group.name=value."])
    for group, settings in SETTINGS.items():
        lines += ["", f"Settings of {group}:"]
        for setting_name, setting in settings.items():
            choices = f" ({', '.join(map(str, setting.choices))})" if setting.choices else ""
            lines += _entry(f"--config.{group}.{setting_name}", setting.meaning + choices, setting.default)
    return "\n".join(lines)


def _entry(head: str, meaning: str, default: object) -> list[str]:
    if default is not None and default != "":
        shown = ",".join(map(str, default)) if isinstance(default, list | tuple) else default
        meaning = f"{meaning} [{shown}]"
    return [f"  {head}", *textwrap.wrap(meaning, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)]
