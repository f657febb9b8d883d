"""Counts the multiplications of a traced function, operation by operation, from the shapes in its graph.

Those of the mathematics, whatever a layer does to need fewer, are those of a function that is traced within
`models.convolutions.as_written`.
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf


def count(function: tf.types.experimental.ConcreteFunction) -> tuple[dict[str, int], int]:
    """The multiplications of all convolutions and matrix products of a function and of those it calls.

    Elementwise work, which is bound by memory, is not counted.

    Args:
      function: traced with static shapes.

    Returns:
      Multiplications by operation name, as they are computed; and the operations whose shapes were not known.
    """
    found: dict[str, int] = {}
    unknown = 0
    for number, operation in enumerate(_operations(function.graph)):
        products = _products(operation)
        if products is None:
            unknown += 1
        elif products:
            found[f"{operation.name}#{number}"] = products
    return found, unknown


def gflop(counts: dict[str, int]) -> float:
    """Floating-point operations of `count`'s multiplications, two each (the other is an addition), in units of 10^9."""
    return 2e-9 * sum(counts.values())


def _operations(graph: tf.Graph) -> Iterator[tf.Operation]:
    """All operations that a graph runs and those of the function graphs that it calls, each call counted."""
    alive = _alive(graph)
    for operation in graph.get_operations():
        if operation not in alive:
            continue
        yield operation
        called = _called(graph, operation)
        if called is not None:
            yield from _operations(called)


def _alive(graph: tf.Graph) -> set[tf.Operation]:
    """What TensorFlow runs of a function's graph: what its outputs or a side effect need.

    A tape asks for the gradient of every input of an operation, those of frozen weights and of images too; what nobody
    uses is never computed.
    """
    found: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    waiting += [operation for operation in graph.get_operations() if operation.op_def.is_stateful]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def _called(graph: tf.Graph, operation: tf.Operation) -> tf.Graph | None:
    if operation.type not in ("PartitionedCall", "StatefulPartitionedCall"):
        return None
    function = graph._get_function(operation.get_attr("f").name)
    return getattr(function, "graph", None)


def _products(operation: tf.Operation) -> int | None:
    """Multiplications of one operation; 0 if it is of another kind, None if a shape is not known."""
    kind = operation.type
    if kind == "Conv2D":
        kernel, large = operation.inputs[1].shape, operation.outputs[0].shape
    elif kind == "Conv2DBackpropInput":
        kernel, large = operation.inputs[1].shape, operation.inputs[2].shape
    elif kind == "Conv2DBackpropFilter":
        kernel, large = operation.outputs[0].shape, operation.inputs[2].shape
        if not kernel.is_fully_defined():
            sizes = tf.get_static_value(operation.inputs[1])
            kernel = tf.TensorShape(None if sizes is None else list(sizes))
    elif kind == "MatMul":
        left, out = operation.inputs[0].shape, operation.outputs[0].shape
        inner = left[0] if operation.get_attr("transpose_a") else left[1]
        known = inner is not None and out.is_fully_defined()
        return inner * out.num_elements() if known else None
    else:
        return 0
    if not (kernel.is_fully_defined() and large.is_fully_defined()):
        return None
    batch, height, width, _ = large
    return kernel.num_elements() * batch * height * width
