"""Nothing heavy is imported before it is used: `bin/train --help` has to answer at once."""

import os
import pathlib
import resource
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "matplotlib", "scipy", "PIL")
BIN = pathlib.Path(__file__).resolve().parent.parent / "bin"
COMMANDS = sorted({path.name for path in BIN.iterdir() if not path.name.startswith(".")} - {"test"})


def loaded_by(root, statement: str) -> set[str]:
    """Modules in a fresh Python after `statement`."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return set(
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout.split()
    )


@pytest.mark.parametrize("module", ["config", "domains", "errors", "atomic", "data", "retrieval", "evaluation"])
def test_light_modules_import_nothing_heavy(root, module):
    loaded = loaded_by(root, f"import rgunit_tf.{module}")
    assert f"rgunit_tf.{module}" in loaded
    assert not loaded.intersection(HEAVY)


def test_the_package_imports_not_even_numpy(root):
    loaded = loaded_by(root, "import rgunit_tf")
    assert "rgunit_tf" in loaded
    assert not loaded.intersection((*HEAVY, "numpy", "absl"))


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_the_package_turns_onednn_on_unless_told_otherwise(root, given, expected):
    """On processors without AVX-512 TensorFlow itself leaves it off."""
    code = "import os, rgunit_tf; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"PYTHONPATH": str(root), **given}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_import_nothing_heavy(root, command):
    loaded = loaded_by(root, f"import rgunit_tf.cli.{command}")
    assert f"rgunit_tf.cli.{command}" in loaded
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_takes_less_than_two_seconds_of_work(root, command):
    """Of the processor's time: whatever else the machine does meanwhile is not the command's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-m", f"rgunit_tf.cli.{command}", "--help"], cwd=root, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0 and f"{command}: " in result.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_every_public_name_is_there_and_no_other():
    import rgunit_tf

    for name in rgunit_tf.__all__:
        assert getattr(rgunit_tf, name).__name__.split(".")[-1] == name
        assert name in dir(rgunit_tf)
    with pytest.raises(AttributeError, match="no attribute 'Galery'"):
        rgunit_tf.Galery  # noqa: B018
