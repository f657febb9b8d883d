"""What the TF_CONFIG environment variable says about this process; several workers train one run together."""

from __future__ import annotations

import json
import os
from typing import Any

from rgunit_tf.errors import UserError


def _config() -> dict[str, Any]:
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
        workers = [host for job in ("chief", "worker") for host in config.get("cluster", {}).get(job, [])]
        task = config.get("task", {})
        if text != "{}" and not (workers and task["type"] in config["cluster"] and int(task["index"]) >= 0):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"TF_CONFIG={text!r} is not what TensorFlow expects; give "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from None
    return config


def workers() -> int:
    """How many processes train together; 1 without TF_CONFIG."""
    cluster = _config().get("cluster", {})
    return max(1, sum(len(cluster.get(job, [])) for job in ("chief", "worker")))


def is_chief() -> bool:
    """Whether this is the process that writes: the only one, the chief, or worker 0 of a cluster without a chief."""
    config = _config()
    if not config:
        return True
    task = config["task"]
    return task["type"] == "chief" or ("chief" not in config["cluster"] and int(task["index"]) == 0)
