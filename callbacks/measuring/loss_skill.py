"""Skill of a regression in the coin of its own loss: one minus the loss over that of the best constant answer.

R squared is that for a squared error. Under another loss it may be far off: an absolute error that leaves a few wild
targets alone does what it was asked to, and R squared falls to 0. Which loss it is, is asked: of targets that are moved
by a little, and of some that are moved by much, a squared error grows by the mean square of both, and no other does.
They are moved towards their mean: a loss of counts knows nothing below 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diagnose.outcome.scores import constant_answers
from diagnose.outcome.task import Task

#: Gives the loss over a held set for predictions of the shape of the network's own.
LossOf = Callable[[np.ndarray], float]

LITTLE, MUCH = 0.1, 1.0  # of the way to the mean; a Huber loss of usual targets turns between the two
RARELY = 8  # one target in so many is moved by much
ALIKE = 0.02  # relative; float32 losses of a thousand samples agree within 1e-4
QUANTILES = (0.05, 0.1, 0.25, 0.75, 0.9, 0.95)  # beside mean and median: of a loss that asks for one


@dataclass(frozen=True, slots=True)
class LossScale:
    """Where a loss stands on held samples: of the best constant answer, and of the targets themselves."""

    constant: float
    perfect: float

    def skill(self, loss: float) -> float:
        """0 for the best constant answer, 1 for the targets themselves, in (-inf, 1].

        D squared of Hastie, Tibshirani and Wainwright, Statistical Learning with Sparsity (2015), equation 3.11, with
        any loss in the place of a deviance.

        >>> LossScale(constant=2.0, perfect=0.0).skill(0.5)
        0.75
        """
        return (self.constant - loss) / (self.constant - self.perfect)


def loss_scale(loss_of: LossOf, targets: np.ndarray, shape: tuple[int, ...]) -> LossScale | None:
    """The scale of a regression's loss; None where it is a squared error, or is not least at the targets.

    targets: finite numbers. shape: of the network's predictions, with as many entries.
    """
    y = np.asarray(targets, np.float64).reshape(shape)
    if not np.isfinite(y).all() or not y.std(axis=0).any():
        return None
    perfect = loss_of(y.astype(np.float32))
    away = y.mean(axis=0) - y
    rarely = (np.arange(y.size) % RARELY == 0).reshape(shape)
    growth = []
    for moved in (LITTLE * away, MUCH * away * rarely):
        if not moved.any():
            return None
        growth.append((loss_of((y + moved).astype(np.float32)) - perfect) / float(np.mean(moved**2)))
    if not np.isfinite([perfect, *growth]).all() or min(growth) <= 0 or abs(growth[0] / growth[1] - 1) < ALIKE:
        return None
    choices = constant_answers(Task("regression"), targets, shape)
    choices += [np.broadcast_to(np.quantile(y, share, axis=0), shape).astype(np.float32) for share in QUANTILES]
    losses = [loss for choice in choices if np.isfinite(loss := loss_of(np.ascontiguousarray(choice)))]
    constant = min(losses, default=perfect)
    return LossScale(constant, perfect) if constant > perfect else None
