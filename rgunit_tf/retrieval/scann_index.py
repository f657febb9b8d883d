"""Approximate nearest neighbours with ScaNN's TensorFlow ops (Guo et al., ICML 2020), which can be in a SavedModel.

A SavedModel with this index loads only where ScaNN's ops are: a process that imported `scann`, or a server with them.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import auto_control_deps_utils

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import index

# Comparing with every row is exact, and at 2,000 x 300 faster than the tree too (85,000 against 50,000 queries/s on two
# cores); at 20,000 the tree is (19,000 against 11,500). The limit lies between the two.
BRUTE_FORCE_ROWS = 10_000
# With fewer, the quantised distances cost recall: at 200,000 rows 60 give 0.972, 100 give 0.991, 250 give 0.994. Of
# more rows more are too near each other to be told apart by them: at 1,000,000 120 give 0.983, 200 give 0.996.
_REORDER = 120
# What ScaNN's state consists of, in the order of its constructor.
_STATE = {
    "scann_config": tf.string,
    "serialized_partitioner": tf.string,
    "datapoint_to_token": tf.int32,
    "ah_codebook": tf.string,
    "hashed_dataset": tf.uint8,
    "int8_dataset": tf.int8,
    "int8_multipliers": tf.float32,
    "dp_norms": tf.float32,
    "dataset": tf.float32,
}


@dataclasses.dataclass(frozen=True)
class ScannParameters:
    """How ScaNN searches: leaves 0 means that it compares with every row.

    Attributes:
      leaves: parts into which k-means divides the rows.
      leaves_to_search: parts, the nearest ones, that a query looks into.
      reorder: candidates by quantised distance whose true distance is computed.
    """

    leaves: int
    leaves_to_search: int
    reorder: int


def parameters_for(size: int) -> ScannParameters:
    """The rule by which the parameters follow from the number of rows.

    To 10,000 rows brute force. Beyond, leaves = 0.7 N^(1/2), leaves_to_search = 0.7 N^(1/4) and reorder = 2 N^(1/3), at
    least 120: 9 of 99 leaves at 20,000 rows, 15 of 313 at 200,000, 23 of 700 at 1,000,000, 70 of 7,000 at 100,000,000.
    Of the default run's embeddings recall at 10 then is 0.998 at 20,000 and 50,000, 0.997 at 200,000 and 0.994 at
    1,000,000. Those of a model that was trained for a few steps fill more dimensions (half of their variance
    lies in 16, not in 4): 0.99 of 200,000 such takes a quarter of the leaves; give `leaves_to_search`. More and smaller
    leaves need a smaller share of the rows, and take longer all the same.
    """
    if size <= BRUTE_FORCE_ROWS:
        return ScannParameters(leaves=0, leaves_to_search=0, reorder=0)
    leaves = round(0.7 * math.sqrt(size))
    reorder = max(_REORDER, round(2 * size ** (1 / 3)))
    return ScannParameters(leaves=leaves, leaves_to_search=_to_search(leaves), reorder=reorder)


def _to_search(leaves: int) -> int:
    return math.ceil(math.sqrt(0.7 * leaves))


def scann_ops() -> ModuleType:
    """ScaNN's ops.

    Raises:
      UserError: the package is not installed, or does not fit this TensorFlow.
    """
    try:
        import scann

        ops = scann.scann_ops
    except (ImportError, tf.errors.OpError) as error:
        raise UserError(
            "index=scann needs the package scann made for this TensorFlow (Linux x86-64): pip install scann==1.3.0 for "
            f"2.15, scann==1.4.2 for 2.20; or use index=exact ({str(error).splitlines()[0]})"
        ) from error
    # Two searches may run at a time. TensorFlow takes an operation that it does not know for one that writes.
    auto_control_deps_utils.register_read_only_resource_op("Scann>ScannSearchBatched")
    return ops


def builder_version() -> str:
    """Version of ScaNN; a state that another version made is built again rather than read."""
    return importlib.metadata.version("scann")


class ScannIndex(index.Index):
    """Searches a k-means tree with 4-bit quantised vectors, then orders by true distances.

    Two builds from the same embeddings may differ in the last digits of their centroids, since k-means adds up in
    several threads; `arrays` stores one to get exactly it back.

    Args:
      embeddings: float [N, D].
      leaves: None for the rule of `parameters_for`; 0 for brute force.
      leaves_to_search: likewise.
      reorder: likewise.
      arrays: what `arrays()` of such an index returned, to get it back without building.

    Raises:
      UserError: ScaNN is not installed.
    """

    kind = "scann"

    def __init__(
        self,
        embeddings: Any,
        leaves: int | None = None,
        leaves_to_search: int | None = None,
        reorder: int | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        name: str | None = "scann_index",
    ):
        vectors = index.checked_embeddings(embeddings)
        super().__init__(*vectors.shape, name=name)
        self._ops = scann_ops()
        given = {"leaves": leaves, "leaves_to_search": leaves_to_search, "reorder": reorder}
        self._options = {key: value for key, value in given.items() if value is not None}
        self.parameters = _completed(self.size, self._options)
        self.is_exact = not self.parameters.leaves
        self._state = self._restore(vectors, arrays) if arrays else self._build(vectors)

    @property
    def embeddings(self) -> tf.Variable:
        """The indexed vectors, float32 [N, D]; ScaNN's own copy, so that they are held once."""
        return self._state.dataset

    def arrays(self) -> dict[str, np.ndarray]:
        """ScaNN's state without the embeddings and without the parts that this kind of search lacks; texts as bytes."""
        found = {name: getattr(self._state, name) for name in _STATE if name != "dataset"}
        return {
            name: np.frombuffer(value.numpy()[0], np.uint8) if value.dtype == tf.string else value.numpy()
            for name, value in found.items()
            if value.shape.rank
        }

    def options(self) -> dict[str, Any]:
        """The arguments, JSON-ready, with which an index like this one is built."""
        return dict(self._options)

    def _build(self, vectors: np.ndarray) -> tf.Module:
        # k of the builder is a default only: search passes its own.
        builder = self._ops.builder(vectors, min(10, self.size), "squared_l2")
        if self.parameters.leaves:
            builder = (
                builder.tree(self.parameters.leaves, self.parameters.leaves_to_search)
                # NaN turns anisotropic quantisation off: it is made for inner products, not for distances.
                .score_ah(2, anisotropic_quantization_threshold=math.nan)
                .reorder(self.parameters.reorder)
            )
        else:
            builder = builder.score_brute_force()
        with tf.variable_creator_scope(_constant):
            state = builder.build().serialize_to_module()
        for name in _STATE:
            part = getattr(state, name)
            if not part.shape.rank and part.dtype != tf.string:
                # ScaNN marks an absent part by a scalar, and leaves in it what happened to be in memory: an export
                # would differ from one build to the next.
                part.assign(tf.zeros([], part.dtype))
        return state

    def _restore(self, vectors: np.ndarray, arrays: Mapping[str, np.ndarray]) -> tf.Module:
        def tensor(name: str) -> tf.Tensor:
            dtype = _STATE[name]
            if name not in arrays:
                return tf.zeros([], dtype)
            return tf.constant([arrays[name].tobytes()] if dtype == tf.string else arrays[name], dtype)

        with tf.variable_creator_scope(_constant):
            return self._ops.ScannState([*(tensor(name) for name in _STATE if name != "dataset"), tf.constant(vectors)])

    def _candidate_rows(self, queries: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        # ScaNN lives on the CPU; the state must outlive the searcher, which therefore is made anew at each use (the
        # resource behind it is shared).
        queries = tf.stop_gradient(queries)
        with tf.device("/CPU:0"):
            searcher = self._ops.searcher_from_module(self._state)
            if not self.parameters.leaves:
                rows, _ = searcher.search_batched_parallel(queries, k)
                return tf.reshape(rows, [-1, k])
            # ScaNN's pool has a thread less than the machine has cores: on two cores, one. Two halves keep both busy.
            half = tf.shape(queries)[0] // 2
            rows = [self._tree_rows(searcher, part, k) for part in (queries[:half], queries[half:])]
            return tf.concat(rows, 0)

    def _tree_rows(self, searcher: Any, queries: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        reorder = tf.maximum(self.parameters.reorder, 2 * k)
        rows, distances = searcher.search_batched_parallel(queries, k, reorder, self.parameters.leaves_to_search)
        # Where the leaves searched hold fewer than k rows ScaNN pads with row 0 at distance NaN, or narrows the
        # result: then all leaves are searched. The result of an empty batch has shape [0, 0].
        enough = (tf.shape(rows)[1] >= k) & ~tf.reduce_any(tf.math.is_nan(distances))
        rows = tf.cond(
            enough | (tf.shape(queries)[0] == 0),
            lambda: rows,
            lambda: searcher.search_batched_parallel(queries, k, reorder, self.parameters.leaves)[0],
        )
        return tf.reshape(rows, [-1, k])


def _constant(make: Callable[..., tf.Variable], **arguments: Any) -> tf.Variable:
    """Makes a variable of ScaNN's state, which nothing trains: a tape that follows one to the searcher fails."""
    return make(**{**arguments, "trainable": False})


def _completed(size: int, options: dict[str, int]) -> ScannParameters:
    """The rule's parameters with those replaced that were given, and made to fit each other."""
    rule = parameters_for(size)
    leaves = options.get("leaves", rule.leaves)
    if not leaves:
        return ScannParameters(0, 0, 0)
    to_search = options.get("leaves_to_search", rule.leaves_to_search or _to_search(leaves))
    return ScannParameters(leaves, min(to_search, leaves), options.get("reorder", rule.reorder or _REORDER))
