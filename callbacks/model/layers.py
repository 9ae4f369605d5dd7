"""A model's layers and their paths, its compiled step, and what one call of that takes."""

from __future__ import annotations

import inspect
from typing import Any


def leaf_layers(model: Any) -> list[Any]:
    """All layers of the model at any depth, itself aside, each once, in the order of `_flatten_layers`."""
    return list(dict.fromkeys(model._flatten_layers(include_self=False)))


def path_of(layer: Any) -> str:
    """The Keras path of a layer; its name where it has none yet."""
    return str(getattr(layer, "path", None) or layer.name)


def steps_per_execution(model: Any) -> int:
    """How many batches one call of the model's compiled function takes."""
    return int(getattr(model, "steps_per_execution", 1) or 1)


def compiled_step(step: Any) -> Any:
    """The `tf.function` inside of Keras' own step over an iterator; None where there is none, or not just one."""
    if not (getattr(step, "__module__", None) or "").startswith("keras."):
        return None
    inside = [step, *inspect.getclosurevars(step).nonlocals.values()] if inspect.isfunction(step) else [step]
    found = [each for each in inside if hasattr(each, "get_concrete_function")]
    return found[0] if len(found) == 1 else None
