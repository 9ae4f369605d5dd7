"""What is looked at between observations: whether all weights are still finite.

A weight that breaks stays broken, so a small check at many steps finds the time within a few of them, where
observations may lie thousands apart. It rings once: the next step is then observed, to see where the numbers break, and
for one epoch the data of every step is searched for NaN, since an epoch brings all of it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from diagnose.callbacks.measuring.batches import nonfinite_data
from diagnose.callbacks.observing.tensorflow.batch_arrays import placed_arrays
from diagnose.callbacks.watching.context import Context
from diagnose.callbacks.watching.schedule import Schedule
from diagnose.run.run import Measurement

SEARCHED = 1000  # batches that are searched for NaN once the training broke, where an epoch's length is not known


class Alarm:
    """The check of one fit, and the search that follows when it rings."""

    def __init__(self, context: Context, schedule: Schedule) -> None:
        self._instruments, self._recorder = context.instruments, context.recorder
        self._budget, self._guard = context.budget, context.guard
        self._schedule = schedule
        self._last_good: int | None = None
        self._rang = False
        self._search_ends = 0

    def is_due(self, logs: Mapping[str, Any] | None) -> bool:
        """Whether the weights are to be checked now: a loss that is not finite is reason enough."""
        if self._rang or self._guard.is_off("check"):
            return False
        return _is_broken(logs) or self._budget.may_check()

    def check(self, step: int, logs: Mapping[str, Any] | None, all_finite: Callable[[], bool]) -> bool:
        """Whether all weights are finite after this step; if not for the first time, observe the next step at once.

        logs: of this step. all_finite: reads the weights. Gives whether it rang.
        """
        if "numerics" not in self._instruments:
            return False
        finite = all_finite()
        if finite and not _is_broken(logs):
            self._last_good = step
            return False
        self._rang = True
        self._schedule.force()
        self._search_ends = self._recorder.steps + (self._schedule.epoch_steps or SEARCHED)
        known = [] if self._last_good is None else [Measurement("weight.finite", "", self._last_good, 1.0)]
        self._recorder.add([*known, Measurement("weight.finite", "", step, float(finite))], for_good=True)
        return True

    def searches(self, step: int) -> bool:
        """Whether the data of this step is to be searched."""
        return step < self._search_ends

    def search(self, batches: list[Any], outputs: list[str]) -> None:
        """Look in batches that are not observed for what broke the training.

        outputs: places of the outputs, [] where they are not known.
        """
        for offset, batch in enumerate(batches):
            counts = nonfinite_data(placed_arrays(batch, outputs))
            if any(count for _, _, count in counts):
                self._search_ends = 0
                step = self._recorder.steps + offset
                found = [Measurement(quantity, where, step, count) for quantity, where, count in counts]
                self._recorder.add(found, for_good=True)


def _is_broken(logs: Mapping[str, Any] | None) -> bool:
    loss = (logs or {}).get("loss")
    return isinstance(loss, float) and not math.isfinite(loss)
