"""Whether a layer with a function of the user's own is found again when its model is loaded: asked before the training.

Keras saves a layer as its configuration. The one layer is written down and made anew from that, as `load_model` would
do in safe mode. No weight is built, nothing is written to the disk, and what making a layer leaves behind (the numbers
of unnamed layers, seeds drawn) is put back.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras

from diagnose.activation.saving import LAMBDA
from diagnose.callbacks.model.restoring import pristine


def saving_error(owner: Any, f: Any) -> str | None:
    """What Keras says when `owner`, which keeps the function `f`, is loaded; "" if all is well, None if not asked.

    Only a layer is asked: a model may hold weights by the gigabyte, and a function marked by `watch` is saved by none.
    """
    if not isinstance(owner, keras.layers.Layer) or isinstance(owner, keras.Model):
        return None
    with pristine(owner, strict=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            again = keras.saving.deserialize_keras_object(_unbuilt(keras.saving.serialize_keras_object(owner)))
        except Exception as error:
            if getattr(f, "__name__", "") == "<lambda>" and type(owner).__module__.startswith("keras."):
                return LAMBDA
            # Keras tells the error that matters last, after the whole configuration.
            told = " ".join(str(error).split()).split("Exception encountered: ")[-1]
            return told.split(". ")[0].split(": {")[0][:300] or type(error).__name__
        names = [name for name, value in vars(owner).items() if value is f]
        if any(getattr(again, name, f) is not f for name in names):
            return "what is loaded under its name is another function"
    return ""


def _unbuilt(config: Any) -> Any:
    """The configuration without what would build weights."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if isinstance(config, list) else config
