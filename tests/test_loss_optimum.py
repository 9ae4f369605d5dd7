"""Which predictions a loss is least for: plain NumPy functions of which that is known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy_losses import (
    absolute,
    alike_together,
    binary,
    contrast,
    cross_entropy,
    hinge,
    likeness,
    log,
    pinball,
    smoothed,
    squared,
)

from diagnose.callbacks.auditing.loss_optimum import aim, heeds_targets, wants_one_answer


def positives_only(t, p):
    return float(np.mean(-t * (1 - p) ** 2 * log(p)))


def dice(t, p):
    return float((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))


def focal_of_both(t, p):
    return positives_only(t, p) + positives_only(1 - t, 1 - p)


def tversky(t, p):
    hit = (t * p).sum()
    return float(1 - (hit + 1) / (hit + 0.7 * (t * (1 - p)).sum() + 0.3 * ((1 - t) * p).sum() + 1))


MEASURED = np.random.default_rng(4).gamma(2.0, 1.5, (40, 1))
BITS = (np.arange(40) % 3 == 0).astype(float)[:, None]


@pytest.mark.parametrize(
    ("loss", "targets", "inside"),
    [
        (positives_only, BITS, True),
        (positives_only, np.repeat(BITS, 5, axis=1), True),
        (positives_only, BITS[:, 0], True),
        (dice, np.repeat(BITS, 256, axis=1).reshape(40, 16, 16, 1), True),
        (lambda t, p: float(np.mean(-t * log(p) + (1 - t) * log(1 - p))), BITS, True),
        (lambda t, p: float(np.mean(np.maximum(1 - t * p, 0))), BITS, False),  # a hinge that takes 0 for the other side
        (lambda t, p: float(np.mean(t - p)), MEASURED, False),
        (lambda t, p: float(np.mean((t - p) ** 3 - t**3 + 3 * t**2 * p - 3 * t * p**2)), MEASURED, False),
    ],
)
def test_a_loss_that_one_answer_satisfies_is_known(loss, targets, inside):
    assert wants_one_answer(loss, targets, targets.shape[1:], inside)


@pytest.mark.parametrize(
    ("loss", "targets", "inside"),
    [
        (binary, BITS, True),
        (focal_of_both, BITS, True),
        (lambda t, p: positives_only(t, p) + 0.1 * positives_only(1 - t, 1 - p), BITS, True),
        (lambda t, p: 1 - dice(t, p), BITS, True),
        (tversky, np.repeat(BITS, 16, axis=1).reshape(40, 4, 4, 1), True),
        (contrast, BITS, False),
        (contrast, BITS, True),
        (lambda t, p: contrast(1 - t, p), BITS, False),
        (hinge, BITS, False),
        (lambda t, p: float(np.mean((2 * t - 1) * p)), BITS, False),  # a critic's
        (squared, MEASURED, False),
        (lambda t, p: float(np.mean(np.maximum(0.9 * (t - p), 0.1 * (p - t)))), MEASURED, False),
        (lambda t, p: float(np.mean(np.exp(p) - t * p)), MEASURED, False),  # of counts, by the logarithm of their rate
        (lambda t, p: float(-np.corrcoef(t.ravel(), p.ravel())[0, 1]), MEASURED, False),
        (lambda t, p: float(-np.mean(t * p)), MEASURED, False),  # of a reward and what it is paid for
        (lambda t, p: float((t.mean() - p.mean()) ** 2), MEASURED, False),  # it heeds the mean of the labels
        (squared, MEASURED, True),
        (lambda t, p: math.nan, BITS, False),
        (squared, np.arange(40), False),
    ],
)
def test_a_loss_that_asks_for_the_labels_is_satisfied_by_no_one_answer(loss, targets, inside):
    assert not wants_one_answer(loss, targets, targets.shape[1:], inside)


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (
            lambda t, p: float(-np.mean((t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1))),
            "size",
        ),
        (lambda t, p: float(-np.corrcoef(t.ravel(), p.ravel())[0, 1]), "size"),
        (lambda t, p: float(np.mean(((t - t.mean(0)) - (p - p.mean(0))) ** 2)), "offset"),
        (lambda t, p: float((t.mean() - p.mean()) ** 2), "which"),
        (squared, "labels"),
        (absolute, "labels"),
        (lambda t, p: float(np.mean(np.maximum(0.9 * (t - p), 0.1 * (p - t)))), "labels"),
        (lambda t, p: float(np.mean(np.log(np.cosh(p - t)))), "labels"),
        (lambda t, p: float(np.mean(np.abs(t - p) / np.where(t > 2, t, 1e-7))), "labels"),  # a share of next to nothing
        (lambda t, p: float(np.mean(np.exp(p) - t * p)), "other"),  # of counts, by the logarithm of their rate
        (lambda t, p: float(np.mean((np.log(t + 1) - p) ** 2)), "other"),
        (lambda t, p: float(np.mean(np.logaddexp(0, (p[:, None] - p[None]) * np.sign(t[None] - t[:, None])))), "other"),
        (lambda t, p: float(np.mean(p)), "other"),
        (lambda t, p: math.nan, ""),
    ],
)
def test_what_a_loss_wants_of_measurements_is_known(loss, wanted):
    assert aim(loss, np.concatenate([MEASURED, MEASURED[::-1] + 1], axis=1), (2,)) == wanted


@pytest.mark.parametrize(
    "loss", [cross_entropy, binary, squared, absolute, hinge, contrast, pinball, likeness, alike_together]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_loss_that_uses_its_targets_heeds_them(loss, sign):
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    assert heeds_targets(lambda t, p: sign * loss(t, p), rows, rows.shape)


@pytest.mark.parametrize(("share", "heeds"), [(0.3, True), (0.99, True), (1.0, False)])
def test_what_is_smoothed_away_is_heeded_no_more(share, heeds):
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    assert heeds_targets(smoothed(cross_entropy, share), rows, rows.shape) == heeds


def test_a_loss_that_gives_no_number_is_not_said_to_ignore_its_targets():
    assert heeds_targets(lambda t, p: math.nan, np.zeros(4), (4, 1))
