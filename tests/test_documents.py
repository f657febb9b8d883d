"""The documents say what is true of the repository: links lead somewhere, commands and names that are shown exist."""

import ast
import configparser
import json
import pathlib
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from rgunit_tf.config import SETTINGS
from tests import documents

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = documents.find(ROOT)
LARGEST = {"README.md": 8000, "CONTRIBUTING.md": 9000}
PLACEHOLDERS = {"--config.group.name=value", "group.name=value"}

# Parses command lines as a command does, up to the place where its work begins. Alone in a process, so that it knows
# its own flags only.
PARSE = """
import contextlib, importlib, io, json, sys
module = importlib.import_module("rgunit_tf.cli." + sys.argv[1])
def reached(*arguments, **named):
    return 0
reached.__module__ = module.__name__
module.main = reached
said = []
for line in json.load(sys.stdin):
    sys.argv[1:] = line
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.suppress(SystemExit):
        module.run()
    said.append(errors.getvalue())
print(json.dumps(said))
"""


def name(document) -> str:
    return str(document.path.relative_to(ROOT))


def parse(command: str, lines: list[list[str]]) -> list[str]:
    """What a command says of each line of arguments; nothing where it would begin its work."""
    result = subprocess.run(
        [sys.executable, "-c", PARSE, command], cwd=ROOT, input=json.dumps(lines), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def complaints(commands: list[tuple[str, tuple[str, ...]]]) -> list[str]:
    """What is wrong with commands, each with the document that shows it."""
    found = []
    for command in sorted({command for _, (command, *_) in commands}):
        shown = [(document, list(rest)) for document, (name, *rest) in commands if name == command]
        if command == "test":
            said = [unknown_tests(line) for _, line in shown]
        elif not (ROOT / "bin" / command).is_file():
            said = ["no such command"] * len(shown)
        else:
            said = parse(command, [line for _, line in shown])
        if command == "bench":
            from rgunit_tf.cli.bench import WHAT

            said = [
                text or ("" if line and line[0] in WHAT else "no such benchmark")
                for text, (_, line) in zip(said, shown, strict=True)
            ]
        found += [
            f"{document}: {command} {' '.join(line)}: {text}"
            for (document, line), text in zip(shown, said, strict=True)
            if text
        ]
    return found


def unknown_tests(line: list[str]) -> str:
    """What pytest could not find of the arguments of bin/test."""
    if "-m" in line:
        marker = line.index("-m")
        if f'"{line[marker + 1].removeprefix("not ")}: ' not in (ROOT / "pyproject.toml").read_text():
            return f"no marker {line[marker + 1]}"
        line = line[:marker] + line[marker + 2 :]
    missing = [word for word in line if not word.startswith("-") and not (ROOT / word).exists()]
    return f"no {missing[0]}" if missing else ""


def test_there_are_documents_for_every_reader():
    assert {"README.md", "CONTRIBUTING.md", *(f"rgunit_tf/{part}README.md" for part in ("", "serving/", "runs/"))} <= {
        name(document) for document in DOCUMENTS
    }


@pytest.mark.parametrize("document", LARGEST)
def test_what_everybody_reads_is_short(document):
    assert (ROOT / document).stat().st_size <= LARGEST[document]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    for link in document.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        assert target.exists() and target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in documents.Document(target).anchors, link


def test_documents_of_the_packages_are_in_the_wheel_and_lead_to_nothing_outside():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for document in DOCUMENTS:
        folder = document.path.parent
        if not folder.is_relative_to(ROOT / "rgunit_tf"):
            continue
        package = ".".join(folder.relative_to(ROOT).parts)
        assert document.path.name in setup["options.package_data"].get(package, "").split(), name(document)
        for link in document.links:
            assert (folder / link.partition("#")[0]).resolve().is_relative_to(ROOT / "rgunit_tf"), link


def test_what_pypi_shows_has_no_links_to_files():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    kind, _, file = setup["metadata"]["long_description"].partition(": ")
    assert kind == "file" and not documents.Document(ROOT / file).links


def test_every_command_that_is_shown_would_begin_its_work():
    shown = [(name(document), command) for document in DOCUMENTS for command in document.commands]
    assert {command for _, (command, *_) in shown} >= {"train", "evaluate", "translate", "retrieve", "export", "bench"}
    assert not complaints(shown)


def test_commands_named_in_the_text():
    from rgunit_tf.cli.bench import WHAT

    spans = [(name(document), span) for document in DOCUMENTS for span in document.spans]
    commands = [(document, command) for document, span in spans for command in documents.commands_in(span)]
    assert all((ROOT / "bin" / command[0]).is_file() for _, command in commands)
    shown = [(document, command) for document, command in commands if len(command) > 1]
    shown += [(document, ("bench", *span.split())) for document, span in spans if span.split()[0] in WHAT]
    # Of the rest of a line that the text leaves out nothing is asked.
    assert not [line for line in complaints(shown) if "is missing; give" not in line]


def test_flags_named_in_the_text():
    spans = {(name(document), span) for document in DOCUMENTS for span in document.spans if span.startswith("--")}
    spans = {(document, span) for document, span in spans if span not in PLACEHOLDERS and span != "--help"}
    assert len(spans) > 10
    commands = [file.name for file in (ROOT / "bin").iterdir() if file.name != "test" and not file.name.startswith(".")]
    lines = [documents.arguments(span) for _, span in sorted(spans)]
    said = [parse(command, lines) for command in commands]
    for (document, span), answers in zip(sorted(spans), zip(*said, strict=True), strict=True):
        known = [answer for answer in answers if not answer or "is missing" in answer]
        # A flag without its value stands for the flag.
        known += [answer for answer in answers if "=" not in span and "nknown command line flag" not in answer]
        assert known, f"{document}: {span}: {answers}"


def test_settings_named_in_the_text():
    lines, places = [], []
    for document in DOCUMENTS:
        for span in document.spans:
            match = re.fullmatch(r"(\w+)\.(\w+)(?:=(\S+))?", span)
            if not match or span in PLACEHOLDERS or match.group(1) not in SETTINGS or match.group(2) == "py":
                continue
            group, setting, values = match.groups()
            assert setting in SETTINGS[group], f"{name(document)}: {span}"
            for value in (values or "").split("|") if values else ():
                lines.append([f"--config.{group}.{setting}={value}"])
                places.append(f"{name(document)}: {span}")
    assert lines
    assert not [(place, said) for place, said in zip(places, parse("train", lines), strict=True) if said]


def test_a_command_that_is_wrong_is_noticed():
    wrong = ["bin/train --stage=guidde", "bin/train --config.loss.cylce=3", "bin/train --config.loss.cycle=much"]
    wrong += ["bin/train --top=3", "bin/export", "bin/train --config=configs/none.py", "bin/bench walk", "bin/tran x"]
    wrong += ["bin/test -m soke", "bin/test tests/none", "bin/train --config.data.image_size=30 | cat"]
    commands = [("here", command) for line in wrong for command in documents.commands_in(line)]
    assert len(commands) == len(wrong) == len(complaints(commands))
    assert documents.commands_in("x='bin/train --stage=all' # bin/test") == [("train", "--stage=all"), ("test",)]
    assert documents.commands_in("A=b bin/train \\\n    --stage=all  # all") == [("train", "--stage=all")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_and_what_is_in_them(document):
    for span in document.spans:
        if re.fullmatch(r"[\w./-]+\.(py|md|cfg|toml|lock)", span):
            assert any((base / span).is_file() for base in (ROOT, ROOT / "rgunit_tf")), span
    for file, inside in re.findall(r"`([\w/]+\.py)`\s+\(`(\w+)`\)", document.prose):
        assert re.search(rf"(def|class) {inside}\b", (ROOT / "rgunit_tf" / file).read_text()), (file, inside)


def test_the_picture_of_the_architecture_has_every_package():
    (picture,) = (block for block in documents.Document(ROOT / "CONTRIBUTING.md").blocks if "cli/" in block)
    packages = {file.parent.name for file in (ROOT / "rgunit_tf").glob("*/__init__.py")}
    modules = {file.name for file in (ROOT / "rgunit_tf").glob("*.py")} - {"__init__.py"}
    assert packages <= set(re.findall(r"(\w+)/", picture))
    assert modules == set(re.findall(r"\w+\.py", picture))


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if document.snippets], ids=name)
def test_names_in_python_exist(document):
    import rgunit_tf

    for snippet in document.snippets:
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("rg."):
                found = rgunit_tf
                for part in ast.unparse(node).split(".")[1:]:
                    assert hasattr(found, part), ast.unparse(node)
                    found = getattr(found, part)


@pytest.mark.slow
def test_the_scripts_do_what_they_say(tmp_path, monkeypatch):
    """All but the training itself, on small models."""
    import tensorflow as tf

    import rgunit_tf
    from rgunit_tf.data.avatars import draw_dataset
    from rgunit_tf.stages.stage import Stage

    small = {"width": 4, "residual_blocks": 1, "style_dim": 2, "mlp_width": 8, "discriminator_width": 4}
    drawn = draw_dataset(tmp_path / "set", 80, seed=1, workers=1)
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    class Small(types.ModuleType):
        data = types.SimpleNamespace(load=lambda source, root, image_size: rgunit_tf.data.load(source, drawn, 16))

        def TranslationModel(self, schema, image_size):
            return rgunit_tf.TranslationModel(schema, 16, discriminator_layers=2, **small)

        def RetrievalModel(self, translation):
            return rgunit_tf.RetrievalModel(translation, embedding_dim=8, hidden=16)

        def __getattr__(self, name):
            return getattr(rgunit_tf, name)

    fitted = []

    def fit(model, batches, epochs):
        assert model.optimizers and batches.element_spec["image"].shape[1:] == (16, 16, 3)
        fitted.append(model.name)

    monkeypatch.setattr(Stage, "fit", fit)
    monkeypatch.setitem(sys.modules, "rgunit_tf", Small("rgunit_tf"))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    names = {"images": images, "ids": ["one", "two"]}
    (script,) = documents.Document(ROOT / "README.md").snippets
    exec(script, names)
    assert fitted == ["translation", "retrieval", "guided"]
    assert names["pictures"].dtype == np.uint8 and names["pictures"].shape == (3, 2, 16, 16, 3)
    assert "translate_files" in tf.saved_model.load("export/1").signatures

    size = names["gallery"].size
    (script,) = (text for text in documents.Document(ROOT / "rgunit_tf/serving/README.md").snippets if "rg." in text)
    exec(script, names)
    assert names["gallery"].size == size and (tmp_path / "gallery/manifest.json").is_file()
