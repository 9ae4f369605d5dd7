"""keras-diagnose: says why a Keras training goes wrong.

Add `diagnose.callbacks.TrainingMonitor` to the callbacks of a `model.fit`; read `monitor.diagnosis` afterwards.
Importing this package loads nothing but itself: each public name comes with its module when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diagnose._version import __version__

if TYPE_CHECKING:
    from diagnose.api import ActivationProfile, Diagnosis, Proof, examine, profile
    from diagnose.comparing import compare_activations
    from diagnose.remedy import Remedy
    from diagnose.run.loading import load
    from diagnose.run.run import Measurement, Run
    from diagnose.verdict import Finding, Healthy, NotMeasured

#: Where each public name lives.
_HOMES = {
    "ActivationProfile": "diagnose.api",
    "Diagnosis": "diagnose.api",
    "Finding": "diagnose.verdict",
    "Healthy": "diagnose.verdict",
    "Measurement": "diagnose.run.run",
    "NotMeasured": "diagnose.verdict",
    "Proof": "diagnose.api",
    "Remedy": "diagnose.remedy",
    "Run": "diagnose.run.run",
    "compare_activations": "diagnose.comparing",
    "examine": "diagnose.api",
    "load": "diagnose.run.loading",
    "profile": "diagnose.api",
}

__all__ = [
    "ActivationProfile",
    "Diagnosis",
    "Finding",
    "Healthy",
    "Measurement",
    "NotMeasured",
    "Proof",
    "Remedy",
    "Run",
    "__version__",
    "compare_activations",
    "examine",
    "load",
    "profile",
]


def __getattr__(name: str) -> Any:
    if name == "regularizers":
        return import_module("diagnose.regularizers")
    if name not in _HOMES:
        raise AttributeError(f"module 'diagnose' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
