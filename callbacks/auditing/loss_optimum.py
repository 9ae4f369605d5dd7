"""Which predictions a loss is least for, found with targets and predictions made for the purpose.

Where a loss is no textbook one (`loss_nature` calls it "unknown"), a training still leads to what costs least. So it is
computed for the labels themselves, for labels and predictions exchanged, scaled and moved, and for one and the same
prediction for all samples. That tells whether the labels change the loss at all, whether it wants their opposite, and
whether it is content without them.

Everything here is NumPy: `output_facts` brings the loss as a function on arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from diagnose.callbacks.auditing.loss_nature import ROWS, SAME, Evaluate, nearly_equal

CRAFTED = 8  # samples where a loss may compare those of a batch
INSIDE, ANYWHERE = (0.002, 0.5, 0.998), (-2.0, 0.002, 0.5, 0.998, 2.0)  # predictions made up
CHEAP = 0.02  # of what predictions usually cost; arithmetic: a cross-entropy asks 0.2 of it of a constant one


def heeds_targets(loss: Evaluate, targets: np.ndarray, shape: Sequence[int]) -> bool:
    """Whether other targets ever change the loss: those of the batch among other samples, or numbers made up.

    targets: of a few samples; shape: of their predictions. True, too, for a loss that gives no number.

    >>> y, blind, heeding = np.eye(3)[[0, 1, 2, 0]], lambda t, p: p.sum(), lambda t, p: (t * p).sum()
    >>> heeds_targets(blind, y, y.shape), heeds_targets(heeding, y, y.shape)
    (False, True)
    """
    draw = np.random.default_rng(3)
    size, width = len(targets), max(2, shape[-1] if len(shape) > 1 else 2)
    exchanged = [targets[draw.permutation(size)] for _ in range(3)]
    numbers = draw.integers(0, width, targets.shape)
    opposite = (targets == 0).astype(numbers.dtype)  # of a few samples that are all of one class, too
    made_up = [numbers, np.minimum(numbers, 1), np.zeros_like(numbers), opposite]
    for _ in range(3):
        rows = draw.uniform(0.05, 0.95, shape).astype(np.float32)
        rows = rows / rows.sum(-1, keepdims=True) if len(shape) > 1 and shape[-1] > 1 else rows
        plain = loss(targets, rows)
        for others in (*exchanged, *made_up):
            given = loss(others.astype(targets.dtype), rows)
            if not (math.isfinite(plain) and math.isfinite(given) and nearly_equal(plain, given)):
                return True
    return False


def asks_for_the_opposite(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a loss wants small predictions for 1 and large ones for 0, as of a distance that says how alike two are.

    >>> contrast = lambda t, p: float(np.mean(t * p**2 + (1 - t) * np.maximum(1 - p, 0) ** 2))
    >>> asks_for_the_opposite(contrast, (1,), (1,)), asks_for_the_opposite(lambda t, p: -contrast(t, p), (1,), (1,))
    (True, False)
    """
    shapes = ((ROWS, *target_shape), (ROWS, *shape))

    def at(target: float, prediction: float) -> float:
        targets, predictions = (
            np.full(of, value, np.float32) for of, value in zip(shapes, (target, prediction), strict=True)
        )
        return loss(targets, predictions)

    return at(1.0, 0.0) < at(1.0, 1.0) and at(0.0, 1.0) < at(0.0, 0.0)


def wants_one_answer(loss: Evaluate, targets: np.ndarray, shape: Sequence[int], inside: bool) -> bool:
    """Whether one and the same answer to all samples costs as little as any that heeds their labels.

    targets: of the batch, zeros and ones or measurements; shape: of one prediction; inside: the output stays in
    [0, 1].
    False for targets of another size than the predictions, and where the loss gives no numbers for answers made up.

    >>> y = np.array([[0.0], [1.0], [1.0]])
    >>> half = lambda t, p: float(-np.mean(t * np.log(p)))  # nothing is paid for calling a 0 a 1
    >>> whole = lambda t, p: half(t, p) + half(1 - t, 1 - p)
    >>> wants_one_answer(half, y, (1,), True), wants_one_answer(whole, y, (1,), True)
    (True, False)
    """
    if math.prod(targets.shape[1:]) != math.prod(shape):
        return False
    if not np.isin(targets, (0.0, 1.0)).all():
        return _heeds_targets_apart(loss, targets, tuple(shape))
    marked = (np.indices((CRAFTED, *shape)).sum(axis=0) % 2).astype(bool)
    crafted = marked.reshape(CRAFTED, *targets.shape[1:]).astype(np.float32)
    heeding: list[float] = []
    alike: list[float] = []
    levels = INSIDE if inside else ANYWHERE
    for one, zero in itertools.product(levels, levels):
        # Each label is answered by a number of its own; then all samples are answered as the first, or the second, is.
        for mask, costs in ((marked, alike if one == zero else heeding), (marked[:1], alike), (marked[1:2], alike)):
            rows = np.broadcast_to(np.where(mask, one, zero), marked.shape).astype(np.float32)
            cost = loss(crafted, rows)
            costs += [cost] if math.isfinite(cost) else []
    if not heeding or not alike:
        return False
    usual = float(np.median(heeding + alike)) - min(heeding)
    return usual > SAME and min(alike) <= min(heeding) + CHEAP * usual


def _heeds_targets_apart(loss: Evaluate, targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether targets only add to the loss: what one answer costs more than another is then the same under any."""
    draw = np.random.default_rng(5)
    some = targets[:CRAFTED].astype(np.float32)
    centre, scale = float(np.nanmean(some)), float(np.nanstd(some)) or 1.0
    made = [(centre + scale * draw.normal(size=some.shape)).astype(np.float32) for _ in range(4)]
    answers = [(centre + scale * draw.normal(size=(len(some), *shape))).astype(np.float32) for _ in range(4)]
    costs = np.array([[loss(target, answer) for answer in answers] for target in made]) / scale
    rises = costs - costs[:, :1]
    return bool(np.isfinite(costs).all() and np.ptp(rises[0]) > CHEAP and np.ptp(rises, axis=0).max() < CHEAP / 10)


def aim(loss: Evaluate, targets: np.ndarray, shape: Sequence[int]) -> str:
    """What a loss wants of predictions of measurements; targets: of the batch; shape: of one prediction.

    "labels": these cost least of the answers tried; "size", "offset", "which": these do too, and so do answers of
    another size, moved by as much, or exchanged among the samples; "other": some answer costs less than they do;
    "" where targets and predictions differ in size, or the loss gives no number.

    >>> y, alike = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]]), lambda t, p: float(-np.mean((t * p).sum(-1)
    ...     / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)))
    >>> aim(alike, y, (2,)), aim(lambda t, p: float(np.mean((t - p) ** 2)), y, (2,))
    ('size', 'labels')
    """
    if math.prod(targets.shape[1:]) != math.prod(shape) or len(targets) < 2:
        return ""
    right = targets.astype(np.float32).reshape(len(targets), *shape)
    spread = float(np.nanstd(right))
    noise = (spread * np.random.default_rng(6).normal(size=right.shape)).astype(np.float32)
    wrong = {"size": 2 * right, "offset": right + spread, "which": np.roll(right, 1, axis=0)}
    costs = {name: loss(targets, rows) for name, rows in wrong.items()}
    others = [loss(targets, rows) for rows in (right + noise, right / 2, right - spread)]
    least = loss(targets, right)
    more = {name: cost - least for name, cost in costs.items()}
    felt = [abs(cost) for cost in (*more.values(), *(cost - least for cost in others)) if abs(cost) > SAME]
    if not math.isfinite(least + sum(more.values()) + sum(others)) or not felt:
        return ""
    if min(*more.values(), *(cost - least for cost in others)) < -CHEAP * float(np.median(felt)):
        return "other"
    return next((name for name, cost in more.items() if cost <= CHEAP / 10 * min(felt)), "labels")


def even_answer(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int], most: float) -> float | None:
    """The answer from 0 to `most` that costs the same for labels of 0 and 1; None where none does.

    >>> contrast = lambda t, p: float(np.mean((1 - t) * p**2 + t * np.maximum(2 - p, 0) ** 2))
    >>> round(even_answer(contrast, (1,), (1,), 10.0), 3)
    1.0
    """

    def bias(answer: float) -> float:
        answers = np.full((ROWS, *shape), answer, np.float32)
        ones, zeros = (np.full((ROWS, *target_shape), label, np.float32) for label in (1, 0))
        return loss(ones, answers) - loss(zeros, answers)

    low, high = 0.0, most
    first, last = bias(low), bias(high)
    if not first * last < 0:
        return None
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if bias(middle) * first > 0 else (low, middle)
    return (low + high) / 2


def wants_positive(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a loss has a value for predictions over 0, and none for those under it: a logarithm or root of them.

    >>> poisson = lambda t, p: float(np.mean(p - t * np.log(np.where(p > 0, p, np.nan))))
    >>> wants_positive(poisson, (1,), (1,)), wants_positive(lambda t, p: float(np.mean((t - p) ** 2)), (1,), (1,))
    (True, False)
    """
    targets = np.ones((ROWS, *target_shape), np.float32)
    over, under = (
        [math.isfinite(loss(targets, np.full((ROWS, *shape), sign * size, np.float32))) for size in (0.5, 2.0, 9.0)]
        for sign in (1, -1)
    )
    return all(over) and not any(under)
