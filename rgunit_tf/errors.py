"""The exceptions that a command answers with one line instead of a traceback."""

from __future__ import annotations

from rgunit_tf.typed import as_typed


class _Told(Exception):
    """An exception whose message names commands as they were typed."""

    def __str__(self) -> str:
        return as_typed(super().__str__())


class UserError(_Told):
    """A mistake in a flag, a setting or a file.

    The message is one line that names the flag, setting or file and says how to put it right. Commands print it to
    standard error and exit with code 2, without a traceback.
    """


class RunError(_Told):
    """A run that cannot go on, though nobody made a mistake: numbers that overflow, a machine that is gone.

    The message is one line that says what happened and how to go on. Commands print it to standard error and exit with
    code 1, without a traceback.
    """
