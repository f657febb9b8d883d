"""All figures of one stage, as PNG sheets in a folder."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.figures import translations as drawn
from rgunit_tf.evaluation.figures.cases import cases
from rgunit_tf.evaluation.figures.neighbors import neighbor_cases
from rgunit_tf.evaluation.figures.painter import Painter, describe_targets, spread
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.outputs.neighbors import embed_queries, nearest_rows
from rgunit_tf.runs.samples import domain_changes

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals
    from rgunit_tf.retrieval import Gallery

# Queries and changes of the retrieval's figure.
QUERIES = 4
CHANGES = 3


def draw_translator(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    truth: Counterfactuals | None,
    folder: str | os.PathLike,
    seed: int = 0,
) -> list[str]:
    """Draws every figure of a translation or guided model that it and the data allow.

    Args:
      model: translation or guided model.
      dataset: its test images are shown.
      classifier: tells the best cases from the worst where there is no truth.
      truth: draws the true counterfactuals; None where the data cannot be drawn.
      folder: where the PNGs go.
      seed: of images, targets and styles; the one of the measurements shows what was measured.

    Returns:
      Names of the files written, in the order of the paper.
    """
    painter = Painter(model, dataset, seed)

    def sheets() -> Iterator[tuple[str, FigureSheet | None]]:
        # One after the other, so that the pictures of one figure at a time are held.
        yield "translations", drawn.translations(painter)
        yield "samples", drawn.samples(painter)
        yield "masks", drawn.masks(painter)
        yield "interpolation", drawn.interpolation(painter)
        yield "guides", drawn.guides(painter)
        if truth is not None:
            yield "beside_truth", drawn.beside_truth(painter, truth)
        yield from cases(painter, classifier, truth).items()
        yield from neighbor_cases(painter, classifier).items()

    return _save(sheets(), pathlib.Path(folder))


def draw_retrieval(
    model: Any, gallery: Gallery, dataset: Dataset, folder: str | os.PathLike, seed: int = 0
) -> list[str]:
    """Draws the figure of a retrieval model; arguments and result as for `draw_translator`."""
    if not gallery.has_images:
        return []
    return _save(iter([("retrievals", retrieval_sheet(model, gallery, dataset, seed))]), pathlib.Path(folder))


def _save(sheets: Iterator[tuple[str, FigureSheet | None]], folder: pathlib.Path) -> list[str]:
    names = []
    for name, sheet in sheets:
        path = folder / f"{name}.png"
        if sheet is None:
            # What an earlier evaluation drew is no longer true.
            path.unlink(missing_ok=True)
        else:
            sheet.save(path)
            names.append(path.name)
    return names


def retrieval_sheet(model: Any, gallery: Gallery, dataset: Dataset, seed: int = 0, top: int = 5) -> FigureSheet:
    """Queries and their nearest gallery images, for several domains each (Fig. 3)."""
    schema, top = dataset.schema, min(top, gallery.size - 1)
    queries = spread(dataset.test, QUERIES, seed)
    labels = dataset.test.labels[queries]
    options = np.stack([targets for _, targets in domain_changes(schema, labels)], axis=1)
    rows, targets = [], []
    for number, (row, label) in enumerate(zip(queries, labels, strict=True)):
        # Only what differs from the query is a question; another attribute comes first with each query.
        order = np.roll(np.arange(schema.size), -number)
        asked = [options[number, index] for index in order if (options[number, index] != label).any()][:CHANGES]
        targets.extend(asked)
        rows.extend([row] * len(asked))
    split = dataset.test.subset(rows)
    found = nearest_rows(gallery, embed_queries(model, split, np.stack(targets), seed), split.ids, top)
    neighbors = np.asarray(gallery.images(found))
    return FigureSheet(
        "Retrieved images",
        "The content of the query with the attributes asked for; right, the nearest real images of the gallery.",
        ["Query", *(f"Retrieved {rank}" for rank in range(1, top + 1))],
        [[split.image(row), *neighbors[row]] for row in range(len(split))],
        describe_targets(schema, np.stack(targets)),
    )
