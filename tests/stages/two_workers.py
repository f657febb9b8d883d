"""Trains the stages of a workdir, alone or as one of several workers (TF_CONFIG); another optimiser in AdamW's place.

python two_workers.py <workdir> <data> <steps> <last stage> sgd|record
"""

from __future__ import annotations

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tensorflow as tf
from absl import logging

from rgunit_tf import config as settings_module
from rgunit_tf.config import STAGES
from rgunit_tf.errors import RunError
from rgunit_tf.runs import finished, training
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages import optimization


class PlainSGD(optimization.AdamW):
    """AdamW divides by the size of the gradient, which is rounding error alone for biases that do nothing."""

    def update_step(self, gradient, variable, scalars=None):
        """A step against the gradient."""
        optimization._subtract(variable, scalars["lr"], gradient)


class Recorder(optimization.AdamW):
    """Keeps the gradient of the last step, and leaves the weights as they are."""

    def update_step(self, gradient, variable, scalars=None):
        """Puts the gradient where the first moment would be."""
        tf.raw_ops.AssignVariableOp(resource=self.moments_of(variable)[0].handle, value=gradient)

    def average_of(self, variable):
        """The variable itself: without averages the gradients are all that the optimiser holds."""
        return variable


OPTIMIZERS = {"sgd": PlainSGD, "record": Recorder}


def main(folder: str, data: str, steps: int, last: str, optimizer: str) -> None:
    config = settings_module.default_config()
    config.data.update(source="celeba", root=data, image_size=16)
    config.model.update(width=4, residual_blocks=1, style_dim=2, mlp_width=8)
    config.model.update(discriminator_width=4, discriminator_layers=2, discriminator_scales=1)
    config.loss.update(mask_warmup=0, kl_warmup=0, noise=0.2)
    for name in STAGES:
        config[name].update(steps=steps if name != "retrieval" else 2, batch_size=8)
    config.retrieval.update(embedding_dim=8, hidden=16, content_channels=4)
    config.guided.neighbors = 2
    every = 1 if optimizer == "record" else 2
    config.train.update(log_every=every, checkpoint_every=every, keep_checkpoints=99, sample_every=4, tensorboard=False)
    optimization.make_optimizer = lambda settings, average, rate=1.0: OPTIMIZERS[optimizer](
        0.02, average=average and optimizer == "sgd", ema_momentum=0.9
    )
    training.configure(config)
    workdir = Workdir(pathlib.Path(folder))
    with workdir.lock():
        workdir.claim(config)
        dataset = finished.load_dataset(workdir)
        for stage in STAGES[: STAGES.index(last) + 1]:
            if stage not in workdir.finished_stages():
                training.train_stage(workdir, stage, dataset)


if __name__ == "__main__":
    logging.set_verbosity(logging.INFO)
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
