"""Letting us see the batches of one call of the user's own step, and handing them on unchanged.

`fit` looks `model.train_function` up at every step. At a step that is due a stand-in takes its place for just that
call; the first thing it does is to put the original back, so that nothing of ours is left behind whatever happens. A
stand-in that is met later (a fit that broke off before the step) is only a passage.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import tensorflow as tf

from diagnose.callbacks.model.layers import steps_per_execution
from diagnose.callbacks.observing.tensorflow.batch_relay import Relay

#: `guard(doing, part)` gives a context in which what fails in our code is caught, and `part` left off.
Guard = Callable[[str, Literal["observation", "weights"]], AbstractContextManager[None]]
#: `own(kind)` gives a context whose time counts as ours, not as the training's; "set-up", "observation" or "hook".
Own = Callable[[str], AbstractContextManager[None]]


class StepStandIn:
    """Sees the batches that one of a model's compiled functions is called with.

    attribute: "train_function" or "test_function".
    """

    def __init__(self, model: Any, attribute: str, own: Own, guard: Guard) -> None:
        self._model, self._attribute = model, attribute
        self._own, self._guard = own, guard
        self._original: Any = None
        self._relays: dict[Any, Relay] = {}
        #: Batches taken by the last call that was seen; None if the last call was not.
        self.taken: int | None = None

    def arm(self, see: Callable[[list[Any], Any], None], after: Callable[[], None]) -> None:
        """See the next call: `see(batches, element_spec)` before the user's own step, `after()` behind it."""
        self.restore()
        self._original = getattr(self._model, self._attribute)
        setattr(self._model, self._attribute, self._stand_in(self._original, see, after))

    def restore(self) -> None:
        """Put the user's own function back, if it is not there."""
        if self._original is not None:
            setattr(self._model, self._attribute, self._original)
            self._original = None

    def _stand_in(self, original: Any, see: Any, after: Any) -> Any:
        def step(iterator: Any) -> Any:
            armed = self._original is original
            self.restore()
            return self._seen(original, iterator, see, after) if armed else original(iterator)

        return step

    def _seen(self, original: Any, iterator: Any, see: Any, after: Any) -> Any:
        relay = None
        with self._guard("preparing to hand a batch on", "observation"), self._own("set-up"):
            relay = self._relay_for(iterator)
        if relay is None:
            return original(iterator)
        size = steps_per_execution(self._model)
        batches: list[Any] = []
        try:
            while len(batches) < size:
                batches.append(next(iterator))
        except (StopIteration, tf.errors.OutOfRangeError):
            if not batches:
                return original(iterator)  # it meets the end of the data itself
        self.taken = len(batches)
        with self._guard("observing a step", "observation"), self._own("observation"):
            see(batches, iterator.element_spec)
        relayed: Any = batches  # Keras' function takes any iterable, at the price of another trace
        with self._guard("handing a batch on", "observation"), self._own("hook"):
            relayed = relay.iterator_over(batches, ends=len(batches) < size)
        result = original(relayed)
        with self._guard("measuring what the step did", "weights"), self._own("hook"):
            after()
        return result

    def _relay_for(self, iterator: Any) -> Relay | None:
        if not isinstance(iterator, tf.data.Iterator):
            raise TypeError("its batches come from a distributed iterator, which can't be handed on")
        spec = iterator.element_spec
        key = spec_key(spec)
        if key not in self._relays:
            self._relays[key] = Relay(spec, steps_per_execution(self._model))
        return self._relays[key]


def spec_key(spec: Any) -> Any:
    """An element spec as something that can be a key."""
    return str(tf.nest.map_structure(repr, spec))
