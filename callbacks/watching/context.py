"""What the parts of one watched fit are given, so that each takes of it what it needs, and none knows the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnose.callbacks.measuring.observations import Measuring
from diagnose.callbacks.observing.reading import Sites
from diagnose.callbacks.observing.tensorflow.kept_traces import Traces
from diagnose.callbacks.watching.budget import Budget
from diagnose.callbacks.watching.guard import Guard
from diagnose.callbacks.watching.recorder import Recorder


@dataclass(frozen=True)
class Context:
    """One fit and the means to watch it.

    model: what is trained. instruments: those of all monitors of the fit. guard, recorder: of this fit. budget,
    measuring, sites: they last over all fits of a monitor. traces: gives what was traced for the model; to be asked
    from the first step on.
    """

    model: Any
    instruments: frozenset[str]
    guard: Guard
    recorder: Recorder
    budget: Budget
    measuring: Measuring
    sites: Sites
    traces: Callable[[], Traces]
