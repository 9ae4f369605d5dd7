"""keras-diagnose: says why a Keras training goes wrong.

Add `diagnose.callbacks.TrainingMonitor` to the callbacks of a `model.fit`; read `monitor.diagnosis` afterwards.
Importing this package loads neither TensorFlow nor pandas nor matplotlib: each is loaded when something needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagnose._version import __version__
from diagnose.diagnosis import Diagnosis, examine
from diagnose.run import Measurement, Run
from diagnose.store import load
from diagnose.verdict import Finding, Healthy, NotMeasured

if TYPE_CHECKING:
    from diagnose.activation import ActivationProfile, compare_activations, profile

__all__ = [
    "ActivationProfile",
    "Diagnosis",
    "Finding",
    "Healthy",
    "Measurement",
    "NotMeasured",
    "Run",
    "__version__",
    "compare_activations",
    "examine",
    "load",
    "profile",
]


def __getattr__(name: str) -> Any:
    if name in ("ActivationProfile", "compare_activations", "profile"):
        import diagnose.activation

        return getattr(diagnose.activation, name)
    raise AttributeError(f"module 'diagnose' has no attribute {name!r}")
