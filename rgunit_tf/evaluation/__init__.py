"""How good a model is: accuracy, distances to real images and to the truth, retrieval precision, pictures.

    metrics/    figures from plain arrays: accuracy, distances, scores, intervals     imports none of the others
    outputs/    what models are asked and give: domains, translations, neighbours     imports none of the others
    judge/      what judges: the attribute classifier, networks trained elsewhere     imports metrics
    figures/    sheets of pictures                                                    imports metrics, outputs, judge
    report/     the page of a run, and the catalogue of metrics                       imports metrics, judge

The files beside them evaluate a stage and import all of these; none of these imports them.

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
