"""All that knows a Keras model: the callbacks that watch a training, the audit before it, and trials of remedies.

Imported as `diagnose.callbacks`; this folder is a room of its own at the top of the tree (see the link in diagnose/).
"""

from diagnose.callbacks.auditing.audit import audit
from diagnose.callbacks.monitor import (
    GapMonitor,
    GradientMonitor,
    NonMonotonicityMonitor,
    NumericsMonitor,
    SaturationMonitor,
    TrainingMonitor,
)
from diagnose.callbacks.observing.tensorflow.taps import watch
from diagnose.callbacks.proving.prove import prove

__all__ = [
    "GapMonitor",
    "GradientMonitor",
    "NonMonotonicityMonitor",
    "NumericsMonitor",
    "SaturationMonitor",
    "TrainingMonitor",
    "audit",
    "prove",
    "watch",
]
