"""Processes that do jobs side by side and answer in the jobs' order.

The workers are plain Python processes that read jobs from standard input, not `multiprocessing` children: those would
import the caller's script again, and with it TensorFlow, and fail where the script has no `__main__` guard. A worker
ends with its input, also when the caller is killed.

A job is what JSON can hold, one a line; an answer is bytes behind a header. A module that has jobs to give has a
function that does one, and ends in

    if __name__ == "__main__":
        serve(do_one)
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import queue
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any, BinaryIO

from rgunit_tf.errors import UserError

_HEADER = struct.Struct("<cq")  # what it is, length of what follows
_DONE, _NO_FILE, _MISTAKE, _FAILED = b"d", b"f", b"u", b"x"

Spread = Callable[[Callable[[Any], bytes], Sequence[Any]], Iterator[bytes]]
"""What does jobs elsewhere and gives the answers in their order: `spread` with a number of workers, or another."""


def spread(perform: Callable[[Any], bytes], jobs: Sequence[Any], workers: int) -> Iterator[bytes]:
    """Yields `perform(job)` of each job, in their order; with one worker, or one job, in this process.

    Args:
      perform: a function of a module that serves it, as said at the top.
      jobs: what JSON can hold.
      workers: processes, at most one a job.

    Raises:
      OSError: a worker could not read or write a file.
      UserError: a worker met a mistake of the user's.
      RuntimeError: a worker failed otherwise, or ended early.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(perform, jobs)
        return
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(_worker(perform.__module__)))

        def ask(job: Any) -> bytes:
            process = idle.get()
            try:
                return _answer(process, job)
            finally:
                idle.put(process)

        pool = futures.ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(ask, jobs)


def serve(perform: Callable[[Any], bytes]) -> None:
    """Answers the jobs on standard input until it ends."""
    try:
        for job in _jobs(sys.stdin.buffer):
            sys.stdout.buffer.write(attempt(perform, job))
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody is left who would read. Python would try again to write what is left, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def attempt(perform: Callable[[Any], bytes], job: Any) -> bytes:
    """What `outcome` makes the answer of, or the error."""
    kind, content = _attempt(perform, job)
    return _HEADER.pack(kind, len(content)) + content


def _attempt(perform: Callable[[Any], bytes], job: Any) -> tuple[bytes, bytes]:
    try:
        return _DONE, perform(job)
    except OSError as error:
        return _NO_FILE, json.dumps([error.errno, error.strerror or str(error), error.filename]).encode()
    except UserError as error:
        return _MISTAKE, str(error).encode("utf-8", "surrogateescape")
    except Exception as error:
        return _FAILED, f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")


def outcome(stream: BinaryIO) -> bytes:
    """Reads what `attempt` gave and returns the answer, or raises the error; errors as for `spread`."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise RuntimeError("a worker process ended early; what it printed is above")
    kind, length = _HEADER.unpack(header)
    content = stream.read(length)
    if kind == _NO_FILE:
        raise OSError(*json.loads(content))
    if kind == _MISTAKE:
        raise UserError(content.decode("utf-8", "surrogateescape"))
    if kind == _FAILED:
        raise RuntimeError(f"a worker process failed: {content.decode()}")
    return content


def _jobs(stream: BinaryIO) -> Iterator[Any]:
    """What a worker is asked; a line without an end is of a caller that was killed."""
    for line in stream:
        if line.endswith(b"\n"):
            yield json.loads(line)


def _answer(process: subprocess.Popen, job: Any) -> bytes:
    # What a worker that ended could not take is told by the answer that is missing.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
    return outcome(process.stdout)


@contextlib.contextmanager
def _worker(module: str) -> Iterator[subprocess.Popen]:
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
