"""What serialization makes of a function on its own: can a saved model find it again?

Keras saves a function by name and module. What it says on loading is asked of Keras itself, without custom objects and
in safe mode, as `load_model` would.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from diagnose.activation.calling.failures import sentence
from diagnose.activation.calling.target import Target, probe
from diagnose.activation.facts import Saving

LAMBDA = "a lambda has no name to be found by; Keras loads it only with safe_mode=False"


def saving(f: Any, kind: str, target: Target, dtype: str) -> Saving:
    """Serialize, deserialize, compare."""
    if getattr(f, "__name__", "") == "<lambda>":
        return Saving("lambda", False, LAMBDA)
    try:
        found = target.isolation.run(lambda: _again(f))
        again = _same(f, found, target, dtype)
        told = "" if again else "what is loaded gives other values"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        again, told = False, sentence(error).split(". ")[0]
    return Saving(_kept_as(f, kind, again), again, told)


def saving_in_a_layer(f: Any, kind: str, error: str) -> Saving:
    """The same where Keras was asked for the layer that keeps f, and said `error` ("": nothing)."""
    return Saving(_kept_as(f, kind, not error), not error, error, error)


def _kept_as(f: Any, kind: str, loads: bool) -> str:
    import keras

    registered = keras.saving.get_registered_name(f) if hasattr(f, "__name__") else ""
    if kind == "function" and ">" in registered:
        return "registered"
    own = kind in ("name", "function") and loads and str(getattr(f, "__module__", "")).startswith("keras.")
    return "name" if own else kind


def _again(f: Any) -> Any:
    import keras

    if isinstance(f, keras.layers.Layer):
        config = keras.saving.serialize_keras_object(f)
        return keras.saving.deserialize_keras_object(config)
    return keras.activations.get(keras.activations.serialize(f))  # as Dense does


def _same(f: Any, again: Any, target: Target, dtype: str) -> bool:
    """Equal values on a probe; a layer's weights are carried over, as loading a model does."""
    if target.layer is not None:
        with contextlib.suppress(Exception):
            if target.layer.weights and not again.built:
                again.build((None, *target.shape))
            again.set_weights(target.layer.get_weights())
    z = probe(4, target.shape)
    other = Target(again, target.isolation, shape=target.shape)
    first, second = target.answer(z, dtype), other.answer(z, dtype)
    return first.shape == second.shape and bool(np.allclose(first.astype(float), second.astype(float), equal_nan=True))
