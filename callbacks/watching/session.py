"""What lasts over all fits of a monitor, and what the monitors of one fit share.

A monitor may watch a fit, then another fit of the same model, into one run: the run, the steps seen, the budget and
what is known of the sites go on. All else belongs to the fit (`WatchedFit`), and is made anew for each.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import Any

from diagnose.callbacks.measuring.observations import Measuring
from diagnose.callbacks.observing.reading import Sites
from diagnose.callbacks.observing.tensorflow.kept_traces import traces_of
from diagnose.callbacks.watching.budget import Budget
from diagnose.callbacks.watching.context import Context
from diagnose.callbacks.watching.guard import Guard
from diagnose.callbacks.watching.live import Wishes
from diagnose.callbacks.watching.recorder import Archive, Recorder
from diagnose.callbacks.watching.watched_fit import WatchedFit
from diagnose.run.meta import FitFacts, MonitorFacts
from diagnose.run.run import Run


class Session:
    """Watches a model over one or several fits, and fills one run.

    path: of the run file, None for memory only. overhead: see `Budget`. every: fixed spacing of observed steps.
    ignore: names of rules that judge nothing. archive: of a run to go on in, None for a new one.
    """

    def __init__(
        self,
        path: str | None,
        overhead: float,
        every: int | None,
        ignore: tuple[str, ...] = (),
        archive: Archive | None = None,
    ) -> None:
        self.path, self.every, self.ignore = path, every, ignore
        self.budget = Budget(overhead)
        #: The monitors of the fit by their id, the one that leads first, and what they watch together.
        self.members: list[int] = []
        self.instruments: frozenset[str] = frozenset()
        #: Whether monitors may still join: from the first that is told the model until the fit begins.
        self.opening = False
        #: The fit under watch; None before the first, and after one that has ended. One that failed stays.
        self.fit: WatchedFit | None = None
        self._archive = archive or Archive()
        self._measuring, self._sites = Measuring(frozenset()), Sites()
        self._model: weakref.ref[Any] | None = None

    @property
    def run(self) -> Run:
        """The run of all fits."""
        return self._archive.run

    def may_watch(self, model: Any) -> bool:
        """Whether a fit of this model goes on in this run: a run is of one model."""
        return self._model is None or self._model() is model

    def begin(self, model: Any, params: Mapping[str, Any], wishes: Wishes) -> None:
        """A fit of this model begins. params: what Keras tells its callbacks of it. wishes: what its owner wants."""
        self.opening, self._model = False, weakref.ref(model)
        self._measuring.instruments = self.instruments
        guard = Guard(self.run.notes, self._archive.write_note)
        recorder = Recorder(self._archive, guard)
        traces = functools.cache(functools.partial(traces_of, model))
        context = Context(model, self.instruments, guard, recorder, self.budget, self._measuring, self._sites, traces)
        plan = FitFacts(_whole(params.get("epochs")), _whole(params.get("steps")))
        instruments = tuple(sorted(self.instruments))
        monitor = MonitorFacts(self.budget.overhead, self.every, instruments, self.ignore or None)
        self.fit = WatchedFit(context, plan, monitor, wishes)
        self.fit.begin(self.path)

    def end(self, finished: str) -> None:
        """The fit has ended; `finished` says how."""
        if self.fit is not None:
            self.fit.end(finished)
            self.fit = None

    def settle(self) -> None:
        """Bring run and model in order while a fit is under watch, or after one that failed."""
        if self.fit is not None:
            self.fit.settle()


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
