"""When a step is observed, and an epoch evaluated: on a grid of their numbers, and beyond it where the budget allows.

What is planned is seen whatever it costs: the grid (`grid`), and the last step of the fit, since it tells what came of
it all; or the user's own spacing instead of both; and the very next step after a broken weight was found.

One call of Keras' compiled function takes several steps where `steps_per_execution` says so. What is asked here is
then about the whole call, of which the first step is observed.
"""

from __future__ import annotations

from diagnose.callbacks.watching.budget import Budget
from diagnose.callbacks.watching.grid import DENSE_EPOCHS, DENSE_STEPS, on_grid
from diagnose.run.meta import FitFacts


class Schedule:
    """When to observe in one fit.

    every: fixed spacing of observed steps, None for the grid. plan: what `fit` planned. step: the number of its first
    step, over all fits. execution: steps that one call of the compiled function takes.
    """

    def __init__(self, budget: Budget, every: int | None, plan: FitFacts, step: int, execution: int) -> None:
        self._budget, self._every = budget, every
        #: Steps of one epoch, None where that is not known before its end.
        self.epoch_steps = plan.steps
        self.execution = execution
        #: Whether an observation takes so long that the grid is to be a sparse one.
        self.sparse = False
        planned = (plan.epochs or 0) * (plan.steps or 0)
        self._last_step = step + planned if planned else None
        self._epochs = 0
        self._forced = False

    def force(self) -> None:
        """The next step is due, whatever it costs."""
        self._forced = True

    def observation_begins(self) -> None:
        """A step is being observed: what forced it is done."""
        self._forced = False

    def is_planned(self, step: int) -> bool:
        """Whether the call that begins with this step is to be observed whatever it costs."""
        if self._forced:
            return True
        if self._every is not None:
            return (-step) % self._every < self.execution
        after = step + self.execution
        if self._last_step is not None and step < self._last_step <= after:
            return True
        return on_grid(range(step, after), DENSE_STEPS, sparse=self.sparse)

    def is_affordable(self) -> bool:
        """Whether the budget covers an observation that is not planned."""
        return self._every is None and self._budget.may_observe()

    def batches_taken(self, batch: int) -> int:
        """How many batches the call took that has just ended. batch: its index, as Keras tells it."""
        begun = batch - self.execution + 1  # Keras tells the last index of a full execution, also for a short one
        return max(1, min(self.execution, self.epoch_steps - begun)) if self.epoch_steps else self.execution

    def epoch_ends(self) -> bool:
        """Count an epoch, and tell whether the held samples are to be evaluated after it whatever that costs."""
        self._epochs += 1
        return on_grid([self._epochs], DENSE_EPOCHS, sparse=self.sparse)
