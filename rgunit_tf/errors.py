"""The exceptions that a command answers with one line instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in a flag, a setting or a file.

    The message is one line that names the flag, setting or file and says how to put it right. Commands print it to
    standard error and exit with code 2, without a traceback.
    """


class RunError(Exception):
    """A run that cannot go on, though nobody made a mistake: numbers that overflow, a machine that is gone.

    The message is one line that says what happened and how to go on. Commands print it to standard error and exit with
    code 1, without a traceback.
    """
