import os
import pathlib
import shlex
import subprocess
import sys

import pytest

COMMAND = pathlib.Path(__file__).with_name("example_command.py")


@pytest.fixture
def run(root, tmp_path):
    """Runs the example as a process of its own; returns its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        environment = {**os.environ, "PYTHONPATH": str(root)}
        result = subprocess.run(
            [sys.executable, str(COMMAND), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return result.returncode, result.stdout, result.stderr

    return run


def test_settings_and_flags_in_every_spelling(run):
    code, out, _ = run(
        "first",
        "--config.data.attributes=Male,Young",
        "--config.data.groups=",
        "--noconfig.data.flip",
        "--config",
        "celeba",
        "--config.loss.cycle=3",
        "--config.data.image_size",
        "64",
        "--workdir=w",
        "--do=show",
        "second",
    )
    first, second = out.splitlines()
    assert code == 0
    assert first == "['first', 'second', ('Male', 'Young'), (), 64, False]"
    assert second == "['w', 'all', 3.0]"


def test_tuples_as_python_writes_them(run):
    _, out, _ = run('--config.data.attributes=("Cat", "Dog")', '--config.data.groups=[["Cat","Dog"]]', "--do=show")
    assert "('Cat', 'Dog'), (('Cat', 'Dog'),)" in out


def test_flagfile_may_hold_the_config(run, tmp_path):
    (tmp_path / "flags").write_text("--config=celeba\n--config.data.image_size=16\n--do=show\n")
    assert ", 16, True]" in run("--flagfile=flags")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--do=mistake"], "photo.jpg: no such file; give another"),
        (["--wrkdir=x"], "'wrkdir'. Did you mean: workdir?"),
        (["--zzz"], "--help lists the flags"),
        (["--stage=gided"], "--stage=gided: value should be one of"),
        (["--workdir"], "workdir"),
        (["loose"], "unexpected argument 'loose'"),
        (["--flagfile=none"], "none"),
        (["--config=celebb"], "did you mean celeba?"),
        (["--config=broken.py"], "broken.py, line 1: NameError"),
        (["--config.data.image_sise=3"], "did you mean --config.data.image_size?"),
        (["--config.data.image_size=abc"], "--config.data.image_size=abc: must be a whole number"),
        (["--config.data.fraction=abc"], "must be a number"),
        (["--config.data.flip=maybe"], "must be true or false"),
        (['--config.data.attributes=("Cat",'], "must be names joined by commas"),
        (["--config.data.fraction=2"], "config.data.fraction=2.0 must be at most 1.0"),
        (["--config.data.attributes=Male,Male"], "a name occurs twice"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(run, tmp_path, arguments, message):
    (tmp_path / "broken.py").write_text("nonsense\n")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "Traceback" not in err
    assert err.startswith("example_command: ") and message in err


def test_a_bug_keeps_its_traceback_and_ends_with_1(run):
    code, _, err = run("--do=fail")
    assert code == 1
    assert "Traceback" in err and "ValueError: a bug" in err


def test_a_run_that_cannot_go_on_is_one_line_and_code_1(run):
    assert run("--do=give_up") == (1, "", "example_command: step 7: cycle not finite\n")


def test_exit_code_of_main_is_kept(run):
    assert run("--do=code")[0] == 3
    assert run()[0] == 0


def test_information_is_logged_unless_told_otherwise(run):
    assert run("--do=log")[2] == "a line of the log\n"
    assert run("--do=log", "--verbosity=-1")[2] == ""


@pytest.mark.parametrize(("name", "number"), [("SIGINT", 2), ("SIGTERM", 15)])
def test_signals_unwind_the_command(run, name, number):
    code, out, err = run(f"--do={name}")
    assert (code, out) == (128 + number, "cleaned up\n")
    assert err == f"example_command: ended by {name}; give the same command again to go on\n"


def test_a_signal_of_which_a_library_makes_another_error_is_a_signal_all_the_same(run):
    assert run("--do=translated") == (
        128 + 15,
        "",
        "example_command: ended by SIGTERM; give the same command again to go on\n",
    )


def test_a_signal_that_comes_when_all_is_done_changes_nothing(run):
    assert run("--do=late") == (0, "", "")


def test_a_reader_that_leaves_causes_no_traceback(root):
    process = subprocess.Popen(
        [sys.executable, str(COMMAND), "--do=pipe"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1


def test_help_goes_to_stdout(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert "Stands in for a command" in out
    assert all(f"--{name}\n" in out for name in ("config", "do", "stage", "workdir"))
    assert "--config.data.image_size" not in out
    assert "--config.data.image_size\n" in run("--helpfull")[1]


def test_the_long_help_shows_the_values_of_the_config_that_is_given(run):
    def shown(*arguments):
        lines = run("--helpfull", *arguments)[1].splitlines()
        return lines[lines.index("  --config.data.image_size") + 1].rpartition("[")[2]

    assert shown() == "32]" and shown("--config=celeba") == "128]"
    assert shown("--config=celeba", "--config.data.image_size=48") == "48]"


def test_the_settings_in_force_can_be_given_again(run):
    arguments = ["--config=celeba", "--config.data.root=my pictures", "--config.data.attributes=Male,Young",
                 "--config.data.groups=()", "--config.loss.cycle=3"]  # fmt: skip
    code, out, err = run("--print_config", *arguments)
    assert (code, err) == (0, "")
    lines = shlex.split(out)
    assert {"--config.data.root=my pictures", "--config.data.attributes=Male,Young", "--config.loss.cycle=3.0"} <= set(
        lines
    )
    assert run("--print_config", *lines)[1] == out
    groups = run("--print_config", "--config=avatars")[1]
    assert run("--print_config", *shlex.split(groups))[1] == groups


def test_a_second_call_in_one_process_starts_afresh(monkeypatch, capsys):
    monkeypatch.syspath_prepend(COMMAND.parent)
    import example_command

    from rgunit_tf.cli import launcher

    assert (
        launcher.call(
            example_command.main,
            example_command.FLAGS,
            ["x", "--do=show", "--workdir=w", "--config.data.image_size=64"],
        )
        == 0
    )
    assert launcher.call(example_command.main, example_command.FLAGS, ["x", "--do=show", "--config.data.crop=100"]) == 0
    assert (
        launcher.call(example_command.main, example_command.FLAGS, ["x", "--do=show", "--config.data.image_size=16"])
        == 0
    )
    sizes = [line.split(", ")[-2] for line in capsys.readouterr().out.splitlines()[::2]]
    assert sizes == ["64", "32", "16"]


def test_a_flag_binds_its_own_command_only(capsys):
    from absl import flags

    from rgunit_tf.cli import launcher
    from rgunit_tf.cli.flags import Flags

    one, other = Flags(), Flags()
    workdir, optional = one.workdir(), other.workdir(required=False)
    flags.DEFINE_string("more", None, "known to one alone", flag_values=one.values)
    seen = []

    def main(argv):
        seen.append((workdir.value, optional.value))

    main.__module__ = "rgunit_tf.cli.command"
    assert launcher.call(main, one, ["x"]) == 2
    assert capsys.readouterr().err == "command: --workdir is missing; give --workdir=...\n"
    assert launcher.call(main, other, ["x"]) == 0
    assert launcher.call(main, one, ["x", "--workdir=w", "--more=3"]) == 0
    assert launcher.call(main, other, ["x", "--more=3"]) == 2
    assert capsys.readouterr().err == "command: Unknown command line flag 'more'; --help lists the flags\n"
    assert seen == [(None, None), ("w", None)]
    # Another call does not remember.
    assert launcher.call(main, one, ["x"]) == 2
