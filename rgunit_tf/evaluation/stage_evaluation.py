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
from rgunit_tf.evaluation.avatar_truth import avatar_counterfactuals
from rgunit_tf.evaluation.diversity import evaluate_diversity
from rgunit_tf.evaluation.figures.stage import draw_retrieval, draw_translator
from rgunit_tf.evaluation.guidance import evaluate_guidance
from rgunit_tf.evaluation.identity_retrieval import evaluate_identity
from rgunit_tf.evaluation.judge import networks as judge_networks
from rgunit_tf.evaluation.judge.classifier_training import load_or_train, recipe_of
from rgunit_tf.evaluation.metrics import each_image, lpips
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.evaluation.real_images import RealFeatures, evaluate_real
from rgunit_tf.evaluation.retrieval import evaluate_retrieval
from rgunit_tf.evaluation.translation import evaluate_translation
from rgunit_tf.names import several
from rgunit_tf.runs import finished

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.judge.networks import Judge
    from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals
    from rgunit_tf.retrieval import Gallery
    from rgunit_tf.runs.workdir import Workdir

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
    judges: Sequence[Judge] = (),
    perceptual: Sequence[PerceptualNetwork] = (),
    numbers_file: pathlib.Path | None = None,
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
      judges: networks trained elsewhere, whose figures are added (FID, KID, Inception Score, identity).
      perceptual: networks that measure diversity beside the classifier, such as LPIPS.
      numbers_file: gets the numbers of each image behind a translating stage's figures; None: nothing does.

    Returns:
      {"metrics": records by name, "figures": file names, "seconds": float}, JSON-ready.
    """
    started = time.perf_counter()
    drawn: list[str] = []
    if gallery is not None:
        metrics = evaluate_retrieval(model, gallery, dataset, counterfactuals, seed)
        metrics.update(evaluate_identity(model, dataset, seed))
        if figure_folder is not None:
            drawn = draw_retrieval(model, gallery, dataset, figure_folder, seed)
    else:
        metrics = evaluate_translation(model, dataset, classifier, counterfactuals, seed, real, judges)
        if numbers_file is not None:
            targets = draw_targets(dataset.test.labels, dataset.train.labels, seed)
            each_image.write(numbers_file, metrics, each_image.key_of(dataset.test.ids, targets))
        metrics.update(evaluate_guidance(model, dataset, classifier, counterfactuals, seed, real))
        networks = [classifier.perceptual_network, *perceptual]
        metrics.update(evaluate_diversity(model, dataset, networks, seed))
        if figure_folder is not None:
            drawn = draw_translator(model, dataset, classifier, counterfactuals, figure_folder, seed)
    return {"metrics": metrics, "figures": drawn, "seconds": round(time.perf_counter() - started, 1)}


def evaluate_workdir(
    workdir: Workdir,
    stages: Sequence[str] | None = None,
    seed: int = 0,
    classifier: AttributeClassifier | None = None,
    dataset: Dataset | None = None,
    cache: pathlib.Path | None = None,
    architecture: str = "auto",
    inception: str = "auto",
    efficientnet: str = "auto",
    judge_weights: str = "auto",
    lpips_weights: str = "auto",
    lpips_backbone: str = "auto",
) -> dict[str, Any]:
    """Evaluates finished stages: `evaluation/metrics.json`, `each_image/<stage>.npz` and `figures/<stage>/`.

    Results of stages that are not evaluated this time are kept as they are in an earlier file.

    Args:
      workdir: of a run with at least one finished stage.
      stages: names of stages; None: all that are finished.
      seed: of targets, styles and resamples.
      classifier: the judge; None: the workdir's own, trained on its training images at the first call. Figures of
        several runs compare only under one judge.
      dataset: the data to measure on; None: the workdir's own. Runs that were trained on shares of one data set compare
        only against the same real images.
      cache: folder that keeps the judge, drawn truths and ImageNet features of real images; None: the workdir's
        `evaluation/`.
      architecture: of the workdir's own judge: `small`, `resnet50`, or `auto`, by the size of the images.
      inception: network of FID, KID and Inception Score, see `inception.load`.
      efficientnet: network of further distances to real images, see `efficientnet.load`.
      judge_weights: networks that no training looks at, see `judge_weights.load`.
      lpips_weights: of LPIPS, see `lpips.load`.
      lpips_backbone: the VGG16 under them, see `lpips.load`.

    Returns:
      What `metrics.json` holds: `stages` and `real` (see `evaluate_stage`, `evaluate_real`), `guided_less_translation`
      (see `each_image.differences`), the judge and the data.

    Raises:
      UserError: a stage is not finished, or none is; `classifier` is for other attributes or another image size; or a
        network that was named cannot be used.
    """
    names = checked_stages(workdir, stages)
    started = time.perf_counter()
    folder = workdir.path / "evaluation"
    cache = cache or folder
    dataset = dataset or finished.load_dataset(workdir)
    if not len(dataset.test):
        raise UserError("the data has no test images; give config.data.test_images or a test partition")
    # Named files first: a mistake in them is told before minutes of work.
    networks = judge_networks.load(inception, efficientnet, judge_weights)
    perceptual = [network for network in [lpips.load(lpips_weights, lpips_backbone)] if network]
    if classifier is None:
        classifier = load_or_train(cache / "classifier", dataset, **recipe_of(architecture, dataset.test.image_size))
    classifier.check_fits(dataset)
    truth = avatar_counterfactuals(dataset, cache / "counterfactuals")
    real = RealFeatures.of(dataset, classifier, seed)
    seen = judge_networks.seen_in_training(workdir.config, networks)
    judges = judge_networks.judges_of(networks, dataset, seed, cache / "imagenet", seen)
    evaluated = {}
    for name in names:
        logging.info("evaluating %s on %s", name, several(len(dataset.test), "test image"))
        gallery = finished.load_gallery(workdir) if name == "retrieval" else None
        model = finished.load(workdir, name)
        pictures, numbers = folder / FIGURES / name, each_image.file_of(folder, name)
        evaluated[name] = evaluate_stage(
            model, dataset, classifier, truth, seed, real, gallery, pictures, judges, perceptual, numbers
        )
    report = {
        "format": FORMAT,
        **_circumstances(workdir, dataset),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "classifier": {"name": classifier.name, **classifier.info},
        "real": evaluate_real(dataset, classifier, real, seed, judges, perceptual),
        "stages": {**_earlier_stages(folder / METRICS), **evaluated},
        "guided_less_translation": each_image.differences(
            each_image.file_of(folder, "translation"), each_image.file_of(folder, "guided"), seed
        ),
    }
    atomic.write_json(folder / METRICS, report)
    return report


def checked_stages(workdir: Workdir, stages: Sequence[str] | None = None) -> list[str]:
    """Names of the stages to evaluate: `stages`, or all that are finished.

    Raises:
      UserError: one of them is not finished, or none is.
    """
    known = workdir.finished_stages()
    missing = [name for name in stages or () if name not in known]
    if missing or not known:
        name = missing[0] if missing else "translation"
        raise UserError(
            f"{workdir.path}: no finished {name} stage; run bin/train --stage={name} --workdir={workdir.path}"
        )
    return list(stages or known)


def _circumstances(workdir: Workdir, dataset: Dataset) -> dict[str, Any]:
    """When, on which data and with what a run is measured."""
    return {
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "data": {
            "source": workdir.config.data.source,
            "image_size": dataset.test.image_size,
            "attributes": list(dataset.schema.names),
            "train_images": len(dataset.train),
            "validation_images": len(dataset.validation),
            "gallery_images": len(dataset.retrieval),
            "test_images": len(dataset.test),
        },
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def _earlier_stages(path: pathlib.Path) -> dict[str, Any]:
    """Stages of an earlier metrics.json; none if it is absent, damaged or of another format."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        return dict(earlier["stages"]) if earlier["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
