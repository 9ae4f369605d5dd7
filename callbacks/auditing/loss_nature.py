"""What a loss takes for granted of predictions and targets, found with some made for the purpose.

A name says little: a loss may be a lambda, a softmax may stand in a layer of the user's own, `from_logits` may be lost
in a wrapper. So each is asked a few questions whose answers differ. A cross-entropy of probabilities grows by the same
amount from 0.1 to 0.01 as from 0.01 to 0.001; one of logits does not care for a constant added to all of them; a
squared error is least where prediction and target agree, and a hinge is flat beyond its margin. What passes no test
is "unknown"; `loss_optimum` still tells which predictions such a loss is least for.

Shapes are taken for granted too: whether (n,) targets under (n, 1) predictions are brought together, and which axis is
repeated. Everything here is NumPy: `output_facts` brings the loss as a function on arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

#: (targets, predictions) -> one number; NaN where it could not be computed.
Evaluate = Callable[[np.ndarray, np.ndarray], float]

ROWS = 2  # samples in a crafted batch: the least that keeps a batch axis apart from an axis of length 1
LOG_RATIO = (
    0.5,
    2.0,
)  # -log p gives 1; a focal loss with gamma 2 gives 0.9, log(p + 1e-3) gives 0.77, a squared error 0.1
LINE_RATIO = (0.7, 1.6)  # log(1 + exp(-z)) from -16 over -8 to 0 gives 8 / 7.31 = 1.09; a squared error 2.6
BENT = 0.1  # log(1 + exp(-z)) falls from 2 to 4 by 0.015 of what it falls from -8 to 0, a straight line by 0.25
LITTLE = 0.3  # arithmetic: 0 for a cross-entropy over classes, 0.1 with smoothing of 0.3, 1 for entries alone
SAME = 1e-4  # float32 arithmetic on numbers of order 1 to 10 leaves some 1e-6


@dataclass(frozen=True, slots=True)
class LossNature:
    """What a loss takes for granted of predictions and targets.

    takes: "probabilities", "logits", "values" (a regression: least where both agree), "margins" (a hinge),
        "nothing" (it is the same whatever is predicted), or "unknown".
    over: "classes" (the last axis is one choice) or "entries" (each entry is judged alone).
    targets: "ids" (a class number), "vectors" (as wide as the prediction), or "repeated" (a narrower target is
        compared with each entry).
    reason: why it is unknown.
    """

    takes: Literal["probabilities", "logits", "values", "margins", "nothing", "unknown"] = "unknown"
    over: Literal["classes", "entries", "unknown"] = "unknown"
    targets: Literal["ids", "vectors", "repeated", "unknown"] = "unknown"
    reason: str = ""


def loss_nature(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> LossNature:
    """Find out what `loss` expects.

    target_shape, shape: of one sample's target and prediction, without the batch axis.

    >>> squared = lambda t, p: float(np.mean((p - t) ** 2))
    >>> loss_nature(squared, (1,), (1,)).takes
    'values'
    """
    target_shape, shape = tuple(target_shape), tuple(shape)
    if not shape:
        return loss_nature(lambda targets, predictions: loss(targets[:, 0], predictions[:, 0]), (1,), (1,))
    width = shape[-1]
    is_vector = target_shape == shape or (width == 1 and target_shape == shape[:-1])
    if not is_vector and target_shape not in (shape[:-1], (*shape[:-1], 1)):
        return LossNature(
            reason=f"targets of shape {target_shape} under predictions of shape {shape} are known to this loss only"
        )
    probe = _Probe(loss, target_shape, shape)
    if not probe.answers():
        return LossNature(reason="the loss raised an error for test targets and predictions of the same shapes")
    if probe.ignores_predictions(is_vector):
        return LossNature("nothing", "unknown", "vectors" if is_vector else "ids")
    if width == 1:
        return _entries(probe.constants)
    if is_vector:
        if probe.is_over_classes():
            return _classes(probe.one_hot, width, "vectors")
        return _entries(probe.constants, probe.mixed, width)
    nature = _classes(probe.ids, width, "ids")
    if nature.takes == "unknown" and probe.repeats_targets():
        wide = _Probe(loss, shape, shape)
        nature = _entries(wide.constants, wide.mixed, width)
        if nature.takes != "unknown":
            return LossNature(nature.takes, nature.over, "repeated")
    return nature


def takes_negated(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> str:
    """What the loss would take if its sign were turned, where `loss_nature` knows that and not the loss itself.

    Such a loss is largest where prediction and target agree. "" for any other.

    >>> squared = lambda t, p: float(np.mean((p - t) ** 2))
    >>> takes_negated(lambda t, p: -squared(t, p), (1,), (1,)), takes_negated(squared, (1,), (1,))
    ('values', '')
    """
    if loss_nature(loss, target_shape, shape).takes != "unknown":
        return ""
    turned = loss_nature(lambda targets, predictions: -loss(targets, predictions), target_shape, shape).takes
    return turned if turned not in ("unknown", "nothing") else ""


def takes_exchanged(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> str:
    """What the loss would take if it were given its two arguments the other way round, where `loss_nature` knows that
    and not the loss itself. "" for any other.

    >>> entropy = lambda t, p: float(-np.mean(t * np.log(p + 1e-7) + (1 - t) * np.log(1 - p + 1e-7)))
    >>> takes_exchanged(lambda t, p: entropy(p, t), (1,), (1,)), takes_exchanged(entropy, (1,), (1,))
    ('probabilities', '')
    """
    if tuple(target_shape) != tuple(shape) or loss_nature(loss, target_shape, shape).takes != "unknown":
        return ""
    turned = loss_nature(lambda targets, predictions: loss(predictions, targets), target_shape, shape).takes
    return turned if turned not in ("unknown", "nothing") else ""


def reads_class_numbers(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a loss takes the target for the place of the entry to be raised: of all, raising that one costs least.

    Asked for up to three classes, with each of their entries raised by less than 1 (probabilities) and by more
    (numbers, which a mean or a scale would be too); a loss that refuses the latter is believed without. A class that
    the loss ignores is left out.

    >>> reads_class_numbers(lambda t, p: float(-np.mean(p[[0, 1], t.astype(int)])), (), (4,))
    True
    >>> reads_class_numbers(lambda t, p: float(np.mean((t[:, None] - p) ** 2)), (), (4,))
    False
    """
    width, probe = shape[-1], _Probe(loss, tuple(target_shape), tuple(shape))
    if not probe.answers():
        return False
    asked, told = sorted({0, width // 2, width - 1}), set()
    for raised in (0.8, 5.0):
        rows = [0.2 / width + raised * _mark(width, index) for index in asked]
        costs = np.array([[probe.ids(target, row) for row in rows] for target in asked])
        if not np.isfinite(costs).all():
            continue
        heeded = np.ptp(costs, axis=1) > 0
        told.add(bool(heeded.sum() >= 2 and all(_least_alone(costs[heeded], np.flatnonzero(heeded)))))
    return told == {True}


def pairs_up_wrongly(loss: Evaluate, shape: Sequence[int]) -> float | None:
    """How many times larger the loss of (n,) targets under (n, 1) predictions is than that of (n, 1) targets.

    Each target meets the prediction of every sample, where the loss subtracts the two without bringing their shapes
    together. None where it does not: then both targets give the same. `shape` is that of one prediction, ending in 1.
    """
    targets = np.arange(1.0, 7.0, dtype=np.float32).reshape(6, *([1] * len(shape)))
    targets = np.broadcast_to(targets, (6, *shape)).copy()
    predictions = targets + np.float32(0.5)
    aligned, flat = loss(targets, predictions), loss(targets[..., 0], predictions)
    if not (math.isfinite(aligned) and math.isfinite(flat)) or nearly_equal(aligned, flat):
        return None
    every = np.broadcast_to(targets[..., 0], np.broadcast_shapes(targets[..., 0].shape, predictions.shape))
    pairs = loss(
        np.ascontiguousarray(every).reshape(-1, *shape),
        np.ascontiguousarray(np.broadcast_to(predictions, every.shape)).reshape(-1, *shape),
    )
    return flat / aligned if nearly_equal(pairs, flat) and aligned > 0 else None


def pairs_all_up(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> float | None:
    """How many times larger the loss of a few samples is than the mean of theirs alone, where it is that of all pairs.

    So it is where the loss itself drops an axis of the targets before it subtracts. None where it is not.

    >>> squared = lambda t, p: float(np.mean((t - p) ** 2))
    >>> flattened = lambda t, p: float(np.mean((t.reshape(-1) - p) ** 2))
    >>> pairs_all_up(squared, (1,), (1,)), pairs_all_up(flattened, (1,), (1,))
    (None, 24.33333396911621)
    """
    targets = np.arange(1.0, 7.0, dtype=np.float32)
    samples = [targets[i : i + 1].reshape(1, *target_shape) for i in range(len(targets))]
    answers = [targets[i : i + 1].reshape(1, *shape) + np.float32(0.5) for i in range(len(targets))]
    whole = loss(np.concatenate(samples), np.concatenate(answers))
    alone = float(np.mean([loss(*pair) for pair in zip(samples, answers, strict=True)]))
    if not (math.isfinite(whole) and math.isfinite(alone) and alone > 0) or nearly_equal(whole, alone):
        return None
    pairs = float(np.mean([loss(*pair) for pair in itertools.product(samples, answers)]))
    return whole / alone if nearly_equal(whole, pairs) else None


def repeats_predictions(loss: Evaluate, target_shape: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a loss meets predictions of width 1 with wider targets by repeating them, each entry like the others."""
    if len(target_shape) != len(shape) or tuple(shape[:-1]) != tuple(target_shape[:-1]):
        return False
    if not shape or shape[-1] != 1 or target_shape[-1] < 2:
        return False
    row = np.linspace(0.0, 1.0, target_shape[-1], dtype=np.float32)
    targets = np.broadcast_to(row, (ROWS, *target_shape)).copy()
    narrow, wide = (np.full((ROWS, *shape[:-1], size), 0.3, np.float32) for size in (1, target_shape[-1]))
    plain = loss(targets, narrow)
    return nearly_equal(plain, loss(targets, wide)) and nearly_equal(plain, loss(targets[..., ::-1].copy(), narrow))


class _Probe:
    """The questions to one loss, on arrays of the shapes it knows; long inner axes are cut where the loss allows it."""

    def __init__(self, loss: Evaluate, target_shape: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.loss = loss
        self.shape = shape
        inner, short = shape[:-1], tuple(min(axis, 3) for axis in shape[:-1])
        self.tails = [(short, shape[-1]), (inner, shape[-1])]
        self.target_tail = target_shape[len(inner) :] if len(target_shape) >= len(inner) else ()
        self.inner = short

    def answers(self) -> bool:
        """Whether the loss gives a finite number for something ordinary; settles the length of the inner axes."""
        for inner, _ in self.tails:
            self.inner = inner
            if any(math.isfinite(self.constants(target, 0.6)) for target in (0.0, 1.0)):
                return True
        return False

    def _targets(self, last: np.ndarray) -> np.ndarray:
        return np.broadcast_to(last, (ROWS, *self.inner, *self.target_tail)).copy()

    def _predictions(self, row: np.ndarray) -> np.ndarray:
        return np.broadcast_to(row.astype(np.float32), (ROWS, *self.inner, self.shape[-1])).copy()

    def constants(self, target: float, prediction: float) -> float:
        """Loss where every target and every prediction is the same number."""
        return self.loss(self._targets(np.float32(target)), self._predictions(np.full(1, prediction)))

    def mixed(self, others: float, target: float, prediction: float) -> float:
        """Loss where the first entry's target is `target` and the other entries' is `others`."""
        row = np.full(self.shape[-1], others, np.float32)
        row[0] = target
        return self.loss(self._targets(row), self._predictions(np.full(1, prediction)))

    def one_hot(self, index: int, row: np.ndarray) -> float:
        """Loss of a row of predictions where class `index` is right, told by a row of targets."""
        return self.loss(self._targets(_mark(self.shape[-1], index)), self._predictions(row))

    def ids(self, index: int, row: np.ndarray) -> float:
        """Loss of a row of predictions where class `index` is right, told by its number."""
        return self.loss(self._targets(np.float32(index)), self._predictions(row))

    def ignores_predictions(self, is_vector: bool) -> bool:
        """Whether the loss is the same for any positive predictions (uneven ones: a softmax may run over any axis)."""
        draw = np.random.default_rng(0)
        given = []
        for target in (0.0, 1.0):
            targets = self._targets(np.float32(target))
            if is_vector and self.shape[-1] > 1 and target:
                targets[..., 1:] = 0.0
            rows = (draw.uniform(0.05, 0.95, (ROWS, *self.inner, self.shape[-1])) for _ in range(3))
            given += [self.loss(targets, row.astype(np.float32)) for row in rows]
        finite = [value for value in given if math.isfinite(value)]
        return len(finite) >= 3 and max(finite) - min(finite) <= 1e-5  # -log(1 - 1e-7), Keras' clip, is 1.2e-7

    def is_over_classes(self) -> bool:
        """Whether only what belongs to the right class counts: other entries matter little without a class in the row.

        A loss that judges entries alone changes as much for empty rows as for others when the wrong entries change.
        Label smoothing spreads a share of the target over all entries, hence "little" and not "nothing".
        """
        low, high = np.full(self.shape[-1], 0.3), np.full(self.shape[-1], 0.9)
        low[0] = high[0] = 0.05
        sure = np.where(np.arange(self.shape[-1]) == 0, 0.5, 0.3)
        empty = [self.loss(self._targets(np.float32(0.0)), self._predictions(row)) for row in (low, high)]
        full = [self.one_hot(0, row) for row in (low, high, sure)]
        most = max(abs(full[0] - full[1]), abs(full[0] - full[2]))
        return abs(empty[0] - empty[1]) <= LITTLE * most

    def repeats_targets(self) -> bool:
        """Whether a narrow target means the same as that number repeated over the width of the prediction.

        The entries must be alike to the loss, too: one quantile each from a single target is no accident.
        """
        row = np.linspace(0.1, 0.8, self.shape[-1])
        wide = _Probe(self.loss, self.shape, self.shape)
        wide.inner = self.inner
        for target in (0.0, 1.0):
            narrow = self.ids(int(target), row)
            others = (
                wide.loss(wide._targets(np.float32(target)), wide._predictions(row)),
                self.ids(int(target), row[::-1]),
            )
            if not all(nearly_equal(narrow, other) for other in others):
                return False
        return True


def _mark(width: int, index: int) -> np.ndarray:
    """A row of `width` zeros with a one at this place."""
    row = np.zeros(width, np.float32)
    row[index] = 1.0
    return row


def nearly_equal(one: float, other: float) -> bool:
    """Whether two values of a loss differ by no more than rounding, `SAME` of their size or of 1."""
    return abs(one - other) <= SAME * max(1.0, abs(one), abs(other))


def _within(top: float, bottom: float, bounds: tuple[float, float]) -> bool:
    return bottom > 0 and top > 0 and bounds[0] <= top / bottom <= bounds[1]


def _like_log(at: Callable[[float], float]) -> bool:
    """Whether `at(p)`, the loss by the probability of what is right, grows like -log p."""
    tenth, hundredth, thousandth = at(0.1), at(0.01), at(0.001)
    return at(0.8) < tenth and _within(thousandth - hundredth, hundredth - tenth, LOG_RATIO)


def _like_softplus(at: Callable[[float], float]) -> bool:
    """Whether `at(z)`, the loss by the logit of what is right, falls in a line that bends towards 0."""
    line = _within(at(-16.0) - at(-8.0), at(-8.0) - at(0.0), LINE_RATIO)
    return line and at(0.0) > at(2.0) and at(2.0) - at(4.0) > 1e-3 * (at(-8.0) - at(0.0)) > 0


def _bends(at: Callable[[float], float]) -> bool:
    """Whether the line that `at(z)` falls in ends on the right: a Dice loss falls on and on."""
    return at(2.0) - at(4.0) < BENT * (at(-8.0) - at(0.0))


def _like_hinge(at: Callable[[float], float]) -> bool:
    """Whether `at(m)`, the loss by the margin, rises without end to the left and is flat beyond 1."""
    return (
        nearly_equal(at(1.5), at(8.0))
        and nearly_equal(at(2.0), at(8.0))
        and at(-2.0) - at(0.0) > SAME < at(0.0) - at(1.5)
    )


def _like_distance(at: Callable[[float], float]) -> bool:
    """Whether `at(d)`, the loss by what the prediction is off, is least at 0 and keeps rising on both sides."""
    return at(0.0) < at(0.5) < at(2.0) and at(0.0) < at(-0.5)


def _classes(at: Callable[[int, np.ndarray], float], width: int, targets: Literal["ids", "vectors"]) -> LossNature:
    """Nature of a loss over classes, where `at(index, row)` is the loss of a row whose right class is `index`."""

    def chance(index: int) -> Callable[[float], float]:
        def of(p: float) -> float:
            row = np.full(width, (1.0 - p) / (width - 1))
            row[index] = p
            return at(index, row)

        return of

    def logit(index: int, shift: float) -> Callable[[float], float]:
        def of(z: float) -> float:
            row = np.full(width, shift)
            row[index] += z
            return at(index, row)

        return of

    ends = (0, width - 1)
    if all(_like_log(chance(index)) for index in ends):
        return LossNature("probabilities", "classes", targets)
    if all(
        _like_softplus(logit(index, 0.0)) and nearly_equal(logit(index, 0.0)(-4.0), logit(index, 7.0)(-4.0))
        for index in ends
    ):
        return LossNature("logits", "classes", targets)
    return LossNature("unknown", "classes", targets, "the loss behaves like no cross-entropy")


def _entries(
    at: Callable[[float, float], float], mixed: Callable[[float, float, float], float] | None = None, width: int = 1
) -> LossNature:
    """Nature of a loss over single entries, where `at(target, prediction)` is the loss with both constant."""
    if _like_log(lambda p: at(1.0, p)) and _like_log(lambda p: at(0.0, 1.0 - p)):
        return LossNature("probabilities", "entries", "vectors")
    if all(_like_softplus(side) and _bends(side) for side in (lambda z: at(1.0, z), lambda z: at(0.0, -z))):
        return LossNature("logits", "entries", "vectors")
    if _like_hinge(lambda m: at(1.0, m)) and _like_hinge(lambda m: at(-1.0, -m)) and _adds_up(at, mixed, width):
        return LossNature("margins", "entries", "vectors")
    if _like_distance(lambda d: at(1.0, 1.0 + d)) and _like_distance(lambda d: at(3.0, 3.0 + d)):
        return LossNature("values", "entries", "vectors")
    return LossNature("unknown", "entries", "vectors", "the loss behaves like no loss of the pairing table")


def _adds_up(
    at: Callable[[float, float], float], mixed: Callable[[float, float, float], float] | None, width: int
) -> bool:
    """Whether a row's loss is the mean of those of its entries (a categorical hinge compares them instead)."""
    return mixed is None or nearly_equal(mixed(-1.0, 1.0, 0.3), (at(1.0, 0.3) + (width - 1) * at(-1.0, 0.3)) / width)


def _least_alone(costs: np.ndarray, places: np.ndarray) -> list[bool]:
    """For each row of costs, whether its least is at its own place, and nowhere else."""
    return [bool(np.all(row[place] < np.delete(row, place))) for row, place in zip(costs, places, strict=True)]
