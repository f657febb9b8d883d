"""Long tests of one process, with the fixtures of tests/serving. They run where they are asked for: `-m soak`."""

from __future__ import annotations

import importlib.util
import pathlib

HERE = pathlib.Path(__file__).resolve().parent

_spec = importlib.util.spec_from_file_location("serving_fixtures", HERE.parent / "serving" / "conftest.py")
_serving = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_serving)
stages, exports, cc_server, fuzzed = _serving.stages, _serving.exports, _serving.cc_server, _serving.fuzzed
images, attributes = _serving.images, _serving.attributes
