"""Figures of a translation or guided model (paper Fig. 4 to 7): each function gives one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rgunit_tf import pixels
from rgunit_tf.evaluation.figures.painter import Painter, changes, describe_targets, mask_is_off
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.names import to_tensor
from rgunit_tf.runs.samples import domain_changes

if TYPE_CHECKING:
    from rgunit_tf.domains import AttributeSchema
    from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals

# Columns of domains at most: a sheet of forty attributes could not be looked at.
DOMAINS = 8


def _by_row(*columns: Sequence[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    return list(zip(*columns, strict=True))


def translations(painter: Painter, count: int = 8) -> FigureSheet:
    """Inputs translated to one domain after another (Fig. 4)."""
    split, schema = painter.chosen(count), painter.schema
    targets = domain_changes(schema, split.labels)[:DOMAINS]
    columns = [painter.translate(split, painter.styles(labels))[0] for _, labels in targets]
    caption = "A row is a test image, named by its attributes, and its translations: one attribute is changed a column."
    if schema.size > DOMAINS:
        caption += f" The first {DOMAINS} of {schema.size} attributes."
    return FigureSheet(
        "Translations to each domain",
        caption,
        ["Input", *(title for title, _ in targets)],
        _by_row(split.images(), *columns),
        [schema.describe(label) for label in split.labels],
    )


def samples(painter: Painter, count: int = 6, draws: int = 5) -> FigureSheet:
    """Several styles of one target domain (Fig. 5)."""
    split = painter.chosen(count)
    targets = changes(painter.schema, split.labels)
    columns = [painter.translate(split, painter.styles(targets, 1 + draw))[0] for draw in range(draws)]
    return FigureSheet(
        "Several samples of one translation",
        "The same input and the same target domain, with styles drawn anew from the domain's Gaussian.",
        ["Input", *(f"Sample {1 + draw}" for draw in range(draws))],
        _by_row(split.images(), *columns),
        describe_targets(painter.schema, targets),
    )


def masks(painter: Painter, count: int = 6) -> FigureSheet | None:
    """Where a translation acts (Fig. 6); None where the mask is off, so that there is nothing to see."""
    split = painter.chosen(count)
    targets = changes(painter.schema, split.labels)
    outputs, drawn = painter.translate(split, painter.styles(targets))
    if mask_is_off(drawn):
        return None
    images = split.images()
    # A quarter of the light stays where the mask is off, so that one sees what was left alone.
    lit = np.rint(images * (0.25 + 0.75 * (drawn / 255.0))).astype(np.uint8)
    return FigureSheet(
        "Attention masks",
        "White: replaced by the generator; black: the input's own pixels. Right, the input with those pixels darkened.",
        ["Input", "Translation", "Mask", "Where it acts"],
        _by_row(images, outputs, drawn, lit),
        describe_targets(painter.schema, targets),
    )


def interpolation(painter: Painter, count: int = 5, steps: int = 6) -> FigureSheet:
    """From one domain to another along a straight line between two styles (Fig. 7)."""
    split, schema = painter.chosen(count), painter.schema
    ends = [_ends(schema, label, row % schema.size) for row, label in enumerate(split.labels)]
    first, last = (painter.styles(np.stack(side)) for side in zip(*((a, b) for a, b, _ in ends), strict=True))
    shares = np.linspace(0.0, 1.0, steps)
    columns = [
        painter.translate(split, ((1.0 - share) * first + share * last).astype(np.float32))[0] for share in shares
    ]
    return FigureSheet(
        "Interpolation between two domains",
        "The style moves in a straight line from one domain to the other; the input stays the same.",
        ["Input", *(f"{share:.0%}" for share in shares)],
        _by_row(split.images(), *columns),
        [title for _, _, title in ends],
    )


def _ends(schema: AttributeSchema, label: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Two label vectors and what lies between them: the next member of a group, or without and with an attribute."""
    name = schema.names[index]
    for group in schema.groups:
        if name in group and len(group) > 1:
            other = group[(group.index(name) + 1) % len(group)]
            return schema.apply(label, [name]), schema.apply(label, [other]), f"{name} to {other}"
    return schema.apply(label, [f"-{name}"]), schema.apply(label, [name]), f"not {name} to {name}"


def guides(painter: Painter, count: int = 6) -> FigureSheet | None:
    """The retrieved images whose content helped (Eq. 9); None for a model that retrieves none or keeps no images."""
    model = painter.model
    if not getattr(model, "neighbors", 0) or not model.gallery.has_images:
        return None
    split = painter.chosen(count)
    targets = changes(painter.schema, split.labels)
    styles = painter.styles(targets)
    rows = model.neighbors_for(pixels.to_float(split.images()), styles, to_tensor(split.ids))
    neighbors = np.moveaxis(model.gallery.images(rows).numpy(), 1, 0)
    return FigureSheet(
        "What guided a translation",
        "Beside each translation, the real images that were retrieved for it and whose content was fused into it.",
        ["Input", "Translation", *(f"Neighbor {rank}" for rank in range(1, 1 + len(neighbors)))],
        _by_row(split.images(), painter.translate(split, styles)[0], *neighbors),
        describe_targets(painter.schema, targets),
    )


def beside_truth(painter: Painter, truth: Counterfactuals, count: int = 8) -> FigureSheet:
    """Translations beside the true counterfactual: what was measured, not what was picked."""
    test = painter.dataset.test
    rows = np.sort(np.random.default_rng([painter.seed, 5]).permutation(len(test))[:count])
    outputs, drawn = painter.measured(rows)
    columns, pictures = ["Input", "Translation", "Truth"], [test.images(rows), outputs]
    pictures.append(truth.images(test.ids, painter.measured_targets)[rows])
    if not mask_is_off(drawn):
        columns.append("Mask")
        pictures.append(drawn)
    return FigureSheet(
        "Beside the truth",
        "Random test images to random other domains. The truth is the same face, drawn with the attributes asked for.",
        columns,
        _by_row(*pictures),
        describe_targets(painter.schema, painter.measured_targets[rows]),
    )
