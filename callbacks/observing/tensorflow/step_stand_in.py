"""Letting us see the batches of one call of the user's own step, and handing them on unchanged.

`fit` looks `model.train_function` up at every step. At a step that is due a stand-in takes its place for just that
call; the first thing it does is to put the original back, so that nothing of ours is left behind whatever happens. A
stand-in that is met later (a fit that broke off before the step) is only a passage.

The first call of a step makes what the model still lacks: variables of layers, metrics and the optimizer. Who makes
them decides about their values, since random numbers depend on the graph they are drawn in. So Keras' compiled step is
first asked to trace itself, which it would do in this very call, and which runs nothing. Where that can't be asked (a
step that runs eagerly, or is the user's own function, or makes variables from values that only its run has), its first
call is not seen. A step that can't be traced ends the fit: it is seen before that, to tell why.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import GeneratorType
from typing import Any, Literal

import tensorflow as tf

from diagnose.callbacks.model.layers import compiled_step, leaf_layers, steps_per_execution
from diagnose.callbacks.observing.tensorflow.batch_relay import Relay
from diagnose.callbacks.observing.tensorflow.kept_traces import Traces

#: `guard(doing, part)` gives a context in which what fails in our code is caught, and `part` left off.
Guard = Callable[[str, Literal["observation", "weights"]], AbstractContextManager[None]]
#: `own(kind)` gives a context whose time counts as ours, not as the training's; "set-up", "observation" or "hook".
Own = Callable[[str], AbstractContextManager[None]]


class StepStandIn:
    """Sees the batches that one of a model's compiled functions is called with.

    attribute: "train_function" or "test_function". traces: gives what was traced for the model.
    """

    def __init__(self, model: Any, attribute: str, traces: Callable[[], Traces], own: Own, guard: Guard) -> None:
        self._model, self._attribute, self._traces = model, attribute, traces
        self._own, self._guard = own, guard
        self._armed: _OneCall | None = None
        self._met: Any = None  # the user's own function, once it has made its variables
        self._relays: dict[Any, Relay] = {}
        #: Batches taken by the last call that was seen; None if the last call was not.
        self.taken: int | None = None

    def arm(
        self, see: Callable[[list[Any], Any, bool], None], after: Callable[[], None], *, whole: bool = False
    ) -> None:
        """See the next call: `see(batches, element_spec, ends)` before the user's own step, `after()` behind it.

        ends: the step can't be traced, so that the fit ends here. whole: only if all variables that the step makes are
        there by then, or the fit ends.
        """
        self.restore()
        original = getattr(self._model, self._attribute)
        while isinstance(original, _OneCall):  # left by a fit that broke off
            original = original.original
        self._armed = _OneCall(self, original, see, after, whole, getattr(self._model, "history", None))
        setattr(self._model, self._attribute, self._armed)

    def restore(self) -> None:
        """Put the user's own function back, if what stands in its place is ours: `compile` may have removed it."""
        if self._armed is not None:
            self._put_back(self._armed)
            self._armed = None

    def _put_back(self, armed: _OneCall) -> None:
        if getattr(self._model, self._attribute, None) is armed:
            setattr(self._model, self._attribute, armed.original)

    def called(self, armed: _OneCall, iterator: Any) -> Any:
        """What the user's own function gives for this iterator, seen if that is what it was armed for."""
        same_fit = armed.fit is getattr(self._model, "history", None)  # each fit has a history of its own
        expected = self._armed is armed and same_fit and not isinstance(iterator, GeneratorType)  # of train_on_batch
        self._put_back(armed)
        self.restore()
        return self._seen(armed, iterator) if expected else armed.original(iterator)

    def _seen(self, armed: _OneCall, iterator: Any) -> Any:
        original = armed.original
        relay = None
        with self._guard("preparing to pass a batch on", "observation"), self._own("set-up"):
            relay = self._relay_for(iterator)
        if relay is None:
            return original(iterator)
        refusal: Exception | None = None
        try:
            if armed.whole and not self._is_traced(original, iterator):
                return original(iterator)
        except Exception as error:
            refusal = error
        size = steps_per_execution(self._model)
        batches: list[Any] = []
        try:
            while len(batches) < size:
                batches.append(next(iterator))
        except (StopIteration, tf.errors.OutOfRangeError):
            if not batches and refusal is None:
                return original(iterator)  # it meets the end of the data itself
        self.taken = len(batches)
        with self._guard("observing a step", "observation"), self._own("observation" if armed.whole else "hook"):
            if batches:
                armed.see(batches, iterator.element_spec, refusal is not None)
        if refusal is not None:
            raise refusal
        relayed: Any = batches  # Keras' function takes any iterable, at the price of another trace
        with self._guard("handing a batch on", "observation"), self._own("hook"):
            relayed = relay.iterator_over(batches, ends=len(batches) < size)
        result = original(relayed)
        with self._guard("measuring what the step did", "weights"), self._own("hook"):
            armed.after()
        return result

    def _is_traced(self, original: Any, iterator: Any) -> bool:
        """Whether the step has made its variables; it is traced for that if it can be, and raises what it raises."""
        if self._met is not original:
            self._met, function = original, compiled_step(original)
            if function is None or _needs_a_run(self._model):
                return False
            function.get_concrete_function(iterator)
        return True

    def _relay_for(self, iterator: Any) -> Relay | None:
        if not isinstance(iterator, tf.data.Iterator):
            raise TypeError("its batches come from a distributed iterator, which can't be observed")
        spec = iterator.element_spec
        key = spec_key(spec)
        if key not in self._relays:
            kind = f"{self._attribute} over {key}"
            relay = self._traces().of(kind, "", lambda: Relay(spec, steps_per_execution(self._model)))
            if not relay.empty:
                self._traces().drop(kind)
                return self._relay_for(iterator)
            self._relays[key] = relay
        return self._relays[key]


class _OneCall:
    """Stands in the place of a model's compiled function for one call. fit: what is the model's in this fit alone."""

    def __init__(self, stand_in: StepStandIn, original: Any, see: Any, after: Any, whole: bool, fit: Any) -> None:
        self._stand_in, self.original, self.see, self.after = stand_in, original, see, after
        self.whole, self.fit = whole, fit

    def __call__(self, iterator: Any) -> Any:
        return self._stand_in.called(self, iterator)


def _needs_a_run(model: Any) -> bool:
    """Whether a layer that is not built will be so by code of the user's own, which may draw from a Keras seed.

    Such a seed is a variable: TensorFlow then computes initial values while the step runs, and never in its trace.
    """
    builders: list[Any] = []
    for layer in [model, *leaf_layers(model)]:
        if not layer.built:
            given = [value for name, value in vars(layer).items() if name.endswith("initializer") and callable(value)]
            builders += [type(layer).build, *(value if inspect.isfunction(value) else type(value) for value in given)]
    return any(not (getattr(each, "__module__", None) or "").startswith("keras.") for each in builders)


def spec_key(spec: Any) -> Any:
    """An element spec as something that can be a key."""
    return str(tf.nest.map_structure(repr, spec))
