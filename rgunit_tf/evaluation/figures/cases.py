"""The best and the worst translations of a model, so that an average hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rgunit_tf.evaluation.figures.painter import Painter, batches_of, describe_targets, mask_is_off
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.metrics.counterfactual import mean_absolute_difference

if TYPE_CHECKING:
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals

# Test images that are looked through, at most: enough for telling extremes, in seconds.
CANDIDATES = 512
SHOWN = 6


def cases(painter: Painter, classifier: AttributeClassifier, truth: Counterfactuals | None) -> dict[str, FigureSheet]:
    """Sheets `best` and `worst`.

    Ordered by the L1 distance to the true counterfactual where the data can be drawn; otherwise by the classifier's
    mean probability of what the attributes were asked to be.
    """
    test = painter.dataset.test
    generator = np.random.default_rng([painter.seed, 4])
    rows = np.sort(generator.permutation(len(test))[:CANDIDATES])
    if truth is None:
        score = batches_of(rows, lambda part: -confidence(painter, classifier, part))
    else:
        drawn = truth.images(test.ids, painter.measured_targets)
        score = batches_of(rows, lambda part: mean_absolute_difference(painter.measured(part)[0], drawn[part]))
    order = rows[np.argsort(score, kind="stable")]
    values = dict(zip(rows.tolist(), score.tolist(), strict=True))
    if truth is None:
        by, unit = "the classifier's mean probability of the attributes asked for", "score {:.2f}"
        values = {row: -value for row, value in values.items()}
    else:
        by, unit = "the L1 distance to the true picture, in grey levels 0 to 255", "L1 {:.1f}"
    shown = min(SHOWN, len(order) // 2) or 1
    picked = {"best": order[:shown], "worst": order[::-1][:shown]}
    return {
        name: _sheet(
            painter,
            chosen,
            [unit.format(values[int(row)]) for row in chosen],
            truth,
            f"{name.capitalize()} cases",
            f"The {name} {shown} of {len(rows)} random test images by {by}.",
        )
        for name, chosen in picked.items()
    }


def confidence(painter: Painter, classifier: AttributeClassifier, rows: np.ndarray) -> np.ndarray:
    """Mean probability an image, float [N], that each attribute is as asked for; of one category, its own."""
    scores, _ = classifier(painter.measured(rows)[0])
    targets = painter.measured_targets[rows] > 0.5
    if painter.schema.categorical:
        return scores[targets]
    return np.where(targets, scores, 1.0 - scores).mean(axis=1)


def _sheet(
    painter: Painter, rows: np.ndarray, notes: list[str], truth: Counterfactuals | None, title: str, caption: str
) -> FigureSheet:
    ascending = np.argsort(rows)
    outputs, masks = painter.measured(rows[ascending])
    back = np.argsort(ascending)
    test, targets = painter.dataset.test, painter.measured_targets[rows]
    columns, pictures = ["Input", "Translation"], [test.images(rows), outputs[back]]
    if truth is not None:
        columns.append("Truth")
        pictures.append(truth.images(test.ids, painter.measured_targets)[rows])
    if not mask_is_off(masks):
        columns.append("Mask")
        pictures.append(masks[back])
    titles = [
        f"{target}; {note}" for target, note in zip(describe_targets(painter.schema, targets), notes, strict=True)
    ]
    return FigureSheet(title, caption, columns, list(zip(*pictures, strict=True)), titles)
