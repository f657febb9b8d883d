"""A bar in a terminal, lines in a log file, nothing for what is done at once."""

import io

import pytest

from rgunit_tf import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_a_bar():
    stream = Terminal()
    with progress.bar(4, "picture", "translate", 1, stream) as bar:
        bar.update(3)
    assert "\r" in stream.getvalue() and "4/4" in stream.getvalue()


def test_a_log_file_has_lines(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    stream = io.StringIO()
    with progress.bar(4, "picture", "translate", stream=stream) as bar:
        for _ in range(4):
            bar.update()
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue() and len(lines) >= 4
    assert lines[-1].startswith("translate: 4 of 4 pictures, ") and lines[-1].endswith("00:00 left")


@pytest.mark.parametrize("total", [4, None])
def test_what_is_done_at_once_is_not_worth_a_line(total):
    stream = io.StringIO()
    with progress.bar(total, "picture", "translate", stream=stream) as bar:
        bar.update(4)
    assert stream.getvalue() == ""
