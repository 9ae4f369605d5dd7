"""When to observe, so that a training never pays more than its owner allowed.

Overhead is own seconds over all other seconds of fit, after set-up. Set-up is tracing, profiling, and the first
observations: the first steps decide much, so they are watched densely. From then on own time is saved up: an
observation beyond the grid takes place when what it is expected to cost is already covered. What the grid takes is
own time, too, and paid for before anything beyond it is observed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from diagnose.callbacks.watching.grid import DENSE_STEPS

DENSE_SECONDS = 2.0  # the contract's: own time, tracing aside
CHECK_SHARE = 0.2  # of the overhead: what the finite check may take between observations; the rest is for observing


class Budget:
    """Own time against the training's.

    overhead: own seconds allowed for each other second, in (0, 1).
    """

    def __init__(self, overhead: float) -> None:
        self.overhead = overhead
        self.observations = 0
        self.setup_seconds = 0.0
        self._dense_seconds = 0.0
        self._own = 0.0  # own seconds since set-up ended
        self._others = 0.0  # all other seconds since then
        self._checks = 0.0
        self._expected = 0.0
        self._expected_check = 0.0
        self._clock: float | None = None
        self._suspended = 0.0
        self._step_began = self._suspended_before = self._plain_step = 0.0

    def start(self) -> None:
        """Fit begins: from here on time that is not ours is the training's."""
        self._clock = time.perf_counter()

    def stop(self) -> None:
        """Fit has ended."""
        self._tick()
        self._clock = None

    @property
    def in_setup(self) -> bool:
        """Whether observations still come densely."""
        return self.observations < DENSE_STEPS and self._dense_seconds < DENSE_SECONDS

    @property
    def spent(self) -> float:
        """Own seconds over all other seconds since set-up ended; 0 before."""
        return self._own / self._others if self._others > 0 else 0.0

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._clock is not None and not self.in_setup:
            self._others += now - self._clock
        self._clock = now

    @contextmanager
    def own(self, kind: str) -> Iterator[None]:
        """Account for the body as own time. kind: "set-up", "observation", "evaluation", "check" or "hook"."""
        self._tick()
        began, suspended = time.perf_counter(), self._suspended
        in_setup = self.in_setup
        try:
            yield
        finally:
            now = time.perf_counter()
            seconds = now - began - (self._suspended - suspended)
            self._clock = now
            self._suspended += seconds  # an `own` around this one counts its own part only
            self._account(kind, seconds, in_setup)

    def now(self) -> float:
        """The time by which hooks are told when they began."""
        return time.perf_counter()

    def step_begins(self, since: float) -> None:
        """The user's own step comes; our hook before it began at `since`.

        Hooks run at every step, so they are charged by hand: a context manager costs as much as they do.
        """
        self._charge(self.now() - since)
        self._step_began, self._suspended_before = self.now(), self._suspended

    def step_ends(self, *, observed: bool) -> float:
        """The user's own step is done: the time. Of an observed one, what it took longer than others is our doing."""
        now = self.now()
        seconds = now - self._step_began - (self._suspended - self._suspended_before)
        if not observed:
            self._plain_step = 0.9 * self._plain_step + 0.1 * seconds if self._plain_step else seconds
        elif self._plain_step:
            self._charge(max(0.0, seconds - self._plain_step))
        return now

    def hook_ends(self, since: float) -> None:
        """Our hook behind a step, which began at `since`, is done."""
        self._charge(self.now() - since)

    def _charge(self, seconds: float) -> None:
        if not self.in_setup:
            self._own += seconds
            self._others -= seconds

    def _account(self, kind: str, seconds: float, in_setup: bool) -> None:
        if kind == "observation" and not self.observations:
            kind, self.observations = "set-up", 1  # the first one warms everything up
        elif kind == "observation":
            self.observations += 1
            self._expected = seconds if not self._expected else 0.7 * self._expected + 0.3 * seconds
        if kind == "check":
            self._expected_check = max(seconds, 0.7 * self._expected_check + 0.3 * seconds)
        if kind == "set-up" or in_setup:
            self.setup_seconds += seconds
            if kind != "set-up":
                self._dense_seconds += seconds
            return
        self._own += seconds
        if kind == "check":
            self._checks += seconds

    def may_observe(self) -> bool:
        """Whether an observation is covered now."""
        return self.may_evaluate(self._expected)

    def may_evaluate(self, seconds: float) -> bool:
        """Whether something that takes about so many own seconds is covered now."""
        return self.in_setup or self._own + seconds <= self.overhead * self._others

    def may_check(self) -> bool:
        """Whether the small finite check is covered now."""
        return self.in_setup or self._checks + self._expected_check <= CHECK_SHARE * self.overhead * self._others
