"""Files and folders that are either whole or absent: written beside their place, then renamed into it.

A temporary is held (flock) by the process that writes it, so that `clear` tells what killed processes left from what is
being written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rgunit_tf.errors import RunError


def _sync(path: str | os.PathLike) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: str | os.PathLike) -> None:
    """Writes down which names a folder holds; some file systems of networks have no such call."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _sync_below(folder: pathlib.Path) -> None:
    """Files first, then the folders that name them, `folder` last."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(os.path.join(parent, name))
        _sync_folder(parent)


@contextlib.contextmanager
def path(final: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary file name in the folder of `final`; renames it to `final` if the block succeeds.

    The temporary name ends like `final` does, so that writers that look at the ending (Pillow, numpy) behave alike.
    """
    final = pathlib.Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)

    def make() -> str:
        descriptor, name = tempfile.mkstemp(dir=final.parent, prefix=".partial-", suffix=final.suffix)
        os.close(descriptor)
        return name

    with _held(make) as (temporary, _):
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

    All that is in it is on the disk before it has its final name, also where the machine loses its power.

    Raises:
      FileExistsError: `final` exists already; a published folder is never written over.
      RunError: the temporary folder was deleted by somebody else meanwhile.
    """
    final = pathlib.Path(final)
    if final.exists():
        raise FileExistsError(f"{final} exists already")
    final.parent.mkdir(parents=True, exist_ok=True)
    with _held(lambda: tempfile.mkdtemp(dir=final.parent, prefix=".partial-")) as (temporary, descriptor):
        try:
            os.chmod(temporary, 0o777 & ~_umask())
            yield temporary
            # What is written to a folder that is gone makes another one, which holds that file alone.
            if not _is_there(temporary, descriptor):
                raise FileNotFoundError(temporary)
            _sync_below(temporary)
            os.rename(temporary, final)
            _sync_folder(final.parent)
        except Exception as error:
            if _is_there(temporary, descriptor):
                raise
            raise RunError(f"{final} was deleted while it was written; give the same command again to go on") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def clear(temporaries: Iterable[pathlib.Path]) -> None:
    """Removes those of the temporary files and folders that no process writes any more."""
    for temporary in list(temporaries):
        with contextlib.suppress(OSError):
            descriptor = os.open(temporary, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink()
            finally:
                os.close(descriptor)


def temporaries(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """All temporary files and folders below a folder, in which others may write meanwhile."""
    # Path.rglob fails where a folder goes away under it.
    for parent, folders, files in os.walk(folder):
        yield from (pathlib.Path(parent) / name for name in folders + files if name.startswith(".partial-"))


@contextlib.contextmanager
def _held(make: Callable[[], str]) -> Iterator[tuple[pathlib.Path, int]]:
    """A temporary that `make` makes, and a descriptor by which it is held until the block or the process ends."""
    while True:
        temporary = pathlib.Path(make())
        # Another process may clear it away before it is held.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(temporary, os.O_RDONLY)
            # Where a file system cannot lock, `clear` removes nothing.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_there(temporary, descriptor):
                break
            os.close(descriptor)
    try:
        yield temporary, descriptor
    finally:
        os.close(descriptor)


def _is_there(temporary: pathlib.Path, descriptor: int) -> bool:
    """Whether the path still leads to what is open."""
    try:
        return os.path.samestat(os.stat(temporary), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def write_json(final: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True, default=_unwrapped)
    with path(final) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _unwrapped(value: Any) -> Any:
    """The dict or list behind what TensorFlow makes of one that is an attribute of a model."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


def checksum(file: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
