"""Putting back what running a model's Python may have changed.

Tracing a step runs Python: it may count attributes up and draw from Python's, NumPy's and TensorFlow's eager
generators.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from tensorflow.python.eager import context as eager_context


@contextlib.contextmanager
def pristine(owners: Iterable[Any], *, building: bool = False) -> Iterator[None]:
    """Put back, at the end, what running Python may have changed.

    owners: objects (model, layers, optimizers) whose own plain attributes are put back: numbers and texts, and the
        members of lists, dicts and sets. Attributes that did not exist before stay, and so does Keras' own bookkeeping.
        The states of Python's, NumPy's and TensorFlow's eager random generators are put back too.
    building: the body builds the model, as the user's own step would have done. Then only numbers are put back (a
        counter of train_step's), since the rest may belong to the build, and the generators stay where it left them.
    """
    plain: list[tuple[dict[str, Any], str, Any]] = []
    containers: list[tuple[Any, list[Any]]] = []
    for owner in owners:
        attributes = getattr(owner, "__dict__", {})
        for name, value in list(attributes.items()):
            keras_own = name.startswith("_")  # of those, only counters: Keras' flags and lists must follow the build
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                plain.append((attributes, name, value))
            elif building or keras_own or name == "built":
                continue
            elif isinstance(value, (bool, str, bytes, complex, type(None))):
                plain.append((attributes, name, value))
            elif isinstance(value, (list, dict, set)):
                containers.append((value, _members(value)))
    states = None if building else _generator_states()
    try:
        yield
    finally:
        for attributes, name, value in plain:
            if name in attributes and attributes[name] is not value:
                attributes[name] = value
        for container, members in containers:
            now = _members(container)
            if len(now) != len(members) or any(x is not y for x, y in zip(now, members, strict=True)):
                _refill(container, members)
        if states is not None:
            _restore_generators(states)


def _members(container: Any) -> list[Any]:
    if isinstance(container, dict):
        return [*container.keys(), *container.values()]
    return list(container)


def _refill(container: Any, members: list[Any]) -> None:
    container.clear()
    if isinstance(container, dict):
        half = len(members) // 2
        container.update(zip(members[:half], members[half:], strict=True))
    elif isinstance(container, set):
        container.update(members)
    else:
        container.extend(members)


def _generator_states() -> tuple[Any, ...]:
    return (
        random.getstate(),
        np.random.get_state(),
        eager_context.context()._rng.getstate() if getattr(eager_context.context(), "_rng", None) else None,
    )


def _restore_generators(states: tuple[Any, ...]) -> None:
    python, numpy_, tensorflow = states
    random.setstate(python)
    np.random.set_state(numpy_)
    if tensorflow is not None:
        eager_context.context()._rng.setstate(tensorflow)
