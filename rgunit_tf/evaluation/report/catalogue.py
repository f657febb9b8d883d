"""The catalogue of metrics: how each figure of metrics.json is called, which way is better, and where it is shown.

A new metric is one entry here. One without an entry, and without a slash in its name, is shown in the main table too,
last and under its own name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rgunit_tf.evaluation.metrics.precision_at_k import RANDOM_PREFIX

# Of the same figure of real images, and of the untouched input.
REAL_PREFIX, INPUT_SUFFIX = "floor_", "_input"
# Between several translations of one image, and between two real images.
DIVERSITY_SUFFIX, PAIR_SUFFIX = "_diversity", "_pair_distance"
# What follows a slash in a name and is no attribute of the data.
SUMS = ("attributes", "content", "average")


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure, as `<name>` and, where `by_attribute` is set, as `<name>/<attribute>` of each attribute.

    Attributes:
      name: in metrics.json.
      heading: of its row in the main table, which is in the order of the catalogue.
      better: 1 where more is better, -1 where less is, 0 where neither.
      hint: the unit, or what helps to read it.
      tile: its place among the large figures at the head of the report; 0 for none.
      console: whether `bin/evaluate` prints it.
      by_attribute: its heading in the table attribute by attribute; empty where it is no figure of an attribute.
      column: heading, the paper's where it has one, of the column of `bin/reproduce` in which it may stand; of several
        with one heading the first that was measured does.
      scale: what brings it to the unit of that column (100 for a percentage).
    """

    name: str
    heading: str
    better: int = 0
    hint: str = ""
    tile: int = 0
    console: bool = True
    by_attribute: str = ""
    column: str = ""
    scale: float = 1.0


def _with_other_neighbors(change: str, words: str) -> tuple[Metric, ...]:
    return (
        Metric(f"{change}/frechet_classifier_distance", f"{words}, Frechet distance", -1),
        Metric(f"{change}/accuracy", f"{words}, accuracy", 1, console=False),
        Metric(f"{change}/counterfactual_l1_ratio", f"{words}, L1 to the truth, over the input's", -1, console=False),
    )


_REAL = "real images score 1"
_COPY = "copying the input scores 1"
_ELSEWHERE = "trained elsewhere; no training looks at it"
_IMAGENET = "Frechet distance, ImageNet features"
_OVER_FLOOR = "Frechet distance over that of real images"
_KERNEL = "Kernel distance"
_CHANGED, _KEPT = "Right where it had to change", "Right where it had to stay"
_GREY_LEVELS = "grey levels, 0 to 255"
_IN_VGG = "in VGG16's features, not LPIPS"
_SEVERAL = "Diversity of several translations"
_TO_TRUTH = "L1 to the truth, over the input's"
_ALL = (
    Metric("accuracy", "Accuracy of the attributes", 1, tile=10, by_attribute="Accuracy", column="ACC", scale=100.0),
    Metric(
        "changed_accuracy",
        "Accuracy of those that had to change",
        1,
        "copying the input scores 0",
        tile=2,
        by_attribute="Where it had to change",
        column=_CHANGED,
        scale=100.0,
    ),
    Metric(
        "kept_accuracy",
        "Accuracy of those that had to stay",
        1,
        by_attribute="Where it had to stay",
        column=_KEPT,
        scale=100.0,
    ),
    Metric("face_accuracy", "Accuracy of the attributes, by faces' networks", 1, _ELSEWHERE),
    Metric(
        "face_changed_accuracy",
        "Accuracy of those that had to change, by faces' networks",
        1,
        _ELSEWHERE,
        tile=1,
        by_attribute="Where it had to change, by faces' networks",
        column=_CHANGED,
        scale=100.0,
    ),
    Metric(
        "face_kept_accuracy",
        "Accuracy of those that had to stay, by faces' networks",
        1,
        _ELSEWHERE,
        by_attribute="Where it had to stay, by faces' networks",
        column=_KEPT,
        scale=100.0,
    ),
    Metric(
        "face_identity_rank1",
        "Faces nearest to their own input",
        1,
        f"{_ELSEWHERE}; {_COPY}",
        tile=3,
        by_attribute="Nearest to their own input, where it alone changes",
    ),
    Metric(
        "identity_rank1",
        "Translations nearest to their own input",
        1,
        f"{_ELSEWHERE}; {_COPY}",
        tile=7,
        column="Nearest to their own input",
        scale=100.0,
    ),
    Metric("exact_match", "All attributes right", 1, console=False),
    Metric("f1", "F1 of the attributes", 1, by_attribute="F1"),
    Metric(
        "counterfactual_l1_ratio",
        _TO_TRUTH,
        -1,
        _COPY,
        tile=6,
        column="L1 to the truth / input's",
    ),
    Metric("counterfactual_l1", "L1 to the truth", -1, _GREY_LEVELS, console=False),
    Metric("counterfactual_ssim", "SSIM to the truth", 1),
    Metric("fid", "FID", -1, "Frechet distance of Inception-v3's features", tile=8, column="FID"),
    Metric("fid_to_train", "FID to the training images", -1),
    Metric("kid", "KID", -1, "kernel distance of Inception-v3's features"),
    Metric("kid_to_train", "KID to the training images", -1, console=False),
    Metric("inception_score", "Inception Score", 1, column="IS"),
    Metric(
        "frechet_mobilenet_over_floor",
        "Frechet distance, over the floor",
        -1,
        f"MobileNet's features, {_ELSEWHERE}; {_REAL}",
        tile=4,
        column=_OVER_FLOOR,
    ),
    Metric(
        "frechet_efficientnet_over_floor",
        "Frechet distance, over the floor, EfficientNet's features",
        -1,
        f"trained on ImageNet; {_REAL}",
        tile=5,
        column=_OVER_FLOOR,
    ),
    Metric(
        "fid_to_train_over_floor", "FID to the training images, over the floor", -1, f"Inception-v3's features; {_REAL}"
    ),
    Metric(
        "frechet_classifier_over_floor",
        "Frechet distance, over the floor, the classifier's features",
        -1,
        f"the judge's own; {_REAL}",
        tile=11,
        column=_OVER_FLOOR,
    ),
    Metric(
        "frechet_classifier_distance",
        "Frechet distance of the classifier's features",
        -1,
        "not the FID",
        column="FID",
    ),
    Metric(f"{REAL_PREFIX}frechet_classifier_distance", "Frechet distance of real images", -1),
    Metric(
        "kernel_classifier_distance", "Kernel distance of the classifier's features", -1, "not the KID", console=False
    ),
    Metric(
        "frechet_mobilenet_distance",
        "Frechet distance of MobileNet's features",
        -1,
        f"{_ELSEWHERE}; not the FID",
        tile=9,
        column=_IMAGENET,
    ),
    Metric(
        "kernel_mobilenet_distance",
        "Kernel distance of MobileNet's features",
        -1,
        f"{_ELSEWHERE}; not the KID",
        console=False,
        column=_KERNEL,
    ),
    Metric(
        "frechet_efficientnet_distance",
        "Frechet distance of EfficientNet's features",
        -1,
        "trained on ImageNet; not the FID",
        column=_IMAGENET,
    ),
    Metric(
        "kernel_efficientnet_distance",
        "Kernel distance of EfficientNet's features",
        -1,
        "trained on ImageNet; not the KID",
        console=False,
        column=_KERNEL,
    ),
    Metric(
        "classifier_score", "Inception Score's formula with the classifier", 1, "not the Inception Score", column="IS"
    ),
    Metric("lpips", "LPIPS between several translations", 1, "diversity", column="LPIPS"),
    Metric("vgg16_diversity", _SEVERAL, 1, _IN_VGG),
    Metric("keras_vgg16_diversity", _SEVERAL, 1, _IN_VGG),
    Metric("classifier_feature_diversity", _SEVERAL, 1, "in the classifier's features", column="LPIPS"),
    Metric("precision_at_10/attributes", "P@10, attributes asked for", 1, tile=13, column="Attributes"),
    Metric("precision_at_10/content", "P@10, content of the query", 1, column="Content"),
    Metric("precision_at_10/average", "P@10, average", 1, tile=12, column="Average score"),
    Metric(f"{RANDOM_PREFIX}precision_at_10/average", "P@10, average, of random images", 1),
    Metric("recall_at_10", "Neighbours that the index finds", 1),
    Metric("counterfactual_rank", "Rank of the true counterfactual", -1, "median"),
    Metric("identity_rank", "Rank of another image of the same person", -1, "median", column="Same person's rank"),
    Metric(
        "identity_first", "Another image of the same person comes first", 1, column="Same person first", scale=100.0
    ),
    Metric(f"{RANDOM_PREFIX}identity_rank", "Rank of another image of the same person, in random order", -1),
    Metric("neighbor_share", "Share of the neighbours in the fused content"),
    *_with_other_neighbors("swapped_neighbors", "Another image's neighbours"),
    *_with_other_neighbors("no_neighbors", "No neighbours"),
    Metric("change", "L1 between input and translation", 0, _GREY_LEVELS, console=False),
    Metric("color_shift", "Colour that translations add", 0, f"{_GREY_LEVELS}; 0: as colourful as the input"),
    Metric("change_inside_mask", "Mean attention mask over what changes", 0, "1: all that changes lies inside"),
    Metric("mask", "Mean attention mask", 0, "1: every pixel is replaced"),
    Metric("images_per_second", "Images a second", 0, "translated and judged", console=False),
)
CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _ALL}
_PLACES = {name: place for place, name in enumerate(CATALOGUE)}


def find(name: str) -> Metric:
    """The entry of a name of metrics.json; one made from the name itself where there is none."""
    return CATALOGUE.get(name) or Metric(name, " ".join(name.replace("/", ", ").replace("_", " ").split()))


def ordered(names: Iterable[str]) -> list[str]:
    """Names of metrics.json in the order of the catalogue; those it does not know come last."""
    return sorted(names, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))


def tiles() -> list[Metric]:
    """The figures that a reader wants to see first."""
    return sorted((metric for metric in _ALL if metric.tile), key=lambda metric: metric.tile)


def column(heading: str) -> list[Metric]:
    """What may stand in a column of `bin/reproduce`, the paper's own metric first."""
    return [metric for metric in _ALL if metric.column == heading]
