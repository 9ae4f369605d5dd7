"""What an activation site is for: hidden, output, or gate; told from the graph, not from names. And where it leads.

An output's value is the model's prediction; a gate's value multiplies something that depends on the data. On both,
flat regions are the purpose, so the rules on activations at work rest there. Multiplying by a dropout mask or by a
trained scale makes no gate: neither depends on the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from diagnose.callbacks.observing.tensorflow.operations import (
    CARRIES,
    MULTIPLIES,
    NOT_VALUES,
    SCALES,
    batch_operations,
    depends_on,
    forward_uses,
)
from diagnose.callbacks.observing.tensorflow.taps import Tap


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
    fed = depends_on(batch_operations(data))
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
        elif op.type in CARRIES:
            waiting.extend(tensor.op for tensor in op.inputs)
    return found


def _is_gate(value: Any, fed: Any) -> bool:
    """Whether every forward use of the value is a product with something that depends on the data."""
    uses = 0
    waiting = [value]
    while waiting:
        tensor = waiting.pop()
        for op in forward_uses(tensor):
            if op.type in CARRIES and op.outputs:
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
        for op in forward_uses(tensor):
            if id(op) in seen:
                continue
            seen.add(id(op))
            if op.type in CARRIES:
                waiting.append(op.outputs[0])
            elif op.type in SCALES | MULTIPLIES and not any(fed(other) for other in op.inputs if other is not tensor):
                uses += op.type in MULTIPLIES
                waiting += [] if op.type in MULTIPLIES else op.outputs[:1]
            elif op.type not in NOT_VALUES:
                return False
    return uses > 0
