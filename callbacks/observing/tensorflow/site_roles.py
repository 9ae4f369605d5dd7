"""What an activation site is for: hidden, output, or gate; told from the graph, not from names. And where it leads.

An output's value is the model's prediction; a gate's value multiplies something that depends on the data. On both,
flat regions are the purpose, so the rules on activations at work rest there. Multiplying by a dropout mask or by a
trained scale makes no gate: neither depends on the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from diagnose.callbacks.observing.tensorflow.taps import Tap

#: Operations that pass a value on as it is, or in another shape or precision.
_CARRIES = frozenset(
    {"Cast", "ExpandDims", "Identity", "IdentityN", "Reshape", "Squeeze", "StopGradient", "Transpose", "ConcatV2"}
)
#: Operations that scale or shift a value, or drop some of it, where their other operands do not depend on the data.
_SCALES = frozenset({"AddV2", "BiasAdd", "Mul", "RealDiv", "SelectV2", "Sub"})
#: Operations that multiply a value with a kernel.
_MULTIPLIES = frozenset(
    {"BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2"}
    | {"DepthwiseConv2dNative", "Einsum", "MatMul"}
)
_NOT_VALUES = frozenset({"Shape", "Size", "Rank", "ShapeN", "ZerosLike", "OnesLike"})
_MOST_OPERATIONS = 20_000  # a bound on the walk, for graphs of any size


def assign_roles(taps: list[Tap], predictions: Any, data: Any, affine: Mapping[str, Any]) -> None:
    """Set the role of each tap that is still "hidden" to "output" or "gate" where the graph says so.

    affine: see `Tapping.affine`.
    """
    outputs = {id(tap.out.op): tap for tap in taps if tap.out is not None}
    for prediction in tf.nest.flatten(predictions) if predictions is not None else []:
        if isinstance(prediction, tf.Tensor):
            for tap in _sources(prediction, outputs):
                tap.role = "output"
    if predictions is None and taps:
        taps[-1].role = "output"
    fed = _depends_on(data)
    for tap in taps:
        if tap.role == "hidden" and tap.out is not None and _is_gate(tap.out, fed):
            tap.role = "gate"
        if tap.role == "hidden" and tap.out is not None:
            tap.into_kernels = _leads_into_kernels(tap.out, fed, affine)


def _sources(prediction: Any, outputs: dict[int, Tap]) -> list[Tap]:
    found, waiting = [], [prediction.op]
    while waiting:
        op = waiting.pop()
        if id(op) in outputs:
            found.append(outputs[id(op)])
        elif op.type in _CARRIES:
            waiting.extend(tensor.op for tensor in op.inputs)
    return found


def _is_gate(value: Any, fed: Any) -> bool:
    """Whether every forward use of the value is a product with something that depends on the data."""
    uses = 0
    waiting = [value]
    while waiting:
        tensor = waiting.pop()
        for op in _uses(tensor):
            if op.type in _CARRIES and op.outputs:
                waiting.append(op.outputs[0])
                continue
            others = [other for other in op.inputs if other is not tensor]
            if op.type != "Mul" or not others or not fed(others[0]):
                return False
            uses += 1
    return uses > 0


def _leads_into_kernels(value: Any, fed: Any, affine: Mapping[str, Any]) -> bool:
    """Whether every forward use of the value is a product with a kernel; on its way it may be scaled and shifted.

    A batch normalization does just that in inference, whatever its batch's statistics depend on in training.
    """
    uses, seen = 0, set()
    waiting = [value]
    while waiting:
        tensor = waiting.pop()
        if tensor.op.name in affine:
            waiting.append(affine[tensor.op.name])
            continue
        for op in _uses(tensor):
            if id(op) in seen:
                continue
            seen.add(id(op))
            if op.type in _CARRIES:
                waiting.append(op.outputs[0])
            elif op.type in _SCALES | _MULTIPLIES and not any(fed(other) for other in op.inputs if other is not tensor):
                uses += op.type in _MULTIPLIES
                waiting += [] if op.type in _MULTIPLIES else op.outputs[:1]
            elif op.type not in _NOT_VALUES:
                return False
    return uses > 0


def _uses(tensor: Any) -> list[Any]:
    """The operations that take a tensor on the way forward, those of gradients and of our own readings left out."""
    return [
        op for op in tensor.consumers() if not op.name.startswith("gradient_tape") and "diagnose_reading" not in op.name
    ]


def _depends_on(data: Any) -> Any:
    """A function that says whether a tensor's value depends on the batch."""
    roots = {id(leaf.op) for leaf in tf.nest.flatten(data, expand_composites=True) if isinstance(leaf, tf.Tensor)}
    known: dict[int, bool] = {}

    def depends(tensor: Any) -> bool:
        seen: set[int] = set()
        waiting = [tensor.op]
        while waiting and len(seen) < _MOST_OPERATIONS:
            op = waiting.pop()
            if id(op) in roots or known.get(id(op)):
                known[id(tensor.op)] = True
                return True
            if id(op) in seen or op.type in _NOT_VALUES or known.get(id(op)) is False:
                continue
            seen.add(id(op))
            waiting.extend(inner.op for inner in op.inputs)
        known[id(tensor.op)] = False
        return False

    return depends
