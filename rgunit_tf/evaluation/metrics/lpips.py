"""LPIPS (Zhang et al. 2018, version 0.1, VGG) for the diversity of paper §4.1; from local files, without PyTorch.

LPIPS is one network with one set of weights: torchvision's VGG16 and the published weight of each of its channels.
Keras' VGG16 is another training, whose channels those weights say nothing about, so it is used with equal weights and
its figure goes by another name.
"""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np
from absl import logging

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork
from rgunit_tf.pretrained import torch_file, vgg


def load(weights: str = "auto", backbone: str = "auto") -> PerceptualNetwork | None:
    """The network that `--lpips=<weights>` and `--lpips_backbone=<backbone>` name.

    Args:
      weights: `none`; `auto`: those of the installed `lpips` package, if it is; or the path of its `vgg.pth`.
      backbone: `auto`: weights of VGG16 that PyTorch or Keras keep on this machine, if they do; or a path, see
        `vgg.load`.

    Returns:
      A network whose metric is `lpips` with torchvision's VGG16 and the published weights; `keras_vgg16_diversity` or
      `vgg16_diversity` with another VGG16, all channels weighing the same; None where there is no VGG16.

    Raises:
      UserError: a file that was named cannot be used.
    """
    if weights == "none":
        return None
    path = vgg.cached() if backbone == "auto" else pathlib.Path(backbone)
    if path is None:
        if weights != "auto":
            raise UserError(f"--lpips={weights} needs --lpips_backbone=<torchvision's {vgg.TORCHVISION_FILE}>")
        logging.info("no LPIPS: no VGG16 on disk; --lpips_backbone=<path>")
        return None
    network = vgg.load(path)
    linear = installed_weights() if weights == "auto" else pathlib.Path(weights).expanduser()
    if network.published and linear is not None:
        words = f"LPIPS version 0.1 with its published weights {linear.name}; {network.name}"
        return PerceptualNetwork("lpips", words, network, read_weights(linear))
    if weights != "auto":
        raise UserError(f"--lpips={weights} belongs to torchvision's VGG16; {path} is another; leave --lpips out")
    metric = "keras_vgg16_diversity" if network.caffe else "vgg16_diversity"
    return PerceptualNetwork(metric, f"LPIPS' construction with equal weights, no LPIPS; {network.name}", network)


def installed_weights() -> pathlib.Path | None:
    """The published weights inside the installed `lpips` package, which is not imported; None if it is not there."""
    found = importlib.util.find_spec("lpips")
    if found is None or not found.submodule_search_locations:
        return None
    path = pathlib.Path(found.submodule_search_locations[0]) / "weights" / "v0.1" / "vgg.pth"
    return path if path.is_file() else None


def read_weights(path: pathlib.Path) -> list[np.ndarray]:
    """Non-negative weight of each channel of the five layers, float32 [C] each, from LPIPS' `vgg.pth`.

    Raises:
      UserError: the file holds something else.
    """
    tensors = torch_file.read(path)
    weights = []
    for number, channels in enumerate(vgg.CHANNELS):
        weight = tensors.get(f"lin{number}.model.1.weight")
        if weight is None or weight.size != channels or (weight < 0).any():
            raise UserError(f"{path}: no LPIPS weights for VGG (lin{number} is not {channels} non-negative numbers)")
        weights.append(weight.reshape(channels).astype(np.float32))
    return weights
