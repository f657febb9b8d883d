"""Finished evaluations of several runs side by side, with paired intervals where the same images were judged."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from rgunit_tf import atomic
from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.metrics import each_image
from rgunit_tf.evaluation.report import catalogue, figures, metrics
from rgunit_tf.evaluation.report import page as report_page
from rgunit_tf.evaluation.report.html import element, join, table, words
from rgunit_tf.evaluation.report.summary import headline
from rgunit_tf.evaluation.report.writing import FIGURES, METRICS, read_metrics

ROWS = 6
"""Test images of which all runs' translations are shown."""


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A run's finished evaluation.

    Attributes:
      name: of the run, different from that of the others.
      folder: its `evaluation/`.
      report: what metrics.json holds.
    """

    name: str
    folder: pathlib.Path
    report: dict[str, Any]

    def figures_of(self, stage: str) -> Mapping[str, Any]:
        """Records of a stage by name; empty where it was not measured."""
        return self.report["stages"].get(stage, {}).get("metrics", {})

    def numbers_file(self, stage: str) -> pathlib.Path:
        """What `each_image.write` wrote of a stage."""
        return each_image.file_of(self.folder, stage)


def read(paths: Sequence[str | os.PathLike]) -> list[Evaluated]:
    """Reads evaluations.

    Args:
      paths: two workdirs or more.

    Raises:
      UserError: fewer, one twice, or one that was not evaluated.
    """
    folders = [pathlib.Path(path).expanduser() for path in paths]
    if len(folders) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError(f"--compare={','.join(map(str, paths))}: name two runs or more, by commas, each once")
    names = [folder.resolve().name for folder in folders]
    found = []
    for folder, name in zip(folders, names, strict=True):
        report = read_metrics(folder / "evaluation" / METRICS)
        if not report.get("stages"):
            raise UserError(f"--compare: {folder} was not evaluated; run bin/evaluate --workdir={folder} first")
        found.append(Evaluated(str(folder) if names.count(name) > 1 else name, folder / "evaluation", report))
    return found


class Comparison:
    """What several evaluations have in common, and in what they differ from the first of them.

    Args:
      runs: two or more, see `read`.
    """

    def __init__(self, runs: Sequence[Evaluated]):
        self.runs = list(runs)
        self.stages = [stage for stage in STAGES if sum(bool(run.figures_of(stage)) for run in self.runs) > 1]
        if not self.stages:
            names = ", ".join(run.name for run in self.runs)
            raise UserError(f"--compare: {names} have no measured stage in common; run bin/evaluate on each")
        seed = int(self.runs[0].report.get("seed") or 0)
        self._differences = {
            (stage, run.name): each_image.differences(self.runs[0].numbers_file(stage), run.numbers_file(stage), seed)
            for stage in self.stages
            if stage != metrics.RETRIEVAL
            for run in self.runs[1:]
        }

    def difference(self, stage: str, name: str, run: Evaluated) -> Mapping[str, Any] | None:
        """Record of how much more a figure is than in the first run; None where no pairs say so.

        The classifiers of two runs may be different ones: what they say of the same image is then no pair.
        """
        record = run.figures_of(stage).get(name)
        judges = [each.report.get("classifier") or {} for each in (self.runs[0], run)]
        own = judges[1].get("name")
        if own and own in str((record or {}).get("computed_with")):
            known = [judge.get("fingerprint") for judge in judges]
            if known[0] != known[1]:
                return None
        return self._differences.get((stage, run.name), {}).get(name)

    def names(self, stage: str) -> list[str]:
        """Figures of a stage that have a row, in the order of the catalogue."""
        found = {name for run in self.runs for name in run.figures_of(stage)}
        return catalogue.ordered(filter(metrics.has_a_row, found))

    @property
    def remarks(self) -> list[str]:
        """What a reader must know before the figures."""
        said = []
        for run in self.runs[1:]:
            pairs = [stage for (stage, name), found in self._differences.items() if name == run.name and found]
            asked = [stage for stage in self.stages if stage != metrics.RETRIEVAL]
            if asked and not pairs:
                said.append(
                    f"{run.name} and {self.runs[0].name}: no intervals of the differences, since not the same was "
                    "asked of the same test images, or an earlier version measured (bin/evaluate measures again)"
                )
            elif run.report.get("classifier", {}).get("fingerprint") != self.runs[0].report.get("classifier", {}).get(
                "fingerprint"
            ):
                said.append(
                    f"{run.name} and {self.runs[0].name} have attribute classifiers of their own: those figures have "
                    "no differences"
                )
        return said

    def lines(self) -> list[str]:
        """A line a figure that the console shows, of each stage."""
        first, *others = self.runs
        text = list(self.remarks)
        for stage in self.stages:
            for name in self.names(stage):
                if not catalogue.find(name).console:
                    continue
                parts = [f"{first.name} {_headline(first.figures_of(stage).get(name))}"]
                for run in others:
                    less = self.difference(stage, name, run)
                    told = f", difference {headline(dict(less))}" if less and less["value"] is not None else ""
                    parts.append(f"{run.name} {_headline(run.figures_of(stage).get(name))}{told}")
                text.append(f"{stage:<12} {name:<36} {'; '.join(parts)}")
        return text

    def write(self, path: pathlib.Path) -> pathlib.Path:
        """Writes all of it as one page."""
        sections: dict[str, Markup | None] = {
            f"{words(stage).capitalize()} stage": join([self._table(stage), self._pictures(stage)])
            for stage in self.stages
        }
        names = [run.name for run in self.runs]
        with atomic.path(path) as temporary:
            temporary.write_text(
                report_page.page(
                    title=f"{', '.join(names[:-1])} and {names[-1]}",
                    lead=f"Evaluations of {len(names)} runs side by side; differences are to {names[0]}, image by "
                    "image, with their 95 % intervals.",
                    opening=join(element("p", remark, class_="caption") for remark in self.remarks),
                    sections=sections,
                    marker="comparison",
                    foot="Every figure is in evaluation/metrics.json of its run.",
                ),
                encoding="utf-8",
            )
        return path

    def _table(self, stage: str) -> Markup:
        rows = []
        for name in self.names(stage):
            cells = []
            for number, run in enumerate(self.runs):
                shown = metrics.value(run.figures_of(stage).get(name))
                less = self.difference(stage, name, run) if number else None
                cells.append(join([shown, metrics.difference(name, less)]))
            rows.append([metrics.heading(name), *cells])
        return table(["Figure", *(run.name for run in self.runs)], rows, f"{words(stage).capitalize()} stage")

    def _pictures(self, stage: str) -> Markup | None:
        """The same inputs with each run's translation to one domain, where all runs show the same inputs."""
        if stage == metrics.RETRIEVAL:
            return None
        sheets = [figures.load_sheets(run.folder / FIGURES / stage, ["translations.png"]) for run in self.runs]
        if not all(sheets):
            return None
        shown = [sheet["translations"] for sheet in sheets]
        return figures.side_by_side(shown, [run.name for run in self.runs], ROWS)


def _headline(record: Mapping[str, Any] | None) -> str:
    return "-" if record is None or (record["value"] is None or math.isnan(record["value"])) else headline(dict(record))
