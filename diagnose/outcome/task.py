"""What kind of task an output is given, as its targets and the shape of its predictions tell.

Never from the name of a loss. Only whole numbers beside wider predictions are told neither way: eight quantiles of a
count, or an embedding whose loss compares labels, look like eight classes. So they are classes only where something
reads them so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from diagnose.wording import counted

TaskKind = Literal["categorical", "binary", "multilabel", "regression", "unknown"]

COARSE = 5e-3  # sum of a row of float16 or bfloat16 probabilities: 10 and 7 bits each, and several of them
ONE_HOT_TOLERANCE = 1e-3  # float32 rows of label smoothing sum to one within 1e-6; a float16 pipeline within 1e-3


@dataclass(frozen=True, slots=True)
class Task:
    """What one output is asked for.

    kind: "categorical" (one of many classes), "binary", "multilabel", "regression", or "unknown".
    classes: number of classes ("categorical", "binary": 2), of labels ("multilabel"), else 0.
    reason: why the kind is unknown; "" where it is known.
    cut, below: see `Wanted`.
    one_hot: of "categorical" targets, whether their last axis is a row with an entry for each class; None where nobody
        looked: then it is one that is as long as there are classes.
    """

    kind: TaskKind
    classes: int = 0
    reason: str = ""
    cut: float | None = None
    below: bool = False
    one_hot: bool | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What loss and metrics want of an output, as far as they were asked; the numbers alone do not show it.

    class_numbers: whole numbers are read as places on the predictions' last axis; None where nobody could ask: then the
        largest number must stand for the last place. Rows of probabilities, which sum to 1, say so themselves.
    instead: what is wanted in place of the labels themselves (an order, a direction, a rate), as a reason; "" for them.
    cut: the answer that costs the same for labels of 0 and 1, where an output is a distance; below: nearer means 1.
    """

    class_numbers: bool | None = None
    instead: str = ""
    cut: float | None = None
    below: bool = False


def task_of(targets: np.ndarray, predictions: np.ndarray, wanted: Wanted = Wanted()) -> Task:
    """What is asked for, from targets and predictions, both (samples, ...).

    >>> task_of(np.array([0, 2, 1]), np.zeros((3, 3))).kind
    'categorical'
    >>> task_of(np.array([0, 2, 1]), np.ones((3, 8))).kind, task_of(np.array([0, 1]), np.eye(2), Wanted(False)).kind
    ('unknown', 'categorical')
    >>> task_of(np.array([0.5, 1.7]), np.zeros((2, 1))).kind
    'regression'
    """
    y, p = np.asarray(targets), np.asarray(predictions)
    if y.dtype.kind not in "buif" or y.size == 0:
        return Task("unknown", reason=f"the targets are of the type {y.dtype}, with {counted(y.size, 'entry')}")
    if wanted.instead:
        return Task("unknown", reason=wanted.instead)
    width = p.shape[-1] if p.ndim > 1 else 1
    finite = y[np.isfinite(y)]
    whole = bool(np.all(finite == np.round(finite)))
    sparse_shape = y.shape == p.shape[:-1] or (y.ndim == p.ndim and y.shape[-1] == 1)
    if width > 1 and sparse_shape:
        if not whole or not finite.size or finite.max() >= width:
            return Task(
                "unknown", reason=f"the targets are no class ids of {width} classes, and not of the predictions' shape"
            )
        numbered = finite.max() == width - 1 if wanted.class_numbers is None else wanted.class_numbers
        if numbered or is_distribution(p, COARSE):
            return Task("categorical", width, one_hot=False)
        return Task("unknown", reason="no loss and no accuracy is known to read the targets as class numbers")
    if y.size != p.size:
        return Task("unknown", reason=f"targets of shape {y.shape} and predictions of shape {p.shape} don't pair up")
    values = set(np.unique(finite[:10_000]).tolist())
    if width > 1:
        rows = y.reshape(-1, width)
        sums_to_one = np.all(np.abs(rows.sum(axis=1) - 1) < ONE_HOT_TOLERANCE) and np.all(rows >= 0)
        if sums_to_one and np.mean(rows.max(axis=1) > 0.5) > 0.5:
            return Task("categorical", width, one_hot=True)
        if values <= {0.0, 1.0} and whole:
            return Task("multilabel", width)
    elif whole and len(values) <= 2 and values <= {-1.0, 0.0, 1.0}:
        return Task("binary", 2, cut=wanted.cut, below=wanted.below)
    return Task("regression")


def is_distribution(predictions: np.ndarray, tolerance: float = 1e-3) -> bool:
    """Whether every row holds probabilities of one choice: not negative, sum 1; rows of one entry never count.

    tolerance: float16 rounds each entry by up to 5e-4.
    """
    if predictions.ndim < 2 or predictions.shape[-1] < 2 or not np.isfinite(predictions).all():
        return False
    return bool(
        (predictions >= -1e-6).all() and (np.abs(predictions.sum(-1, dtype=np.float64) - 1.0) <= tolerance).all()
    )


def class_ids(task: Task, y: np.ndarray) -> np.ndarray:
    """Class numbers of the targets of a "categorical" task, (entries,) of int64; of rows the largest entry's place."""
    one_hot = task.one_hot
    if one_hot is None:
        one_hot = y.ndim > 1 and y.shape[-1] == task.classes and y.shape[-1] > 1
    return (y.reshape(-1, task.classes).argmax(axis=1) if one_hot else y.reshape(-1)).astype(np.int64)
