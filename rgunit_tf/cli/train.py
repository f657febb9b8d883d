"""Trains the stages of a run, from where it stands: translation, retrieval, guided.

--stage names the last stage to train; the ones it needs and that the workdir does not hold yet come first. At the end
the finished stages are measured and <workdir>/evaluation/report.html is written, as bin/evaluate does it.

The same command goes on where it was ended. More steps of the last finished stage train it on from there; with them its
batch size and learning rates may change, as all settings of a stage may before it begins. data.root may move.
--init_from=<another run> starts from that run's weights, on other data.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.config import STAGES
from rgunit_tf.typed import as_typed

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

FLAGS = Flags()
_CONFIG = FLAGS.config()
_WORKDIR = FLAGS.workdir(required=False)
_STAGE = FLAGS.stage()
_INIT_FROM = flags.DEFINE_string(
    "init_from", None, "a finished run whose weights the stages start from (fine-tuning)", flag_values=FLAGS.values
)
_REPORT = flags.DEFINE_bool(
    "report", True, "measure the finished stages at the end and write the report", flag_values=FLAGS.values
)


def main(argv: list[str]) -> None:
    """Claims the workdir for the config, then trains and exports each stage that is missing."""
    del argv
    config = _CONFIG.value
    from absl import logging

    from rgunit_tf import cluster, data
    from rgunit_tf.runs.workdir import Workdir

    name = FLAGS.config_name()
    workdir = Workdir(_WORKDIR.value or pathlib.Path("runs") / name)
    wanted = STAGES[: STAGES.index("guided" if _STAGE.value == "all" else _STAGE.value) + 1]
    with workdir.lock():
        # What is wrong with the flags is said at once, before TensorFlow is there.
        workdir.check(config)
        reads = workdir.has_moved(config) or not all(workdir.is_complete(stage, config) for stage in wanted)
        if reads:
            data.check_root(config.data)
        from rgunit_tf.evaluation.report import model_card
        from rgunit_tf.runs import exports, initial
        from rgunit_tf.runs.training import configure, in_use, train_stage

        origin = _INIT_FROM.value or ""
        if origin:
            origin = str(pathlib.Path(origin).expanduser().resolve())
            initial.check(Workdir(origin))
        configure(config)
        dataset = None
        if reads and cluster.is_chief():
            print(f"train: {in_use(config)}", flush=True)
        if reads:
            dataset = data.from_config(config.data)
            print(dataset.summary, flush=True)
        workdir.claim(config, dataset.fingerprint if dataset else None, origin)
        for stage in wanted:
            if workdir.is_complete(stage, config):
                logging.info("%s: finished before", stage)
            else:
                train_stage(workdir, stage, dataset)
            if cluster.is_chief() and not exports.is_current(workdir, stage):
                exports.export_stage(workdir, stage)
        if cluster.is_chief():
            model_card.write(workdir)
            if _REPORT.value:
                _report(workdir)
            attributes = dataset.schema.names if dataset else tuple(config.data.attributes)
            print(as_typed("\n".join(_next(workdir, wanted[-1], attributes[0]))))


def _next(workdir: Workdir, last: str, attribute: str) -> list[str]:
    """Where the results are, and what to do with them."""
    made = next(stage for stage in ("guided", "translation") if workdir.stage(stage).exists())
    page = workdir.path / "evaluation" / "report.html"
    command = "translate" if last != "retrieval" else "retrieve"
    return [
        f"train: pictures are in {workdir.stage(made) / 'samples'}"
        + (f", the report is {page}" if page.exists() else ""),
        f"next: bin/{command} --model={workdir.path} --input=photos --to={attribute} --output=out",
        f"      bin/demo --model={workdir.path}",
    ]


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
        logging.error(as_typed("no report (%s); try bin/evaluate --workdir=%s"), error, workdir.path)


def run() -> None:
    """Entry point of `bin/train` and `rgunit-train`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
