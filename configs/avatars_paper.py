"""The default's data and size with the paper's training settings, to compare recipes.

Source: the embedded `avatars` source.
Cost: as `configs/avatars.py`.
Command: bin/train --stage=guided --config=configs/avatars_paper.py
"""

import avatars
import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config, small = default_config(), avatars.get_config()
    config.data = small.data
    config.model.width = config.model.discriminator_width = small.model.width
    config.model.residual_blocks = small.model.residual_blocks
    config.model.discriminator_layers = small.model.discriminator_layers
    for stage in ("translation", "retrieval", "guided"):
        config[stage].steps = small[stage].steps
    return config
