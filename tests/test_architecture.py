"""Which way imports go, read from the source: those of types and those inside of functions too."""

import ast
import graphlib
import pathlib

import pytest

BASE = {
    "atomic",
    "cache",
    "cluster",
    "config",
    "domains",
    "errors",
    "grid",
    "lazy",
    "legacy_keras",
    "names",
    "pixels",
    "progress",
    "protobuf",
    "setting",
    "typed",
}
"""Modules at the top that everybody may import."""

MAY_IMPORT = {
    "": BASE | {"bundled", "data", "evaluation", "inference", "losses", "models", "retrieval", "serving", "stages"},
    "faces": BASE,
    "data": BASE | {"faces"},
    "models": BASE | {"pretrained"},
    "pretrained": BASE,
    "losses": BASE | {"models"},
    "distribution": BASE,
    "retrieval": BASE | {"data"},
    "serving": BASE | {"data", "models", "retrieval"},
    "stages": BASE | {"losses", "models", "retrieval", "serving"},
    "runs": BASE | {"", "data", "distribution", "models", "retrieval", "serving", "stages"},
    "evaluation": BASE | {"", "data", "pretrained", "retrieval", "runs", "stages"},
    "inference": BASE | {"bundled", "data", "faces", "models", "retrieval", "runs"},
    "bundled": BASE | {"evaluation", "retrieval", "runs"},
    "pipelines": BASE | {"data", "retrieval", "runs"},
    "demo": BASE | {"data", "inference", "runs"},
    "experiments": BASE | {"data", "evaluation", "retrieval", "runs", "stages"},
    "benchmarks": BASE
    | {"data", "distribution", "evaluation", "inference", "losses", "models", "retrieval", "runs", "serving", "stages"},
    "cli": BASE
    | {"benchmarks", "bundled", "data", "demo", "evaluation", "experiments", "faces", "inference", "pipelines", "runs"},
}
"""What each package may import, by their names below `rgunit_tf`; "" is `rgunit_tf` itself (its version)."""

MOST_FILES, MOST_LINES = 20, 300


@pytest.fixture(scope="module")
def imports(root) -> dict[str, set[str]]:
    """By module, the modules of the package that it imports."""
    files = sorted((root / "rgunit_tf").rglob("*.py"))
    names = {_name(file.relative_to(root)): file for file in files}
    return {name: _imported(file, names) - {name} for name, file in names.items()}


def _name(file: pathlib.Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def _imported(file: pathlib.Path, known: dict[str, pathlib.Path]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are written out"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module or "")
    return {name for name in found if name in known}


def _package(module: str) -> str:
    return ([*module.split("."), ""])[1]


def test_no_import_goes_up(imports):
    wrong = [
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in others
        if _package(other) not in MAY_IMPORT.get(_package(module), BASE) | {_package(module)}
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_is_part_of_a_circle(imports):
    graphlib.TopologicalSorter(imports).prepare()


def test_packages_are_no_circle_either():
    direction = {name: others - BASE - {"", name} for name, others in MAY_IMPORT.items() if name}
    graphlib.TopologicalSorter(direction).prepare()


def test_a_room_can_be_overlooked(root):
    for folder in {file.parent for file in (root / "rgunit_tf").rglob("*.py")}:
        count = sum(file.is_file() for file in folder.iterdir())
        assert count <= MOST_FILES, f"{folder.relative_to(root)} has {count} files"
    for file in (root / "rgunit_tf").rglob("*.py"):
        lines = file.read_text(encoding="utf-8").count("\n")
        assert lines <= MOST_LINES or file.name == "config.py", f"{file.relative_to(root)} has {lines} lines"
