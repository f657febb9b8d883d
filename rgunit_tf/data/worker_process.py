"""Starts a module of this package as a process that answers through pipes."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO


@contextlib.contextmanager
def worker_process(module: str) -> Iterator[subprocess.Popen]:
    """A process that runs a module of this package with pipes for its input and output; its input ends with the block.

    A process of its own, not a fork: TensorFlow's threads do not survive one. In a session of its own, so that Ctrl-C
    reaches the caller alone, which decides.
    """
    checkout = str(pathlib.Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        process.stdout.close()


def requests(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """What a worker is asked, one JSON object a line; one without an end is of a caller that was killed."""
    for line in stream:
        if line.endswith(b"\n"):
            yield json.loads(line)


@contextlib.contextmanager
def while_asked() -> Iterator[None]:
    """The block of a worker that answers: it ends quietly where nobody is left who would read an answer."""
    try:
        yield
    except BrokenPipeError:
        # Python would try again to write what is left, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
