"""Tells a full, read-only or limited disk from other errors."""

from __future__ import annotations

import errno
import os
import pathlib

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def problem(error: BaseException, folder: str | os.PathLike) -> str | None:
    """Says in one line what keeps files from being written to `folder`; None where `error` is of another kind.

    TensorFlow's file system reports the same conditions as exceptions of its own, known by their text.
    """
    folder = os.fspath(folder)
    number = error.errno if isinstance(error, OSError) else _number(str(error))
    if number in _FULL:
        return f"{folder}: {os.strerror(number)}; free space there"
    if number == errno.EROFS or (number in _CLOSED and _is_below(error, folder)):
        return f"{folder}: {os.strerror(number)}; make it writable or choose another --workdir"
    return None


def _number(text: str) -> int | None:
    return next((number for number in (*_FULL, *_CLOSED) if text.find(f"; {os.strerror(number)}") >= 0), None)


def _is_below(error: BaseException, folder: str) -> bool:
    if isinstance(error, OSError):
        return isinstance(error.filename, str) and pathlib.Path(error.filename).is_relative_to(folder)
    return f"{folder.rstrip('/')}/" in str(error)
