"""Kinds of operations of a traced graph, and what of it depends on what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

#: Operations that pass a value on as it is, or in another shape or precision.
CARRIES = frozenset(
    {"Cast", "ExpandDims", "Identity", "IdentityN", "Reshape", "Squeeze", "StopGradient", "Transpose", "ConcatV2"}
)
#: Operations that scale or shift a value, or drop some of it, where their other operands do not depend on the data.
SCALES = frozenset({"AddV2", "BiasAdd", "Mul", "RealDiv", "SelectV2", "Sub"})
#: Operations that multiply a value with a kernel.
MULTIPLIES = frozenset(
    {"BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2"}
    | {"DepthwiseConv2dNative", "Einsum", "MatMul"}
)
#: Operations that compute each entry of their result from the same entry of each operand. One that is not named here
#: only ends what is known to be elementwise.
ELEMENTWISE = frozenset(
    {"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Cos", "Cosh", "Digamma", "Elu", "Erf"}
    | {"Erfc", "Erfinv", "Exp", "Expm1", "Floor", "Identity", "Inv", "IsFinite", "IsInf", "IsNan", "LeakyRelu"}
    | {"Lgamma", "Log", "Log1p", "LogicalNot", "Neg", "Reciprocal", "Relu", "Relu6", "Rint", "Round"}
    | {"Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Square", "StopGradient"}
    | {"Tan", "Tanh", "Add", "AddV2", "Atan2", "BiasAdd", "Div", "DivNoNan", "Equal", "FloorDiv"}
    | {"FloorMod", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Maximum", "Minimum"}
    | {"Mod", "Mul", "MulNoNan", "NotEqual", "Pow", "RealDiv", "Select", "SelectV2", "SquaredDifference", "Sub"}
    | {"TruncateDiv", "Xdivy", "Xlog1py", "Xlogy", "ClipByValue"}
)
#: Operations that take of a tensor no more than its shape.
NOT_VALUES = frozenset({"Shape", "Size", "Rank", "ShapeN", "ZerosLike", "OnesLike"})
#: What our own readings are made under.
READING = "diagnose_reading"
_MOST_OPERATIONS = 20_000  # a bound on the walk, for graphs of any size


def forward_uses(tensor: Any) -> list[Any]:
    """The operations that take a tensor on the way forward, those of gradients and of our own readings left out."""
    return [op for op in tensor.consumers() if not op.name.startswith("gradient_tape") and READING not in op.name]


def batch_operations(data: Any) -> list[Any]:
    """The operations that hand a traced step its batch."""
    return [leaf.op for leaf in tf.nest.flatten(data, expand_composites=True) if isinstance(leaf, tf.Tensor)]


def depends_on(roots: Iterable[Any]) -> Callable[[Any], bool]:
    """A function that says whether a tensor's value depends on what one of these operations gives."""
    found = {id(op) for op in roots}
    known: dict[int, bool] = {}

    def depends(tensor: Any) -> bool:
        seen: set[int] = set()
        waiting = [tensor.op]
        while waiting and len(seen) < _MOST_OPERATIONS:
            op = waiting.pop()
            if id(op) in found or known.get(id(op)):
                known[id(tensor.op)] = True
                return True
            if id(op) in seen or op.type in NOT_VALUES or known.get(id(op)) is False:
                continue
            seen.add(id(op))
            waiting.extend(inner.op for inner in op.inputs)
        known[id(tensor.op)] = False
        return False

    return depends
