import subprocess
import sys

import pytest

from rgunit_tf.cli import flags


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Male,Young", ("Male", "Young")),
        (" Male , Young,", ("Male", "Young")),
        ("Male", ("Male",)),
        ("", ()),
        ("()", ()),
        ('("Male", "Young")', ("Male", "Young")),
        ('[["Cat", "Dog"], ["Day", "Night"]]', (("Cat", "Dog"), ("Day", "Night"))),
        ("1,2", (1, 2)),
        (("Male", "Young"), ("Male", "Young")),
        (["Male", ["Young"]], ("Male", ("Young",))),
    ],
)
def test_tuples(text, value):
    assert flags._TupleParser().parse(text) == value


@pytest.mark.parametrize("text", ["(Male,Young)", '("Male",', "{Male}"])
def test_a_broken_tuple_is_refused_rather_than_guessed(text):
    with pytest.raises(ValueError, match="not a tuple"):
        flags._TupleParser().parse(text)


def test_flags_are_shared_by_the_commands():
    assert flags.workdir(required=False).name == flags.workdir(required=False).name == "workdir"
    assert flags.stage().default == "all"
    assert flags.config().name == "config"


def test_only_a_command_that_requires_the_workdir_is_noted(monkeypatch):
    monkeypatch.setattr(flags, "required_flags", set())
    flags.workdir(required=False)
    assert flags.required_flags == set()
    flags.workdir()
    assert flags.required_flags == {(__name__, "workdir")}


def test_all_commands_can_be_imported_into_one_process(root):
    names = sorted(file.stem for file in (root / "bin").iterdir() if file.stem not in ("test", ".bootstrap"))
    assert len(names) >= 8
    code = "; ".join(f"import rgunit_tf.cli.{name}" for name in names)
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
