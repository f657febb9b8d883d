"""Cartoon faces at 64 px: the pictures of the README.

Source: the embedded `avatars` source.
Cost: about 85 minutes for the three stages on two cores; start it in the background, the same command resumes it.
Command: bin/train --stage=guided --config=configs/avatars_64.py
"""

import avatars
import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = avatars.get_config()
    config.data.image_size = 64
    return config
