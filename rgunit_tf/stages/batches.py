"""What `fit`, `evaluate` and `predict` are given, as the batches that a step takes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError

_WANTED = "give batches of a Split, data.train.batches(16), or a tf.data.Dataset of (image, label) batches"


def as_batches(data: Any, schema: AttributeSchema, image_size: int, seed: int, training: bool) -> Any:
    """Batches as `Split.batches` gives them; those are passed on as they are.

    Args:
      data: such batches, or a `tf.data.Dataset` of pairs, as `keras.utils.image_dataset_from_directory` makes them:
        images of grey levels 0 to 255, [B, H, W, 3], and labels: numbers of classes int [B] where the schema is one
        group of names (in the order of `class_names`), or label vectors [B, K].
      schema: the domain attributes.
      image_size: H and W.
      seed: of the targets.
      training: whether each image is given a target: the label of another image of the batch.

    Raises:
      UserError: no batches, pictures of another size or range, or labels that do not fit the schema.
    """
    if isinstance(data, list | tuple) or hasattr(data, "__array__") or hasattr(data, "batches"):
        raise UserError(f"fit, evaluate and predict take no {type(data).__name__}: {_WANTED}")
    spec = getattr(data, "element_spec", None)
    if spec is None or isinstance(spec, dict):
        return data
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise UserError(f"batches of images without labels; {_WANTED}")
    _check(data, spec, schema, image_size)

    def paired(image: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        vectors = _vectors(label, schema)
        batch = {"image": tf.cast(image, tf.float32) / 127.5 - 1.0, "label": vectors}
        return {**batch, "target": _of_others(vectors, seed)} if training else batch

    return data.map(paired, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _check(data: tf.data.Dataset, spec: tuple[Any, Any], schema: AttributeSchema, image_size: int) -> None:
    """Looks at the shapes, and at the values of the first batch."""
    shape = spec[0].shape
    if shape.rank != 4:
        raise UserError(f"images of shape {shape}, expected [batch, {image_size}, {image_size}, 3]; .batch(16) them")
    if any(size not in (None, wanted) for size, wanted in zip(shape[1:], (image_size, image_size, 3), strict=True)):
        raise UserError(
            f"images of shape {shape}, the model takes [batch, {image_size}, {image_size}, 3]; make them with "
            f"image_size=({image_size}, {image_size})"
        )
    for image, label in data.take(1):
        low, high = float(tf.reduce_min(image)), float(tf.reduce_max(image))
        if low < 0.0 or high > 255.0 or (high <= 1.0 and not image.dtype.is_integer):
            raise UserError(
                f"(image, label) pairs hold grey levels from 0 to 255, these are from {low:g} to {high:g}; "
                "leave them as image_dataset_from_directory makes them"
            )
        if _are_numbers(label, schema):
            if not schema.categorical and schema.size > 1:
                raise UserError(
                    "labels are numbers of classes; make the model with one group of names, "
                    "AttributeSchema(class_names, groups=[class_names])"
                )
            if int(tf.reduce_max(tf.cast(label, tf.int32))) >= max(2, schema.size):
                raise UserError(f"labels go beyond the {schema.size} names of the model: {', '.join(schema.names)}")
        elif label.shape.rank != 2:
            raise UserError(f"labels of shape {label.shape}, expected [batch] or [batch, {schema.size}]")
        schema.check_labels(_vectors(label, schema).numpy())


def _are_numbers(label: tf.Tensor, schema: AttributeSchema) -> bool:
    return label.shape.rank == 1 or (label.shape[-1] == 1 and schema.size > 1)


def _vectors(label: tf.Tensor, schema: AttributeSchema) -> tf.Tensor:
    """Labels as vectors, float32 [B, K]."""
    if not _are_numbers(label, schema):
        return tf.cast(label, tf.float32)
    if schema.size == 1:
        return tf.cast(label, tf.float32)[:, tf.newaxis]
    return tf.one_hot(tf.cast(tf.reshape(label, [-1]), tf.int32), schema.size)


def _of_others(labels: tf.Tensor, seed: int) -> tf.Tensor:
    """For each row [K] of labels that of a random other row which differs, if there is one."""
    same = tf.reduce_all(labels[:, tf.newaxis] == labels[tf.newaxis], -1)
    picked = tf.random.categorical(tf.where(same, -1e9, 0.0), 1, seed=seed)
    return tf.gather(labels, picked[:, 0])
