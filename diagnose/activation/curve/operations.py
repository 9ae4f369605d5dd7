"""Which operation makes a value or a slope that is not finite.

The function is traced once more; at the offending z every intermediate tensor is read, the gradient of the output with
respect to each, and what each operation contributes to the gradient of its inputs (the sum alone would not tell which
of two consumers spoiled it). Forward, the culprit is the first operation with finite inputs and an output that is not.
Backward, going from the output to z, it is the first operation that gets a finite gradient and gives one that is not:
0 times infinity if what it gets is 0 (the branch that a `where` did not select), else a root or a quotient at its pole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Operations of TensorFlow in the words of a user; others are told by their own name.
WORDS = {
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Log": "log",
    "Log1p": "log1p",
    "Exp": "exp",
    "Expm1": "expm1",
    "Pow": "power",
    "RealDiv": "division",
    "Div": "division",
    "DivNoNan": "division",
    "Reciprocal": "reciprocal",
    "Inv": "reciprocal",
    "SelectV2": "where",
    "Select": "where",
    "Mul": "product",
    "Square": "square",
    "AddV2": "sum",
    "Sub": "difference",
    "Asin": "asin",
    "Acos": "acos",
    "Cosh": "cosh",
    "Sinh": "sinh",
    "Tan": "tan",
    "Xlogy": "xlogy",
}
#: Operations of a graph that are looked at.
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation at the offending z: its type, whether its inputs and output are finite, the gradient that arrives
    at its output, and whether what it hands on is finite."""

    name: str
    inputs_finite: np.ndarray
    output: np.ndarray
    arriving: np.ndarray
    handed_finite: np.ndarray


def constructs(
    call: Callable[[Any], Any], shape: tuple[int, ...], dtype: str, wanted: list[tuple[str, float]]
) -> dict[tuple[str, float], str]:
    """For each ("forward" or "backward", z), the construct in words, "" where it can't be told."""
    steps = _steps(call, shape, dtype, np.array([place for _, place in wanted]))
    told = {}
    for index, key in enumerate(wanted):
        find = _forward if key[0] == "forward" else _backward
        told[key] = find(steps, index)
    return told


def _steps(call: Callable[[Any], Any], shape: tuple[int, ...], dtype: str, z: np.ndarray) -> list[_Step]:
    import tensorflow as tf

    laid = np.repeat(z, int(np.prod(shape, dtype=int))).reshape(len(z), *shape)
    names: list[str] = []

    def opened(x: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        before = len(graph.get_operations())
        a = call(x)
        operations = [o for o in graph.get_operations()[before:] if len(o.outputs) == 1 and _follows(o.outputs[0], x)][
            :MOST_STEPS
        ]
        arriving = tf.gradients(a, [o.outputs[0] for o in operations])
        rows = []
        for operation, slope in zip(operations, arriving, strict=True):
            inputs = [t for t in operation.inputs if _follows(t, x)]
            if slope is None or not inputs:
                continue
            handed = tf.gradients(operation.outputs[0], inputs, grad_ys=slope, stop_gradients=inputs)
            names.append(operation.type)
            rows.append(
                (_finite(inputs, x), operation.outputs[0], slope, _finite([t for t in handed if t is not None], x))
            )
        return rows

    with tf.device("CPU:0"):
        x = tf.constant(laid.astype(tf.as_dtype(dtype).as_numpy_dtype))
        # Not by calling the tf.function: TensorFlow would warn of a new one traced at each profile.
        rows = tf.function(opened, autograph=False).get_concrete_function(x)(x)
    first = [[np.reshape(t.numpy(), (len(z), -1))[:, 0] for t in row] for row in rows]
    return [_Step(name, *row) for name, row in zip(names, first, strict=True)]


def _follows(t: Any, x: Any) -> bool:
    """A tensor of the input's rank and shape, as the intermediates of an elementwise function are."""
    return bool(t.dtype.is_floating and t.shape.rank == x.shape.rank and t.shape.is_compatible_with(x.shape))


def _finite(tensors: list[Any], x: Any) -> Any:
    import tensorflow as tf

    found = tf.ones_like(x, tf.bool)
    for t in tensors:
        found &= tf.math.is_finite(tf.convert_to_tensor(t))
    return found


def _word(name: str) -> str:
    return WORDS.get(name, name)


def _forward(steps: list[_Step], index: int) -> str:
    for step in steps:
        if step.inputs_finite[index] and not np.isfinite(float(step.output[index])):
            return _word(step.name)
    return ""


def _backward(steps: list[_Step], index: int) -> str:
    selects = any(step.name in ("SelectV2", "Select") for step in steps)
    for step in reversed(steps):
        arriving, output = float(step.arriving[index]), float(step.output[index])
        if not np.isfinite(arriving) or step.handed_finite[index]:
            continue
        if arriving == 0 and selects:
            return f"{_word(step.name)} in the branch of where that is not selected"
        if arriving == 0 and not np.isfinite(output):
            return f"{_word(step.name)}, whose overflow is undone further on"
        return _word(step.name)
    return ""
