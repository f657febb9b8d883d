"""A table as text (Markdown) and as JSON: our figures, a seed each, beside what the paper printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.bootstrap import Numbers
from rgunit_tf.experiments.tables import Column, Comparison, Table

Records = Mapping[str, Mapping[str, Any]]
"""Metric records (see `rgunit_tf.evaluation.metrics.measurement`) by name."""

Images = Mapping[str, Sequence[tuple[str, Mapping[str, Numbers]]]]
"""By a row's label, for each seed, what `each_image.read` gives: what was asked of which images, and the numbers."""

_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""0.975 quantiles of Student's t with 1 to 9 degrees of freedom."""


def metric_of(column: Column, rows: Mapping[str, Sequence[Records]]) -> str:
    """Name of the metric that a column shows: the first of the column's that every row has, so that all compare.

    A row that has none of them (real images have no distance to a truth) does not count. A metric on features that
    training saw is passed over where there is another.
    """
    having = [
        records for seeds in rows.values() for records in seeds if any(name in records for name in column.metrics)
    ]
    whole = [name for name in column.metrics if having and all(name in records for records in having)]
    unseen = [name for name in whole if not any(records[name].get("seen_in_training") for records in having)]
    if whole:
        return (unseen or whole)[0]
    return column.metrics[-1]


def shown(table: Table, rows: Mapping[str, Sequence[Records]]) -> list[Column]:
    """The columns of a table in which some row has a figure; all where nothing is measured yet."""
    found = [
        column
        for column in table.columns
        if any(name in records for seeds in rows.values() for records in seeds for name in column.metrics)
    ]
    return found or list(table.columns)


def seen(metric: str, rows: Mapping[str, Sequence[Records]]) -> str:
    """What is said beside a metric on features that training saw; nothing where it did not."""
    found = (records.get(metric, {}) for seeds in rows.values() for records in seeds)
    return " (no judgement: training saw this network)" if any(r.get("seen_in_training") for r in found) else ""


def values(column: Column, metric: str, seeds: Sequence[Records]) -> list[float | None]:
    """The figure of each seed, in the paper's unit; None where a run lacks it."""
    found = [records.get(metric, {}).get("value") for records in seeds]
    return [None if value is None else value * column.scale for value in found]


def compare(
    comparison: Comparison, rows: Mapping[str, Sequence[Records]], images: Images | None = None
) -> dict[str, Any]:
    """The figures behind a claim, seed by seed; `values` is empty where a row is missing.

    Args:
      comparison: the claim.
      rows: as for `to_json`.
      images: likewise.

    Returns:
      {"text", "metric", "relative", "values": a figure a seed, "over_seeds": the interval of their mean over seeds,
      "over_images": that over the test images, both at 95 %, None where they cannot be had, "paper": the paper's or
      None}.
    """
    metric = metric_of(comparison.column, rows)
    mine = values(comparison.column, metric, rows.get(comparison.row, ()))
    other = values(comparison.column, metric, rows.get(comparison.against, ()))
    pairs = [(a, b) for a, b in zip(mine, other, strict=False) if a is not None and b is not None]
    found = [a / b - 1 if comparison.relative else a - b for a, b in pairs]
    return {
        "text": comparison.text,
        "metric": metric + seen(metric, rows),
        "relative": comparison.relative,
        "values": found,
        "over_seeds": mean_interval(found),
        "over_images": _over_images(comparison, metric, images or {}),
        "paper": comparison.paper,
    }


def mean_interval(found: Sequence[float]) -> list[float] | None:
    """Student's 95 % interval of the mean of a few figures; None of fewer than two."""
    if len(found) < 2:
        return None
    freedom = len(found) - 1
    half = _STUDENT[min(freedom, len(_STUDENT)) - 1] * float(np.std(found, ddof=1)) / len(found) ** 0.5
    return [float(np.mean(found)) - half, float(np.mean(found)) + half]


def _over_images(comparison: Comparison, metric: str, images: Images) -> list[float] | None:
    """Interval of the mean over seeds, both models on the same resamples of the test images."""
    sides = (images.get(comparison.row, ()), images.get(comparison.against, ()))
    both = [pair for pair in zip(*sides, strict=False) if all(metric in numbers for _, numbers in pair)]
    keys = {key for pair in both for key, _ in pair}
    if len(keys) != 1 or "" in keys:
        return None
    pairs = [(mine[metric], other[metric]) for (_, mine), (_, other) in both]
    scale = 1.0 if comparison.relative else comparison.column.scale
    bounds = [bound * scale for bound in bootstrap.paired_interval(pairs, comparison.relative)]
    return bounds if all(map(math.isfinite, bounds)) else None


def to_json(table: Table, rows: Mapping[str, Sequence[Records]], images: Images | None = None) -> dict[str, Any]:
    """Everything that a table shows and the records behind it.

    Args:
      table: which table.
      rows: for each row's label the metric records of its runs, one a seed.
      images: for each row's label what is kept of each image of its runs, one a seed, see `Images`.
    """
    return {
        "table": table.number,
        "title": table.title,
        "columns": {column.heading: metric_of(column, rows) for column in shown(table, rows)},
        "rows": [
            {"label": row.label, "paper": row.paper, "seeds": list(rows.get(row.label, ()))} for row in table.rows
        ],
        "comparisons": [compare(comparison, rows, images) for comparison in table.comparisons],
    }


def to_markdown(
    table: Table, rows: Mapping[str, Sequence[Records]], note: str = "", images: Images | None = None
) -> str:
    """The table as the paper prints it, ours and the paper's figures side by side; mean ± deviation over seeds."""
    columns = shown(table, rows)
    metrics = [metric_of(column, rows) for column in columns]
    head = ["model"]
    for column, metric in zip(columns, metrics, strict=True):
        head.append(metric + (" %" if column.scale == 100 else "") + seen(metric, rows))
        if any(column.heading in row.paper for row in table.rows):
            head.append(f"paper: {column.heading}")
    lines = [f"Table {table.number}. {table.title}", *([note] if note else []), "", _line(head)]
    lines.append(_line(["---"] * len(head)))
    for row in table.rows:
        cells = [row.label]
        for column, metric in zip(columns, metrics, strict=True):
            cells.append(_spread(values(column, metric, rows.get(row.label, ()))))
            if f"paper: {column.heading}" in head:
                cells.append(f"{row.paper[column.heading]:g}" if column.heading in row.paper else "-")
        lines.append(_line(cells))
    lines.append("")
    claims = [compare(comparison, rows, images) for comparison in table.comparisons if comparison.column in columns]
    lines += [_claim(claim) for claim in claims]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(found: Sequence[float | None]) -> str:
    known = [value for value in found if value is not None]
    if not known:
        return "-"
    text = f"{np.mean(known):.3f}"
    return f"{text} ± {np.std(known, ddof=1):.3f}" if len(known) > 1 else text


def _claim(result: dict[str, Any]) -> str:
    def words(value: float) -> str:
        return f"{value:+.1%}" if result["relative"] else f"{value:+.3f}"

    if not result["values"]:
        return f"- {result['text']}: not measured"
    text = f"- {result['text']}: {result['metric']} {words(float(np.mean(result['values'])))}"
    if len(result["values"]) > 1:
        text += f" (seeds: {', '.join(words(value) for value in result['values'])})"
    if result["paper"] is not None:
        text += f"; paper: {words(result['paper'])}"
    for what in ("seeds", "images"):
        if bounds := result[f"over_{what}"]:
            text += f"; 95 % over {what}: {words(bounds[0])} to {words(bounds[1])}"
    return text
