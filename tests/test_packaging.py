"""What is installed is what the repository holds."""

import configparser
import importlib
import os
import re

import pytest

import rgunit_tf

LOCKS = {
    "requirements.lock": "3.10",
    "requirements-cuda.lock": "3.10",
    "requirements-tf220.lock": "3.12",
    "requirements-tf220-cuda.lock": "3.12",
}
"""With the oldest Python of their lane, for which they were made."""


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


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_every_requirement_at_an_allowed_version(setup, root, name):
    packaging_requirements = pytest.importorskip("packaging.requirements")
    versions = locked(root, name)
    extras = ["avatars", "demo", "imagenet", "test", *(["gpu"] if "cuda" in name else [])]
    wanted = listed(setup, "options", "install_requires")
    wanted += [line for extra in extras for line in listed(setup, "options.extras_require", extra)]
    for line in wanted:
        requirement = packaging_requirements.Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"python_version": LOCKS[name]}):
            continue
        assert requirement.specifier.contains(versions[requirement.name.lower()]), line


@pytest.mark.parametrize("name", LOCKS)
def test_lock_is_hashed_and_names_no_host(root, name):
    text = (root / name).read_text()
    assert f"uv pip compile --python-version {LOCKS[name]} --generate-hashes" in text
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host", text)
    for entry in re.split(r"\n(?=[\w.-]+(?:\[[\w,-]+\])?==)", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("lane", ["requirements", "requirements-tf220"])
def test_the_two_locks_of_a_lane_agree(root, lane):
    base, cuda = locked(root, f"{lane}.lock"), locked(root, f"{lane}-cuda.lock")
    assert len(base) > 50
    assert base.items() <= cuda.items()
    assert all(name.startswith("nvidia-") for name in cuda.keys() - base.keys())


def test_every_supported_python_has_one_lane(setup, root):
    packaging = pytest.importorskip("packaging.requirements")
    specifiers = pytest.importorskip("packaging.specifiers")
    supported = specifiers.SpecifierSet(setup["options"]["python_requires"])
    versions = [f"3.{minor}" for minor in range(8, 16) if supported.contains(f"3.{minor}")]
    assert versions == ["3.10", "3.11", "3.12", "3.13"]
    assert versions == [line.split()[-1] for line in listed(setup, "metadata", "classifiers") if "Python :: 3." in line]
    text = (root / "bin/.pythons").read_text()
    assert sorted(re.findall(r"3\.\d+", " ".join(re.findall(r'lane_\d+="([^"]+)"', text)))) == versions
    for version in versions:
        installed = [packaging.Requirement(line) for line in listed(setup, "options", "install_requires")]
        names = [
            each.name for each in installed if not each.marker or each.marker.evaluate({"python_version": version})
        ]
        assert names.count("tensorflow") == names.count("scann") == names.count("numpy") == 1
        assert ("tf-keras" in names) == (version in ("3.12", "3.13"))


def test_version_is_a_plain_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+", rgunit_tf.__version__)
