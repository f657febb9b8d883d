"""Messages name the commands that exist where they are read."""

import subprocess
import sys

import pytest

from rgunit_tf import typed
from rgunit_tf.errors import RunError, UserError


@pytest.fixture(params=["/usr/local/bin/rgunit-translate", "/repository/rgunit_tf/cli/translate.py"])
def prefix(request, monkeypatch):
    monkeypatch.setattr(sys, "argv", [request.param])
    return "rgunit-" if "rgunit-translate" in request.param else "bin/"


@pytest.mark.parametrize("error", [UserError, RunError])
def test_errors_name_the_command_as_it_was_typed(prefix, error):
    assert str(error("no stage; run bin/train --stage=all, then bin/demo")) == (
        f"no stage; run {prefix}train --stage=all, then {prefix}demo"
    )


def test_what_only_looks_like_a_command_stays(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rgunit-train"])
    for text in ("/usr/bin/train", "bin/training", "cabin/demo", "bin/test"):
        assert typed.as_typed(text) == text


def test_without_a_repository_the_installed_names_are_meant(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    assert typed.as_typed("bin/train") == "bin/train"
    monkeypatch.setattr(typed, "__file__", str(tmp_path / "rgunit_tf" / "typed.py"))
    assert typed.as_typed("bin/train") == "rgunit-train"


@pytest.mark.parametrize(("name", "prefix"), [("rgunit-train", "rgunit-"), ("train.py", "bin/")])
def test_help_names_the_command_as_it_was_typed(root, name, prefix):
    code = f"import sys; sys.argv = [{name!r}, '--help']; from rgunit_tf.cli import train; train.run()"
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert out.startswith(f"{prefix}train: Trains") and f"as {prefix}evaluate does it" in out
    assert out.rstrip().splitlines()[-1].startswith(f"{prefix}train --helpfull lists")
