"""The tables of a report: every measured figure, with what it was computed with in a note that is printed too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from rgunit_tf.evaluation.metrics.precision_at_k import RANDOM_PREFIX
from rgunit_tf.evaluation.report import catalogue
from rgunit_tf.evaluation.report.catalogue import (
    DIVERSITY_SUFFIX,
    INPUT_SUFFIX,
    PAIR_SUFFIX,
    REAL_PREFIX,
    SUMS,
    ordered,
)
from rgunit_tf.evaluation.report.html import details, element, join, table, words
from rgunit_tf.names import several

MOST_TILES = 5
RETRIEVAL = "retrieval"
SEEN = "no judgement: training saw this network"
UNDEFINED = "undefined"

Metrics = Mapping[str, Any]


def number(value: float | None) -> str:
    """A figure with as many digits as can matter."""
    if value is None:
        return UNDEFINED
    size = abs(value)
    if size >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if size >= 2 else f"{value:.3f}" if size >= 0.01 or size == 0 else f"{value:.1g}"


def value(record: Metrics | None) -> Markup:
    """A figure and its confidence interval; a dash where it was not measured."""
    if record is None:
        return element("span", "–", class_="none")
    shown: list[str] = [element("b", number(record.get("value")))]
    interval = record.get("interval")
    if interval:
        low, high = (number(bound) for bound in interval)
        shown.append(element("span", f"{low} – {high}", class_="interval"))
    if record.get("seen_in_training"):
        shown.append(element("small", SEEN))
    return element("span", *shown, class_="value", title=described(record))


def difference(name: str, record: Metrics | None) -> Markup | None:
    """How much more a figure is than another, and whether that is for the better, for the worse, or may be chance."""
    if record is None or record.get("value") is None or not record.get("interval"):
        return None
    low, high = record["interval"]
    better = catalogue.find(name).better
    sure = low > 0.0 or high < 0.0
    said = ("better" if (record["value"] > 0.0) == (better > 0) else "worse") if better else "different"
    shown = f"{_signed(record['value'])} ({_signed(low)} to {_signed(high)})"
    return element("span", shown, element("small", f" {said if sure else 'may be chance'}"), class_="difference")


def _signed(value: float) -> str:
    text = number(abs(value))
    return text if not value else f"+{text}" if value > 0 else f"−{text}"


def described(record: Metrics) -> str:
    """What a figure was computed with, on, and how sure it is."""
    parts = [str(record.get("computed_with") or "")]
    if record.get("images") is not None:
        parts.append(several(record["images"], "image"))
    if record.get("interval") and record.get("confidence"):
        parts.append(f"{record['confidence']:.0%} interval")
    if record.get("seed") is not None:
        parts.append(f"seed {record['seed']}")
    return "; ".join(part for part in parts if part)


def heading(name: str, marks: Markup | None = None) -> Markup:
    """Heading of a figure's row: which way is better, marks of its notes, and what helps to read it."""
    metric = catalogue.find(name)
    arrow = {1: " ↑", -1: " ↓"}.get(metric.better)
    told = {1: "more is better", -1: "less is better"}.get(metric.better)
    return join(
        [
            metric.heading,
            element("span", arrow, class_="arrow", title=told, aria_label=told, role="img") if arrow else None,
            marks,
            element("small", metric.hint) if metric.hint else None,
        ]
    )


def translators(stages: Mapping[str, Any]) -> list[str]:
    """Names of the measured stages that translate."""
    return [name for name in stages if name != RETRIEVAL]


def tiles(report: Metrics) -> Markup:
    """The main figures of the last stage that has each, in large type."""
    stages = report.get("stages") or {}
    shown = []
    for metric in catalogue.tiles():
        for stage in reversed(stages):
            record = stages[stage].get("metrics", {}).get(metric.name)
            if record and record.get("value") is not None and not record.get("seen_in_training"):
                note = "; ".join(filter(None, (f"{words(stage)} stage", metric.hint)))
                shown.append(
                    element(
                        "div",
                        element("dt", metric.heading),
                        element("dd", value(record), element("small", note)),
                        class_="stat",
                    )
                )
                break
    return element("dl", *shown[:MOST_TILES], class_="stats") if shown else join([])


def main_tables(report: Metrics) -> Markup:
    """The translation stages side by side, the retrieval stage, and the notes on both.

    Figures that are tiles are shown; the others, and the notes, are folded.
    """
    stages = report.get("stages") or {}
    notes = _Notes()
    found = [
        (caption, head, rows)
        for caption, head, rows in (_translation_rows(report, notes), _retrieval_rows(report, notes))
        if rows
    ]
    if not found:
        return element("p", "Nothing has been measured yet.")
    shown, folded = [], []
    for caption, head, rows in found:
        first = [row for name, row in rows if catalogue.find(name).tile] or [row for _, row in rows]
        others = [row for name, row in rows if not catalogue.find(name).tile] if len(first) < len(rows) else []
        shown.append(table(head, first, caption))
        if others:
            folded.append(table(head, others, f"{caption}, further figures"))
    count = sum(len(rows) for _, _, rows in found)
    several = f" of {len(stages)} stages" if len(stages) > 1 else ""
    return join(
        [*shown, details(f"All {count} figures{several}, and what they were computed with", *folded, notes.list())]
    )


Rows = list[tuple[str, list[str]]]


def _retrieval_rows(report: Metrics, notes: _Notes) -> tuple[str, list[str], Rows]:
    metrics = (report.get("stages") or {}).get(RETRIEVAL, {}).get("metrics", {})
    rows: Rows = []
    for name in ordered(filter(has_a_row, metrics)):
        beside = metrics.get(f"{RANDOM_PREFIX}{name}")
        marks = notes.mark([record for record in (metrics[name], beside) if record])
        rows.append((name, [heading(name, marks), value(metrics[name]), value(beside)]))
    return "Retrieval", ["Figure", "Retrieval", "Random images"], rows


def _translation_rows(report: Metrics, notes: _Notes) -> tuple[str, list[str], Rows]:
    stages = report.get("stages") or {}
    names = translators(stages)
    columns = {name: stages[name].get("metrics", {}) for name in names}
    found = {name for metrics in columns.values() for name in metrics}
    less = report.get("guided_less_translation") or {}
    rows: Rows = []
    for name in ordered(filter(has_a_row, found)):
        # A floor and the untouched input stand beside the figure they belong to.
        base = name.removeprefix(REAL_PREFIX).removesuffix(INPUT_SUFFIX)
        if base != name and base in found:
            continue
        beside = _beside(name, report, columns)
        shown = [metrics.get(name) for metrics in columns.values()]
        marks = notes.mark([record for record in (*shown, *beside.values()) if record])
        cells = [value(record) for record in shown]
        if len(cells) > 1:
            cells[-1] = join([cells[-1], difference(name, less.get(name))])
        reference = [element("span", f"{label} ", value(record), class_="beside") for label, record in beside.items()]
        rows.append((name, [heading(name, marks), *cells, join(reference) if reference else value(None)]))
    return "Translation", ["Figure", *(words(name).capitalize() for name in names), "For comparison"], rows


def _beside(name: str, report: Metrics, columns: Mapping[str, Metrics]) -> dict[str, Metrics]:
    """What a figure is to be read against: the same of real images, and of the untouched input."""
    last = list(columns.values())[-1]
    of_real = (report.get("real") or {}).get("metrics", {})
    found = {
        "real images": of_real.get(name) or last.get(f"{REAL_PREFIX}{name}"),
        "two real images": of_real.get(f"{name.removesuffix(DIVERSITY_SUFFIX)}{PAIR_SUFFIX}"),
        "input": last.get(f"{name}{INPUT_SUFFIX}"),
    }
    return {label: record for label, record in found.items() if record}


def has_a_row(name: str) -> bool:
    """Whether a figure has a row of its own: not those of an attribute, nor of random images, which stand beside."""
    if name.startswith(RANDOM_PREFIX):
        return False
    _, slash, last = name.partition("/")
    return not slash or last in SUMS or name in catalogue.CATALOGUE


class _Notes:
    """Numbered notes below a table; the same words get the same number."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, records: list[Metrics]) -> Markup:
        """Marks that lead to the notes on some figures."""
        places = []
        for text in dict.fromkeys(described(record) for record in records):
            if text and text not in self.texts:
                self.texts.append(text)
            if text:
                places.append(self.texts.index(text) + 1)
        links = [element("a", str(place), href=f"#note-{place}", aria_label=f"note {place}") for place in places]
        return element("sup", join(links, " ")) if links else join([])

    def list(self) -> Markup:
        """The notes."""
        items = [element("li", text, id=f"note-{place}") for place, text in enumerate(self.texts, 1)]
        if not items:
            return join([])
        return element(
            "section", element("h3", "What was computed with what"), element("ol", *items), class_="footnotes"
        )


def attribute_table(report: Metrics, attributes: tuple[str, ...]) -> Markup | None:
    """Figures an attribute: of the last stage that translates, of real images, and of the retrieval."""
    stages = report.get("stages") or {}
    sources: list[tuple[str, str, Metrics]] = []
    if translators(stages):
        last = translators(stages)[-1]
        metrics = stages[last].get("metrics", {})
        of_real = (report.get("real") or {}).get("metrics", {})
        shown = [metric for metric in catalogue.CATALOGUE.values() if metric.by_attribute]
        sources += [(metric.by_attribute, metric.name, metrics) for metric in shown]
        sources.append(("Accuracy on real images", "accuracy", of_real))
    if RETRIEVAL in stages:
        metrics = stages[RETRIEVAL].get("metrics", {})
        kinds = sorted({name.partition("/")[0] for name in metrics if name.startswith("precision_at_")})
        sources += [(f"Retrieval, {kind.replace('precision_at_', 'P@')}", kind, metrics) for kind in kinds]
    sources = [
        (title, name, metrics)
        for title, name, metrics in sources
        if any(f"{name}/{attribute}" in metrics for attribute in attributes)
    ]
    if not sources:
        return None
    rows = [
        [words(attribute), *(value(metrics.get(f"{name}/{attribute}")) for _, name, metrics in sources)]
        for attribute in attributes
    ]
    stage = f", {words(translators(stages)[-1])} stage" if translators(stages) else ""
    return table(["Attribute", *(title for title, _, _ in sources)], rows, f"Attribute by attribute{stage}")


def every_figure(report: Metrics) -> Markup:
    """All records of metrics.json, folded."""
    rows = []
    groups = {**(report.get("stages") or {}), "real images": report.get("real") or {}}
    for stage, result in groups.items():
        for name, record in sorted(result.get("metrics", {}).items()):
            seconds = record.get("seconds")
            said = described(record) + (f"; {seconds} s" if seconds is not None else "")
            rows.append([f"{words(stage)}: {name}", value(record), said])
    if not rows:
        return join([])
    return details(
        f"All {len(rows)} figures", table(["Figure", "Value", "Computed with"], rows, "metrics.json", "long")
    )
