"""A full or closed disk is one line that names the folder; other errors stay what they are."""

import errno
import os

import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.runs import storage
from rgunit_tf.runs.workdir import Workdir


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ("No space left on device", "free space")),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), ("quota", "free space")),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), ("File too large", "free space")),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "w/x"), ("Read-only", "make it writable")),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "w/x"), ("Permission denied", "make it writable")),
        (
            tf.errors.ResourceExhaustedError(None, None, "w/c/step-3_temp/part; No space left on device [Op:SaveV2]"),
            ("No space left on device", "free space"),
        ),
        (
            tf.errors.PermissionDeniedError(None, None, "w/c/step-2_temp; Read-only file system [Op:SaveV2]"),
            ("Read-only", "make it writable"),
        ),
    ],
)
def test_what_keeps_files_from_being_written_is_said(error, words):
    line = storage.problem(error, "w")
    assert line.startswith("w: ") and "\n" not in line
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        FileNotFoundError(errno.ENOENT, "none", "w/x"),
        PermissionError(errno.EACCES, "denied", "/elsewhere/photo.jpg"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    ],
)
def test_other_errors_are_not_mistaken_for_it(error):
    assert storage.problem(error, "w") is None


def test_a_run_says_it_in_the_users_words(tmp_path):
    with pytest.raises(UserError, match=r"No space left.*same command then goes on"), Workdir(tmp_path).lock():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ValueError, match="a bug"), Workdir(tmp_path).lock():
        raise ValueError("a bug")
