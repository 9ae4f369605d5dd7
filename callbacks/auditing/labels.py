"""What labels and sample weights tell, on their own and to a loss; `configuration` lists the keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from diagnose.callbacks.auditing.loss_nature import Evaluate
from diagnose.callbacks.model.arrays import leaves

LABELS = 1_000_000  # entries; of more, evenly spaced samples are looked at
IDLE = 20  # classes that are named


def label_facts(
    labels: np.ndarray | None, shape: tuple[int, ...], inputs: list[np.ndarray], rows: np.ndarray
) -> dict[str, Any]:
    """The keys of `labels` that need no loss.

    labels: all that were given for an output, None or no numbers if none; shape: of the output, samples first.
    inputs: of the samples looked at, one array an input; rows: which of all samples those are.
    """
    if labels is None or labels.dtype.kind not in "buif":
        return {"given": False, "dtype": "" if labels is None else str(labels.dtype)}
    some = labels[rows] if len(labels) > len(rows) else labels
    low, high = (np.nanmin(labels), np.nanmax(labels)) if labels.size else (None, None)
    labels = labels[:: 1 + labels.size // LABELS]
    values = labels.astype(np.float64 if labels.dtype.kind != "f" else labels.dtype)
    kept = values[np.isfinite(values)]
    one, per_sample = labels.shape[1:], shape[1:]
    alignment = "other"
    if one == per_sample:
        alignment = "vectors"
    elif per_sample and per_sample[-1] == 1 and one == per_sample[:-1]:
        alignment = "flat"
    elif per_sample and one in (per_sample[:-1], (*per_sample[:-1], 1)):
        alignment = "ids"
    found: dict[str, Any] = {
        "given": True,
        "shape": list(one),
        "dtype": str(labels.dtype),
        "count": len(labels),
        "min": None if low is None else float(low),
        "max": None if high is None else float(high),
        "finite": kept.size / max(1, values.size),
        "fractional": np.mean(kept != np.round(kept)) if kept.size else 0.0,
        "distinct": min(1000, len(np.unique(kept))),
        "alignment": alignment,
        "zero_one": bool(kept.size and np.isin(kept, (0.0, 1.0)).all()),
        "plus_minus_one": bool(kept.size and np.isin(kept, (-1.0, 1.0)).all() and (kept == -1.0).any()),
        "varied": bool(kept.size and np.ptp(kept) > 0),
        "is_input": any(other.shape == some.shape and np.array_equal(other, some) for other in inputs),
    }
    if one and one[-1] > 1:
        sums = np.nansum(values, axis=-1)
        zero_one = ((values == 0) | (values == 1)).all(-1)
        found |= {
            "one_hot": bool((zero_one & (sums == 1)).all()),
            "weighted_one_hot": bool(
                ((values != 0).sum(-1) <= 1).all() and (kept.min() < 0 < kept.max() or len(np.unique(kept)) > 3)
            ),
            "many_hot": np.mean(zero_one & (sums != 1)),
            "empty_rows": np.mean((values == 0).all(-1)),
            "row_sum_min": sums.min(),
            "row_sum_max": sums.max(),
            "row_sum_mean": sums.mean(),
            "row_sum_error": sums.std() / math.sqrt(sums.size),
        }
    return found


def beyond(labels: np.ndarray, reach: dict[str, Any]) -> float:
    """Share of the labels that lie beyond the bounds of the output by more than a hundredth of their own span."""
    values = labels[:: 1 + labels.size // LABELS].astype(np.float64)
    values = values[np.isfinite(values)]
    slack = 0.01 * float(np.ptp(values)) if values.size else 0.0
    low = -math.inf if reach["lower"] is None else reach["lower"] - slack
    high = math.inf if reach["upper"] is None else reach["upper"] + slack
    return float(np.mean((values < low) | (values > high))) if values.size else 0.0


def weight_facts(sample_weight: Any) -> dict[str, Any]:
    """Whether there are sample weights, in whatever structure, the sum of their sizes, and the sign of some."""
    found = leaves(sample_weight)
    return {
        "given": bool(found),
        "sum": sum(float(np.abs(leaf).sum()) for leaf in found) if found else None,
        "negative": any(bool((leaf < 0).any()) for leaf in found),
    }


def idle_classes(targets: np.ndarray | None, weights: Any) -> list[int]:
    """Classes of which no sample of the batch has a weight other than 0, where there are others that have."""
    if targets is None or weights is None or targets.dtype.kind not in "buif":
        return []
    classes, each = _classes_and_weights(targets, weights)
    counted = np.unique(classes[each != 0])
    return [int(number) for number in np.setdiff1d(classes, counted)[:IDLE]] if len(counted) else []


def class_weights(targets: np.ndarray | None, weights: Any) -> dict[str, float]:
    """Mean weight of the samples of each class, by its number; empty where that can't be told, or of many classes."""
    if targets is None or weights is None or targets.dtype.kind not in "buif":
        return {}
    classes, each = _classes_and_weights(targets, weights)
    numbers = np.unique(classes)
    return (
        {str(int(number)): float(each[classes == number].mean()) for number in numbers} if len(numbers) <= IDLE else {}
    )


def _classes_and_weights(targets: np.ndarray, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """The class number and the weight of each sample; none where there is not one of both a sample."""
    each = np.asarray(weights).astype(np.float64).reshape(-1)
    if targets.ndim == 2 and targets.shape[-1] > 1 and (targets.sum(axis=-1) == 1).all():
        targets = targets.argmax(axis=-1)
    classes = targets.reshape(-1)
    if len(classes) != len(targets) or len(classes) != len(each) or (classes != np.round(classes)).any():
        return np.empty(0), np.empty(0)
    return classes, each


def class_numbers(at: Evaluate, labels: dict[str, Any], targets: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any]:
    """Which class numbers no unit stands for, and whether the loss fails on them or leaves them out."""
    width = shape[-1]
    wrong = (targets < 0) | (targets >= width)
    share, asked = float(np.mean(wrong)), np.unique(targets[wrong])[:20]
    if not share:  # none in the samples looked at: the extremes of all labels
        asked = np.array(
            [edge for edge in (labels["min"], labels["max"]) if edge is not None and not 0 <= edge < width]
        )
        share = len(asked) / max(1, labels["count"])
    even = np.full((1, *shape[1:]), 1.0 / width, np.float32)
    refused = [math.isnan(at(np.full((1, *targets.shape[1:]), label, targets.dtype), even)) for label in asked]
    return {"outside": share, "outside_refused": any(refused)}


def heeds_wild_labels(at: Evaluate, labels: dict[str, Any], targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether labels outside [0, 1] change what is asked of a prediction: a mask of -1 does not."""
    for edge in (labels["min"], labels["max"]):
        if edge is not None and not -1e-6 <= edge <= 1.0 + 1e-6:
            same = np.full(targets.shape, edge, np.float32)
            low, high = (at(same, np.full(shape, value, np.float32)) for value in (0.3, 0.6))
            if math.isfinite(low) and abs(low - high) > 1e-6:
                return True
    return False
