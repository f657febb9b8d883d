"""Files and folders that are either whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def path(final: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary file name in the folder of `final`; renames it to `final` if the block succeeds.

    The temporary name ends like `final` does, so that writers that look at the ending (Pillow, numpy) behave alike.
    """
    final = pathlib.Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=final.parent, prefix=".partial-", suffix=final.suffix)
    os.close(descriptor)
    temporary = pathlib.Path(name)
    try:
        os.chmod(temporary, 0o666 & ~_umask())
        yield temporary
        _sync(temporary)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def directory(final: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary folder beside `final`; renames it to `final` if the block succeeds.

    Raises:
      FileExistsError: `final` exists already; a published folder is never written over.
    """
    final = pathlib.Path(final)
    if final.exists():
        raise FileExistsError(f"{final} exists already")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=final.parent, prefix=".partial-"))
    try:
        os.chmod(temporary, 0o777 & ~_umask())
        yield temporary
        os.rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(final: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    with path(final) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
