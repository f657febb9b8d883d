"""Cats to dogs and back, from a folder of photographs, one folder a domain.

Source: `<root>/train/cat/*.jpg`, `<root>/train/dog/*.jpg` and the same under `val/`; any size and shape.
Cost: about 25 minutes for the three stages on two cores (by the time of a step, 0.25 s).
Command: bin/train --stage=guided --config=configs/cat_dog.py --config.data.root=path/to/cat_dog
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "folder"
    config.data.image_size = 64

    config.model.width = 16
    config.model.discriminator_width = 32
    config.model.discriminator_layers = 4
    config.loss.mask_warmup = 100_000  # a cat's whole head changes: the mask stays off
    config.loss.noise = 0.1

    config.translation.steps = 4000
    config.translation.batch_size = 8
    config.translation.learning_rate = 2e-4
    config.retrieval.steps = 500
    config.retrieval.batch_size = 16
    config.retrieval.learning_rate = 3e-4
    config.guided.steps = 1000
    config.guided.batch_size = 8
    return config
