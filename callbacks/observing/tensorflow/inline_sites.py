"""Activations that are written in a `call` of the user's own: `ops.sin(30 * self.dense(x))`.

No function is called there that a tapped one could stand in for. But the operations lie in the traced graph, and which
of them a `call` made itself, and which the layers that it calls, is known by their numbers (`Span`). Of those that it
made itself, what computes each entry of its result from one entry of one tensor is an activation:

    z = self.dense(x) --> Mul by 30 --> Sin --> a --> the next kernel

z is a tensor of the network that no such operation made; a is the last that comes of z alone: from there it goes into a
kernel, out of the `call`, or together with other data. What only scales and shifts is no activation, and neither is
what a normalization computes (in x / sqrt(sum(x ** 2)) the squares, and the root).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from diagnose.callbacks.model.layers import path_of
from diagnose.callbacks.observing.tensorflow.inline_function import InlineFunction
from diagnose.callbacks.observing.tensorflow.operations import (
    ELEMENTWISE,
    MULTIPLIES,
    NOT_VALUES,
    batch_operations,
    depends_on,
    forward_uses,
)
from diagnose.callbacks.observing.tensorflow.taps import Span, Tap, Tapping, behaves

#: Operations that add what they are given, and those that scale it, if it is their first operand alone.
_SUMS = frozenset({"Add", "AddV2", "BiasAdd", "Cast", "Identity", "Neg", "Sub"})
_SCALES = frozenset({"Div", "Mul", "RealDiv"})
#: Operations of one activation, or of one constant in it: gelu has 9. What takes more is a computation of its own.
_MOST = 64


def inline_taps(model: Any, tapping: Tapping, data: Any) -> list[Tap]:
    """Add the activations written in the spans of a traced train step on `data` to its taps, where they belong.

    Gives those that were added; their gradients are not asked for yet.
    """
    owned = [span for outermost in tapping.spans for span in outermost.all() if span.owner is not None]
    if not owned:
        return []
    graph = tapping.graph
    operations = graph.get_operations()
    known = {id(variable.value.handle): variable for variable in model.variables}
    variables = {id(inner.op): known[id(outer)] for outer, inner in graph.captures if id(outer) in known}
    weights = [inner.op for _, inner in graph.captures if getattr(variables.get(id(inner.op)), "trainable", False)]
    places = {id(op): place for place, op in enumerate(operations)}
    search = _Search(depends_on(batch_operations(data)), depends_on(weights), variables, places)
    taps = [tap for span in owned for tap in search.within(span, operations)]
    taps.sort(key=lambda tap: places[id(tap.a.op)])
    for tap in taps:
        tap.where = tapping.numbered(_name(tap, [*taps, *tapping.taps]))
    tapping.taps.extend(taps)
    tapping.taps.sort(key=lambda tap: places[id(tap.a.op)])
    return taps


def ask_gradients(taps: list[Tap], loss: Any, scale: Any) -> None:
    """Ask for the gradient of the loss, times `scale` where there is one, at each of the taps."""
    try:
        upstream = None if scale is None else tf.cast(tf.reshape(scale, tf.shape(loss)), loss.dtype)
        gradients = tf.gradients(loss, [tap.a for tap in taps], upstream, unconnected_gradients="zero")
    except Exception:  # an operation without a gradient beside the way that the step's own tape goes
        return
    for tap, gradient in zip(taps, gradients, strict=True):
        tap.gradient_a, tap.gradient_z = gradient, gradient * tap.slope


def _name(tap: Tap, taps: list[Tap]) -> str:
    """The owner's path; of a model, and of a layer with other sites, with what the function does."""
    path, function = path_of(tap.owner), tap.function
    others = any(other.owner is tap.owner and other.function is not function for other in taps)
    if isinstance(function, InlineFunction) and (others or isinstance(tap.owner, keras.Model)):
        return f"{path}/{function.kind}"
    return path


@dataclass
class _Computed:
    """Of an elementwise operation: the tensors its result comes from, and whether it only scales and shifts them."""

    sources: dict[int, Any]
    straight: bool


@dataclass
class _Search:
    """fed: whether a tensor depends on the batch; learned: on a trained weight. variables: see `InlineFunction`.

    places: of operations, by id, in the order in which they were made.
    """

    fed: Callable[[Any], bool]
    learned: Callable[[Any], bool]
    variables: Mapping[int, Any]
    places: Mapping[int, int]
    _functions: dict[Any, InlineFunction] = field(default_factory=dict)

    def within(self, span: Span, operations: list[Any]) -> Iterator[Tap]:
        """The activations that the operations of one `call` compute."""
        own = list(span.own(operations))
        computed = self._computed(own)
        alone = {id_ for id_, known in computed.items() if len(known.sources) == 1}
        returned = _before(span.outputs, operations[span.start : span.end])
        for op in own:
            if id(op) not in alone or computed[id(op)].straight or id(op) not in returned or not _ends(op, alone):
                continue
            (z,) = computed[id(op)].sources.values()
            if not _is_part_of_statistic(op, z, computed, own):
                tap = self._tap(span.owner, z, op, computed)
                if tap is not None:
                    yield tap

    def _computed(self, operations: list[Any]) -> dict[int, _Computed]:
        """By operation, of those that compute each entry from one entry of what depends on the batch."""
        computed: dict[int, _Computed] = {}
        for op in operations:
            if op.type not in ELEMENTWISE or len(op.outputs) != 1:
                continue
            fed = [tensor for tensor in op.inputs if self.fed(tensor)]
            if not fed or any(self._constant(tensor) is None for tensor in op.inputs if not self.fed(tensor)):
                continue
            inside = [computed.get(id(tensor.op)) for tensor in fed]
            sources: dict[int, Any] = {}
            for tensor, known in zip(fed, inside, strict=True):
                sources |= {id(tensor): tensor} if known is None else known.sources
            scales = op.type in _SCALES and len(fed) == 1 and (op.type == "Mul" or fed[0] is op.inputs[0])
            straight = scales or op.type in _SUMS
            computed[id(op)] = _Computed(sources, straight and all(known is None or known.straight for known in inside))
        return computed

    def _constant(self, tensor: Any) -> list[Any] | None:
        """The operations that compute a tensor without the batch; None where chance or something unknown does."""
        found: dict[int, Any] = {}
        waiting = [tensor.op]
        while waiting:
            op = waiting.pop()
            if id(op) in found:
                continue
            found[id(op)] = op
            if id(op) in self.variables or op.type == "Const" or (op.type in NOT_VALUES and self.fed(op.inputs[0])):
                continue
            drawn = op.op_def.is_stateful or op.type.startswith("Stateless")
            if len(found) > _MOST or (drawn and op.type != "ReadVariableOp") or op.type == "Placeholder":
                return None
            waiting += [inner.op for inner in op.inputs]
        return list(found.values())

    def _tap(self, owner: Any, z: Any, op: Any, computed: Mapping[int, _Computed]) -> Tap | None:
        a, found = op.outputs[0], self._after_bias(z, op, computed)
        if found is None:
            return None
        z, needed = found
        if not z.dtype.is_floating or (z.shape.rank or 0) < 2 or not behaves(a, z) or not self.learned(z):
            return None
        try:
            function = InlineFunction(needed, z, self.variables, f"call of {type(owner).__name__}")
        except ValueError:
            return None
        function = self._functions.setdefault(function.key, function)
        (slope,) = tf.gradients(a, z, unconnected_gradients="zero")
        return Tap("", owner, function, z, a, out=a, slope=slope)

    def _after_bias(self, z: Any, op: Any, computed: Mapping[int, _Computed]) -> tuple[Any, list[Any]] | None:
        """The pre-activation, behind a bias that the `call` adds itself, and the operations from there to the end."""
        while True:
            needed = self._needed(z, op, computed)
            first = [each for each in needed if any(tensor is z for tensor in each.inputs)]
            bias = [tensor for tensor in first[0].inputs if tensor is not z] if len(first) == 1 else []
            if first[0] is op or first[0].type not in _SUMS or not bias or not bias[0].shape.rank:
                return z, needed
            if sum(size != 1 for size in bias[0].shape) > 1:
                return None  # how far the data are from learned points is no pre-activation
            z = first[0].outputs[0]

    def _needed(self, z: Any, end: Any, computed: Mapping[int, _Computed]) -> list[Any]:
        """The operations that make the end's result of z, each after those whose results it takes."""
        found: dict[int, Any] = {}
        waiting = [end]
        while waiting:
            op = waiting.pop()
            if id(op) in found or op is z.op:
                continue
            found[id(op)] = op
            for tensor in op.inputs:
                if id(tensor.op) in computed:
                    waiting.append(tensor.op)
                elif tensor is not z:
                    found |= {id(each): each for each in self._constant(tensor) or []}
        return sorted(found.values(), key=lambda op: self.places[id(op)])


def _ends(op: Any, alone: set[int]) -> bool:
    """Whether what the operation gives is used by others than those that go on with it `alone`."""
    uses = [use for use in forward_uses(op.outputs[0]) if use.type not in NOT_VALUES]
    return op.outputs[0].dtype.is_floating and not (uses and all(id(use) in alone for use in uses))


def _is_part_of_statistic(op: Any, z: Any, computed: Mapping[int, _Computed], own: list[Any]) -> bool:
    """Whether z meets again what was reduced of it: then this is a step of a normalization, or of a softmax by hand."""
    for known in computed.values():
        others = [source for id_, source in known.sources.items() if id_ != id(z)]
        if id(z) in known.sources and others:
            behind = _before([z], own, kernels=False).values()
            if any(tensor is other for each in behind for tensor in each.inputs for other in others):
                return True
            if id(op) in _before(others, own, kernels=False):
                return True
    return False


def _before(tensors: list[Any], within: list[Any], *, kernels: bool = True) -> dict[int, Any]:
    """By id, those of the operations `within` that the tensors were made by; without `kernels`, up to the nearest."""
    allowed, found = {id(op) for op in within}, {}
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        op = waiting.pop()
        if id(op) not in found and id(op) in allowed and (kernels or op.type not in MULTIPLIES):
            found[id(op)] = op
            waiting += [tensor.op for tensor in op.inputs]
    return found
