"""The default's data and size with the paper's training settings, to compare recipes.

Source: the embedded `avatars` source.
Cost: as `configs/avatars.py`.
Command: bin/train --stage=guided --config=configs/avatars_paper.py
"""

import avatars
import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = avatars.get_config()
    paper = default_config()
    config.loss = paper.loss
    config.model.discriminator_width = config.model.width
    config.translation.batch_size = config.guided.batch_size = paper.translation.batch_size
    config.translation.learning_rate = config.guided.learning_rate = paper.translation.learning_rate
    return config
