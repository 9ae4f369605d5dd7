"""A function made from operations of a traced graph: what a `call` computes inline, to be called on its own."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing.tensorflow.code_frames import innermost

#: How operations are written.
_INFIX = {"Add": "+", "AddV2": "+", "BiasAdd": "+", "Sub": "-", "Mul": "*", "Div": "/", "RealDiv": "/", "Pow": "**"}
_INFIX |= {"Greater": ">", "GreaterEqual": ">=", "Less": "<", "LessEqual": "<=", "LogicalAnd": "&", "LogicalOr": "|"}
_SILENT = frozenset({"Cast", "Identity", "StopGradient"})
_LONGEST = 40  # characters of a name; a longer one is no name any more
#: One operation that is a function of Keras' own: no code of the user's.
_KERAS_OWN = frozenset({"Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"})


class InlineFunction:
    """What some operations compute of one tensor.

    operations: of one graph, each after those whose results it takes; all that its result needs, but for `entering`.
    variables: by the id of the placeholder's operation through which the graph holds it.
    Raises ValueError where something else would be needed.

    `__name__` is the formula; where that is long, the function in the code that it is, or else `called`.
    """

    def __init__(self, operations: Sequence[Any], entering: Any, variables: Mapping[int, Any], called: str) -> None:
        self._dtype = entering.dtype
        self._steps: list[tuple[str, tuple[int, ...], dict[str, Any]]] = []
        self._held: list[Any] = []
        places = {id(entering): 0}
        written = ["x"]
        for op in operations:
            kind = op.type
            given: tuple[int, ...] = ()
            settings: dict[str, Any] = {}
            if kind == "Const":
                value = tf.make_ndarray(op.get_attr("value"))
                settings = {"value": len(self._held)}
                self._held.append(value)
                text = _number(value)
            elif id(op) in variables:
                settings = {"value": len(self._held)}
                self._held.append(variables[id(op)])
                text = str(variables[id(op)].name).rpartition("/")[2].partition(":")[0]
            else:
                try:
                    given = tuple(places[id(tensor)] for tensor in op.inputs)
                except KeyError:
                    raise ValueError(f"{op.name} takes what is not among the operations") from None
                if kind != "ReadVariableOp":
                    settings = _settings(op)
                text = _text(kind, [written[place] for place in given])
            self._steps.append((kind, given, settings))
            places[id(op.outputs[0])] = len(written)
            written.append(text)
        held = [value.tobytes() if isinstance(value, np.ndarray) else id(value) for value in self._held]
        self.key = (repr(self._steps), repr(held), self._dtype.name)
        kinds = [kind for kind, given, _ in self._steps if given and kind not in _SILENT | {"ReadVariableOp"}]
        frame = innermost([op for op in operations if op.inputs and op.type != "ReadVariableOp"])
        one = kinds[0] if len(kinds) == 1 else ""
        #: Whether it is code of the user's own, and no one function of Keras'.
        self.custom = one not in _KERAS_OWN if one else not frame.library
        if not self.custom:
            self.__name__ = _snake(one) or frame.name
        else:
            formula = _bare(written[-1])
            named = called if frame.name in ("call", "<lambda>") else frame.name
            self.__name__ = formula if len(formula) <= _LONGEST else named
        bends = [kind for kind in kinds if kind not in _INFIX] or kinds
        #: The last of its operations that is no arithmetic, in one word.
        self.kind = _snake(bends[-1])

    def __call__(self, x: Any) -> Any:
        """The result for a tensor of any float dtype and any shape that the operations take."""
        x = tf.convert_to_tensor(x)
        values: list[Any] = [x]
        for kind, given, settings in self._steps:
            if not given:
                values.append(self._value(settings["value"], x.dtype))
            elif kind == "ReadVariableOp":
                values.append(values[given[0]])
            else:
                settings = {name: x.dtype if value == self._dtype else value for name, value in settings.items()}
                operands = dict(zip(_parameters(kind), [values[at] for at in given], strict=False))
                values.append(getattr(tf.raw_ops, kind)(**operands, **settings))
        return values[-1]

    def _value(self, index: int, dtype: Any) -> Any:
        value = tf.convert_to_tensor(self._held[index])
        return tf.cast(value, dtype) if value.dtype == self._dtype else value


def _snake(kind: str) -> str:
    """An operation's kind as one writes a function: "leaky_relu" for "LeakyRelu"."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.removesuffix("V2"))
    return words.removeprefix("_")


def _number(value: np.ndarray) -> str:
    if value.size != 1:
        return "c"
    number = value.item()
    return f"{number:.4g}" if isinstance(number, float) and not math.isnan(number) else str(number)


def _text(kind: str, operands: list[str]) -> str:
    if kind in _SILENT or kind == "ReadVariableOp":
        return operands[0]
    if kind in _INFIX:
        return f"({f' {_INFIX[kind]} '.join(operands)})"
    if kind == "Square":
        return f"({operands[0]} ** 2)"
    if kind == "Neg":
        return f"(-{operands[0]})"
    return f"{'where' if kind.startswith('Select') else _snake(kind)}({', '.join(map(_bare, operands))})"


def _bare(text: str) -> str:
    """The text without the brackets around all of it; only `_text` sets any at its start."""
    return text[1:-1] if text.startswith("(") else text


@functools.cache
def _parameters(kind: str) -> tuple[str, ...]:
    """What `tf.raw_ops` takes for an operation, its tensors first."""
    return tuple(name for name in inspect.signature(getattr(tf.raw_ops, kind)).parameters if name != "name")


def _settings(op: Any) -> dict[str, Any]:
    """What the operation was made with beside its inputs, as `tf.raw_ops` takes it; raises ValueError if it can't."""
    if not hasattr(tf.raw_ops, op.type):
        raise ValueError(f"{op.type} can't be called on its own")
    names = _parameters(op.type)[len(op.inputs) :]
    return {name: op.get_attr(name) for name in names}
