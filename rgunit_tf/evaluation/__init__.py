"""How good a model is: accuracy, distances to real images and to the truth, retrieval precision, pictures.

    metrics/    figures from plain arrays: accuracy, distances, scores, intervals
    judge/      what judges: the attribute classifier, trained on real images, and networks trained elsewhere
    figures/    sheets of pictures
    report/     the page of a run

Names are imported when first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from rgunit_tf.lazy import attach

_HOMES = {
    "AttributeClassifier": "judge.attribute_classifier",
    "Counterfactuals": "metrics.counterfactual",
    "RealFeatures": "real_images",
    "evaluate_real": "real_images",
    "evaluate_retrieval": "retrieval",
    "evaluate_translation": "translation",
    "load_or_train": "judge.classifier_training",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
