"""The one exception that means "the user can fix this"."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in a flag, a setting or a file.

    The message is one line that names the flag, setting or file and says how to put it right. Commands print it to
    standard error and exit with code 2, without a traceback.
    """
