"""evaluation/report.html: figures, pictures, curves and settings of a run on one page that needs no other file."""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from rgunit_tf import atomic
from rgunit_tf.config import STAGES
from rgunit_tf.evaluation.report import (
    charts as report_charts,
)
from rgunit_tf.evaluation.report import (
    figures as report_figures,
)
from rgunit_tf.evaluation.report import (
    metrics as report_metrics,
)
from rgunit_tf.evaluation.report import (
    model_card,
)
from rgunit_tf.evaluation.report import (
    page as report_page,
)
from rgunit_tf.evaluation.report import (
    run as report_run,
)
from rgunit_tf.evaluation.report.html import details, element, join, words

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

FORMAT = 1
REPORT = "report.html"
METRICS = "metrics.json"
FIGURES = "figures"
# A page that can still be sent by mail.
MOST_BYTES = 4_500_000
# Characters of a page among which its marker is.
_HEAD = 2048


def write_report(workdir: Workdir) -> pathlib.Path:
    """Writes `evaluation/report.html` and the model cards from what lies in a workdir; measures and draws nothing.

    Args:
      workdir: with a config. What is missing (stages, metrics.json, figures, histories) is left out of the page.

    Returns:
      The page's path.

    Raises:
      UserError: the config is missing or damaged.
    """
    folder = workdir.path / "evaluation"
    metrics = read_metrics(folder / METRICS)
    stages = metrics.get("stages", {})
    attributes = tuple(map(str, (metrics.get("data") or {}).get("attributes") or workdir.config.data.attributes))
    sheets = report_figures.stage_sheets(stages, folder / FIGURES)
    for size in report_figures.SIZES:
        page = _page(workdir, metrics, attributes, report_figures.shrunk(sheets, size))
        if len(page) <= MOST_BYTES:
            break
    path = folder / REPORT
    with atomic.path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    model_card.write(workdir)
    return path


def _page(workdir: Workdir, metrics: dict[str, Any], attributes: tuple[str, ...], sheets: report_figures.Sheets) -> str:
    stages = metrics.get("stages", {})
    measured = report_run.day(metrics)
    by_attribute = report_metrics.attribute_table(metrics, attributes)
    tables = (
        report_metrics.main_tables(metrics),
        details("Attribute by attribute", by_attribute) if by_attribute else None,
        report_metrics.every_figure(metrics),
    )
    sections = {
        "Results": join(tables),
        "Pictures": report_figures.pictures(sheets),
        "Worst and best": report_figures.cases(sheets),
        "Training": _training(workdir),
        "Run": join([report_run.stage_table(workdir, stages), report_run.facts_list(workdir, metrics)]),
        "Settings": report_run.settings(workdir),
    }
    return report_page.page(
        title=f"{workdir.path.resolve().name}: translation report",
        lead=_lead(workdir, metrics, attributes),
        opening=join([report_figures.opening(sheets), report_metrics.tiles(metrics)]),
        sections=sections,
        marker=marker(workdir),
        foot=f"Measured {measured}. " * bool(measured) + "Every figure is in metrics.json beside this page.",
    )


def read_metrics(path: pathlib.Path) -> dict[str, Any]:
    """What metrics.json holds, with the stages in the order of training; empty if it is absent or damaged."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        # The file's names are sorted.
        stages = {name: dict(metrics["stages"][name]) for name in STAGES if name in metrics["stages"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {**metrics, "stages": stages}


def is_current(workdir: Workdir) -> bool:
    """Whether the report shows the finished stages as they are, all of them measured."""
    folder = workdir.path / "evaluation"
    measured = read_metrics(folder / METRICS).get("stages", ())
    try:
        with open(folder / REPORT, encoding="utf-8") as file:
            head = file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    return f'content="{marker(workdir)}"' in head and set(workdir.finished_stages()) <= set(measured)


def marker(workdir: Workdir) -> str:
    """Hash of the finished stages: another training of one of them gives another one."""
    digest = hashlib.sha256(str(FORMAT).encode())
    for name in workdir.finished_stages():
        digest.update(name.encode() + b"\0" + (workdir.stage(name) / "final" / "stage.json").read_bytes())
    return digest.hexdigest()[:32]


def _lead(workdir: Workdir, metrics: dict[str, Any], attributes: tuple[str, ...]) -> str:
    finished = workdir.finished_stages()
    size = (metrics.get("data") or {}).get("image_size", workdir.config.data.image_size)
    shown = ", ".join(map(words, attributes[:6])) + (f" and {len(attributes) - 6} more" if len(attributes) > 6 else "")
    state = f"Finished: {', '.join(map(words, finished))}." if finished else "No stage is finished yet."
    return f"Retrieval-guided image translation (RG-UNIT) between domains of {shown}, at {size} px. {state}"


def _training(workdir: Workdir) -> Markup | None:
    """Curves of every stage that has begun."""
    parts = []
    for name in STAGES:
        figures = report_charts.charts(report_charts.read_history(workdir.stage(name) / "history.csv"))
        if figures:
            parts.append(report_charts.curves(f"{words(name).capitalize()} stage", figures))
    if not parts:
        return None
    said = f"Means over {workdir.config.train.log_every} steps. The sums are weighted, their terms are not."
    return join([element("p", said, class_="caption"), *parts])
