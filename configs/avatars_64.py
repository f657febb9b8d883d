"""Cartoon faces at 64 px: the pictures of the README.

Source: the embedded `avatars` source.
Cost: 30 minutes for the three stages on two cores (AVX-512, 480 GFLOP/s), report included; the same command resumes it.
Command: bin/train --stage=guided --config=configs/avatars_64.py
"""

import avatars
import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = avatars.get_config()
    config.data.image_size = 64
    config.model.discriminator_layers = 5
    # Four times those of 32 px: of the same D on the same picture, twice as large, the squared gradient is a quarter.
    config.loss.gradient_penalty = 640.0
    config.loss.domain_gradient_penalty = 0.8
    config.loss.mask_warmup = 1200
    config.retrieval.steps = 400
    config.guided.steps = 1200
    return config
