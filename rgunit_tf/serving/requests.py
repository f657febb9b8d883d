"""Checks of what a request holds: each ends in an INVALID_ARGUMENT that says what is wrong.

The inputs of the signatures are declared with their sizes, for clients and converters. A server lets other shapes
through all the same, and TensorFlow would remove the checks, being sure that they hold: `unsized` hides from it what
was declared. Converters leave the checks out, and nothing else depends on their ops.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

STYLE_RANGE = 100.0
"""Styles and noise are about -3 to 3; beyond this a request is wrong, and the networks would overflow."""

_ROUNDING = 1e-3


def require(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """Fails with `message`, its `{}` filled in with `values`, unless `condition` holds."""
    text = tf.strings.format(message, values) if values else tf.constant(message)
    return tf.debugging.Assert(condition, [text])


def after(checks: list[tf.Operation], tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, once the checks have passed."""
    with tf.control_dependencies(checks):
        return tf.identity(tensor)


def unsized(tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, of whose shape TensorFlow knows nothing before it runs."""
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None))


def _check_row_shape(tensor: tf.Tensor, row: tuple[int, ...], name: str) -> tf.Operation:
    # As text, shapes of any rank can be compared.
    shape = tf.shape(unsized(tensor))
    found = tf.strings.reduce_join(tf.strings.as_string(shape[1:]), separator=",")
    expected = ",".join(map(str, row))
    fits = (tf.size(shape) > 0) & (found == expected)
    return require(fits, f"{name} must have shape [batch,{expected}], not {{}}", shape)


def same_batch(first: tf.Tensor, second: tf.Tensor, names: str) -> tf.Operation:
    """Checks that two tensors have as many rows."""
    counts = tf.shape(unsized(first))[:1], tf.shape(unsized(second))[:1]
    return require(tf.reduce_all(counts[0] == counts[1]), f"{names} must be equally many, not {{}} and {{}}", *counts)


def checked_rows(
    tensor: tf.Tensor, row: tuple[int, ...], name: str, low: float | None = None, high: float | None = None
) -> tf.Tensor:
    """`tensor` as [B, *row], once its shape and (where given) its range are found right; NaN is in no range."""
    tensor = after([_check_row_shape(tensor, row, name)], tensor)
    if low is not None:
        inside = tf.reduce_all((tensor >= low) & (tensor <= high))
        tensor = after([require(inside, f"{name} must be numbers from {low:g} to {high:g}")], tensor)
    return tensor


def of_one_group(attributes: tf.Tensor, group: Sequence[int], names: Sequence[str], exactly: bool) -> tf.Tensor:
    """`attributes`, float [B, K] from 0 to 1, once no row has two of a group, or mixtures that come to more than one.

    Args:
      attributes: as they were asked for.
      group: numbers of the attributes that exclude each other.
      names: theirs.
      exactly: whether one of them has to hold.
    """
    held = tf.reduce_sum(tf.gather(attributes, list(group), axis=1), 1)
    fits = held <= 1.0 + _ROUNDING
    if exactly:
        fits &= held >= 1.0 - _ROUNDING
    need = "exactly one" if exactly else "at most one"
    return after([require(tf.reduce_all(fits), f"attributes: {need} of {', '.join(names)} may hold")], attributes)


def checked_counts(k: tf.Tensor, queries: tf.Tensor, available: int) -> tuple[tf.Tensor, tf.Tensor]:
    """How many neighbours each query asks for, int32 [B], and the largest of these, at least 1.

    Args:
      k: int32, one number for all, or [B], as REST's rows and servers that batch requests have it.
      queries: [B, D].
      available: images of the gallery.
    """
    values, batch = tf.reshape(k, [-1]), tf.shape(queries)[0]
    count = tf.size(values)
    one = require(
        (count == 1) | (count == batch), "k must be one number, or one for each of {} queries, not {}", batch, k
    )
    fits = require(
        tf.reduce_all((values >= 1) & (values <= available)),
        f"k must be from 1 to {available}, the size of the gallery, not {{}}",
        k,
    )
    values = after([one, fits], values)
    widest = tf.reduce_max(tf.concat([values, [1]], 0))
    return tf.cond(count == batch, lambda: values, lambda: tf.fill([batch], widest)), widest
