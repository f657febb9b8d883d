"""Trains the stages of a run, from where it stands: translation, retrieval, guided.

--stage names the last stage to train; the ones it needs and that the workdir does not hold yet come first. At the end
the finished stages are measured and <workdir>/evaluation/report.html is written, as bin/evaluate does it.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.config import STAGES

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

FLAGS = Flags()
_CONFIG = FLAGS.config()
_WORKDIR = FLAGS.workdir(required=False)
_STAGE = FLAGS.stage()
_REPORT = flags.DEFINE_bool(
    "report", True, "measure the finished stages at the end and write the report", flag_values=FLAGS.values
)


def main(argv: list[str]) -> None:
    """Claims the workdir for the config, then trains and exports each stage that is missing."""
    del argv
    config = _CONFIG.value
    from absl import logging

    from rgunit_tf import cluster
    from rgunit_tf.runs import exports, finished
    from rgunit_tf.runs.training import configure, train_stage
    from rgunit_tf.runs.workdir import Workdir

    name = FLAGS.config_name()
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
                if dataset is None:
                    dataset = finished.load_dataset(workdir)
                    print(dataset.summary, flush=True)
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
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
