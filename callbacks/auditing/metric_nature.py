"""What a metric counts: computed for predictions made for the purpose, as `loss_nature` does with a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from diagnose.callbacks.auditing.loss_nature import Evaluate
from diagnose.run.audit import MetricFacts


def accuracies(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Every accuracy that makes sense of these shapes, by the way it decides.

    "argmax": the largest entry is the class; "half", "zero": an entry over 0.5, over 0, means 1; "sign": its sign is
    the label; "exact": prediction and target are equal; "first": class 0 is right always (what Keras'
    CategoricalAccuracy makes of a column of class numbers).

    >>> accuracies(np.array([0, 2]), np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3]]))
    {'argmax': 0.5}
    """
    given: dict[str, float] = {}
    width = predictions.shape[-1] if predictions.ndim > 1 else 1
    if width > 1 and targets.shape != predictions.shape:
        ids = targets[..., 0] if targets.shape == (*predictions.shape[:-1], 1) else targets
        if ids.shape == predictions.shape[:-1]:
            best = predictions.argmax(-1)
            given["argmax"] = float(np.mean(ids == best))
            if ids.shape != targets.shape:
                given["first"] = float(np.mean(best == 0))
        return given
    if targets.shape == predictions.shape[:-1] and width == 1:
        targets = targets[..., None] if predictions.ndim == targets.ndim + 1 else targets
    if targets.shape != predictions.shape:
        return given
    if width > 1:
        given["argmax"] = float(np.mean(targets.argmax(-1) == predictions.argmax(-1)))
    given["half"] = float(np.mean(targets == (predictions > 0.5)))
    given["zero"] = float(np.mean(targets == (predictions > 0.0)))
    given["sign"] = float(np.mean(targets == np.where(predictions > 0.0, 1.0, -1.0)))
    given["exact"] = float(np.mean(targets == predictions))
    return given


def metric_nature(metric: Evaluate, targets: np.ndarray, shape: Sequence[int]) -> MetricFacts:
    """What a metric counts, computed with the targets of the batch and predictions of shape (n, *shape) made up here.

    Two sets of random predictions show which accuracies it equals, and predictions that are a thousandth off the
    labels whether it is deaf. Its name, its value on the batch and `minds` are left to the caller.
    """
    draw = np.random.default_rng(1)
    size = (len(targets), *shape)
    random = [draw.normal(0.25, 1.0, size).astype(np.float32) for _ in range(2)]
    readings = [metric(targets, predictions) for predictions in random]
    expected = [accuracies(targets, predictions) for predictions in random]
    flavours = tuple(
        name
        for name in expected[0]
        if all(abs(reading - flavour[name]) <= 1e-5 for reading, flavour in zip(readings, expected, strict=True))
    )
    aligned = targets.reshape(size) if targets.size == math.prod(size) else None
    deaf = False
    if aligned is not None and not any(math.isnan(reading) for reading in readings):
        spread = float(np.std(aligned)) or 1.0
        close = metric(targets, (aligned + 1e-3 * spread * draw.uniform(0.5, 1.0, size)).astype(np.float32))
        deaf = readings[0] == readings[1] == close
    asked = aligned is not None and "argmax" not in flavours
    cut = _cut(metric, targets.shape[1:], tuple(shape)) if asked else ""
    return MetricFacts(flavours=flavours, deaf=deaf, cut=cut)


def minds_labels(metric: Evaluate, targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a metric tells the labels from twice the labels, and from labels that are all larger by as much."""
    right = targets.astype(np.float32).reshape(len(targets), *shape)
    best = metric(targets, right)
    others = (metric(targets, 2 * right), metric(targets, right + float(np.nanstd(right))))
    return all(math.isfinite(other) and abs(other - best) > 1e-3 * max(1.0, abs(best)) for other in others)


def _cut(metric: Evaluate, target_shape: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Where a metric of 0/1 targets puts the line between them."""
    rows = 8
    truth = (np.arange(rows * max(1, math.prod(shape))) % 2).astype(np.float32).reshape(rows, *shape)
    if shape and shape[-1] % 2 == 0:
        truth[1::2] = 1.0 - truth[1::2]  # else every row would hold the same labels

    def at(low: float, high: float) -> float:
        return metric(truth.reshape(rows, *target_shape), np.where(truth > 0.5, high, low).astype(np.float32))

    good = at(0.2, 0.8)
    if good == at(-1.0, 0.25) or good != at(-3.0, 3.0) or math.isnan(good):
        # A ranking or a line at 0 is content with -1 against 0.25; a distance tells 0.8 from 3.
        ranks = good == at(0.6, 0.8) == at(0.2, 0.4) == at(-3.0, 3.0)
        return "interval" if ranks and at(2.0, 5.0) != good and at(-5.0, -2.0) != good else ""
    return "half" if at(-1.0, 0.25) == at(-3.0, -1.0) else ""
