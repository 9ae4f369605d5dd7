"""The word during the fit: what stands so far is judged now and then, and a critical cause is told at once.

Judged are the steps 16, 32, 64 ... of the first epoch and the ends of the epochs 1, 2, 4, 8 ...: by their numbers
alone, and few enough to cost nothing beside the training (an examination takes some hundredths of a second). A cause is
told when two of these in a row have it first, and at once where numbers are not finite any more, which nothing takes
back. Replayed on 291 kept trainings, what was told so stood among the causes at the end in all but one of 91, and of
139 healthy ones one was told a cause: that its batches repeat, which they did.

To end a training that can't come to anything is its owner's wish alone (`stop_on`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from diagnose.callbacks.watching.context import Context
from diagnose.diagnosis.examining import examine
from diagnose.wording import printable

StopOn = Literal["critical", "non-finite"]

FIRST_STEP = 16  # a guess: before so many steps little can be said; in the replay all the same


@dataclass(frozen=True)
class Wishes:
    """What the monitor's owner wants to hear during the fit, and when it is to end.

    speaks: whether lines are printed. more: where to read on. stop_on: what ends the fit, None for nothing.
    """

    speaks: bool = False
    more: str = ""
    stop_on: StopOn | None = None


class Live:
    """Judges one fit while it goes on."""

    def __init__(self, context: Context, wishes: Wishes) -> None:
        self._model, self._recorder = context.model, context.recorder
        self._guard, self._budget, self._wishes = context.guard, context.budget, wishes
        self._epochs = 0
        self._steps_before = context.recorder.steps
        self._last = ""  # the rule that came first when last judged, if critical
        self._told = self._stands = False

    def step_is_done(self) -> None:
        """A training step is done: judge what stands if it is one of those of the first epoch."""
        done = self._recorder.steps - self._steps_before
        if self._epochs == 0 and done >= FIRST_STEP and _is_power_of_two(done):
            self._judge()

    def epoch_is_done(self) -> None:
        """An epoch is done: judge what stands if it is one of those, and end the fit if that is wished."""
        self._epochs += 1
        if _is_power_of_two(self._epochs):
            self._judge()
        if self._stands and self._wishes.stop_on == "critical":
            self._stop()

    def is_broken(self) -> None:
        """Loss or weights are not finite any more."""
        self._judge(sure=True)
        if self._wishes.stop_on == "non-finite":
            self._stop()

    def _judge(self, *, sure: bool = False) -> None:
        """Judge what stands so far, and tell a critical cause, once. sure: nothing can take it back."""
        if self._stands or not (self._wishes.speaks or self._wishes.stop_on):
            return
        with self._guard.guarded("judging the training so far", "live"), self._budget.own("evaluation"):
            so_far = examine(self._recorder.run)
            first = so_far.causes[0] if so_far.causes and so_far.causes[0].severity == "critical" else None
            self._stands = first is not None and (sure or first.rule == self._last)
            self._last = first.rule if first is not None else ""
            if self._stands:
                step = max(0, self._recorder.steps - 1)
                self._say(f"step {step}: {printable(so_far.headline)}\n  More, so far: {self._wishes.more}")

    def _stop(self) -> None:
        if not self._model.stop_training:
            self._model.stop_training = True
            self._say(f"the fit ends here, because of stop_on={self._wishes.stop_on!r}.")

    def _say(self, text: str) -> None:
        if self._wishes.speaks:
            print(f"\nkeras-diagnose: {text}", flush=True)


def _is_power_of_two(number: Any) -> bool:
    return number > 0 and number & (number - 1) == 0
