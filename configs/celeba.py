"""CelebA at 128 px with the paper's settings (Gomez et al. 2020, §4).

Source: CelebA (Liu et al. 2015): `img_align_celeba/` and `list_attr_celeba.txt` under --config.data.root;
  `list_eval_partition.txt` is used where it is there, otherwise 2,000 random images are the test set, as in the paper.
Cost: meant for GPUs; the batch is shared out over all of them.
Command: bin/train --stage=guided --config=configs/celeba.py --config.data.root=~/celeba
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "celeba"
    config.data.image_size = 128
    config.retrieval.index = "scann"
    return config
