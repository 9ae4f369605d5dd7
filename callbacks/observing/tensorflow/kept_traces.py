"""What was traced for a model, kept with its compiled step from one fit to the next.

Tracing takes longer than a short fit, and many programs fit one model often: cross-validation, an outer loop of the
user's own, tests. What was traced serves again as long as Keras' own compiled step does: until `compile` makes
another, or weights come or go, or the runtime is reset. It hangs on that step, and goes with it; the model itself holds
nothing of ours. Nothing that a fit brings is kept here: no sample, and no fact about one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tensorflow.python.eager import context as eager_context

from diagnose.activation.calling.held_state import Ours
from diagnose.callbacks.model.layers import compiled_step

ATTRIBUTE = "_diagnose_traces"  # of Keras' compiled step

Made = TypeVar("Made")


class Traces(Ours):
    """What was traced for one model, as it is compiled now. Of each kind the last is kept."""

    def __init__(self, serves: list[Any]) -> None:
        self._serves = serves
        self._kept: dict[Hashable, tuple[Hashable, Any]] = {}

    def serve(self, others: list[Any]) -> bool:
        """Whether they were made with these very objects."""
        return len(self._serves) == len(others) and all(a is b for a, b in zip(self._serves, others, strict=True))

    def of(self, kind: Hashable, key: Hashable, make: Callable[[], Made]) -> Made:
        """The last of a kind if it was made for this key, else what `make` gives. Raises whatever `make` raises."""
        known = self._kept.get(kind)
        if known is None or known[0] != key:
            self._kept.pop(kind, None)  # the old one goes before the new one takes memory
            known = self._kept[kind] = key, make()
        made: Made = known[1]
        return made

    def drop(self, kind: Hashable) -> None:
        """Keep nothing of this kind."""
        self._kept.pop(kind, None)


def traces_of(model: Any) -> Traces:
    """The traces of a model, to be asked while its own compiled step is in its place.

    Of an eager training none are kept: its Python may go other ways in each fit. Nor are any of a step that is not
    Keras' own, which may serve several models.
    """
    step = getattr(model, "train_function", None)
    serves = [
        eager_context.context(),
        model.optimizer,
        getattr(model, "_compile_loss", None),
        getattr(model, "_compile_metrics", None),
        *model.weights,
    ]
    known: Traces | None = getattr(step, ATTRIBUTE, None)
    if known is None or not known.serve(serves):
        known = Traces(serves)
        if not model.run_eagerly and compiled_step(step) is not None:
            setattr(step, ATTRIBUTE, known)
    return known
