"""A Keras layer on the table: how it is called, on a copy where it is not built, and in other dtypes."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

from diagnose.activation.calling.isolation import Isolation
from diagnose.activation.calling.target import Target


def inference(layer: Any) -> Callable[[Any], Any]:
    """The layer as it works after training."""
    if getattr(layer, "_call_has_training_arg", False):
        return functools.partial(layer, training=False)
    return functools.partial(layer)


def copied(layer: Any, isolation: Isolation, dtype: str | None = None) -> Any:
    """A layer of the same configuration, so that the user's own is not built by us.

    If it can't be copied: itself; or None, where the copy is to compute in `dtype`.
    """

    def again() -> Any:
        config = layer.get_config()
        if dtype is not None:
            config["dtype"] = dtype
        return type(layer).from_config(config)

    with contextlib.suppress(Exception):
        return isolation.run(again)
    if dtype is None:
        with contextlib.suppress(Exception):
            return isolation.run(lambda: copy.deepcopy(layer))
    return None if dtype else layer


def prepare_dtypes(target: Target, dtypes: Iterable[str]) -> None:
    """Copies of a layer that compute in other dtypes: a layer casts its input to its own."""
    layer = target.layer
    if layer is None:
        return
    for dtype in dtypes:
        if getattr(layer, "compute_dtype", None) == dtype:
            continue
        other = copied(layer, target.isolation, dtype)
        if other is None:
            continue

        def ready(other: Any = other) -> None:
            if layer.weights and not other.built:
                other.build((None, *target.shape))
            other.set_weights(layer.get_weights())

        with contextlib.suppress(Exception):
            target.isolation.run(ready)
            target.by_dtype[dtype] = inference(other)
