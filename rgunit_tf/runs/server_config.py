"""What TensorFlow Serving is started with: which models there are, and how it batches requests.

    docker run -v $PWD/runs/avatars:/models:ro -p 8500:8500 -p 8501:8501 tensorflow/serving:2.15.1 \
        --model_config_file=/models/serving/models.config
"""

from __future__ import annotations

import json
import os

from rgunit_tf import atomic
from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError
from rgunit_tf.runs.workdir import Workdir

MODELS_ROOT = "/models"
"""Where the server sees the workdir, unless said otherwise."""

MAX_BATCH = 32
"""Rows that a batching server computes at a time; a request may not have more."""

_BATCHING = f"""\
# For --enable_batching --batching_parameters_file=<this file>.
max_batch_size {{ value: {MAX_BATCH} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 64 }}
"""


def write(workdir: Workdir, models_root: str = MODELS_ROOT) -> None:
    """Writes `serving/models.config`, with every stage that is exported, and `serving/batching.config` of a workdir.

    Args:
      workdir: with its exports.
      models_root: absolute path at which the server sees the workdir.

    Raises:
      UserError: a root that is not absolute.
    """
    if not models_root.startswith("/"):
        raise UserError(f"--models_root={models_root} must be absolute: a server does not start in the workdir")
    exported = [stage for stage in STAGES if any(workdir.stage(stage).glob("export/[0-9]*"))]
    folder = workdir.path / "serving"
    for name, text in (("models.config", _models(exported, models_root)), ("batching.config", _BATCHING)):
        with atomic.path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _models(stages: list[str], models_root: str) -> str:
    """A `ModelServerConfig` in text format; JSON's strings are valid there."""
    entries = "".join(
        f"""  config {{
    name: "{stage}"
    base_path: {json.dumps(os.path.join(models_root, stage, "export"), ensure_ascii=False)}
    model_platform: "tensorflow"
  }}
"""
        for stage in stages
    )
    return f"model_config_list {{\n{entries}}}\n"
