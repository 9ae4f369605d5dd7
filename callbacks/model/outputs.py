"""A model's outputs: their names, their places in a run, and which targets belong to which."""

from __future__ import annotations

from typing import Any

from diagnose.callbacks.model.arrays import leaves
from diagnose.callbacks.model.layers import path_of


def names_of(model: Any, predictions: Any) -> list[str]:
    """A name for each output: its key in a dict, else what the model calls it, else its number."""
    found = leaves(predictions)
    if isinstance(predictions, dict):
        keys = {id(value): str(key) for key, value in predictions.items()}
        return [keys.get(id(leaf), str(index)) for index, leaf in enumerate(found)]
    known = list(getattr(model, "output_names", None) or ())
    if len(known) == len(found):
        return known
    return [str(index) if len(found) > 1 else "" for index in range(len(found))]


def places_of(model: Any, predictions: Any) -> list[str]:
    """The outputs as places of measurements: "" for a single one, else their names, as Keras' logs have them."""
    names = names_of(model, predictions)
    return names if len(names) > 1 else [""] * len(names)


def by_output(targets: Any, places: list[str]) -> list[Any]:
    """The leaves of the targets in the order of the outputs: by name where they are a dict of the outputs' names."""
    if isinstance(targets, dict) and set(targets) == set(places):
        return [targets[place] for place in places]
    return leaves(targets)


def place_of(model: Any, index: int) -> str:
    """Keras path of what ends an output, inside nested models too; "" where the graph of layers is not known."""
    owner, place = model, ""
    while getattr(owner, "outputs", None) and index < len(owner.outputs):
        history = getattr(owner.outputs[index], "_keras_history", None)
        if history is None or history.operation is owner:
            break
        owner, index = history.operation, history.tensor_index
        place = path_of(owner)
    return place
