"""A model's layers and their paths, and what one call of its compiled function takes."""

from __future__ import annotations

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
