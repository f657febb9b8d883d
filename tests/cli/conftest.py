"""A stand-in for a trained model and pictures for it, shared by the tests of the commands that use one."""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def stand_in():
    """The module with `NumpyNetworks` and `write_export`; the tests' folders are no packages."""
    file = pathlib.Path(__file__).resolve().parents[1] / "inference" / "conftest.py"
    spec = importlib.util.spec_from_file_location("inference_conftest", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def export_folder(stand_in, schema, tmp_path) -> pathlib.Path:
    """The folder of an export of a guided model, without the model."""
    return stand_in.write_export(
        tmp_path / "export" / "1", schema, stage="guided", neighbors=2, gallery={"size": 12, "index": "exact"}
    )


@pytest.fixture
def photos(tmp_path) -> pathlib.Path:
    """Six pictures, one of them broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        image = Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8))
        image.save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def call(monkeypatch, capsys, stand_in):
    """Runs a command in this process on the stand-in; returns its exit code, stdout and stderr."""
    from rgunit_tf.cli import launcher
    from rgunit_tf.inference import Model
    from rgunit_tf.inference import model as model_module

    loaded = []

    def load(description):
        loaded.append(description)
        return Model(description, stand_in.NumpyNetworks(description.schema))

    monkeypatch.setattr(model_module, "load", load)

    def call(command, *arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = launcher.call(command.main, command.FLAGS, [command.__name__, *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    call.loaded = loaded
    return call
