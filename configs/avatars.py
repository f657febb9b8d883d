"""The default: cartoon faces drawn on the spot, 32 px, small enough for two CPU cores.

Source: the embedded `avatars` source (drawn with python-avatars and resvg); five attributes as in the paper.
Cost: 12 minutes for the three stages on two cores (AVX-512, 480 GFLOP/s), drawing and report included.
Command: bin/train --stage=guided

Where the settings differ from the paper's (`configs/avatars_paper.py`), and what each did: "Settings of the default" in
`rgunit_tf/experiments/README.md`.
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "avatars"
    config.data.image_size = 32
    config.data.num_images = 6000

    config.model.width = 16
    config.model.residual_blocks = 3
    config.model.discriminator_width = 48
    config.model.discriminator_layers = 4

    config.loss.adversarial = 4.0
    config.loss.gradient_penalty = 160.0
    config.loss.domain_gradient_penalty = 0.2
    config.loss.reconstruction = 2.0
    config.loss.cycle = 2.0
    config.loss.mask_warmup = 1500
    config.loss.noise = 0.2
    config.loss.final_noise = 0.25

    config.translation.steps = 5000
    config.translation.batch_size = 8
    config.translation.learning_rate = 3e-4

    config.retrieval.steps = 800
    config.retrieval.batch_size = 64
    config.retrieval.learning_rate = 3e-4
    config.retrieval.margin = 1.0
    config.retrieval.negatives = ("easy", "hard_content", "hard_style", "hard_domain")

    config.guided.steps = 1500
    config.guided.batch_size = 8
    config.guided.learning_rate = 3e-4
    config.guided.ema_momentum = 0.998
    return config
