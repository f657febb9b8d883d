"""Starts a module of this package as a process that answers through pipes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def worker_process(module: str) -> Iterator[subprocess.Popen]:
    """A process that runs a module of this package with pipes for its input and output; its input ends with the block.

    A process of its own, not a fork: TensorFlow's threads do not survive one.
    """
    checkout = str(pathlib.Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def while_asked() -> Iterator[None]:
    """The block of a worker that answers: it ends quietly where nobody is left who would read an answer."""
    try:
        yield
    except BrokenPipeError:
        # Python would try again to write what is left, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
