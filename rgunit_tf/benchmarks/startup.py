"""Seconds until something happens: the import, the help text, the first training step of the default config."""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from rgunit_tf.benchmarks.timing import Recorder, interleaved, matmul_peak
from rgunit_tf.errors import UserError


def startup(config: str = "avatars", repeats: int = 5) -> Iterator[dict[str, Any]]:
    """Records of processes of their own, started one after the other.

    Args:
      config: whose first training step is waited for; its data are drawn or read before the clock starts.
      repeats: starts of each kind.

    Yields:
      import_tensorflow, import_rgunit_tf (with all public names, beyond TensorFlow), train_help, and first_step: from
      the command to the end of the first training step.
    """
    calls = {
        "import_tensorflow": lambda: _python("-c", "import tensorflow"),
        "import_both": lambda: _python(
            "-c", "import tensorflow, rgunit_tf as rg; [getattr(rg, n) for n in rg.__all__]"
        ),
        "train_help": lambda: _python("-m", "rgunit_tf.cli.train", "--help"),
    }
    seconds = interleaved(calls, repeats, warm_up=1)
    _first_step(config)
    first = statistics.median(_first_step(config) for _ in range(max(1, repeats // 2)))
    recorder = Recorder({"config": config, "repeats": repeats}, matmul_peak())
    yield recorder.record("import_tensorflow", seconds["import_tensorflow"], "s")
    yield recorder.record("import_rgunit_tf", seconds["import_both"] - seconds["import_tensorflow"], "s")
    yield recorder.record("train_help", seconds["train_help"], "s")
    yield recorder.record("first_step", first, "s")


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def _first_step(config: str) -> float:
    """Seconds from the start of the command until the first step is in its history."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rgunit_tf.cli.train", "--stage=translation", f"--config={config}"]
        command += [f"--workdir={folder}/run", "--config.train.log_every=1", "--config.train.checkpoint_every=1000000"]
        history = pathlib.Path(folder) / "run/translation/history.csv"
        log = pathlib.Path(folder) / "log"
        started = time.perf_counter()
        with open(log, "wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ)
        try:
            while not history.exists() or not history.stat().st_size:
                if process.poll() is not None:
                    last = log.read_text(errors="replace").strip().splitlines()[-1:]
                    raise UserError(f"--config={config}: the training ended before its first step ({' '.join(last)})")
                time.sleep(0.01)
            return time.perf_counter() - started
        finally:
            process.kill()
            process.wait()
