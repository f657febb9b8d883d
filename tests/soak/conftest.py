"""Long tests of one process, with the fixtures of tests/serving. They run where they are asked for: `-m soak`."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent

_spec = importlib.util.spec_from_file_location("serving_fixtures", HERE.parent / "serving" / "conftest.py")
_serving = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_serving)
stages, exports, cc_server, fuzzed = _serving.stages, _serving.exports, _serving.cc_server, _serving.fuzzed
images, attributes = _serving.images, _serving.attributes


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what lies here, and leaves it out unless the marker was named."""
    long = [item for item in items if HERE in item.path.parents]
    for item in long:
        item.add_marker(pytest.mark.soak)
    if "soak" not in (config.option.markexpr or ""):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
