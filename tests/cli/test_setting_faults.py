"""Settings that are wrong in every way a command line or a config file can have them: one line, exit code 2."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgunit_tf.cli import launcher
from rgunit_tf.config import SETTINGS, default_config
from rgunit_tf.config import validate as validate_config
from rgunit_tf.errors import UserError

ALL = [(group, name) for group, names in SETTINGS.items() for name in names]
NUMBERS = [(g, n) for g, n in ALL if type(SETTINGS[g][n].default) in (int, float)]


@pytest.fixture(scope="module")
def command():
    """The example command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(pathlib.Path(__file__).parent)
        import example_command
    return example_command


@pytest.fixture
def refused(command, capsys):
    """Runs the command; checks that it refused in one line and returns that."""

    def refused(*arguments: str) -> str:
        capsys.readouterr()
        code = launcher.call(command.main, command.FLAGS, ["x", "--do=none", *arguments])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), (arguments, code, out, err)
        assert err.startswith("example_command: ")
        return err

    return refused


@pytest.mark.parametrize(("group", "name"), NUMBERS)
def test_numbers_out_of_range_and_no_numbers(refused, group, name):
    setting = SETTINGS[group][name]
    values = ["abc", "", "(1,)", "None", "nan", "inf", "-inf", "1e400", "9" * 400]
    if setting.low is not None:
        values.append(str(setting.low - 1))
    if setting.high is not None:
        values.append(str(setting.high * 2 + 1))
    if isinstance(setting.default, int):
        values += ["0.5", str(2**31)]
    else:
        values.remove("9" * 400)
    for value in values:
        assert f"config.{group}.{name}=" in refused(f"--config.{group}.{name}={value}"), value


@pytest.mark.parametrize(("group", "name"), [item for item in ALL if item not in NUMBERS and item[1] != "root"])
def test_other_kinds(refused, group, name):
    setting = SETTINGS[group][name]
    values = {bool: ["abc", "2", ""], str: ["abc", ""], tuple: ["((((", "(1,2)", "[[", "'"]}[type(setting.default)]
    if isinstance(setting.default, str) and not setting.choices:
        return  # a folder: `data` says what is wrong with it
    for value in values:
        assert f"config.{group}.{name}" in refused(f"--config.{group}.{name}={value}"), value


@pytest.mark.parametrize(("group", "name"), ALL)
def test_names_that_are_nearly_right(refused, group, name):
    assert f"did you mean --config.{group}.{name}?" in refused(f"--config.{group}.{name}_=1")
    assert "no such setting" in refused(f"--config.{group}.{name}.deeper=1")
    assert f"config.{group} is a group" in refused(f"--config.{group}=1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.data.attributes="], "config.data.attributes: at least one name"),
        (
            ["--config.data.attributes=Male,Male", "--config.data.groups="],
            "config.data.attributes: a name occurs twice",
        ),
        (["--config.data.attributes=-Male", "--config.data.groups="], "config.data.attributes: '-Male'"),
        (["--config.data.attributes=('a,b',)", "--config.data.groups="], "config.data.attributes: 'a,b'"),
        (["--config.data.attributes=(' ',)", "--config.data.groups="], "config.data.attributes: ' ' is empty"),
        (["--config.data.attributes=Male,Young"], "config.data.groups: unknown attribute 'Black_Hair'"),
        (["--config.data.groups=Black_Hair,Blond_Hair"], "must be groups of names, as in"),
        (["--config.data.groups=((),)"], "must be groups of names, as in"),
        (["--config.data.groups=((1,2),)"], "must be groups of names, as in"),
        (["--config.data.groups=(('Male',),('Male','Young'))"], "config.data.groups: attribute groups: a name may be"),
        (["--config.retrieval.negatives=easy,easy"], "config.retrieval.negatives=('easy', 'easy') must name each"),
        (["--config.retrieval.negatives="], "config.retrieval.negatives=() must be one or more"),
        (["--config.data.image_size=8", "--config.model.discriminator_scales=2"], "config.data.image_size=8"),
        (["--config.data.image_size=18"], "config.data.image_size=18 must be a multiple of 4"),
        (["--config=" + "x" * 5000], "no such file"),
        (["--config=~nobody-of-this-name/x.py"], "no such file"),
        (["--config=/dev/null"], "no such file"),
        (["--config=."], "no such file"),
        (["--config=celeba:text"], "celeba.py"),
        (["--config.__class__=3"], "--config.__class__: no such setting"),
        (["--config.data.groups[0]=3"], "did you mean --config.data.groups?"),
    ],
)
def test_contradictions_and_odd_arguments(refused, arguments, message):
    assert message in refused(*arguments)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("config.data = 5", "config lacks data.source"),
        ("config.data.image_size = '64'", "config.data.image_size='64' must be a whole number"),
        ("config.data.flip = 1", "config.data.flip=1 must be true or false"),
        ("config.data.root = None", "config.data.root=None must be a text"),
        ("config.data.attributes = 'Male'", "config.data.attributes='Male' must be names joined by commas"),
        ("config.loss.cycle = float('inf')", "config.loss.cycle=inf must be a finite number"),
        ("config.extra = 1", "unknown group 'extra'"),
        ("config.train.sede = 1", "config.train.sede: no such setting; did you mean train.seed?"),
        ("return None", "returned a NoneType"),
        ("raise SystemExit(0)", "line 5: SystemExit"),
        ("'", "SyntaxError"),
    ],
)
def test_config_files_that_hold_other_things(refused, tmp_path, body, message):
    file = tmp_path / "mine.py"
    head = "from rgunit_tf.config import default_config\ndef get_config():\n    config = default_config()\n"
    file.write_text(f"{head}    with config.unlocked(), config.ignore_type():\n        {body}\n    return config\n")
    assert message in refused(f"--config={file}")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00", b"", b"def get_config(:", b"get_config = 3"])
def test_config_files_that_are_none(refused, tmp_path, content):
    file = tmp_path / "mine.py"
    file.write_bytes(content)
    assert str(file) in refused(f"--config={file}")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.tuples(st.text(max_size=4), st.integers()),
    st.lists(st.lists(st.text(max_size=3), max_size=2), max_size=3),
)


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(place=st.sampled_from(ALL), value=JUNK)
def test_any_value_is_taken_or_refused_by_name(place, value):
    group, name = place
    config = default_config()
    config.unlock()
    with config.ignore_type():
        config[group][name] = value
    try:
        validate_config(config)
    except UserError as error:
        assert f"config.{group}.{name}" in str(error) or group == "data"
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("folder", {"image_size": "64"}, "data.image_size='64' must be a whole number"),
        ("folder", {"image_size": 64.0}, "data.image_size=64.0 must be a whole number"),
        ("folder", {"flip": "yes"}, "data.flip='yes' must be true or false"),
        ("celeba", {"attributes": "Male"}, "data.attributes='Male' must be names joined by commas"),
        ("folder", {"seed": -1}, "data.seed=-1 must be at least 0"),
        ("folder", {"cache_mb": None}, "data.cache_mb=None must be a whole number"),
        ("folder", {"retrieval_source": 3}, "data.retrieval_source=3 must be a text"),
    ],
)
def test_load_refuses_them_as_well(source, options, message):
    from rgunit_tf import data

    with pytest.raises(UserError) as error:
        data.load(source, root="/nowhere", **options)
    assert message in str(error.value)


def test_numbers_of_numpy_are_numbers():
    setting = SETTINGS["data"]["image_size"]
    assert setting.problem(np.int64(64)) is None
    assert "at least 8" in setting.problem(np.int64(4))
    assert "whole number" in setting.problem(np.float32(64))
    assert SETTINGS["loss"]["cycle"].problem(np.float32(3)) is None


def test_more_layers_than_the_image_has_halves():
    from rgunit_tf.models.discriminator import Discriminator

    verdicts = Discriminator(2, width=2, layers=8, scales=1)(np.zeros((1, 8, 8, 3), np.float32))
    assert [tuple(verdict.domain.shape) for verdict in verdicts] == [(1, 2)]
