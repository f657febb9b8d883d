"""What is installed is what the repository holds."""

import configparser
import importlib
import os
import re

import pytest

import rgunit_tf


@pytest.fixture(scope="module")
def setup(root):
    parser = configparser.ConfigParser()
    parser.read(root / "setup.cfg")
    return parser


def listed(setup, section: str, option: str) -> list[str]:
    return [line for line in setup[section][option].splitlines() if line and not line.startswith("#")]


def locked(root, name: str) -> dict[str, str]:
    """Package -> version of a lock file."""
    pattern = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+) \\$", re.MULTILINE)
    return {package.lower(): version for package, version in pattern.findall((root / name).read_text())}


def test_every_package_of_the_repository_is_listed(setup, root):
    found = {
        ".".join(folder.relative_to(root).parts)
        for folder in [root / "rgunit_tf", *(root / "rgunit_tf").rglob("*")]
        if folder.is_dir() and any(folder.glob("*.py"))
    }
    assert found | {"rgunit_tf.configs"} == set(listed(setup, "options", "packages"))


def test_files_that_are_no_code_are_installed(root, monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.chdir(root)
    distribution = setuptools.Distribution()
    distribution.parse_config_files(["setup.cfg"])
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    installed = {f"{source}/{name}" for _, source, _, names in build.data_files for name in names}
    assert {"rgunit_tf/evaluation/report/style.css", "rgunit_tf/demo/static/demo.css"} <= installed


def test_every_command_has_an_entry_point_and_a_launcher(setup, root):
    entries = dict(line.split(" = ") for line in listed(setup, "options.entry_points", "console_scripts"))
    scripts = {path.name for path in (root / "bin").iterdir() if not path.name.startswith(".")} - {"test"}
    assert {name.removeprefix("rgunit-") for name in entries} == scripts
    for name, target in entries.items():
        module, function = target.split(":")
        assert name == "rgunit-" + module.rpartition(".")[2]
        assert callable(getattr(importlib.import_module(module), function))
        assert os.access(root / "bin" / name.removeprefix("rgunit-"), os.X_OK)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-cuda.lock"])
def test_lock_holds_every_requirement_at_an_allowed_version(setup, root, name):
    packaging_requirements = pytest.importorskip("packaging.requirements")
    versions = locked(root, name)
    extras = ["avatars", "demo", "imagenet", "test", *(["gpu"] if "cuda" in name else [])]
    wanted = listed(setup, "options", "install_requires")
    wanted += [line for extra in extras for line in listed(setup, "options.extras_require", extra)]
    for line in wanted:
        requirement = packaging_requirements.Requirement(line)
        assert requirement.specifier.contains(versions[requirement.name.lower()]), line


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-cuda.lock"])
def test_lock_is_hashed_and_names_no_host(root, name):
    text = (root / name).read_text()
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host", text.split("setup.cfg\n#\n")[1])
    for entry in re.split(r"\n(?=[\w.-]+(?:\[[\w,-]+\])?==)", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_two_locks_agree(root):
    base, cuda = locked(root, "requirements.lock"), locked(root, "requirements-cuda.lock")
    assert len(base) > 50
    assert base.items() <= cuda.items()
    assert all(name.startswith("nvidia-") for name in cuda.keys() - base.keys())


def test_version_is_a_plain_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+", rgunit_tf.__version__)
