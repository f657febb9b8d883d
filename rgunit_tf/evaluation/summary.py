"""The figures of metrics.json as a few lines of text."""

from __future__ import annotations

from typing import Any

# What a reader wants to see first; the rest is in the file.
HEADLINES = (
    "accuracy",
    "changed_accuracy",
    "f1",
    "classifier_score",
    "classifier_feature_diversity",
    "fid",
    "kid",
    "fid_to_train",
    "inception_score",
    "lpips",
    "keras_vgg16_diversity",
    "vgg16_diversity",
    "counterfactual_l1_ratio",
    "counterfactual_ssim",
    "frechet_classifier_distance",
    "floor_frechet_classifier_distance",
    "frechet_over_floor",
    "frechet_efficientnet_distance",
    "neighbor_share",
    "swapped_neighbors/frechet_classifier_distance",
    "no_neighbors/frechet_classifier_distance",
    "mask",
    "precision_at_10/attributes",
    "precision_at_10/content",
    "precision_at_10/average",
    "random_images/precision_at_10/average",
    "recall_at_10",
    "counterfactual_rank",
)


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
        for name in HEADLINES:
            if name in metrics:
                text.append(f"{stage:<12} {name:<36} {headline(metrics[name])}  ({metrics[name]['images']} images)")
    return text
