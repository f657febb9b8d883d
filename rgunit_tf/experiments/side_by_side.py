"""Several runs at a time on one machine, each a process of its own on its share of the cores.

Small models leave cores and GPUs idle: two runs on a core each get further than one after the other on both.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
from collections.abc import Sequence

from absl import logging

from rgunit_tf.data.decoding import threads
from rgunit_tf.errors import RunError
from rgunit_tf.experiments.plan import Job
from rgunit_tf.experiments.reproduce import Reproduction

POLL_SECONDS = 0.5


def run_side_by_side(reproduction: Reproduction, command: Sequence[str], count: int) -> None:
    """Trains and evaluates what is missing, each run as soon as the stages that it takes over are finished.

    The shared data and judge must be there (`Reproduction.prepare`). When one run fails, those under way are finished
    and no other is begun.

    Args:
      reproduction: says what is missing.
      command: does one run, given `--only=<its name>`.
      count: runs at a time.

    Raises:
      RunError: a run failed; the message names its log.
    """
    logs = reproduction.output / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    waiting = [job for job in reproduction.jobs if any(reproduction.missing(job))]
    running: dict[subprocess.Popen, pathlib.Path] = {}
    failed: list[str] = []
    environment = {**os.environ, **_share_of_machine(count)}
    try:
        while waiting or running:
            for job in [] if failed else [job for job in waiting if not reproduction.waits_for(job)]:
                if len(running) < count:
                    waiting.remove(job)
                    log = logs / f"{job.experiment.name.replace('/', '_')}.log"
                    running[_start(job, command, log, environment)] = log
            if not running:
                break
            time.sleep(POLL_SECONDS)
            for process in [process for process in running if process.poll() is not None]:
                log = running.pop(process)
                logging.info("%s: %s", log.stem, "failed" if process.returncode else "done")
                if process.returncode:
                    failed.append(f"{log} ends with exit code {process.returncode}")
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    if failed:
        raise RunError("; ".join(failed))
    if waiting:
        raise RunError(f"{waiting[0].experiment.name} cannot start: what it starts from is not finished")


def _start(job: Job, command: Sequence[str], log: pathlib.Path, environment: dict[str, str]) -> subprocess.Popen:
    logging.info("%s: started, log in %s", log.stem, log)
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, f"--only={job.experiment.name}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def _share_of_machine(count: int) -> dict[str, str]:
    """What keeps a process to its share of cores and of a GPU's memory; what the user has set stays."""
    share = str(max(1, threads() // count))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    wanted = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", **dict.fromkeys(names, share)}
    return {name: value for name, value in wanted.items() if name not in os.environ}
