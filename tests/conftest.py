"""What the tests share. TensorFlow's settings are made here, before any test imports it."""

from __future__ import annotations

import gc
import os
import pathlib
import random
import sys
from typing import Any

import numpy as np
import pytest
from absl import logging

import rgunit_tf  # noqa: F401  (chooses Keras 2 and oneDNN before a test imports TensorFlow)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Several test processes share one GPU where there is one.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

pytest_plugins = ("tests.small_models", "tests.drawn_faces", "tests.small_exports")

# Tracing a step makes a million objects that stay: to look for garbage among them as often as Python does by itself
# takes a fifth of the time of the tests.
gc.set_threshold(50_000, 20, 20)

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOAK = ROOT / "tests" / "soak"
TOGETHER = ("tests/serving/", "tests/evaluation/", "tests/integration/")
"""Folders whose files share what takes long to make, exports, a classifier, a run: one process runs all of a folder."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the long tests unless their marker was named; the longest parts come first.

    So no process is left alone with one of them at the end.
    """
    for item in items:
        if SOAK in item.path.parents:
            item.add_marker(pytest.mark.soak)
    if "soak" not in (config.option.markexpr or ""):
        long = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.nodeid.startswith(TOGETHER), item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of --dist=loadfile, with the folders that stay together."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same seeds, in whichever order tests run."""
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture(autouse=True)
def told() -> None:
    """Every test starts with warnings logged, whatever verbosity a command that ran before it was given."""
    logging.set_verbosity(logging.WARNING)


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def schema():
    """Three hair colours, of which one at most holds, and two free attributes."""
    from rgunit_tf.domains import AttributeSchema

    names = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    return AttributeSchema(names, groups=(names[:3],))


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """Folder of the real photographs beside the repository; the test is skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data")
    return folder
