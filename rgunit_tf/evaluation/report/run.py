"""What a report says of the run itself: stages, data, versions, judge and settings."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import rgunit_tf
from rgunit_tf import config as config_module
from rgunit_tf.config import STAGES
from rgunit_tf.evaluation.report.html import details, element, join, table, words

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir


def duration(seconds: float | None) -> str:
    """Seconds in words: `45 s`, `22 min`, `3 h 05 min`."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def stage_facts(workdir: Workdir) -> dict[str, dict[str, Any]]:
    """What stage.json says of each finished stage; one that cannot be read counts as an empty one."""
    facts: dict[str, dict[str, Any]] = {}
    for name in workdir.finished_stages():
        try:
            read = json.loads((workdir.stage(name) / "final" / "stage.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            read = None
        facts[name] = read if isinstance(read, dict) else {}
    return facts


def stage_table(workdir: Workdir, measured: Mapping[str, Any]) -> Markup:
    """The three stages: whether they are finished, steps, time, and the time their evaluation took."""
    facts, rows = stage_facts(workdir), []
    for name in STAGES:
        fact = facts.get(name)
        if fact is None:
            rows.append([words(name).capitalize(), "not finished", "–", "–"])
            continue
        seconds = (measured.get(name) or {}).get("seconds")
        steps = fact.get("steps")
        rows.append(
            [
                words(name).capitalize(),
                f"{steps:,} steps" if isinstance(steps, int) else "unknown",
                duration(fact.get("seconds")),
                duration(seconds) if seconds is not None else "not measured",
            ]
        )
    return table(["Stage", "Trained", "Last session took", "Evaluation took"], rows, "Stages")


def facts_list(workdir: Workdir, report: Mapping[str, Any]) -> Markup:
    """Data, judge and versions, as a list of terms."""
    data, judge = report.get("data") or {}, report.get("classifier") or {}
    terms: list[tuple[str, str]] = []
    for key, heading in (
        ("source", "Data"),
        ("image_size", "Image size, pixels"),
        ("train_images", "Training images"),
        ("validation_images", "Validation images"),
        ("test_images", "Test images"),
        ("gallery_images", "Gallery images"),
    ):
        if data.get(key) is not None:
            value = data[key]
            terms.append((heading, f"{value:,}" if isinstance(value, int) else str(value)))
    if data.get("attributes"):
        terms.append(("Attributes", ", ".join(words(str(name)) for name in data["attributes"])))
    accuracy = (judge.get("real_test") or {}).get("accuracy_mean")
    if judge.get("name"):
        on_real = f"; accuracy {accuracy:.3f} on real test images" if accuracy is not None else ""
        terms.append(("Judge", f"{judge['name']}{on_real}"))
    origin = _origin(workdir)
    for heading, found, revision in (
        ("Trained with", origin.get("versions"), origin.get("revision")),
        ("Measured with", report.get("versions"), None),
    ):
        if found:
            named = [f"{name} {version}" for name, version in found.items()]
            terms.append((heading, ", ".join([*named, *([f"revision {revision}"] if revision else [])])))
    terms.append(("Page made by", f"rgunit_tf {rgunit_tf.__version__}"))
    if report.get("seed") is not None:
        terms.append(("Seed of the evaluation", str(report["seed"])))
    return element("dl", *(join([element("dt", name), element("dd", value)]) for name, value in terms), class_="facts")


def _origin(workdir: Workdir) -> dict[str, Any]:
    """What config.json says beside the config: versions and revision that the run was begun with, where it does."""
    try:
        content = json.loads((workdir.path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def settings(workdir: Workdir) -> Markup:
    """The config: what differs from the defaults, then everything, folded."""
    run = config_module.to_plain(workdir.config)
    default = config_module.to_plain(config_module.default_config())
    changed, rows = [], []
    for group, values in run.items():
        for name, value in values.items():
            setting = config_module.SETTINGS[group][name]
            before = default[group][name]
            rows.append([f"{group}.{name}", _plain(value), setting.meaning])
            if value != before:
                changed.append([f"{group}.{name}", _plain(value), _plain(before), setting.meaning])
    head = ["Setting", "This run", "Default", "Meaning"]
    return join(
        [
            table(head, changed, "Settings that differ from the defaults")
            if changed
            else element("p", "Every setting is at its default."),
            details(
                f"All {len(rows)} settings", table(["Setting", "This run", "Meaning"], rows, "All settings", "long")
            ),
        ]
    )


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(f"({_plain(item)})" if isinstance(item, list | tuple) else str(item) for item in value) or "–"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "–"


def day(report: Mapping[str, Any]) -> str | None:
    """When the figures were measured, to the minute, UTC; None if that is not known."""
    try:
        made = datetime.datetime.fromisoformat(str(report["created"]))
    except (KeyError, ValueError):
        return None
    return made.strftime("%d %B %Y, %H:%M UTC")
