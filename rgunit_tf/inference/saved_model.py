"""The signatures of a SavedModel as TensorFlow Serving runs them: of its graph, in a session.

`tf.saved_model.load` makes a Python object of each of the graph's functions, which takes longer than to translate a
picture. What is asked for here is cut out of the graph, and stays TensorFlow's own.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

_INITIALIZE = "__saved_model_init_op"
_CONFIG = tf.compat.v1.ConfigProto()


class SavedModel:
    """Signatures of a SavedModel, with the variables and tables that they read.

    Args:
      folder: of the SavedModel.
      names: for each signature that may be asked for the names that it may have; the first that there is is taken, and
        one that is not there is left out.

    Raises:
      OSError, ValueError, KeyError, IndexError, tf.errors.OpError: a file is missing or damaged, or an op is not known.
    """

    def __init__(self, folder: str | os.PathLike, names: Iterable[Sequence[str]]):
        folder = pathlib.Path(folder)
        meta = _parsed((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
        found = (next((name for name in each if name in meta.signature_def), None) for each in names)
        self._signatures = {name: meta.signature_def[name] for name in found if name}
        restore = meta.saver_def.restore_op_name
        first = [info.name for info in meta.signature_def[_INITIALIZE].outputs.values()]
        outputs = [info.name for signature in self._signatures.values() for info in signature.outputs.values()]
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(_part_of(meta.graph_def, [restore, *first, *outputs]), name="")
        self._session = tf.compat.v1.Session(graph=graph, config=_CONFIG)
        files = str(folder / "variables" / "variables")
        self._session.run(graph.get_operation_by_name(restore), {meta.saver_def.filename_tensor_name: files})
        for name in first:
            self._session.run(graph.get_operation_by_name(_node(name)))

    def __contains__(self, name: str) -> bool:
        return name in self._signatures

    def __call__(self, name: str, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Outputs of a signature by name.

        Raises:
          tf.errors.InvalidArgumentError: the graph refuses the inputs; its message says why.
        """
        signature = self._signatures[name]
        outputs = {key: info.name for key, info in signature.outputs.items()}
        return self._session.run(outputs, {signature.inputs[key].name: value for key, value in inputs.items()})


def _parsed(content: bytes) -> saved_model_pb2.SavedModel:
    try:
        return saved_model_pb2.SavedModel.FromString(content)
    except message.DecodeError as error:
        raise ValueError(f"saved_model.pb: {error}") from None


def _part_of(graph: tf.compat.v1.GraphDef, outputs: Iterable[str]) -> tf.compat.v1.GraphDef:
    """The nodes and functions of a graph that some outputs need: what is left out is neither read nor optimised."""
    nodes = {node.name: node for node in graph.node}
    needed, waiting = set(), [_node(name) for name in outputs]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += map(_node, nodes[name].input)
    functions = {function.signature.name: function for function in graph.library.function}
    called, bodies = set(), [nodes[name] for name in needed]
    while bodies:
        found = set(_functions_of(bodies.pop())) & functions.keys() - called
        called |= found
        bodies += [node for name in found for node in functions[name].node_def]
    part = tf.compat.v1.GraphDef(versions=graph.versions)
    part.node.extend(node for node in graph.node if node.name in needed)
    part.library.function.extend(function for name, function in functions.items() if name in called)
    return part


def _node(name: str) -> str:
    """The node of a tensor `node:0` or of a control input `^node`."""
    return name.lstrip("^").partition(":")[0]


def _functions_of(node: Any) -> Iterator[str]:
    """What a node may call, by name."""
    yield node.op
    for attribute in node.attr.values():
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)
