"""The default: cartoon faces drawn on the spot, 32 px, small enough for two CPU cores.

Source: the embedded `avatars` source (drawn with python-avatars and resvg); five attributes as in the paper.
Cost: about 25 minutes for the three stages on two cores.
Command: bin/train --stage=guided
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
    config.model.discriminator_layers = 4

    config.loss.reconstruction = 5.0
    config.loss.cycle = 5.0
    config.loss.mask_warmup = 2500
    config.loss.noise = 0.2

    config.translation.steps = 8000
    config.translation.batch_size = 8
    config.translation.learning_rate = 3e-4
    config.translation.final_learning_rate = 0.1

    config.retrieval.steps = 1000
    config.retrieval.batch_size = 32
    config.retrieval.learning_rate = 3e-4

    config.guided.steps = 2000
    config.guided.batch_size = 8
    config.guided.learning_rate = 1e-4
    return config
