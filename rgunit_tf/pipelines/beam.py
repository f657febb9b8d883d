"""Jobs as an Apache Beam pipeline, in the place of `worker_pool`'s processes.

An element of the pipeline is the path of a job's file; a worker reads it, does the job, and leaves the answer in a file
beside it. So nothing large goes through Beam, and any runner will do whose workers have this package and see the
folders under the same paths: a file system that they share. What a job does twice, as runners may, it does once: jobs
leave whole files or none, and find those that are there.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.util
import io
import json
import os
import pathlib
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rgunit_tf import atomic
from rgunit_tf.data.worker_pool import Spread, attempt, outcome
from rgunit_tf.errors import RunError, UserError


def spreader(runner: str, options: str | None, folder: str | os.PathLike) -> Spread | None:
    """What does the jobs, as flags say it; None: processes of this machine.

    Args:
      runner: `pool` or `beam`.
      options: for `beam`, in one text as on a command line.
      folder: for `beam`, where jobs and answers lie meanwhile.

    Raises:
      UserError: options without Beam, or that it does not know; or it is not installed.
    """
    if runner == "pool":
        if options:
            raise UserError(f"--beam_options={options} goes with --runner=beam; give that too")
        return None
    _pipeline_options(options or "")
    return functools.partial(spread, options=options or "", folder=folder)


def spread(
    perform: Callable[[Any], bytes], jobs: Sequence[Any], options: str, folder: str | os.PathLike
) -> Iterator[bytes]:
    """Yields `perform(job)` of each job, in their order, once the pipeline has done them all; see `worker_pool.spread`.

    Args:
      perform: a function of a module that workers can import.
      jobs: what JSON can hold.
      options: of the pipeline, as on a command line: `--runner=FlinkRunner --flink_master=host:8081`; DirectRunner,
        in this process, where none is named.
      folder: for jobs and answers; made, and removed at the end.

    Raises:
      OSError, UserError, RuntimeError: as `worker_pool.spread`.
      RunError: the runner failed.
    """
    beam, pipeline_options = _beam(), _pipeline_options(options)
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = []
    for number, job in enumerate(jobs):
        paths.append(os.path.abspath(folder / f"{number}.json"))
        pathlib.Path(paths[-1]).write_text(json.dumps(job), encoding="utf-8")
    try:
        with beam.Pipeline(options=pipeline_options) as pipeline:
            # Reshuffle: without, a runner may give all jobs to one worker.
            _ = pipeline | "Jobs" >> beam.Create(paths) | beam.Reshuffle() | "Do" >> beam.Map(_do, perform)
    except Exception as error:
        said = " ".join(str(error).split())[:500]
        raise RunError(f"--runner=beam: the pipeline failed ({said}); what is finished is kept") from error
    try:
        for path in paths:
            yield outcome(io.BytesIO(pathlib.Path(f"{path}.answer").read_bytes()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _do(path: str, perform: Callable[[Any], bytes]) -> None:
    """A job, on a worker. Errors are answers too: no runner need try four times to read a file that is not there."""
    answer = attempt(perform, json.loads(pathlib.Path(path).read_text(encoding="utf-8")))
    with atomic.path(f"{path}.answer") as temporary:
        temporary.write_bytes(answer)


def _beam() -> Any:
    if importlib.util.find_spec("apache_beam") is None:
        raise UserError("--runner=beam needs the extra `beam`: pip install 'rgunit_tf[beam]'; or use --runner=pool")
    import apache_beam

    return apache_beam


def _pipeline_options(options: str) -> Any:
    _beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    try:
        words = shlex.split(options)
    except ValueError as error:
        raise UserError(f"--beam_options={options}: {error}; write it as on a command line") from None
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            known = {f"--{name}" for name in PipelineOptions(words).get_all_options()}
    except SystemExit:
        reason = said.getvalue().strip().rpartition("\n")[2].partition("error: ")[2]
        raise UserError(f"--beam_options={options}: {reason}") from None
    for word in words:
        # Runners know options of their own, but what is nearly one of Beam's is meant to be that.
        name = word.partition("=")[0]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if name.startswith("--") and near and near[0] != name and not name.startswith("--no"):
            raise UserError(f"--beam_options: Apache Beam has no option {name}; did you mean {near[0]}?")
    return PipelineOptions(words)
