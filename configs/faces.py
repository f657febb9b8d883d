"""Photographs of faces, grey or in colour, at 64 px.

Source: CelebA's layout under --config.data.root, with --config.data.attributes and --config.data.groups; aligned faces,
since D judges an attribute's value by the whole picture.
Cost: 95 minutes with exports, evaluation and report on one core that others used too (AVX-512).
Command: bin/train --stage=guided --config=configs/faces.py --config.data.root=faces

What it gives, and what was tried: rgunit_tf/experiments/README.md, "Photographs".
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "celeba"
    config.data.image_size = 64
    config.data.attributes = ("Male", "Smiling")
    config.data.groups = ()
    config.data.crop = 0
    config.data.balance = True

    config.model.width = 16
    config.model.residual_blocks = 3
    config.model.discriminator = "efficientnet"
    config.model.discriminator_width = 64
    config.model.discriminator_layers = 5
    config.model.judge_values = True
    config.model.drawing = "change"
    config.model.colors = "auto"

    config.loss.hinge = True
    config.loss.adversarial = 1.0
    config.loss.real_values = 4.0
    config.loss.domain = 4.0
    config.loss.gradient_penalty = 0.2
    config.loss.domain_gradient_penalty = 0.2
    config.loss.content = 0.5
    config.loss.reconstruction = 4.0
    config.loss.cycle = 3.0
    config.loss.change = 5.0
    config.loss.halves = True
    config.loss.augment = 0.5
    config.loss.noise = 0.1
    # A change that is small needs no mask to stay small: off throughout, so a mask is all ones, for --paste_back too.
    config.loss.mask_warmup = 1_000_000

    config.translation.steps = 5500
    config.translation.batch_size = 8
    config.translation.learning_rate = 6e-4
    config.translation.discriminator_rate = 1.6
    config.translation.ema_momentum = 0.998

    config.retrieval.steps = 400
    config.retrieval.batch_size = 32
    config.retrieval.learning_rate = 3e-4
    config.retrieval.margin = 1.0
    config.retrieval.negatives = ("easy", "hard_content", "hard_style", "hard_domain")

    config.guided.steps = 800
    config.guided.batch_size = 8
    config.guided.learning_rate = 2e-4
    config.guided.discriminator_rate = 1.6
    config.guided.ema_momentum = 0.998
    return config
