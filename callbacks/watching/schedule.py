"""When a step is observed: by the budget, or at a fixed spacing.

Three things come before the budget. After a broken weight was found, the very next step is seen. The last planned step
is seen whatever it costs, since it tells what came of it all. And steps whose number has doubled since the last such
may be bought on credit: a training of seconds would else be seen at its beginning only.

One call of Keras' compiled function takes several steps where `steps_per_execution` says so. What is asked here is
then about the whole call, of which the first step is observed.
"""

from __future__ import annotations

from diagnose.callbacks.watching.budget import DENSE_OBSERVATIONS, Budget
from diagnose.run.meta import FitFacts


class Schedule:
    """When to observe in one fit.

    every: fixed spacing of observed steps, None for by budget. plan: what `fit` planned. step: the number of its first
    step, over all fits. execution: steps that one call of the compiled function takes.
    """

    def __init__(self, budget: Budget, every: int | None, plan: FitFacts, step: int, execution: int) -> None:
        self._budget, self._every = budget, every
        #: Steps of one epoch, None where that is not known before its end.
        self.epoch_steps = plan.steps
        self.execution = execution
        planned = (plan.epochs or 0) * (plan.steps or 0)
        self._last_step = step + planned if planned else None
        self._milestone = 2 * DENSE_OBSERVATIONS
        self._epochs = 0
        self._forced = False

    def force(self) -> None:
        """The next step is due, whatever it costs."""
        self._forced = True

    def observation_begins(self) -> None:
        """A step is being observed: what forced it is done."""
        self._forced = False

    def is_due(self, step: int) -> bool:
        """Whether the call that begins with this step is to be observed."""
        if self._forced:
            return True
        if self._every is not None:
            return (-step) % self._every < self.execution
        after = step + self.execution
        if self._last_step is not None and step < self._last_step <= after:
            return True
        return self._budget.may_observe(milestone=self._has_doubled(after))

    def batches_taken(self, batch: int) -> int:
        """How many batches the call took that has just ended. batch: its index, as Keras tells it."""
        begun = batch - self.execution + 1  # Keras tells the last index of a full execution, also for a short one
        return max(1, min(self.execution, self.epoch_steps - begun)) if self.epoch_steps else self.execution

    def epoch_ends(self) -> bool:
        """Count an epoch, and tell whether their number has doubled since the last time it had."""
        self._epochs += 1
        return self._epochs & (self._epochs - 1) == 0

    def _has_doubled(self, after: int) -> bool:
        """Whether the next call takes a step whose number has doubled since the last such."""
        if after < self._milestone:
            return False
        while self._milestone <= after:
            self._milestone *= 2
        return True
