"""Where the retrieved images helped a translation most, and where they harmed it most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rgunit_tf import pixels
from rgunit_tf.evaluation.figures.cases import CANDIDATES, SHOWN, confidence
from rgunit_tf.evaluation.figures.painter import Painter, batches_of, describe_targets
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.outputs.misguided import CHANGES, Misguided
from rgunit_tf.names import to_tensor

if TYPE_CHECKING:
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier


def neighbor_cases(painter: Painter, classifier: AttributeClassifier) -> dict[str, FigureSheet | None]:
    """Sheets `neighbors_helped` and `neighbors_harmed`; None for a model without neighbours, or where nothing changes.

    Ordered by how much the classifier's mean probability of what was asked for moves from the same model's translation
    with zeros in the neighbours' place to that with them.
    """
    model, names = painter.model, ("neighbors_helped", "neighbors_harmed")
    if not getattr(model, "neighbors", 0) or not model.gallery.has_images:
        return dict.fromkeys(names)
    alone = Painter(Misguided(model, CHANGES["no_neighbors"][0]), painter.dataset, painter.seed)
    test = painter.dataset.test
    rows = np.sort(np.random.default_rng([painter.seed, 4]).permutation(len(test))[:CANDIDATES])
    before, after = (
        batches_of(rows, lambda part, which=which: confidence(which, classifier, part)) for which in (alone, painter)
    )
    order = np.argsort(before - after, kind="stable")
    found = {}
    for name, chosen, sign in zip(names, (order, order[::-1]), (1.0, -1.0), strict=True):
        shown = [place for place in chosen[:SHOWN] if sign * (after[place] - before[place]) > 0.0]
        notes = [f"score {before[place]:.2f} to {after[place]:.2f}" for place in shown]
        verb = name.removeprefix("neighbors_")
        caption = (
            f"The {len(shown)} of {len(rows)} random test images whose neighbours {verb} most, by the classifier's "
            "mean probability of the attributes asked for: without them, with them, and what was retrieved."
        )
        found[name] = _sheet(painter, alone, rows[shown], notes, f"Neighbours that {verb}", caption) if shown else None
    return found


def _sheet(
    painter: Painter, alone: Painter, rows: np.ndarray, notes: list[str], title: str, caption: str
) -> FigureSheet:
    ascending = np.argsort(rows)
    back, rows = np.argsort(ascending), rows[ascending]
    split = painter.dataset.test.subset(rows)
    retrieved = painter.model.neighbors_for(
        pixels.to_float(split.images()), painter.measured_styles(rows), to_tensor(split.ids)
    )
    neighbors = np.moveaxis(painter.model.gallery.images(retrieved).numpy(), 1, 0)
    columns = [split.images(), alone.measured(rows)[0], painter.measured(rows)[0], *neighbors]
    targets = describe_targets(painter.schema, painter.measured_targets[rows])
    return FigureSheet(
        title,
        caption,
        [
            "Input",
            "Without neighbors",
            "With neighbors",
            *(f"Neighbor {rank}" for rank in range(1, 1 + len(neighbors))),
        ],
        list(zip(*(column[back] for column in columns), strict=True)),
        [f"{targets[place]}; {note}" for place, note in zip(back, notes, strict=True)],
    )
