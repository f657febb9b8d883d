"""Two small networks that tell men from women and smiles from neutral faces, trained on photographs of faces.

`age_gender_model` (a small Xception, Chollet 2017) and `face_expression_model` (separable convolutions that are densely
added) of the npm package `@vladmandic/face-api` (MIT; by the authors of face-api.js, MIT), in 8 bits. The layers are
those of its `src/xception/TinyXception.ts` and `src/faceFeatureExtractor/`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

SIZE = 112
# Mean of the red, green and blue of the images that they were trained on.
_MEAN = np.array([122.782, 117.001, 104.298], np.float32)
# Channels of the blocks of `face_expression_model`, and its expressions; of `age_gender_model` from stem to end.
_DENSE, _EXPRESSIONS = (32, 64, 128, 256), 7
_NEUTRAL, _HAPPY = 0, 1
_STEM, _ENTRY, _EXIT, _LAST = 32, (64, 128), 256, 512

Weights = Mapping[str, np.ndarray]


def male(weights: Weights, images: tf.Tensor) -> tf.Tensor:
    """float32 images [B, 112, 112, 3] in 0..255 -> log odds of a man, float32 [B]."""
    x = tf.nn.relu(_convolved(_scaled(images), weights, "entry_flow/conv_in", 2))
    x = _reduced(x, weights, "entry_flow/reduction_block_0", activated=True)
    x = _reduced(x, weights, "entry_flow/reduction_block_1")
    for block in range(2):
        y = x
        for layer in range(3):
            y = _separable(tf.nn.relu(y), weights, f"middle_flow/main_block_{block}/separable_conv{layer}")
        x += y
    x = _reduced(x, weights, "exit_flow/reduction_block")
    x = tf.nn.relu(_separable(x, weights, "exit_flow/separable_conv"))
    logits = tf.reduce_mean(x, (1, 2)) @ weights["fc/gender/weights"] + weights["fc/gender/bias"]
    return logits[:, 0] - logits[:, 1]


def happy(weights: Weights, images: tf.Tensor) -> tf.Tensor:
    """float32 images [B, 112, 112, 3] in 0..255 -> log odds of a happy against a neutral face, float32 [B]."""
    x = _scaled(images)
    for block in range(len(_DENSE)):
        first = f"dense{block}/conv0"
        total = tf.nn.relu(_separable(x, weights, first, 2) if block else _convolved(x, weights, first, 2))
        for layer in range(1, 4):
            # The first sum is activated already.
            total += _separable(tf.nn.relu(total), weights, f"dense{block}/conv{layer}")
        x = tf.nn.relu(total)
    logits = tf.reduce_mean(x, (1, 2)) @ weights["fc/weights"] + weights["fc/bias"]
    return logits[:, _HAPPY] - logits[:, _NEUTRAL]


def male_shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each array that `male` takes, by the package's names."""
    found = _convolution("entry_flow/conv_in", 3, 3, _STEM)
    channels = _STEM
    blocks = [f"entry_flow/reduction_block_{number}" for number in range(2)] + ["exit_flow/reduction_block"]
    for name, width in zip(blocks, (*_ENTRY, _EXIT), strict=True):
        found |= _separable_shapes(f"{name}/separable_conv0", channels, width)
        found |= _separable_shapes(f"{name}/separable_conv1", width, width)
        found |= _convolution(f"{name}/expansion_conv", 1, channels, width)
        channels = width
    for block in range(2):
        for layer in range(3):
            name = f"middle_flow/main_block_{block}/separable_conv{layer}"
            found |= _separable_shapes(name, _ENTRY[-1], _ENTRY[-1])
    found |= _separable_shapes("exit_flow/separable_conv", _EXIT, _LAST)
    return found | {"fc/gender/weights": (_LAST, 2), "fc/gender/bias": (2,)}


def happy_shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each array that `happy` takes, by the package's names."""
    found, channels = _convolution("dense0/conv0", 3, 3, _DENSE[0]), 3
    for block, width in enumerate(_DENSE):
        for layer in range(4):
            if block or layer:
                found |= _separable_shapes(f"dense{block}/conv{layer}", width if layer else channels, width)
        channels = width
    return found | {"fc/weights": (channels, _EXPRESSIONS), "fc/bias": (_EXPRESSIONS,)}


def _convolution(name: str, size: int, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/filters": (size, size, inputs, outputs), f"{name}/bias": (outputs,)}


def _separable_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}/depthwise_filter": (3, 3, inputs, 1),
        f"{name}/pointwise_filter": (1, 1, inputs, outputs),
        f"{name}/bias": (outputs,),
    }


def _scaled(images: tf.Tensor) -> tf.Tensor:
    return (images - _MEAN) / 255.0


def _convolved(x: tf.Tensor, weights: Weights, name: str, stride: int) -> tf.Tensor:
    return tf.nn.conv2d(x, weights[f"{name}/filters"], stride, "SAME") + weights[f"{name}/bias"]


def _separable(x: tf.Tensor, weights: Weights, name: str, stride: int = 1) -> tf.Tensor:
    x = tf.nn.depthwise_conv2d(x, weights[f"{name}/depthwise_filter"], (1, stride, stride, 1), "SAME")
    return tf.nn.conv2d(x, weights[f"{name}/pointwise_filter"], 1, "SAME") + weights[f"{name}/bias"]


def _reduced(x: tf.Tensor, weights: Weights, name: str, activated: bool = False) -> tf.Tensor:
    y = _separable(x if activated else tf.nn.relu(x), weights, f"{name}/separable_conv0")
    y = _separable(tf.nn.relu(y), weights, f"{name}/separable_conv1")
    return tf.nn.max_pool2d(y, 3, 2, "SAME") + _convolved(x, weights, f"{name}/expansion_conv", 2)
