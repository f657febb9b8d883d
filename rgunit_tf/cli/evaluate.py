"""Measures the finished stages of a run on its test images.

Writes <workdir>/evaluation/metrics.json (every figure with what it was computed with, its images, its confidence
interval, seed and time) and pictures in evaluation/figures/. The attribute classifier that judges translated images is
trained on real training images at the first call, and kept.
"""

from __future__ import annotations

from absl import flags as absl_flags

from rgunit_tf.cli import flags, launcher

_WORKDIR = flags.workdir()
_STAGE = flags.stage()
_SEED = absl_flags.DEFINE_integer("seed", 0, "seed of target domains, styles and resamples", lower_bound=0)


def main(argv: list[str]) -> None:
    """Evaluates the stages asked for and prints the main figures."""
    del argv
    from rgunit_tf.evaluation import summary
    from rgunit_tf.evaluation.stage_evaluation import METRICS, evaluate_workdir
    from rgunit_tf.workdir import Workdir

    workdir = Workdir(_WORKDIR.value)
    stages = None if _STAGE.value == "all" else [_STAGE.value]
    report = evaluate_workdir(workdir, stages, _SEED.value)
    print("\n".join(summary.lines(report)))
    print(f"written to {workdir.path / 'evaluation' / METRICS}")


def run() -> None:
    """Entry point of `bin/evaluate` and `rgunit-evaluate`."""
    launcher.run(main)


if __name__ == "__main__":
    run()
