"""How good predictions are at their task: arithmetic on targets and predictions.

Skill makes accuracies and errors of different tasks comparable: 0 is what the best constant answer reaches, 1 is
perfect. For classes it is (accuracy - majority share) / (1 - majority share); for numbers it is R squared.
"""

from __future__ import annotations

import numpy as np

from diagnose.outcome.task import Task, class_ids

MOST_CLASSES = 1000  # kept in a run, 40 kB; of 1,024 held samples, none of more has samples enough to judge
MOST_TARGETS = 100_000  # entries of which percentiles are taken: hundredths of a second
NORMAL_WIDTH = 2.563  # arithmetic: from the 10th to the 90th percentile of normal numbers, in standard deviations
RESIDUAL_SPAN = 4.0  # standard deviations of the targets; arithmetic: four times as far off as a constant answer
RESIDUAL_BINS = 41
HALF_BIN = RESIDUAL_SPAN / (RESIDUAL_BINS - 1)  # the first and the last bin are centred on the ends of the span


def accuracy(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the targets that the predictions get right, in [0, 1]; NaN for a regression.

    A row of predictions with a NaN is wrong. Binary and multilabel predictions count from the task's cut on, else from
    0.5 on if all of them lie in [0, 1], else from 0 on (logits).

    >>> accuracy(Task("categorical", 2), np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    0.6666666666666666
    """
    if task.kind not in ("categorical", "binary", "multilabel"):
        return float("nan")
    classes, right = _truth_and_right(task, targets, predictions)
    counted = classes >= 0 if task.kind == "categorical" else np.ones(classes.shape, bool)
    return float(right[counted].mean()) if counted.any() else float("nan")


def skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Skill of the predictions: 0 for the best constant answer, 1 for a perfect one, in (-inf, 1].

    NaN where a constant answer is already perfect (one class only, no variance), for an unknown task, and for numbers
    of which one is not finite.

    >>> skill(Task("binary", 2), np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.7, 0.9]))
    0.0
    >>> skill(Task("regression"), np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    if task.kind == "regression":
        return _r_squared(np.asarray(targets, np.float64), np.asarray(predictions, np.float64))
    score, base = accuracy(task, targets, predictions), majority_share(task, targets)
    return (score - base) / (1 - base) if base < 1 else float("nan")


def balanced_skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Skill if every class counted the same, in [-1, 1]: by the mean recall of the classes, of which a constant
    answer gets one right.

    Unlike `skill` it can be high where a rare class is found at the price of some of the common one. NaN but for
    "categorical" and "binary", and for one class only.

    >>> balanced_skill(Task("binary", 2), np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.7, 0.9]))  # recalls 2/3 and 1
    0.6666666666666665
    """
    if task.kind not in ("categorical", "binary"):
        return float("nan")
    truth, right = _truth_and_right(task, targets, predictions)
    classes = np.unique(truth[truth >= 0])
    if len(classes) < 2:
        return float("nan")
    recall = float(np.mean([right[truth == index].mean() for index in classes]))
    return (recall - 1 / len(classes)) / (1 - 1 / len(classes))


def majority_share(task: Task, targets: np.ndarray) -> float:
    """Share of the commonest class: the accuracy that the best constant answer reaches.

    For many labels at once, the mean over labels of each label's own commonest value. NaN for a regression.
    """
    y = np.asarray(targets)
    if task.kind == "categorical":
        classes = class_ids(task, y)
        classes = classes[classes >= 0]
        return float(np.bincount(classes).max() / classes.size) if classes.size else float("nan")
    if task.kind == "binary":
        positive = float(np.mean(y > 0.5))
        return max(positive, 1 - positive)
    if task.kind == "multilabel":
        positive_shares = (y.reshape(-1, y.shape[-1]) > 0.5).mean(axis=0)
        return float(np.maximum(positive_shares, 1 - positive_shares).mean())
    return float("nan")


def majority_class(task: Task, targets: np.ndarray) -> float:
    """Number of the commonest class, the lowest of several alike; NaN but for "categorical" and "binary".

    >>> majority_class(Task("categorical", 3), np.array([2, 2, 0]))
    2.0
    """
    if task.kind == "binary":
        return float(np.mean(np.asarray(targets) > 0.5) > 0.5)
    classes = class_ids(task, np.asarray(targets)) if task.kind == "categorical" else np.empty(0, np.int64)
    classes = classes[classes >= 0]
    return float(np.bincount(classes).argmax()) if classes.size else float("nan")


def constant_answers(task: Task, targets: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The best constant predictions, each of the given shape: as probabilities and as logits, or means and medians."""
    y = np.asarray(targets, np.float64)
    if task.kind == "categorical":
        classes = class_ids(task, np.asarray(targets))
        shares = np.bincount(classes[classes >= 0], minlength=task.classes) / max(1, (classes >= 0).sum())
        answers = [shares, np.log(np.maximum(shares, 1e-7))]
    elif task.kind == "binary":
        share = np.full(shape[1:], (y > 0.5).mean())
        inside = np.clip(share, 1e-7, 1 - 1e-7)
        answers = [share, np.log(inside / (1 - inside))]
    elif task.kind == "multilabel":
        shares = (y.reshape(-1, y.shape[-1]) > 0.5).mean(axis=0)
        inside = np.clip(shares, 1e-7, 1 - 1e-7)
        answers = [shares, np.log(inside / (1 - inside))]
    elif task.kind == "regression":
        columns = y.reshape(len(y), -1)
        answers = [columns.mean(axis=0).reshape(shape[1:]), np.median(columns, axis=0).reshape(shape[1:])]
    else:
        return []
    return [np.broadcast_to(answer, shape).astype(np.float32) for answer in answers]


def relative_spread(predictions: np.ndarray) -> float:
    """Standard deviation of the predictions over samples, over their rms: 0 where all samples get the same answer.

    predictions: (samples, ...); the spread is pooled over the other axes. NaN if an entry is not finite.

    >>> relative_spread(np.array([[0.3, 0.7], [0.3, 0.7]]))
    0.0
    """
    p = np.asarray(predictions, np.float64).reshape(len(predictions), -1)
    if not np.isfinite(p).all():
        return float("nan")
    rms = np.sqrt(np.mean(p**2))
    return float(np.sqrt(p.var(axis=0).mean()) / rms) if rms > 0 else 0.0


def renamed_skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Skill if each predicted class is read as the class that it mostly stands for; NaN but for "categorical".

    Far above the plain skill it means that the classes are numbered differently.

    >>> swapped = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    >>> renamed_skill(Task("categorical", 2), np.array([0, 0, 1]), swapped)
    1.0
    """
    if task.kind != "categorical":
        return float("nan")
    classes, answers = class_ids(task, np.asarray(targets)), np.asarray(predictions).reshape(-1, task.classes)
    known = (classes >= 0) & np.isfinite(answers).all(axis=1)
    base = majority_share(task, targets)
    if not known.any() or base >= 1:
        return float("nan")
    table = np.zeros((task.classes, task.classes), np.int64)
    np.add.at(table, (answers[known].argmax(axis=1), classes[known]), 1)
    return float((table.max(axis=1).sum() / known.sum() - base) / (1 - base))


def rescaled_skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """R squared if each column of the predictions were put on the line that fits its targets best, in [0, 1].

    NaN but for "regression". Far above the plain skill it means that the targets are in other units.

    >>> rescaled_skill(Task("regression"), np.array([10.0, 20.0, 30.0]), np.array([0.1, 0.2, 0.3]))
    1.0
    """
    if task.kind != "regression":
        return float("nan")
    if not np.isfinite(predictions).all() or not np.isfinite(targets).all():
        return float("nan")
    return min(skill(task, targets, line_fitted(targets, predictions)), 1.0)


def line_fitted(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Finite predictions, each column put on the line that fits its targets best by least squares, in their shape.

    >>> line_fitted(np.array([10.0, 20.0, 30.0]), np.array([0.1, 0.2, 0.3]))
    array([10., 20., 30.])
    """
    y, p = (np.asarray(part, np.float64).reshape(len(part), -1) for part in (targets, predictions))
    middle, apart = y.mean(axis=0), p - p.mean(axis=0)
    slope = (apart * (y - middle)).sum(axis=0) / np.maximum((apart**2).sum(axis=0), np.finfo(np.float64).tiny)
    fitted: np.ndarray = (middle + slope * apart).reshape(np.shape(predictions))
    return fitted


def target_shift(task: Task, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How far the median of `other` is from that of `one`, and how wide `other` is, both in widths of `one`.

    A width is the standard deviation of normal numbers as wide from the 10th to the 90th percentile, so that a few wild
    targets count for little. Of many columns (the last axis) the median of each number. NaN but for "regression", and
    where more than eight in ten targets are alike.

    >>> shift, width = target_shift(Task("regression"), np.array([0.0, 1.0, 2.0]), np.array([10.0, 12.0, 14.0]))
    >>> round(shift, 1), round(width, 1)  # the one runs from 0.2 to 1.8, so that its width is 1.6 / 2.563
    (17.6, 2.0)
    """
    if task.kind != "regression":
        return float("nan"), float("nan")
    parts = []
    for targets in (one, other):
        rows = np.asarray(targets, np.float64)
        rows = rows.reshape(-1, rows.shape[-1] if rows.ndim > 1 else 1)
        parts.append(np.quantile(rows[:: 1 + rows.size // MOST_TARGETS], (0.1, 0.5, 0.9), axis=0))
    (low, middle, high), (other_low, other_middle, other_high) = parts
    width, other_width = (high - low) / NORMAL_WIDTH, (other_high - other_low) / NORMAL_WIDTH
    varied = (width > 0) & (other_width > 0) & np.isfinite(width + other_width)
    if not varied.any():
        return float("nan"), float("nan")
    apart = np.abs(other_middle - middle)[varied] / width[varied]
    return float(np.median(apart)), float(np.median(other_width[varied] / width[varied]))


def label_shift(task: Task, one: np.ndarray, other: np.ndarray) -> float:
    """Half the sum of absolute differences between the class shares of two sets of labels, in [0, 1].

    NaN but for "categorical" and "binary".

    >>> label_shift(Task("binary", 2), np.array([0, 1]), np.array([1, 1]))
    0.5
    """
    if task.kind == "binary":
        return float(abs(np.mean(np.asarray(one) > 0.5) - np.mean(np.asarray(other) > 0.5)))
    if task.kind != "categorical":
        return float("nan")
    shares = []
    for labels in (one, other):
        classes = class_ids(task, np.asarray(labels))
        counts = np.bincount(classes[classes >= 0], minlength=task.classes)
        shares.append(counts / max(1, counts.sum()))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def class_counts(task: Task, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """The answers class by class, (5, classes) of int64; empty where the task has no classes.

    Rows: number of the class (or of the label, of many at once); its samples (with that label); those of them that were
    answered right; how often it was the answer at all; the commonest wrong answer to its samples, -1 where there is
    none, or over `MOST_CLASSES` classes. Classes that neither occur nor are answered are left out, and of very many the
    rarest.

    >>> class_counts(Task("categorical", 3), np.array([0, 0, 2]), np.eye(3)[[0, 1, 1]])
    array([[ 0,  1,  2],
           [ 2,  0,  1],
           [ 1,  0,  0],
           [ 1,  2,  0],
           [ 1, -1,  1]])
    """
    if task.kind not in ("categorical", "binary", "multilabel"):
        return np.empty((5, 0), np.int64)
    truth, answer = _truth_and_prediction(task, targets, predictions)
    if task.kind == "multilabel":
        asked, said = truth.reshape(-1, task.classes) == 1, answer.reshape(-1, task.classes) == 1
        counts = [asked.sum(0), (asked & said).sum(0), said.sum(0), np.full(task.classes, -1)]
        return _commonest(np.stack([np.arange(task.classes), *counts]))
    truth, answer = truth[truth >= 0], answer[truth >= 0]
    size = max(task.classes, int(truth.max(initial=0)) + 1)
    told = answer >= 0
    samples, answered = np.bincount(truth, minlength=size), np.bincount(answer[told], minlength=size)
    right = np.bincount(truth[truth == answer], minlength=size)
    taken_for = np.full(size, -1)
    if size <= MOST_CLASSES:
        wrong = told & (truth != answer)
        often = np.bincount(truth[wrong] * size + answer[wrong], minlength=size * size).reshape(size, size)
        taken_for = np.where(often.any(axis=1), often.argmax(axis=1), -1)
    table = np.stack([np.arange(size), samples, right, answered, taken_for])
    return _commonest(table[:, samples + answered > 0])


def _commonest(table: np.ndarray) -> np.ndarray:
    """At most `MOST_CLASSES` of the classes, in their order."""
    kept = np.sort(np.argsort(-table[1], kind="stable")[:MOST_CLASSES])
    return table[:, kept].astype(np.int64)


def residual_counts(task: Task, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """A histogram of prediction minus target, (2, bins) of float64: centres and counts; empty but for "regression".

    In standard deviations of the targets, column by column, so that a constant answer has a spread of 1. The bins at
    both ends hold what lies beyond them; what is not finite is not counted.

    >>> centres, counts = residual_counts(Task("regression"), np.array([-1.0, 1.0]), np.array([-1.0, 9.0]))
    >>> len(counts), counts[[20, 40]].tolist()
    (41, [1.0, 1.0])
    """
    y, p = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    if task.kind != "regression" or y.size != p.size:
        return np.empty((2, 0))
    y, p = y.reshape(len(y), -1), p.reshape(len(p), -1)
    spread = y.std(axis=0)
    apart = ((p - y)[:, spread > 0] / spread[spread > 0]).reshape(-1)
    apart = np.clip(apart[np.isfinite(apart)], -RESIDUAL_SPAN, RESIDUAL_SPAN)
    counts, edges = np.histogram(apart, RESIDUAL_BINS, (-RESIDUAL_SPAN - HALF_BIN, RESIDUAL_SPAN + HALF_BIN))
    return np.stack([(edges[:-1] + edges[1:]) / 2, counts])


def _truth_and_right(task: Task, targets: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, answer = _truth_and_prediction(task, targets, predictions)
    return truth, truth == answer


def _truth_and_prediction(task: Task, targets: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers that are right and that were answered, both (entries,) of int64; -1: no finite answer."""
    y, p = np.asarray(targets), np.asarray(predictions, np.float64)
    if task.kind == "categorical":
        rows = p.reshape(-1, task.classes)
        return class_ids(task, y), np.where(np.isfinite(rows).all(axis=1), rows.argmax(axis=1), -1)
    cut = task.cut
    if cut is None:
        cut = 0.5 if np.nanmin(p, initial=0.0) >= 0 and np.nanmax(p, initial=1.0) <= 1 else 0.0
    truth, said = y.reshape(-1) > 0.5, p.reshape(-1)
    answer = said < cut if task.below else said > cut
    return truth.astype(np.int64), np.where(np.isfinite(said), answer, -1).astype(np.int64)


def _r_squared(y: np.ndarray, p: np.ndarray) -> float:
    y, p = y.reshape(len(y), -1), p.reshape(len(y), -1)
    if not np.isfinite(p).all() or not np.isfinite(y).all():
        return float("nan")
    total = float(((y - y.mean(axis=0)) ** 2).sum())
    return 1 - float(((y - p) ** 2).sum()) / total if total > 0 else float("nan")
