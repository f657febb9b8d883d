"""Which part of evaluation/ knows which, read from its import statements, those for types too."""

import ast
import pathlib

import pytest

PACKAGE = "rgunit_tf.evaluation"
# Folder -> the folders whose files it may import beside its own.
MAY_IMPORT = {
    "metrics": set(),
    "outputs": set(),
    "judge": {"metrics"},
    "figures": {"metrics", "outputs", "judge"},
    "report": {"metrics", "judge", "figures"},
}


@pytest.fixture(scope="module")
def imports(root) -> dict[str, set[str]]:
    """File of evaluation/ (`judge.imagenet`) -> the files of evaluation/ that it imports."""
    folder = root / "rgunit_tf" / "evaluation"
    files = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    return {name: set(_imported(path)) & set(files) for name, path in files.items() if not name.endswith("__init__")}


def _imported(path: pathlib.Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            module = node.module.removeprefix(PACKAGE).lstrip(".")
            yield module
            yield from (".".join(filter(None, (module, alias.name))) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(f"{PACKAGE}.") for alias in node.names)


def test_every_folder_is_named(root):
    folders = {path.name for path in (root / "rgunit_tf/evaluation").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(MAY_IMPORT)


def test_folders_import_what_lies_below_them(imports):
    assert len(imports) > 30 and any(imports.values())
    for name, found in imports.items():
        folder, dot, _ = name.partition(".")
        if dot:
            allowed = {folder, *MAY_IMPORT[folder]}
            assert {other.partition(".")[0] for other in found} <= allowed, name
