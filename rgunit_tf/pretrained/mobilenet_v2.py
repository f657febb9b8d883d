"""MobileNet v2: general features of pictures that no training here looks at, and so a judge of real-looking images.

Sandler et al. 2018, Table 2. The weights are those of the npm package `nsfwjs` (MIT): Keras' for ImageNet, whose upper
half its authors trained on with photographs and drawings of people, kept in 8 bits. Distances on these features are
not FID and KID; they compare with nothing but each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from rgunit_tf.pretrained.inverted_residuals import Layer, block_outputs, folded

SIZE = 128
FEATURES = 320
RESIZE = f"bilinear antialiased resizing of floats to {SIZE} px"
_STEM = 32
# Expansion, output channels, repeats and stride of the first, as in Table 2 of the paper.
_GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, FEATURES, 1, 1),
)
_BLOCKS = [
    (expansion, channels, 1 if repeat else stride)
    for expansion, channels, repeats, stride in _GROUPS
    for repeat in range(repeats)
]
_PARTS = ("expand", "depthwise", "project")
_EPSILON = 1e-3
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


class MobileNetV2:
    """Mean activations of the last block, before they are widened to 1,280.

    Args:
      weights: see `shapes`.
      name: how reports call it.
      batch_size: images at once.
    """

    key = "mobilenet_v2"
    to_inputs = None
    to_train = ("frechet_mobilenet_distance", "kernel_mobilenet_distance")
    identity = "identity_rank1"

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, batch_size: int = 64):
        self.name = name
        self._batch_size = batch_size
        self._stem = _layer(weights, "stem")
        parts = [("depthwise", "project") if expansion == 1 else _PARTS for expansion, _, _ in _BLOCKS]
        self._blocks = [[_layer(weights, f"{number}/{part}") for part in layers] for number, layers in enumerate(parts)]
        self._forward = tf.function(
            lambda images: self.features(
                tf.image.resize(tf.cast(images, tf.float32), (SIZE, SIZE), antialias=True) / 255.0
            ),
            reduce_retracing=True,
            autograph=False,
        )

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        """uint8 images [N, H, W, 3] -> float32 features [N, 320], and no class probabilities."""
        starts = range(0, len(images), self._batch_size)
        parts = [self._forward(tf.constant(images[start : start + self._batch_size])) for start in starts]
        return np.concatenate([part.numpy() for part in parts]), None

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """float32 images [B, S, S, 3] in [0, 1], S a multiple of 32 -> float32 [B, 320]."""
        outputs = block_outputs(images, self._stem, self._blocks, [stride for _, _, stride in _BLOCKS])
        return tf.reduce_mean(outputs[-1], (1, 2))


def shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each array of the weights: `stem/kernel`, `<block>/<expand|depthwise|project>/bias`, ..."""
    kernels = {"stem": (3, 3, 3, _STEM)}
    channels = _STEM
    for number, (expansion, width, _) in enumerate(_BLOCKS):
        wide = channels * expansion
        if expansion > 1:
            kernels[f"{number}/expand"] = (1, 1, channels, wide)
        kernels[f"{number}/depthwise"] = (3, 3, wide, 1)
        kernels[f"{number}/project"] = (1, 1, wide, width)
        channels = width
    biases = {f"{name}/bias": shape[2:3] if "depthwise" in name else shape[3:] for name, shape in kernels.items()}
    return {**{f"{name}/kernel": shape for name, shape in kernels.items()}, **biases}


def from_keras(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights from Keras' names of layers and tensors (`block_3_expand_BN/gamma`), the normalisation folded in."""
    weights = {}
    for name in (name.removesuffix("/kernel") for name in shapes() if name.endswith("/kernel")):
        depthwise = name.endswith("/depthwise")
        if name == "stem":
            layer, norm = "Conv1", "bn_Conv1"
        else:
            block, _, part = name.partition("/")
            layer = f"expanded_conv_{part}" if block == "0" else f"block_{block}_{part}"
            norm = f"{layer}_BN"
        kernel = tensors[f"{layer}/{'depthwise_kernel' if depthwise else 'kernel'}"]
        kernel, bias = folded(kernel, [tensors[f"{norm}/{part}"] for part in _NORM], _EPSILON, depthwise)
        weights[f"{name}/kernel"], weights[f"{name}/bias"] = kernel, bias
    return weights


def _layer(weights: Mapping[str, np.ndarray], name: str) -> Layer:
    return Layer(weights[f"{name}/kernel"], weights[f"{name}/bias"])
