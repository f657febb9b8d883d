"""All figures and pictures of one stage, and of all finished stages of a workdir."""

from __future__ import annotations

import datetime
import json
import pathlib
import platform
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation import figures
from rgunit_tf.evaluation.avatar_truth import avatar_counterfactuals
from rgunit_tf.evaluation.classifier_training import load_or_train
from rgunit_tf.evaluation.retrieval import evaluate_retrieval
from rgunit_tf.evaluation.translation import RealFeatures, evaluate_translation

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.counterfactual import Counterfactuals
    from rgunit_tf.retrieval import Gallery
    from rgunit_tf.workdir import Workdir

FORMAT = 1
METRICS = "metrics.json"
FIGURES = "figures"


def evaluate_stage(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    real: RealFeatures | None = None,
    gallery: Gallery | None = None,
    figure_folder: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Measures one trained model and draws its pictures.

    Args:
      model: a translation or guided model, or, where `gallery` is given, a retrieval model.
      dataset: its `.test` is used.
      classifier: judges translated images; not used for retrieval.
      counterfactuals: draws the truth, where the data can be drawn.
      seed: of targets, styles, resamples and the choice of pictures.
      real: features of real images, shared between stages.
      gallery: of a retrieval model.
      figure_folder: where pictures go; None draws none.

    Returns:
      {"metrics": records by name, "figures": file names, "seconds": float}, JSON-ready.
    """
    started = time.perf_counter()
    drawn: list[str] = []
    if gallery is not None:
        metrics = evaluate_retrieval(model, gallery, dataset, counterfactuals, seed)
        if figure_folder is not None and gallery.has_images:
            figures.retrievals(model, gallery, dataset, figure_folder / "retrievals.png", seed)
            drawn.append("retrievals.png")
    else:
        metrics = evaluate_translation(model, dataset, classifier, counterfactuals, seed, real)
        if figure_folder is not None:
            figures.translations(model, dataset, figure_folder / "translations.png", seed)
            drawn.append("translations.png")
            if counterfactuals is not None:
                figures.beside_truth(model, dataset, counterfactuals, figure_folder / "beside_truth.png", seed)
                drawn.append("beside_truth.png")
    return {"metrics": metrics, "figures": drawn, "seconds": round(time.perf_counter() - started, 1)}


def evaluate_workdir(workdir: Workdir, stages: Sequence[str] | None = None, seed: int = 0) -> dict[str, Any]:
    """Evaluates finished stages and writes `evaluation/metrics.json` and `evaluation/figures/<stage>/`.

    Results of stages that are not evaluated this time are kept as they are in an earlier file.

    Args:
      workdir: of a run with at least one finished stage.
      stages: names of stages; None: all that are finished.
      seed: of targets, styles and resamples.

    Returns:
      What `metrics.json` holds.

    Raises:
      UserError: a stage is not finished, or none is.
    """
    finished = workdir.finished_stages()
    missing = [name for name in stages or () if name not in finished]
    if missing or not finished:
        name = missing[0] if missing else "translation"
        raise UserError(
            f"{workdir.path}: no finished {name} stage; run bin/train --stage={name} --workdir={workdir.path}"
        )
    started = time.perf_counter()
    folder = workdir.path / "evaluation"
    dataset = workdir.dataset()
    if not len(dataset.test):
        raise UserError("the data has no test images; give config.data.test_images or a test partition")
    classifier = load_or_train(folder / "classifier", dataset)
    truth = avatar_counterfactuals(dataset, folder / "counterfactuals")
    real = RealFeatures.of(dataset, classifier, seed)
    evaluated = {}
    for name in stages or finished:
        logging.info("evaluating %s on %d test images", name, len(dataset.test))
        gallery = workdir.gallery() if name == "retrieval" else None
        evaluated[name] = evaluate_stage(
            workdir.load_stage(name), dataset, classifier, truth, seed, real, gallery, folder / FIGURES / name
        )
    report = {
        "format": FORMAT,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "data": {
            "source": workdir.config.data.source,
            "image_size": dataset.test.image_size,
            "attributes": list(dataset.schema.names),
            "train_images": len(dataset.train),
            "test_images": len(dataset.test),
        },
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "numpy": np.__version__},
        "classifier": {"name": classifier.name, **classifier.info},
        "stages": {**_earlier_stages(folder / METRICS), **evaluated},
    }
    atomic.write_json(folder / METRICS, report)
    return report


def _earlier_stages(path: pathlib.Path) -> dict[str, Any]:
    """Stages of an earlier metrics.json; none if it is absent, damaged or of another format."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        return dict(earlier["stages"]) if earlier["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
