"""A model's optimizers: which there are, how often they have updated it, and what they were built without."""

from __future__ import annotations

from typing import Any

import keras

from diagnose.activation.calling.used_names import is_library
from diagnose.callbacks.model.layers import leaf_layers
from diagnose.callbacks.model.restoring import pristine


def optimizers_of(model: Any) -> list[Any]:
    """Every optimizer that the model or one of its layers holds, inner ones after their wrappers."""
    found: dict[int, Any] = {}
    for owner in [model, *leaf_layers(model)]:
        for value in list(vars(owner).values()):
            while isinstance(value, keras.optimizers.Optimizer) and id(value) not in found:
                found[id(value)] = value
                value = getattr(value, "inner_optimizer", None)
    return list(found.values())


def learning_rate_of(optimizer: Any) -> float:
    """The learning rate of now. A schedule of the user's own is Python, and what it changes is put back.

    Raises CannotUndo where that can't be done, and whatever the schedule raises.
    """
    schedule = getattr(optimizer, "_learning_rate", None)
    if not callable(schedule) or is_library(type(schedule).__module__):
        return float(optimizer.learning_rate)
    with pristine(schedule):
        return float(optimizer.learning_rate)


def updates_of(model: Any) -> int:
    """Optimizer updates so far: of the model's optimizers, the one that has made most."""
    counts = [0]
    for optimizer in optimizers_of(model):
        if not hasattr(optimizer, "inner_optimizer"):
            counts.append(int(optimizer.iterations))
    return max(counts)


def otherwise_trained(model: Any) -> tuple[list[Any], list[Any]]:
    """Variables with which the step of this fit does otherwise than `trainable` says now: Keras heeds it at compile.

    First those that are trainable, and the optimizer was built without; then those of the model that it was built for,
    and that are not trainable any more (a step compiled anew leaves them alone, so whether they move is to be seen).
    Both empty while an optimizer is not built.
    """
    optimizers = [optimizer for optimizer in optimizers_of(model) if not hasattr(optimizer, "inner_optimizer")]
    if not optimizers or not all(optimizer.built for optimizer in optimizers):
        return [], []
    known = {id(variable) for optimizer in optimizers for variable in optimizer._trainable_variables}
    left_out = [variable for variable in model.trainable_variables if id(variable) not in known]
    return left_out, [variable for variable in model.variables if id(variable) in known and not variable.trainable]
