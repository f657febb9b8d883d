"""AFHQ (cats, dogs, wildlife) at 128 px.

Source: AFHQ (Choi et al. 2020) as published: `<root>/train/{cat,dog,wild}/` and `<root>/val/...`.
Cost: meant for GPUs.
Command: bin/train --stage=guided --config=configs/afhq.py --config.data.root=~/afhq
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "folder"
    config.data.image_size = 128
    config.loss.mask_warmup = 1_000_000  # the whole head changes: the mask stays off
    config.retrieval.index = "scann"
    return config
