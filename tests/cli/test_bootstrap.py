"""bin/.bootstrap, with stand-ins for Python, pip, uv and nvidia-smi on an otherwise bare PATH."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import time

import pytest

TOOLS = ("bash", "cat", "cmp", "cp", "dirname", "env", "flock", "mkdir", "mv", "readlink", "rm", "sleep", "touch")
# The Python of the stand-in .venv: logs what pip installs, and shows what it would run.
VENV_PYTHON = """#!/bin/bash
case "$*" in
  "-c "*) echo "$VERSION" ;;
  "-m pip install "*) echo "pip ${@: -1}" >>"$LOG"; sleep "${PIP_SECONDS:-0}"; exit "${PIP_CODE:-0}" ;;
  *) echo "RAN $*"; echo "PYTHONPATH $PYTHONPATH" ;;
esac
"""
BASE_PYTHON = """#!/bin/bash
[ "$1$UNSUITED" = -c1 ] && exit 1
[ "$1" = -c ] && { name=${0##*python}; echo "${PRETENDED:-$name}"; exit; }
mkdir -p "$3/bin" && cp "$VENV_PYTHON" "$3/bin/python" && echo "venv" >>"$LOG"
"""
UV = """#!/bin/bash
[ "$1" = python ] && exit 2
[ "$1" = venv ] && echo "uv venv $4" >>"$LOG" || echo "uv pip ${@: -1}" >>"$LOG"
[ "$1" = venv ] && mkdir -p "${@: -1}/bin" && cp "$VENV_PYTHON" "${@: -1}/bin/python"
exit 0
"""


class Clone:
    """A bare copy of bin/ and the lock files, and the commands that exist on this pretended machine."""

    def __init__(self, root: pathlib.Path, folder: pathlib.Path):
        self.folder, self.tools, self.log = folder / "a clone", folder / "tools", folder / "log"
        shutil.copytree(root / "bin", self.folder / "bin")
        (self.folder / "requirements.lock").write_text("cpu\n")
        (self.folder / "requirements-cuda.lock").write_text("cuda\n")
        (self.folder / "requirements-tf220.lock").write_text("cpu 220\n")
        (self.folder / "requirements-tf220-cuda.lock").write_text("cuda 220\n")
        self.tools.mkdir()
        for tool in TOOLS:
            (self.tools / tool).symlink_to(shutil.which(tool))
        self.environment = {
            "PATH": str(self.tools),
            "LOG": str(self.log),
            "VERSION": "3.11",
            "VENV_PYTHON": str(self.add("venv-python", VENV_PYTHON)),
        }

    def add(self, name: str, text: str) -> pathlib.Path:
        path = self.tools / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(self.folder / "bin/train"), *arguments],
            env={**self.environment, **environment},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def train(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @property
    def installed(self) -> list[str]:
        text = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return text.replace(f"{self.folder}/", "").splitlines()


@pytest.fixture
def clone(root: pathlib.Path, tmp_path: pathlib.Path) -> Clone:
    clone = Clone(root, tmp_path)
    clone.add("python3.11", BASE_PYTHON)
    return clone


def test_first_command_installs_and_the_next_does_not(clone: Clone):
    code, out, err = clone.train("--stage=guided", "a b")
    assert (code, out.splitlines()[0]) == (0, "RAN -m rgunit_tf.cli.train --stage=guided a b")
    assert out.splitlines()[1] == f"PYTHONPATH {clone.folder}"
    assert err.count("\n") == 1 and "CPU requirements" in err
    assert clone.installed == ["venv", "pip requirements.lock"]
    assert clone.train()[::2] == (0, "")
    assert clone.installed == []


def test_symlinked_command_finds_its_repository(clone: Clone, tmp_path: pathlib.Path):
    (tmp_path / "linked").symlink_to(clone.folder / "bin/train")
    result = subprocess.run([tmp_path / "linked"], env=clone.environment, capture_output=True, text=True)
    assert f"PYTHONPATH {clone.folder}\n" in result.stdout


def test_changed_lock_is_installed_again_in_place(clone: Clone):
    clone.train()
    assert clone.installed
    (clone.folder / "requirements.lock").write_text("cpu 2\n")
    assert clone.train()[0] == 0
    assert clone.installed == ["pip requirements.lock"]


def test_killed_installation_is_made_anew(clone: Clone):
    process = clone.start(PIP_SECONDS="30")
    deadline = time.monotonic() + 20
    while not clone.log.exists() or "pip" not in clone.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, 9)
    process.communicate()
    (clone.folder / ".venv/half").touch()
    assert clone.installed == ["venv", "pip requirements.lock"]
    assert clone.train()[0] == 0
    assert clone.installed == ["venv", "pip requirements.lock"]
    assert not (clone.folder / ".venv/half").exists()


def test_failed_installation_says_so_and_is_not_taken_for_whole(clone: Clone):
    code, out, err = clone.train(PIP_CODE="1")
    assert (code, out) == (1, "")
    assert "could not be installed" in err.splitlines()[-1]
    clone.installed  # noqa: B018
    assert clone.train()[0] == 0
    assert clone.installed == ["venv", "pip requirements.lock"]


def test_two_commands_at_once_install_once(clone: Clone):
    processes = [clone.start(PIP_SECONDS="0.5") for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert all(out.startswith("RAN") for out, _ in outputs)
    assert clone.installed == ["venv", "pip requirements.lock"]


def test_cuda_lock_where_nvidia_smi_answers(clone: Clone):
    clone.add("nvidia-smi", "#!/bin/bash\nexit 0\n")
    assert "CUDA requirements" in clone.train()[2]
    assert clone.installed == ["venv", "pip requirements-cuda.lock"]
    clone.add("nvidia-smi", "#!/bin/bash\nexit 9\n")
    assert clone.train()[::2] == (0, "")


def test_uv_is_preferred(clone: Clone):
    clone.add("uv", UV)
    assert "with Python 3.11 and uv" in clone.train()[2]
    assert clone.installed == ["uv venv python3.11", "uv pip requirements.lock"]


def test_uv_fetches_a_python_where_there_is_none(clone: Clone):
    clone.add("uv", UV)
    (clone.tools / "python3.11").unlink()
    assert "with Python 3.13 and uv" in clone.train()[2]
    assert clone.installed == ["uv venv 3.13", "uv pip requirements-tf220.lock"]


def test_newest_python_is_taken_and_an_environment_that_is_there_kept(clone: Clone):
    assert "Python 3.11" in clone.train()[2]
    clone.add("python3.12", BASE_PYTHON)
    assert clone.train()[::2] == (0, "")
    clone.installed  # noqa: B018
    shutil.rmtree(clone.folder / ".venv")
    assert "Python 3.12" in clone.train(VERSION="3.12")[2]
    assert clone.installed == ["venv", "pip requirements-tf220.lock"]
    (clone.folder / "requirements-tf220.lock").write_text("cpu 221\n")
    assert clone.train(VERSION="3.12")[0] == 0
    assert clone.installed == ["pip requirements-tf220.lock"]


def test_python_of_pyenv_is_found(clone: Clone, tmp_path: pathlib.Path):
    clone.add("python3.11", "#!/bin/bash\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    folder = tmp_path / "pyenv/versions/3.13.9/bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(clone.add("other-python", BASE_PYTHON))
    assert "Python 3.13" in clone.train(PYENV_ROOT=str(tmp_path / "pyenv"), PRETENDED="3.13")[2]
    assert clone.installed == ["venv", "pip requirements-tf220.lock"]


def test_named_python_has_an_environment_of_its_own(clone: Clone):
    clone.train()
    clone.installed  # noqa: B018
    other = clone.add("elsewhere/python", BASE_PYTHON)
    code, _, err = clone.train(RGUNIT_PYTHON=str(other), PRETENDED="3.12", VERSION="3.12")
    assert (code, err.count("\n")) == (0, 1) and ".venv-3.12 with Python 3.12" in err
    assert clone.installed == ["venv", "pip requirements-tf220.lock"]
    assert clone.train()[::2] == (0, "")
    assert clone.train(RGUNIT_PYTHON=str(other), PRETENDED="3.12")[::2] == (0, "")
    assert clone.installed == []


def test_named_python_must_be_a_supported_one(clone: Clone):
    code, _, err = clone.train(RGUNIT_PYTHON="python3.11", PRETENDED="3.14")
    assert (code, err.count("\n")) == (2, 1) and "is Python 3.14; the package runs on 3.10 to 3.13" in err
    code, _, err = clone.train(RGUNIT_PYTHON="python9")
    assert (code, err.count("\n")) == (2, 1) and "RGUNIT_PYTHON=python9 is no Python" in err


@pytest.mark.parametrize("present", [True, False])
def test_no_suitable_python_names_what_to_install(clone: Clone, present: bool):
    if not present:
        (clone.tools / "python3.11").unlink()
    code, out, err = clone.train(UNSUITED="1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Python 3.10 to 3.13" in err
    assert not (clone.folder / ".venv").exists()


def test_ready_environment_costs_next_to_nothing(clone: Clone):
    clone.train()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        clone.train()
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05
