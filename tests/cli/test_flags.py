import logging as std_logging
import pathlib
import subprocess
import sys

import pytest
from absl import logging

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


def test_what_several_commands_have():
    command = flags.Flags()
    assert command.stage().default == "all" and command.workdir(required=False).name == "workdir"
    assert command.output("the results").name == "output" and command.config().name == "config"
    assert [flag.name for flag in command.own()] == ["config", "output", "print_config", "stage", "workdir"]
    assert [flag.help for flag in command.own() if flag.name == "output"] == ["the results"]


def test_the_log_shows_of_tensorflows_lines_those_that_warn(caplog):
    flags.Flags()._start_log()
    logger = logging.get_absl_logger()
    for place in ("/lib/tensorflow/python/checkpoint/functional_saver.py", "/lib/rgunit_tf/runs/fitting.py"):
        for level in (std_logging.INFO, std_logging.WARNING):
            line = f"{pathlib.Path(place).stem} {level}"
            logger.handle(logger.makeRecord("absl", level, place, 1, line, (), None))
    assert caplog.messages == ["functional_saver 30", "fitting 20", "fitting 30"]


def test_all_commands_can_be_imported_into_one_process(root):
    names = sorted(
        file.stem for file in (root / "bin").iterdir() if file.stem != "test" and not file.stem.startswith(".")
    )
    assert len(names) >= 8
    code = "; ".join(f"import rgunit_tf.cli.{name}" for name in names)
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
