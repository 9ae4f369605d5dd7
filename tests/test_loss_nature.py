"""What a loss takes for granted: plain NumPy functions of which that is known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy_losses import (
    EPSILON,
    absolute,
    alike_together,
    binary,
    binary_of_logits,
    by_number,
    contrast,
    cross_entropy,
    cross_entropy_of_logits,
    focal,
    hinge,
    huber,
    likeness,
    log,
    pinball,
    smoothed,
    squared,
    squared_hinge,
)

from diagnose.callbacks.auditing.loss_nature import (
    loss_nature,
    pairs_up_wrongly,
    reads_class_numbers,
    repeats_predictions,
    takes_exchanged,
    takes_negated,
)


@pytest.mark.parametrize(
    ("loss", "target", "shape", "takes", "over", "targets"),
    [
        (cross_entropy, (4,), (4,), "probabilities", "classes", "vectors"),
        (smoothed(cross_entropy, 0.2), (4,), (4,), "probabilities", "classes", "vectors"),
        (by_number(cross_entropy), (), (4,), "probabilities", "classes", "ids"),
        (by_number(cross_entropy), (1,), (4,), "probabilities", "classes", "ids"),
        (by_number(cross_entropy), (7,), (7, 4), "probabilities", "classes", "ids"),
        (focal, (4,), (4,), "probabilities", "classes", "vectors"),
        (cross_entropy_of_logits, (3,), (3,), "logits", "classes", "vectors"),
        (smoothed(cross_entropy_of_logits, 0.1), (3,), (3,), "logits", "classes", "vectors"),
        (by_number(cross_entropy_of_logits), (5, 5), (5, 5, 3), "logits", "classes", "ids"),
        (binary, (1,), (1,), "probabilities", "entries", "vectors"),
        (binary, (6,), (6,), "probabilities", "entries", "vectors"),
        (binary, (4, 4, 1), (4, 4, 1), "probabilities", "entries", "vectors"),
        (binary_of_logits, (1,), (1,), "logits", "entries", "vectors"),
        (binary_of_logits, (6,), (6,), "logits", "entries", "vectors"),
        (hinge, (1,), (1,), "margins", "entries", "vectors"),
        (squared_hinge, (3,), (3,), "margins", "entries", "vectors"),
        (squared, (1,), (1,), "values", "entries", "vectors"),
        (squared, (), (), "values", "entries", "vectors"),
        (absolute, (3,), (3,), "values", "entries", "vectors"),
        (huber, (8, 8, 3), (8, 8, 3), "values", "entries", "vectors"),
        (squared, (1,), (3,), "values", "entries", "repeated"),
        (cross_entropy, (1,), (1,), "nothing", "unknown", "vectors"),
        (by_number(cross_entropy), (1,), (1,), "nothing", "unknown", "vectors"),
    ],
)
def test_a_loss_is_known_by_what_it_does(loss, target, shape, takes, over, targets):
    nature = loss_nature(loss, target, shape)
    assert (nature.takes, nature.over, nature.targets) == (takes, over, targets)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_weights_and_other_losses_beside_it_do_not_hide_a_cross_entropy(scale, shift):
    """A loss weight scales it, and regularization or another output adds a constant."""
    nature = loss_nature(lambda t, p: scale * cross_entropy(t, p) + shift, (4,), (4,))
    assert nature.takes == "probabilities"


@pytest.mark.parametrize(
    ("loss", "target", "shape"),
    [
        (lambda t, p: 1 - float((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1)), (1,), (1,)),
        (lambda t, p: -float(np.mean(t * p)), (1,), (1,)),
        (lambda t, p: -float(np.mean((t * p).sum(-1) / (np.linalg.norm(p, axis=-1) + 1e-9))), (5,), (5,)),
        (lambda t, p: float(np.mean(np.abs(p[:, 0] - p[:, 1]))), (), (8,)),
        (lambda t, p: math.nan, (1,), (1,)),
        (squared, (9,), (4,)),
    ],
    ids=["dice", "critic", "cosine", "no use for targets", "always fails", "targets of its own"],
)
def test_what_passes_no_test_is_unknown_and_says_why(loss, target, shape):
    nature = loss_nature(loss, target, shape)
    assert nature.takes == "unknown"
    assert nature.reason


def margin(t, p):
    """Of several classes: the right one's number is to be larger by 1 than each other's."""
    return float(np.mean(np.maximum(p - (t * p).sum(-1, keepdims=True) + 1, 0) * (1 - t)))


def quantiles(t, p):
    q = np.linspace(0.1, 0.9, p.shape[-1])
    return float(np.mean(np.maximum(q * (t[:, None] - p), (q - 1) * (t[:, None] - p))))


def far_apart(t, p):
    """Embeddings of one label are drawn together, those of two labels pushed apart."""
    distance, alike = ((p[:, None] - p[None]) ** 2).sum(-1), t[:, None] == t[None]
    return float(np.mean(np.where(alike, distance, np.maximum(1 - distance, 0))))


def likelihood(mean, scale):
    def loss(t, p):
        spread = np.log1p(np.exp(p[:, scale])) + 1e-3
        return float(np.mean(np.log(spread) + ((t - p[:, mean]) / spread) ** 2 / 2))

    return loss


def without_the_first(t, p):
    return float(np.mean(-np.log(p[np.arange(len(t)), t.astype(int)]) * (t > 0)))


@pytest.mark.parametrize("loss", [cross_entropy, cross_entropy_of_logits, focal, margin, squared])
@pytest.mark.parametrize(("target", "shape"), [((), (2,)), ((1,), (7,)), ((3,), (3, 5))])
def test_a_loss_over_classes_reads_their_numbers_whatever_its_form(loss, target, shape):
    assert reads_class_numbers(by_number(loss), target, shape)


def test_a_class_that_the_loss_leaves_out_does_not_hide_the_others():
    assert reads_class_numbers(without_the_first, (), (4,))


@pytest.mark.parametrize(
    ("loss", "width"),
    [(quantiles, 8), (quantiles, 2), (far_apart, 16), (likelihood(0, 1), 2), (likelihood(1, 0), 2)],
    ids=["eight quantiles", "two quantiles", "distances", "mean and scale", "scale and mean"],
)
def test_whole_numbers_are_no_class_numbers_to_a_loss_that_reads_them_otherwise(loss, width):
    assert not reads_class_numbers(loss, (), (width,))


def test_a_cross_entropy_with_its_arguments_exchanged_is_known_for_what_it_is():
    """Of the predictions it is a straight line, and so no loss of logits."""

    def entropy(p, t):
        p = np.clip(p, 1e-7, 1 - 1e-7)
        return float(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)))

    assert loss_nature(entropy, (1,), (1,)).takes == "unknown"
    assert takes_exchanged(entropy, (1,), (1,)) == "probabilities"
    assert takes_exchanged(lambda t, p: entropy(p, t), (1,), (1,)) == ""


def test_a_dice_loss_takes_no_logits():
    def dice(t, p):
        return float(1 - (2 * np.sum(t * p + (1 - t) * (1 - p)) + 1) / (2 * t.size + 1))

    assert loss_nature(dice, (4, 4, 1), (4, 4, 1)).takes == "unknown"
    assert takes_exchanged(dice, (4, 4, 1), (4, 4, 1)) == ""


def test_three_quantiles_of_one_target_are_no_repetition():
    q = np.array([0.1, 0.5, 0.9])
    assert (
        loss_nature(lambda t, p: float(np.mean(np.maximum(q * (t - p), (q - 1) * (t - p)))), (1,), (3,)).takes
        == "unknown"
    )


def test_a_softmax_over_another_axis_is_not_called_deaf():
    """Width 1, but the choice is among the five steps: the loss depends on which of them is likely."""

    def over_steps(t, p):
        return float(np.mean(-(t * log(p / (p.sum(1, keepdims=True) + EPSILON))).sum(1)))

    assert loss_nature(over_steps, (5, 1), (5, 1)).takes != "nothing"


def test_a_pair_of_column_and_line_is_all_pairs():
    """Six targets 1 to 6, predictions half above: over all pairs the mean of (i - j + 0.5)^2 is 2 * 35 / 12 + 0.25."""
    assert pairs_up_wrongly(squared, (1,)) == pytest.approx((35 / 6 + 0.25) / 0.25, rel=1e-5)
    assert pairs_up_wrongly(lambda t, p: squared(t.reshape(p.shape), p), (1,)) is None


def test_one_prediction_for_three_labels_is_repeated():
    assert repeats_predictions(squared, (3,), (1,))
    assert not repeats_predictions(lambda t, p: squared(t[:, :1], p), (3,), (1,))
    assert not repeats_predictions(squared, (1,), (1,))


def log_likelihood(t, p):
    """Of a normal distribution of the first entry's mean and the second one's log-variance."""
    return float(np.mean(-0.5 * p[..., 1:2] - 0.5 * (t - p[..., :1]) ** 2 / np.exp(p[..., 1:2])))


@pytest.mark.parametrize(
    ("loss", "shape", "takes"),
    [
        (cross_entropy, (4,), "probabilities"),
        (cross_entropy_of_logits, (3,), "logits"),
        (binary, (1,), "probabilities"),
        (squared, (1,), "values"),
        (huber, (8, 8, 3), "values"),
        (hinge, (1,), "margins"),
    ],
)
def test_a_loss_of_the_table_with_its_sign_turned_is_known(loss, shape, takes):
    assert takes_negated(lambda t, p: -loss(t, p), shape, shape) == takes
    assert takes_negated(loss, shape, shape) == ""


@pytest.mark.parametrize("loss", [contrast, pinball, log_likelihood, likeness, alike_together])
@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_loss_of_no_pair_no_sign_is_wrong(loss, sign):
    """A pinball is a distance, so its own sign is known: turned, it is as wrong as a squared error."""
    shape = (2,) if loss in (log_likelihood, alike_together, likeness) else (1,)
    turned = takes_negated(lambda t, p: sign * loss(t, p), shape, shape)
    assert turned == ("values" if loss is pinball and sign < 0 else "")
