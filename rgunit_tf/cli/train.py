"""Trains the stages of a run, from where it stands: translation, retrieval, guided.

--stage names the last stage to train; the ones it needs and that the workdir does not hold yet come first. At the end
the finished stages are measured and <workdir>/evaluation/report.html is written, as bin/evaluate does it.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from absl import flags as absl_flags
from ml_collections import config_flags

from rgunit_tf.cli import flags, launcher

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

_CONFIG = flags.config()
_WORKDIR = flags.workdir(required=False)
_STAGE = flags.stage()
_REPORT = absl_flags.DEFINE_bool("report", True, "measure the finished stages at the end and write the report")


def main(argv: list[str]) -> None:
    """Claims the workdir for the config, then trains and exports each stage that is missing."""
    del argv
    config = _CONFIG.value
    from absl import logging

    from rgunit_tf import cluster
    from rgunit_tf.runs import exports, finished
    from rgunit_tf.runs.training import configure, train_stage
    from rgunit_tf.runs.workdir import STAGES, Workdir

    name = pathlib.Path(config_flags.get_config_filename(absl_flags.FLAGS["config"])).stem
    workdir = Workdir(_WORKDIR.value or pathlib.Path("runs") / name)
    last = "guided" if _STAGE.value == "all" else _STAGE.value
    configure(config)
    with workdir.lock():
        workdir.claim(config)
        dataset = None
        for stage in STAGES[: STAGES.index(last) + 1]:
            if stage in workdir.finished_stages():
                logging.info("%s: finished before", stage)
            else:
                dataset = dataset or finished.load_dataset(workdir)
                train_stage(workdir, stage, dataset)
            if cluster.is_chief() and not exports.is_current(workdir, stage):
                exports.export_stage(workdir, stage)
        if _REPORT.value and cluster.is_chief():
            _report(workdir)


def _report(workdir: Workdir) -> None:
    """Measures the finished stages, unless the report shows them already; a failure is told and ends nothing."""
    from absl import logging

    try:
        from rgunit_tf.evaluation.report import writing as report

        if report.is_current(workdir):
            return
        from rgunit_tf.evaluation.stage_evaluation import evaluate_workdir

        evaluate_workdir(workdir)
        logging.info("report: %s", report.write_report(workdir))
    except Exception as error:
        # The models are finished and exported: what is wrong with their report must not look like their failure.
        logging.error("no report (%s); try bin/evaluate --workdir=%s", error, workdir.path)


def run() -> None:
    """Entry point of `bin/train` and `rgunit-train`."""
    launcher.run(main)


if __name__ == "__main__":
    run()
