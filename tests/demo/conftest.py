"""A page on the numpy stand-in for a guided model, and pictures for it."""

from __future__ import annotations

import importlib.util
import io
import pathlib
import threading

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
def make_model(stand_in, schema, tmp_path):
    """Makes a model that says it is a run's guided stage, or an export, with what else is given."""
    import dataclasses

    from rgunit_tf.inference import Model, describe

    def make(**changes):
        folder = tmp_path / "export" / "1"
        if not folder.exists():
            stand_in.write_export(folder, schema, stage="guided", neighbors=2, gallery={"size": 12, "index": "exact"})
        description = dataclasses.replace(describe(folder), **{"kind": "workdir", **changes})
        return Model(description, stand_in.NumpyNetworks(description.schema))

    return make


@pytest.fixture
def picture():
    """Makes the file of a picture, of noise."""

    def make(width: int = 30, height: int = 20, kind: str = "PNG", seed: int = 0) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format=kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def studio(make_model, picture):
    """A model with two examples and one that cannot be read."""
    from rgunit_tf.demo.examples import Examples
    from rgunit_tf.demo.studio import Studio

    examples = [("set/one.png", picture(seed=1)), ("broken.png", b"no picture"), ("two.png", picture(seed=2))]
    return Studio(make_model(), Examples(examples, "pictures of noise"))


@pytest.fixture
def client(studio):
    """A client of the page's application."""
    from rgunit_tf.demo.app import create_app

    return create_app(studio, ["localhost"]).test_client()


@pytest.fixture
def address(studio):
    """The address of a server of the page."""
    from rgunit_tf.demo import app, server

    with server.bind("127.0.0.1", 0) as bound:
        served = server.make(app.create_app(studio, server.LOCAL_NAMES), bound)
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.url(bound)
        served.shutdown()
        thread.join()
