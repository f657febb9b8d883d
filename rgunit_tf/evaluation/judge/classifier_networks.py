"""The networks an attribute classifier can be: a small one for small images, and ResNet-50 as in the paper (§4.1)."""

from __future__ import annotations

import math
import os
import pathlib

import tensorflow as tf

from rgunit_tf.errors import UserError

# Above this side ResNet-50 is used: the small network was made for less.
LARGEST_SMALL = 64
RESNET_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Keras' ResNet-50 takes BGR in 0..255 less the mean of ImageNet.
_CAFFE_MEAN = (103.939, 116.779, 123.68)


def choose(architecture: str, image_size: int) -> str:
    """`small` or `resnet50`; `auto` is the small network up to 64 px and ResNet-50 above."""
    if architecture != "auto":
        return architecture
    return "small" if image_size <= LARGEST_SMALL else "resnet50"


def cached_resnet50() -> pathlib.Path | None:
    """Keras' own copy of ResNet-50's ImageNet weights; None if it is not on this machine."""
    home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    path = home / "models" / RESNET_FILE
    return path if path.is_file() else None


def build(architecture: str, attributes: int, image_size: int, width: int = 32, seed: int = 0) -> tf.keras.Model:
    """The network of an architecture, with fresh weights; arguments and result as for `small`."""
    if architecture == "resnet50":
        return resnet50(attributes, image_size, seed)
    return small(attributes, image_size, width, seed)


def small(attributes: int, image_size: int, width: int = 32, seed: int = 0) -> tf.keras.Model:
    """Convolutions that halve the image down to about 4 pixels, then a global average and one linear layer.

    Args:
      attributes: K, the number of outputs.
      image_size: side of the square input, pixels; each doubling adds a stage.
      width: channels of the first stage; later stages have 2 * width.
      seed: of the initial weights.

    Returns:
      Model from float32 images [B, S, S, 3] in [-1, 1] to (logits [B, K], features [B, 2 * width]).
    """
    initial = iter(range(seed * 1000, seed * 1000 + 1000))

    def convolution(x: tf.Tensor, filters: int, stride: int) -> tf.Tensor:
        kernel = tf.keras.initializers.HeNormal(seed=next(initial))
        x = tf.keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, kernel_initializer=kernel)(x)
        x = tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
        return tf.keras.layers.ReLU()(x)

    images = tf.keras.Input((image_size, image_size, 3), name="images")
    # Above 64 pixels the first layer strides: at full resolution it alone would cost more than all the rest.
    x = convolution(images, width, 2 if image_size > LARGEST_SMALL else 1)
    for stage in range(max(1, math.ceil(math.log2(x.shape[1] / 4)))):
        x = convolution(x, 2 * width, 2)
        if stage > 0:
            x = convolution(x, 2 * width, 1)
    features = tf.keras.layers.GlobalAveragePooling2D(name="features")(x)
    return _with_head(images, features, attributes, next(initial))


def resnet50(attributes: int, image_size: int, seed: int = 0) -> tf.keras.Model:
    """ResNet-50 (He et al. 2016) with a new last layer; the result as for `small`, with 2048 features.

    Initial weights are random, see `load_imagenet`; Keras' global seed, which they follow, is set to `seed`.
    """
    tf.keras.utils.set_random_seed(seed)
    images = tf.keras.Input((image_size, image_size, 3), name="images")
    scaled = (images[..., ::-1] + 1.0) * 127.5 - tf.constant(_CAFFE_MEAN)
    body = tf.keras.applications.ResNet50(include_top=False, weights=None, input_tensor=scaled, pooling="avg")
    return _with_head(images, body.output, attributes, seed)


def load_imagenet(network: tf.keras.Model, path: str | os.PathLike) -> None:
    """Puts ImageNet weights, from a file of `keras.applications.ResNet50`, under the last layer of a `resnet50`.

    Raises:
      UserError: the file holds something else.
    """
    try:
        before = network.get_layer("conv5_block3_3_conv").kernel.numpy()
        network.load_weights(path, by_name=True)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: no weights of keras.applications.ResNet50 ({error})") from error
    if (before == network.get_layer("conv5_block3_3_conv").kernel.numpy()).all():
        raise UserError(f"{path}: no weights of keras.applications.ResNet50 (it has no layer conv5_block3_3_conv)")


def _with_head(images: tf.Tensor, features: tf.Tensor, attributes: int, seed: int) -> tf.keras.Model:
    kernel = tf.keras.initializers.GlorotUniform(seed=seed)
    logits = tf.keras.layers.Dense(attributes, kernel_initializer=kernel, name="logits")(features)
    return tf.keras.Model(images, (logits, features), name="attribute_classifier")
