"""Runs a command: parses its flags, turns the user's mistakes into one line and exit code 2, and ends on signals."""

from __future__ import annotations

import gc
import os
import pathlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

from rgunit_tf.cli import usage
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import RunError, UserError
from rgunit_tf.names import printable
from rgunit_tf.typed import as_typed

Main = Callable[[list[str]], int | None]

_GARBAGE = (50_000, 20, 20)
"""When Python looks for garbage: to import TensorFlow makes 300,000 objects that stay, and Python would look through
them again and again."""


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM: unwinds the command so that nothing is left half-written."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)


_received: list[int] = []
"""The signals that came. Where TensorFlow's C++ code had called Python, it makes another error of Interrupted."""


def run(main: Main, flags: Flags, positional: bool = False) -> None:
    """Runs `main` with the arguments of the process and exits; see `call`."""
    gc.set_threshold(*_GARBAGE)
    # Names of files go out as the bytes that they are, UTF-8 or not.
    sys.stdout.reconfigure(errors="surrogateescape")
    code = call(main, flags, sys.argv, positional)
    # A reader that went away (`| head`) is no error worth a traceback while Python shuts down.
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # All is done but for Python's own end, in which a signal would make a failure of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # At its end Python looks for garbage too, several times, which with TensorFlow's objects is more than a second.
    gc.freeze()
    sys.exit(code)


def call(main: Main, flags: Flags, argv: Sequence[str], positional: bool = False) -> int:
    """Runs `main` and returns the exit code of the command.

    Args:
      main: takes the arguments that are no flags, after the name of the command; returns None or an exit code.
      flags: the command's.
      argv: name of the command and its arguments.
      positional: whether arguments that are no flags are allowed.

    Returns:
      0: done; 2: the user's mistake, one line on stderr; 128 + n: ended by signal n; 1: anything else, with a
      traceback unless it is a RunError.
    """
    _quieten()
    name = _name(main, argv[0])
    _received.clear()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
    try:
        arguments = list(argv[1:])
        wanted = [word for word in _flags_of(arguments) if word in usage.FLAGS]
        if wanted:
            config = None
            if "full" in wanted[0] and flags.has_config:
                flags.parse([word for word in arguments if word not in usage.FLAGS], positional=True, whole=False)
                config = flags.values["config"].value
            module = sys.modules[main.__module__]
            own = (module.__spec__.name if module.__spec__ else "").startswith("rgunit_tf.cli.")
            print(as_typed(usage.text(f"bin/{name}" if own else name, module.__doc__, flags.own(), config)))
            return 0
        rest = flags.parse(arguments, positional)
        if flags.has_config and flags.values["print_config"].value:
            print("\n".join(usage.in_force(flags.values["config"].value)))
            return 0
        return main([argv[0], *rest]) or 0
    except (Interrupted, Exception) as error:
        return _explain(name, error)


def _explain(name: str, error: BaseException) -> int:
    """Says why the command named `name` ends and returns its exit code."""
    if _received:
        _say(name, f"ended by {signal.Signals(_received[0]).name}; give the same command again to go on")
        return 128 + _received[0]
    if isinstance(error, UserError):
        _say(name, str(error))
        return 2
    if isinstance(error, RunError):
        _say(name, str(error))
    elif not isinstance(error, BrokenPipeError):
        traceback.print_exception(error)
    return 1


def _quieten() -> None:
    """Keeps what TensorFlow says while it is imported away from the command's own lines.

    Level 3, since TensorFlow 2.15 reports at level "error" that cuDNN is registered twice, on every machine.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _flags_of(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _name(main: Main, program: str) -> str:
    return pathlib.Path(program).stem if main.__module__ == "__main__" else main.__module__.rpartition(".")[2]


def _say(name: str, message: str) -> None:
    print(f"{name}: {printable(' '.join(message.split()))}", file=sys.stderr)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second signal ends the process at once.
    signal.signal(number, signal.SIG_DFL)
    _received.append(number)
    raise Interrupted(number)
