"""Inception-v3 trained on ImageNet, for FID, KID and the Inception Score: from local files, a download only on demand.

Two networks go by that name. TF-GAN's SavedModel holds the graph of 2015 that published figures are computed with
(logits of 1,008 classes); Keras' weights are another training of the architecture (1,000 classes), and their figures
compare with each other alone. Each record says which one it was.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable, Mapping

import h5py
import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf.errors import UserError

SIZE = 299
FEATURES = 2048
# Outputs of TF-GAN's SavedModel, as `tfgan.eval` names them.
POOL, LOGITS = "pool_3", "logits"
KERAS_FILES = (
    "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
RESIZE = f"bicubic antialiased resizing of floats to {SIZE} px"

# float32 [B, 299, 299, 3] in [-1, 1] -> pooled activations [B, F] and class probabilities [B, C] (None: no such layer).
Network = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor | None]]


class Inception:
    """Activations and class probabilities of images.

    Args:
      network: see `Network`.
      name: how reports call it.
      batch_size: images at once.
    """

    key = "inception"
    to_inputs = ("fid", "kid")
    to_train = ("fid_to_train", "kid_to_train")
    identity = None

    def __init__(self, network: Network, name: str, batch_size: int = 32):
        self.name = name
        self._batch_size = batch_size
        self._network = network
        self._forward = tf.function(lambda images: network(resized(images)), reduce_retracing=True, autograph=False)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 images [N, H, W, 3] -> float32 features [N, 2048] and probabilities [N, C], or None without classes."""
        parts = [
            self._forward(tf.constant(images[start : start + self._batch_size]))
            for start in range(0, len(images), self._batch_size)
        ]
        features = np.concatenate([part[0].numpy() for part in parts])
        if parts[0][1] is None:
            return features, None
        return features, np.concatenate([part[1].numpy() for part in parts])


def resized(images: tf.Tensor, size: int = SIZE) -> tf.Tensor:
    """uint8 images [B, H, W, 3] -> float32 [B, size, size, 3] in about [-1, 1].

    As Parmar et al. 2022 (clean-fid) recommend: bicubic (a = -0.5) with antialiasing, on floats that are rounded
    neither before nor after.
    """
    floats = tf.image.resize(tf.cast(images, tf.float32), (size, size), "bicubic", antialias=True)
    return floats / 127.5 - 1.0


def load(source: str) -> Inception | None:
    """The network that `--inception=<source>` names.

    Args:
      source: `none`; `auto`: Keras' weights if they are on disk, else none; `keras`: Keras' ImageNet weights,
        downloaded if need be; or a path: a SavedModel with the interface of TF-GAN's (TF-Hub's
        `tensorflow/tfgan/eval/inception/1`, unpacked), or a weights file of `keras.applications.InceptionV3`.

    Returns:
      The network; None where there is to be none.

    Raises:
      UserError: the path holds no such network, or the download failed.
    """
    if source == "none":
        return None
    if source == "auto":
        path = cached_weights()
        if path is None:
            logging.info("no FID, KID and Inception Score: no Inception weights on disk; --inception=<path> or =keras")
            return None
        return _from_weights(path)
    if source == "keras":
        return _from_weights(cached_weights() or _downloaded())
    path = pathlib.Path(source).expanduser()
    if path.is_dir():
        return _from_saved_model(path)
    if path.is_file():
        return _from_weights(path)
    raise UserError(f"--inception={source}: no such file or folder; give a SavedModel, a weights file, keras or none")


def cached_weights() -> pathlib.Path | None:
    """Keras' own copy of its ImageNet weights (with classes, if there are both); None if there is none."""
    home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    return next((home / "models" / name for name in KERAS_FILES if (home / "models" / name).is_file()), None)


def _downloaded() -> pathlib.Path:
    try:
        tf.keras.applications.InceptionV3(weights="imagenet")
    except Exception as error:  # Whatever the connection raises: urllib's, a socket's, a wrong hash.
        raise UserError(f"--inception=keras: the weights cannot be downloaded ({error}); give a local path") from error
    return cached_weights()


def _from_weights(path: pathlib.Path) -> Inception:
    try:
        with h5py.File(path, "r") as file:
            names = [name.decode() if isinstance(name, bytes) else name for name in file.attrs["layer_names"]]
        classes = "predictions" in names
        model = tf.keras.applications.InceptionV3(
            weights=None, include_top=classes, pooling=None if classes else "avg", classifier_activation="softmax"
        )
        model.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"--inception={path}: no weights of keras.applications.InceptionV3 ({error})") from error
    if classes:
        model = tf.keras.Model(model.input, (model.get_layer("avg_pool").output, model.output))

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        found = model(images, training=False)
        return (found[0], found[1]) if classes else (found, None)

    return Inception(network, f"Inception-v3 with Keras' weights {path.name} ({_digest(path)}), {RESIZE}")


def _from_saved_model(path: pathlib.Path) -> Inception:
    try:
        module = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(f"--inception={path}: no SavedModel ({error})") from error
    call = module if callable(module) else getattr(module, "signatures", {}).get("serving_default")
    found = None if call is None else call(tf.zeros((1, SIZE, SIZE, 3)))
    if not isinstance(found, Mapping) or not {POOL, LOGITS} <= set(found):
        raise UserError(f"--inception={path}: the SavedModel gives no outputs {POOL} and {LOGITS}; it must be TF-GAN's")
    if tf.size(found[POOL]) != FEATURES:
        raise UserError(f"--inception={path}: {POOL} has {tf.size(found[POOL])} features; Inception-v3 has {FEATURES}")

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = call(images)
        return tf.reshape(outputs[POOL], (-1, FEATURES)), tf.nn.softmax(outputs[LOGITS])

    # The module owns the variables; the function does not keep it alive.
    network.module = module
    return Inception(network, f"Inception-v3 of the SavedModel {path.name} ({_digest(path)}), {RESIZE}")


def _digest(path: pathlib.Path) -> str:
    """Start of the SHA-256 of a file, or of all files of a folder: tells which weights a figure comes from."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with open(file, "rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return f"sha256 {digest.hexdigest()[:12]}"
