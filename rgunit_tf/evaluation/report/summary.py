"""The figures of metrics.json as a few lines of text."""

from __future__ import annotations

from typing import Any

from rgunit_tf.evaluation.report.catalogue import CATALOGUE
from rgunit_tf.names import several


def headline(record: dict[str, Any]) -> str:
    """A record of `measurement` as `0.912 [0.900, 0.924]`."""
    if record["value"] is None:
        return "undefined"
    text = f"{record['value']:.3f}"
    if record["interval"] is not None:
        low, high = record["interval"]
        text += f" [{low:.3f}, {high:.3f}]"
    return text


def lines(report: dict[str, Any]) -> list[str]:
    """One line a figure, stage by stage; the intervals are 95 % bootstrap intervals."""
    judge = report["classifier"]
    text = [f"{judge['name']}: accuracy {judge['real_test']['accuracy_mean']:.3f} on real test images"]
    for stage, result in (*report["stages"].items(), ("real", report.get("real", {"metrics": {}}))):
        metrics = result["metrics"]
        for name, metric in CATALOGUE.items():
            if metric.console and name in metrics:
                told = several(metrics[name]["images"], "image")
                if metrics[name].get("seen_in_training"):
                    told += "; no judgement: training saw this network"
                text.append(f"{stage:<12} {name:<36} {headline(metrics[name])}  ({told})")
    return text
