"""Finds and loads the file that `--config` names, and checks the overrides beside it before anything else runs."""

from __future__ import annotations

import difflib
import importlib.util
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Sequence

import ml_collections
from absl import flags

from rgunit_tf.config import SETTINGS, nearest_name
from rgunit_tf.errors import UserError
from rgunit_tf.setting import kind_of

DEFAULT = "avatars"
_PACKAGE = pathlib.Path(__file__).resolve().parent.parent
# In an installed package the configs lie inside it; in the repository, beside it.
_SHIPPED = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def shipped() -> dict[str, pathlib.Path]:
    """Name -> file of the configs that come with the package."""
    for folder in _SHIPPED:
        if (folder / f"{DEFAULT}.py").is_file():
            return {file.stem: file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")}
    return {}


def find(name: str) -> pathlib.Path:
    """The config file that `name` means: a path, or the name of a shipped config (`celeba`, `configs/celeba.py`).

    Raises:
      UserError: there is no such file.
    """
    path = pathlib.Path(os.path.expanduser(name))
    known = shipped()
    bare = path.parent == pathlib.Path(".") and path.suffix == ""
    if os.path.isfile(path) and not (bare and name in known):
        return path.resolve()
    if (
        path.parent in (pathlib.Path("."), pathlib.Path("configs"))
        and path.suffix in ("", ".py")
        and path.stem in known
    ):
        return known[path.stem]
    near = difflib.get_close_matches(path.stem, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"give the path of a file, or one of {', '.join(known)}"
    raise UserError(f"--config={name}: no such file; {hint}")


def load(spec: str) -> ml_collections.ConfigDict:
    """What `get_config()` of a config file returns; `file.py:text` passes the text to it.

    Raises:
      UserError: the file raises (the message names its line), or does not return a complete config.
    """
    name, colon, argument = spec.partition(":")
    path = find(name)
    if str(path.parent) not in sys.path:
        # A config may start from another one beside it: `import celeba`.
        sys.path.append(str(path.parent))
    try:
        module_spec = importlib.util.spec_from_file_location("config_file", path)
        if module_spec is None or module_spec.loader is None:
            raise UserError(f"--config={name}: a Python file is needed (.py)")
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
        get_config: Callable[..., ml_collections.ConfigDict] | None = getattr(module, "get_config", None)
        if get_config is None:
            raise UserError(f"{path}: a function get_config() is needed")
        config = get_config(*([argument] if colon else []))
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}{_line(error, path)}: {type(error).__name__}: {error}") from error
    _check_complete(config, path)
    return config


def _line(error: BaseException, path: pathlib.Path) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def _check_complete(config: object, path: pathlib.Path) -> None:
    remedy = "start from rgunit_tf.config.default_config()"
    if not isinstance(config, ml_collections.ConfigDict):
        raise UserError(f"{path}: get_config() returned a {type(config).__name__}; {remedy} and return that")
    for group, settings in SETTINGS.items():
        for name in settings:
            if (
                group not in config
                or not isinstance(config[group], ml_collections.ConfigDict)
                or name not in config[group]
            ):
                raise UserError(f"{path}: the config lacks {group}.{name}; {remedy}")


def prepared(arguments: Sequence[str]) -> list[str]:
    """`arguments` with one `--config=<path>` in front, the default if none is given, and known overrides only.

    ml_collections wants the file before its overrides, and answers an unknown name with a traceback.

    Raises:
      UserError: the file cannot be found or loaded, or an override names no setting.
    """
    spec, rest, overrides = DEFAULT, [], []
    waiting, passthrough = False, False
    for argument in arguments:
        passthrough = passthrough or argument == "--"
        if waiting:
            spec, waiting = argument, False
        elif passthrough or not re.match(r"--?(no)?config(=|\.|$)", argument):
            rest.append(argument)
        elif re.match(r"--?config=", argument):
            spec = argument.split("=", 1)[1]
        elif "." not in argument.split("=", 1)[0]:
            waiting = True
        else:
            rest.append(argument)
            overrides.append(argument.split("=", 1)[0].split(".", 1)[1])
    if waiting:
        raise UserError("--config: a file or a name is missing after it")
    config = load(spec)
    for override in overrides:
        _check_override(override, config)
    name, colon, argument = spec.partition(":")
    return [f"--config={find(name)}{colon}{argument}", *rest]


def _check_override(override: str, config: ml_collections.ConfigDict) -> None:
    group, _, name = override.partition(".")
    if group in config and not name:
        raise UserError(f"--config.{group} is a group; set one of its settings: {', '.join(config[group])}")
    if group not in config or name not in config[group]:
        near = nearest_name(override)
        hint = f"did you mean --config.{near}?" if near else f"known groups: {', '.join(config)}"
        raise UserError(f"--config.{override}: no such setting; {hint}")


def explain(error: flags.Error) -> str:
    """absl's complaint about a flag, in one line that says what to do."""
    message = str(error)
    if isinstance(error, flags.UnrecognizedFlagError):
        return f"{message.rstrip(' ?')}{'?' if 'mean' in message else ''}; --help lists the flags"
    match = re.match(r"flag --([\w.]+)=(.*?): (.*)", message, re.DOTALL)
    if not match:
        return message
    name, value, problem = match.groups()
    if problem.endswith("must have a value other than None."):
        return f"--{name} is missing; give --{name}=..."
    group, _, setting = name.removeprefix("config.").partition(".")
    kind = kind_of(SETTINGS[group][setting].default) if setting in SETTINGS.get(group, {}) else None
    return f"--{name}={value}: {f'must be {kind}' if kind else problem}"
