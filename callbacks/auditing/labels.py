"""What labels and sample weights tell, on their own and to a loss."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from diagnose.callbacks.auditing.loss_nature import Evaluate
from diagnose.callbacks.model.arrays import leaves, number
from diagnose.run.audit import LabelFacts, ReachFacts, WeightFacts

NUMBERS = "buif"  # kinds of dtypes
LABELS = 1_000_000  # entries; of more, evenly spaced samples are looked at
IDLE = 20  # classes that are named


def extremes(labels: np.ndarray | None) -> tuple[float, ...]:
    """The smallest and the largest of all labels, infinite ones too; NaN where all are, empty without numbers."""
    if labels is None or labels.dtype.kind not in NUMBERS or not labels.size:
        return ()
    return float(np.nanmin(labels)), float(np.nanmax(labels))


def label_facts(
    labels: np.ndarray | None,
    edges: tuple[float, ...],
    shape: tuple[int, ...],
    inputs: list[np.ndarray],
    rows: np.ndarray,
) -> LabelFacts:
    """What labels tell on their own; fields that the loss or the bounds of the output tell keep their defaults.

    labels: all that were given for an output, None or no numbers if none; edges: their `extremes`; shape: of the
    output, samples first. inputs: of the samples looked at, one array an input; rows: which of all samples those are.
    """
    if labels is None or labels.dtype.kind not in NUMBERS:
        return LabelFacts(dtype="" if labels is None else str(labels.dtype))
    some = labels[rows] if len(labels) > len(rows) else labels
    labels = _evenly(labels)
    values = labels.astype(np.float64 if labels.dtype.kind != "f" else labels.dtype)
    kept = values[np.isfinite(values)]
    one = labels.shape[1:]
    found = LabelFacts(
        given=True,
        shape=one,
        dtype=str(labels.dtype),
        count=len(labels),
        min=number(edges[0]) if edges else None,
        max=number(edges[1]) if edges else None,
        finite=kept.size / max(1, values.size),
        fractional=float(np.mean(kept != np.round(kept))) if kept.size else 0.0,
        distinct=min(1000, len(np.unique(kept))),
        alignment=_alignment(one, shape[1:]),
        zero_one=bool(kept.size and np.isin(kept, (0.0, 1.0)).all()),
        plus_minus_one=bool(kept.size and np.isin(kept, (-1.0, 1.0)).all() and (kept == -1.0).any()),
        varied=bool(kept.size and np.ptp(kept) > 0),
        is_input=any(other.shape == some.shape and np.array_equal(other, some) for other in inputs),
    )
    if not one or one[-1] < 2:
        return found
    sums = np.nansum(values, axis=-1)
    zero_one = ((values == 0) | (values == 1)).all(-1)
    return replace(
        found,
        one_hot=bool((zero_one & (sums == 1)).all()),
        weighted_one_hot=bool(
            ((values != 0).sum(-1) <= 1).all() and (kept.min() < 0 < kept.max() or len(np.unique(kept)) > 3)
        ),
        many_hot=float(np.mean(zero_one & (sums != 1))),
        empty_rows=float(np.mean((values == 0).all(-1))),
        row_sum_min=number(sums.min()),
        row_sum_max=number(sums.max()),
        row_sum_mean=number(sums.mean()),
        row_sum_error=number(sums.std() / math.sqrt(sums.size)),
    )


def _evenly(labels: np.ndarray) -> np.ndarray:
    """Samples spread evenly over all, of about `LABELS` entries."""
    return labels[:: 1 + labels.size // LABELS]


def _alignment(one: tuple[int, ...], prediction: tuple[int, ...]) -> str:
    """How the labels of one sample stand beside its prediction, of these shapes; see `LabelFacts`."""
    if one == prediction:
        return "vectors"
    if prediction and prediction[-1] == 1 and one == prediction[:-1]:
        return "flat"
    return "ids" if prediction and one in (prediction[:-1], (*prediction[:-1], 1)) else "other"


def beyond(labels: np.ndarray, reach: ReachFacts) -> float:
    """Share of the labels that lie beyond the bounds of the output by more than a hundredth of their own span."""
    values = _evenly(labels).astype(np.float64)
    values = values[np.isfinite(values)]
    slack = 0.01 * float(np.ptp(values)) if values.size else 0.0
    low = -math.inf if reach.lower is None else reach.lower - slack
    high = math.inf if reach.upper is None else reach.upper + slack
    return float(np.mean((values < low) | (values > high))) if values.size else 0.0


def weight_facts(sample_weight: Any, targets: np.ndarray | None, weights: Any) -> WeightFacts:
    """What the sample weights tell.

    sample_weight: all that were given, in whatever structure; targets, weights: of one output and the samples looked
    at, None without any.
    """
    found = leaves(sample_weight)
    classes, each = _classes_and_weights(targets, weights)
    numbers, counted = np.unique(classes), np.unique(classes[each != 0])
    idle = np.setdiff1d(classes, counted)[:IDLE] if len(counted) else ()
    known = numbers if len(numbers) <= IDLE else ()
    return WeightFacts(
        given=bool(found),
        sum=number(sum(float(np.abs(leaf).sum()) for leaf in found)) if found else None,
        negative=any(bool((leaf < 0).any()) for leaf in found),
        idle_classes=tuple(int(label) for label in idle),
        by_class={str(int(label)): number(each[classes == label].mean()) for label in known},
    )


def _classes_and_weights(targets: np.ndarray | None, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """The class number and the weight of each sample; none where there is not one of both a sample."""
    if targets is None or weights is None or targets.dtype.kind not in NUMBERS:
        return np.empty(0), np.empty(0)
    each = np.asarray(weights).astype(np.float64).reshape(-1)
    if targets.ndim == 2 and targets.shape[-1] > 1 and (targets.sum(axis=-1) == 1).all():
        targets = targets.argmax(axis=-1)
    classes = targets.reshape(-1)
    if len(classes) != len(targets) or len(classes) != len(each) or (classes != np.round(classes)).any():
        return np.empty(0), np.empty(0)
    return classes, each


def classes_outside(
    at: Evaluate, edges: tuple[float, ...], count: int, targets: np.ndarray, shape: tuple[int, ...]
) -> tuple[float, bool]:
    """Share of the class numbers that no unit stands for, and whether the loss fails on them or leaves them out.

    edges: `extremes` of all labels, which stand for those beyond the batch; count: of all samples. targets: of the
    samples looked at; shape: of their predictions, classes last.
    """
    width = shape[-1]
    wrong = (targets < 0) | (targets >= width)
    share, asked = float(np.mean(wrong)), np.unique(targets[wrong])[:20]
    if not share:  # none in the samples looked at: the extremes of all labels
        asked = np.array([edge for edge in edges if not 0 <= edge < width])
        share = len(asked) / max(1, count)
    even = np.full((1, *shape[1:]), 1.0 / width, np.float32)
    refused = [math.isnan(at(np.full((1, *targets.shape[1:]), label, targets.dtype), even)) for label in asked]
    return share, any(refused)


def heeds_wild_labels(at: Evaluate, edges: tuple[float, ...], targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether labels outside [0, 1] change what is asked of a prediction: a mask of -1 does not.

    edges: `extremes` of all labels; targets: of some samples, for their shape; shape: of their predictions.
    """
    for edge in edges:
        if not -1e-6 <= edge <= 1.0 + 1e-6:
            same = np.full(targets.shape, edge, np.float32)
            low, high = (at(same, np.full(shape, value, np.float32)) for value in (0.3, 0.6))
            if math.isfinite(low) and abs(low - high) > 1e-6:
                return True
    return False
