"""The five activations of VGG16 that LPIPS looks at, from torchvision's weights or from Keras'."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import torch_file

CHANNELS = (64, 128, 256, 512, 512)
# torchvision names its files by the start of their SHA-256.
TORCHVISION = "397923af"
TORCHVISION_FILE = f"vgg16-{TORCHVISION}.pth"
KERAS_FILES = (
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
)
# Positions of the convolutions in torchvision's `features`, block after block.
_POSITIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
# LPIPS' own scaling of images in [-1, 1]: torchvision's normalisation, carried over to that range.
SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
SCALE = np.array([0.458, 0.448, 0.450], np.float32)
# Keras' weights come from Caffe: BGR in 0..255 less the mean of ImageNet.
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], np.float32)


@dataclasses.dataclass(frozen=True)
class Vgg16:
    """VGG16 up to relu5_3.

    Attributes:
      blocks: (kernel [3, 3, I, O], bias [O]) of each convolution, block after block.
      caffe: whether the weights expect Caffe's scaling of images instead of torchvision's.
      published: whether they are torchvision's, to the bit; `lpips` needs those.
      name: how reports call them.
    """

    blocks: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]
    caffe: bool
    published: bool
    name: str

    def __call__(self, images: tf.Tensor) -> list[tf.Tensor]:
        """float32 images [B, S, S, 3] in [-1, 1] -> relu1_2, relu2_2, relu3_3, relu4_3, relu5_3."""
        x = (images[..., ::-1] + 1.0) * 127.5 - _CAFFE_MEAN if self.caffe else (images - SHIFT) / SCALE
        layers = []
        for number, block in enumerate(self.blocks):
            if number:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            for kernel, bias in block:
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
            layers.append(x)
        return layers


def load(path: str | os.PathLike) -> Vgg16:
    """Reads torchvision's `vgg16-*.pth`, or a weights file (.h5) of `keras.applications.VGG16`.

    Raises:
      UserError: it is neither.
    """
    path = pathlib.Path(path).expanduser()
    return _from_keras(path) if path.suffix in (".h5", ".hdf5") else _from_torchvision(path)


def cached() -> pathlib.Path | None:
    """Weights that PyTorch or Keras keep on this machine, torchvision's first; None if there are none."""
    torch = os.environ.get("TORCH_HOME", pathlib.Path.home() / ".cache" / "torch")
    keras = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    paths = [pathlib.Path(torch) / "hub" / "checkpoints" / TORCHVISION_FILE]
    paths += [keras / "models" / name for name in KERAS_FILES]
    return next((path for path in paths if path.is_file()), None)


def _from_torchvision(path: pathlib.Path) -> Vgg16:
    tensors = torch_file.read(path)
    blocks, channels = [], 3
    for positions, width in zip(_POSITIONS, CHANNELS, strict=True):
        block = []
        for position in positions:
            kernel, bias = (tensors.get(f"features.{position}.{part}") for part in ("weight", "bias"))
            if kernel is None or bias is None or kernel.shape != (width, channels, 3, 3) or bias.shape != (width,):
                raise UserError(f"{path}: no VGG16 of torchvision (features.{position} is not what it has there)")
            block.append((np.ascontiguousarray(kernel.transpose(2, 3, 1, 0), np.float32), bias.astype(np.float32)))
            channels = width
        blocks.append(block)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    published = digest.startswith(TORCHVISION)
    words = "ImageNet weights of torchvision" if published else f"weights {path.name}, not torchvision's"
    return Vgg16(blocks, False, published, f"VGG16 with {words} (sha256 {digest[:12]})")


def _from_keras(path: pathlib.Path) -> Vgg16:
    network = tf.keras.applications.VGG16(weights=None, include_top=False)
    try:
        # By name: the file with the classifying layers serves as well.
        network.load_weights(path, by_name=True)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: no weights of keras.applications.VGG16 ({error})") from error
    blocks = [
        [
            tuple(network.get_layer(f"block{number}_conv{position}").get_weights())
            for position in range(1, len(positions) + 1)
        ]
        for number, positions in enumerate(_POSITIONS, 1)
    ]
    return Vgg16(blocks, True, False, f"VGG16 with Keras' weights {path.name} (sha256 {digest[:12]})")
