"""The default: cartoon faces drawn on the spot, 32 px, small enough for two CPU cores.

Source: the embedded `avatars` source (drawn with python-avatars and resvg); five attributes as in the paper.
Cost: less than 30 minutes for the three stages on two cores.
Command: bin/train --stage=guided

The settings differ from the paper's (`configs/celeba.py`) where a short training on two cores asks for it:

- small batches and more steps: what counts is the number of updates;
- weights 2 for reconstruction and cycle (the paper's literature: 10): with 5 the model is slower to change gender and
  age;
- noise on what D sees: without it D's domain head is satisfied by small patches of colour;
- a discriminator three times as wide as the generator: half the Frechet distance for a tenth more time.
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

    config.loss.reconstruction = 2.0
    config.loss.cycle = 2.0
    config.loss.mask_warmup = 1500
    config.loss.noise = 0.2

    config.translation.steps = 8500
    config.translation.batch_size = 8
    config.translation.learning_rate = 3e-4

    config.retrieval.steps = 800
    config.retrieval.batch_size = 32
    config.retrieval.learning_rate = 3e-4

    config.guided.steps = 2000
    config.guided.batch_size = 8
    config.guided.learning_rate = 1.5e-4
    config.guided.ema_momentum = 0.998
    return config
