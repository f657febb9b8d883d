"""A table as text (Markdown) and as JSON: our figures, a seed each, beside what the paper printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgunit_tf.experiments.tables import Column, Comparison, Table

Records = Mapping[str, Mapping[str, Any]]
"""Metric records (see `rgunit_tf.evaluation.metrics.measurement`) by name."""


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


def seen(metric: str, rows: Mapping[str, Sequence[Records]]) -> str:
    """What is said beside a metric on features that training saw; nothing where it did not."""
    found = (records.get(metric, {}) for seeds in rows.values() for records in seeds)
    return " (no judgement: training saw this network)" if any(r.get("seen_in_training") for r in found) else ""


def values(column: Column, metric: str, seeds: Sequence[Records]) -> list[float | None]:
    """The figure of each seed, in the paper's unit; None where a run lacks it."""
    found = [records.get(metric, {}).get("value") for records in seeds]
    return [None if value is None else value * column.scale for value in found]


def compare(comparison: Comparison, rows: Mapping[str, Sequence[Records]]) -> dict[str, Any]:
    """The figures behind a claim, seed by seed; `values` is empty where a row is missing.

    Returns:
      {"text", "metric", "relative", "values": a figure a seed, "paper": the paper's or None}.
    """
    metric = metric_of(comparison.column, rows)
    mine = values(comparison.column, metric, rows.get(comparison.row, ()))
    other = values(comparison.column, metric, rows.get(comparison.against, ()))
    pairs = [(a, b) for a, b in zip(mine, other, strict=False) if a is not None and b is not None]
    return {
        "text": comparison.text,
        "metric": metric + seen(metric, rows),
        "relative": comparison.relative,
        "values": [a / b - 1 if comparison.relative else a - b for a, b in pairs],
        "paper": comparison.paper,
    }


def to_json(table: Table, rows: Mapping[str, Sequence[Records]]) -> dict[str, Any]:
    """Everything that a table shows and the records behind it.

    Args:
      table: which table.
      rows: for each row's label the metric records of its runs, one a seed.
    """
    return {
        "table": table.number,
        "title": table.title,
        "columns": {column.heading: metric_of(column, rows) for column in table.columns},
        "rows": [
            {"label": row.label, "paper": row.paper, "seeds": list(rows.get(row.label, ()))} for row in table.rows
        ],
        "comparisons": [compare(comparison, rows) for comparison in table.comparisons],
    }


def to_markdown(table: Table, rows: Mapping[str, Sequence[Records]], note: str = "") -> str:
    """The table as the paper prints it, ours and the paper's figures side by side; mean ± deviation over seeds."""
    metrics = [metric_of(column, rows) for column in table.columns]
    head = ["model"]
    for column, metric in zip(table.columns, metrics, strict=True):
        head.append(metric + (" %" if column.scale == 100 else "") + seen(metric, rows))
        if any(column.heading in row.paper for row in table.rows):
            head.append(f"paper: {column.heading}")
    lines = [f"Table {table.number}. {table.title}", *([note] if note else []), "", _line(head)]
    lines.append(_line(["---"] * len(head)))
    for row in table.rows:
        cells = [row.label]
        for column, metric in zip(table.columns, metrics, strict=True):
            cells.append(_spread(values(column, metric, rows.get(row.label, ()))))
            if f"paper: {column.heading}" in head:
                cells.append(f"{row.paper[column.heading]:g}" if column.heading in row.paper else "-")
        lines.append(_line(cells))
    lines.append("")
    lines += [_claim(compare(comparison, rows)) for comparison in table.comparisons]
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
    def shown(value: float) -> str:
        return f"{value:+.1%}" if result["relative"] else f"{value:+.3f}"

    if not result["values"]:
        return f"- {result['text']}: not measured"
    text = f"- {result['text']}: {result['metric']} {shown(float(np.mean(result['values'])))}"
    if len(result["values"]) > 1:
        text += f" (seeds: {', '.join(shown(value) for value in result['values'])})"
    return text + (f"; paper: {shown(result['paper'])}" if result["paper"] is not None else "")
