"""Photographs of faces at 32 px: a first look at what `configs/faces.py` makes of a data set.

Source: see `configs/faces.py`.
Cost: 14 minutes for the first stage on one core that others used too (AVX-512), 25 for all.
Command: bin/train --stage=guided --config=configs/faces_32.py --config.data.root=faces
"""

import faces
import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = faces.get_config()
    config.data.image_size = 32
    config.model.discriminator_layers = 4
    config.translation.steps = 6000
    config.retrieval.batch_size = 64
    config.guided.steps = 1000
    return config
