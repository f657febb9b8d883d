"""Cartoon faces at 64 px: the pictures of the README.

Source: the embedded `avatars` source.
Cost: about 35 minutes for the three stages on two cores (AVX2, 130 GFLOP/s); the same command resumes it.
Command: bin/train --stage=guided --config=configs/avatars_64.py
"""

import avatars
import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = avatars.get_config()
    config.data.image_size = 64
    config.model.discriminator_layers = 5
    # The gradient penalty of the smaller faces was not tried at this size.
    config.loss.adversarial = 1.0
    config.loss.gradient_penalty = config.loss.domain_gradient_penalty = 0.0
    config.loss.mask_warmup = 1200
    config.loss.final_noise = 1.0
    config.translation.steps = 5000
    config.retrieval.steps = 400
    config.guided.steps = 1200
    config.guided.learning_rate = 1.5e-4
    return config
