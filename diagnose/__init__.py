"""keras-diagnose: says why a Keras training goes wrong.

Add `diagnose.callbacks.TrainingMonitor` to the callbacks of a `model.fit`; read `monitor.diagnosis` afterwards.
Importing this package loads neither TensorFlow nor pandas nor matplotlib: each is loaded when something needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagnose._version import __version__
from diagnose.api import ActivationProfile, Diagnosis, examine, profile
from diagnose.run.loading import load
from diagnose.run.run import Measurement, Run
from diagnose.verdict import Finding, Healthy, NotMeasured

if TYPE_CHECKING:
    from diagnose.comparing import compare_activations

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
    if name == "compare_activations":  # its table is one of pandas
        from diagnose.comparing import compare_activations

        return compare_activations
    raise AttributeError(f"module 'diagnose' has no attribute {name!r}")
