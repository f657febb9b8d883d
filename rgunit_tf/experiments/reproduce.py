"""Trains and evaluates what the tables need and is not there yet, and writes the tables."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections
from absl import logging

from rgunit_tf import atomic, data
from rgunit_tf.config import STAGES
from rgunit_tf.data import Dataset
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge.classifier_training import load_or_train, recipe_of
from rgunit_tf.evaluation.metrics import each_image
from rgunit_tf.evaluation.stage_evaluation import METRICS, evaluate_workdir
from rgunit_tf.experiments import rendering
from rgunit_tf.experiments.plan import Experiment, Job, Variants, jobs
from rgunit_tf.experiments.tables import Table
from rgunit_tf.runs.training import train_stage
from rgunit_tf.runs.workdir import Workdir


class Reproduction:
    """The runs of some tables in one folder, each in a workdir of its own; any of it may be there already.

    All runs are judged by one classifier, trained on all the config's labelled training images.

    Args:
      config: what the runs have in common.
      output: folder of the runs, `judge/` and `tables/`.
      tables: to fill.
      seeds: `train.seed` of each repetition.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        output: str | os.PathLike,
        tables: Sequence[Table],
        seeds: Sequence[int],
    ):
        self.config, self.output, self.tables = config, pathlib.Path(output), list(tables)
        self.seeds = [Variants(config, seed) for seed in seeds]
        self._datasets: dict[str, Dataset] = {}
        self.jobs = jobs(self._places())

    def _places(self) -> list[tuple[Experiment, str]]:
        places = [row.place(runs) for runs in self.seeds for table in self.tables for row in table.rows]
        # The figures of real images come with those of any stage.
        return [(experiment, "translation" if stage == "real" else stage) for experiment, stage in places]

    def workdir(self, experiment: Experiment) -> Workdir:
        """The workdir of a run."""
        return Workdir(self.output / experiment.name)

    def missing(self, job: Job) -> tuple[list[str], list[str]]:
        """Stages of a run that are still to be trained, and those still to be evaluated."""
        workdir = self.workdir(job.experiment)
        finished = workdir.finished_stages()
        evaluated = self._metrics(job.experiment).get("stages", {})
        return (
            [stage for stage in job.trained if stage not in finished],
            [stage for stage in job.evaluated if stage not in evaluated],
        )

    def waits_for(self, job: Job) -> list[str]:
        """Stages that a run takes from another one and that are not finished there."""
        origin = job.experiment.origin
        if origin is None:
            return []
        finished = self.workdir(origin).finished_stages()
        return [stage for stage in STAGES[: STAGES.index(job.experiment.first)] if stage not in finished]

    def run(self) -> None:
        """Trains and evaluates what is missing, one run after another; goes on where an earlier call stopped."""
        for number, job in enumerate(self.jobs, 1):
            if any(self.missing(job)):
                logging.info("run %d of %d: %s", number, len(self.jobs), job.experiment.name)
                self._do(job)

    def run_one(self, name: str) -> None:
        """As `run`, for one run alone.

        Raises:
          UserError: no run has that name, or the one whose stages it takes over has not finished them.
        """
        by_name = {job.experiment.name: job for job in self.jobs}
        if name not in by_name:
            raise UserError(f"--only={name}: no run of these tables; they are {', '.join(by_name)}")
        job = by_name[name]
        lacking = self.waits_for(job)
        if lacking:
            raise UserError(
                f"--only={name}: {' and '.join(lacking)} of {job.experiment.origin.name} must be there first"
            )
        self._do(job)

    def prepare(self) -> None:
        """Makes what all runs share and none may make beside another: the drawn data and the judge."""
        dataset = self._dataset(self.config)
        load_or_train(self._judge / "classifier", dataset, **recipe_of("auto", dataset.test.image_size))

    def _do(self, job: Job) -> None:
        to_train, to_evaluate = self.missing(job)
        workdir = self.workdir(job.experiment)
        with workdir.lock():
            workdir.claim(job.experiment.config(self.config))
            self._take_over(job)
            dataset = self._dataset(workdir.config)
            for stage in to_train:
                train_stage(workdir, stage, dataset)
            if to_evaluate:
                # All runs by one judge and against the same real images, those that saw fewer of them too.
                whole = self._dataset(self.config)
                evaluate_workdir(workdir, to_evaluate, dataset=whole, cache=self._judge)

    @property
    def _judge(self) -> pathlib.Path:
        return self.output / "judge"

    def _dataset(self, config: ml_collections.ConfigDict) -> Dataset:
        key = json.dumps(config.data.to_dict(), sort_keys=True, default=str)
        if key not in self._datasets:
            self._datasets[key] = data.from_config(config.data)
        return self._datasets[key]

    def _take_over(self, job: Job) -> None:
        """Links the stages that a run does not train itself from the run it starts from."""
        origin = job.experiment.origin
        if origin is None:
            return
        source, target = self.workdir(origin), self.workdir(job.experiment)
        for stage in STAGES[: STAGES.index(job.experiment.first)]:
            for folder in ("gallery", "final"):
                there = source.stage(stage) / folder
                if there.exists() and not (target.stage(stage) / folder).exists():
                    with atomic.directory(target.stage(stage) / folder) as temporary:
                        shutil.copytree(there, temporary, copy_function=_link, dirs_exist_ok=True)

    def _metrics(self, experiment: Experiment) -> dict[str, Any]:
        file = self.workdir(experiment).path / "evaluation" / METRICS
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            raise UserError(f"{file} is damaged; delete it and run the command again") from None

    def rows(self, table: Table) -> dict[str, list[rendering.Records]]:
        """The metric records of each row that has any, one a seed, by the row's label."""
        filled: dict[str, list[rendering.Records]] = {}
        for row in table.rows:
            for runs in self.seeds:
                experiment, stage = row.place(runs)
                report = self._metrics(experiment)
                found = report.get("real") if stage == "real" else report.get("stages", {}).get(stage)
                if found:
                    figures = {
                        name.removeprefix(row.prefix): record
                        for name, record in found["metrics"].items()
                        if name.startswith(row.prefix)
                    }
                    filled.setdefault(row.label, []).append(figures)
        return filled

    def images(self, table: Table) -> rendering.Images:
        """What is kept of each image, of each row whose stage is evaluated, once a seed, by the row's label."""
        filled: dict[str, list] = {}
        for row in table.rows:
            for experiment, stage in (row.place(runs) for runs in self.seeds):
                if stage in self._metrics(experiment).get("stages", {}) and not row.prefix:
                    found = each_image.read(each_image.file_of(self.workdir(experiment).path / "evaluation", stage))
                    filled.setdefault(row.label, []).append(found)
        return filled

    def write(self) -> list[str]:
        """Writes `tables/table<n>.md` and `.json`; returns the texts."""
        texts = []
        note = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}; {self._conditions()}"
        for table in self.tables:
            rows, images = self.rows(table), self.images(table)
            texts.append(rendering.to_markdown(table, rows, note, images))
            file = self.output / "tables" / f"table{table.number}"
            with atomic.path(file.with_suffix(".md")) as temporary:
                temporary.write_text(texts[-1] + "\n", encoding="utf-8")
            atomic.write_json(file.with_suffix(".json"), {"note": note, **rendering.to_json(table, rows, images)})
        return texts

    def _conditions(self) -> str:
        settings = self.config
        return (
            f"{settings.data.source}, {settings.data.image_size} px, steps "
            f"{settings.translation.steps} + {settings.retrieval.steps} + {settings.guided.steps}, "
            f"batch {settings.translation.batch_size}"
        )

    def outlook(self, seconds: Mapping[str, float]) -> tuple[list[str], float]:
        """What `run` would do.

        Args:
          seconds: of a step, by stage (see `step_times.seconds_per_step`).

        Returns:
          One line a run, and the seconds that the trainings would take together, evaluation not counted.
        """
        lines, total = [], 0.0
        for job in self.jobs:
            to_train, to_evaluate = self.missing(job)
            config = job.experiment.config(self.config)
            cost = sum(config[stage].steps * seconds[stage] for stage in to_train)
            total += cost
            plan = [f"train {stage} ({config[stage].steps} steps)" for stage in to_train]
            plan += [f"evaluate {', '.join(to_evaluate)}"] if to_evaluate else []
            lines.append(
                f"{job.experiment.name}: {'; '.join(plan) or 'done'}" + (f"; {duration(cost)}" if cost else "")
            )
        return lines, total


def duration(seconds: float) -> str:
    """Seconds as `1 h 5 min` or `40 s`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _link(source: str, target: str) -> None:
    """A second name of the file, which costs no space; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
