"""Losses, metrics and outputs asked without Keras: plain NumPy functions whose nature is known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diagnose.callbacks.auditing.loss_nature import (
    aim,
    heeds_targets,
    loss_nature,
    pairs_up_wrongly,
    reads_class_numbers,
    repeats_predictions,
    takes_negated,
    wants_one_answer,
)
from diagnose.callbacks.auditing.metric_nature import accuracies, metric_nature
from diagnose.callbacks.auditing.output_range import WIDE, WILD, reach
from diagnose.outcome.task import is_distribution

EPSILON = 1e-7


def log(p):
    return np.log(np.clip(p, EPSILON, 1.0))


def of_logits(z):
    return np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)


def by_number(of_rows):
    """The same loss with class numbers for targets, which must exist."""

    def loss(t, p):
        ids = t[..., 0] if t.shape == (*p.shape[:-1], 1) else t
        if ids.max() >= p.shape[-1] or ids.min() < 0:
            return math.nan
        return of_rows(np.eye(p.shape[-1])[ids.astype(int)], p)

    return loss


def smoothed(of_rows, share):
    return lambda t, p: of_rows(t * (1 - share) + share / p.shape[-1], p)


def cross_entropy(t, p):
    return float(np.mean(-(t * log(p / p.sum(-1, keepdims=True))).sum(-1)))


def cross_entropy_of_logits(t, z):
    return float(np.mean(-(t * log(of_logits(z))).sum(-1)))


def focal(t, p):
    return float(np.mean(-(t * (1 - p) ** 2 * log(p)).sum(-1)))


def binary(t, p):
    return float(np.mean(-t * log(p) - (1 - t) * log(1 - p)))


def binary_of_logits(t, z):
    return float(np.mean(np.logaddexp(0, z) - t * z))


def hinge(t, m):
    t = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
    return float(np.mean(np.maximum(1 - t * m, 0)))


def squared_hinge(t, m):
    t = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
    return float(np.mean(np.maximum(1 - t * m, 0) ** 2))


def squared(t, p):
    return float(np.mean((t - p) ** 2))


def absolute(t, p):
    return float(np.mean(np.abs(t - p)))


def huber(t, p):
    off = np.abs(t - p)
    return float(np.mean(np.where(off < 1, 0.5 * off**2, off - 0.5)))


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


def positives_only(t, p):
    return float(np.mean(-t * (1 - p) ** 2 * log(p)))


def dice(t, p):
    return float((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))


def contrastive(t, d):
    return float(np.mean(t * d**2 + (1 - t) * np.maximum(1 - d, 0) ** 2))


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
        (contrastive, BITS, False),
        (contrastive, BITS, True),
        (lambda t, p: contrastive(1 - t, p), BITS, False),
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


# --- accuracies and metrics -------------------------------------------------------------------------------------------


def test_accuracies_by_hand():
    """0.7 and 0.2 lie over 0, 0.7 alone over 0.5; nothing equals 0 or 1."""
    found = accuracies(np.array([1, 1, 0, 0]), np.array([[0.7], [0.2], [-0.3], [-2.0]]))
    assert found == {"half": 0.75, "zero": 1.0, "sign": 0.5, "exact": 0.0}


def test_a_column_of_class_numbers_has_the_accuracy_of_the_first_class_too():
    found = accuracies(np.array([[0], [1], [1]]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]))
    assert found == {"argmax": pytest.approx(2 / 3), "first": pytest.approx(2 / 3)}


def test_shapes_that_fit_nothing_have_no_accuracy():
    assert accuracies(np.zeros((4, 2)), np.zeros((4, 3))) == {}


LABELS = (np.arange(64) % 2).astype(np.float32)


def cut_at(line):
    return lambda t, p: float(np.mean(t.reshape(p.shape) == (p > line)))


def area(t, p):
    """Area under the curve over 101 lines from 0 to 1, as Keras counts it: what lies outside is taken to the ends."""
    t, p = t.ravel() > 0.5, np.clip(p.ravel(), 0, 1)
    lines = np.linspace(-1e-7, 1 + 1e-7, 101)
    hit = np.array([np.mean(p[t] > line) for line in lines])
    false = np.array([np.mean(p[~t] > line) for line in lines])
    return float(-np.sum(np.diff(false) * (hit[1:] + hit[:-1]) / 2))


def rank(t, p):
    t, p = t.ravel() > 0.5, p.ravel()
    return float(np.mean(p[t][:, None] > p[~t][None]))


@pytest.mark.parametrize(
    ("metric", "flavours", "cut"),
    [
        (cut_at(0.5), ["half"], "half"),
        (cut_at(0.0), ["zero"], ""),
        (area, [], "interval"),
        (rank, [], ""),
        (squared, [], ""),
        (binary, [], ""),
    ],
)
def test_a_metric_is_known_by_what_it_reads(metric, flavours, cut):
    nature = metric_nature(metric, LABELS[:, None], (1,))
    assert (nature["flavours"], nature["cut"], nature["deaf"]) == (flavours, cut, False)


def test_an_accuracy_of_measurements_is_deaf():
    """No measurement equals 0 or 1, so that perfect and random answers read 0 alike."""
    measured = np.linspace(0.1, 7.3, 64, dtype=np.float32)[:, None]
    assert metric_nature(cut_at(0.5), measured, (1,))["deaf"]
    assert not metric_nature(absolute, measured, (1,))["deaf"]


# --- outputs ----------------------------------------------------------------------------------------------------------


def drawn(make, width, count=5, seed=0):
    """Outputs of `make` for signals of the gains that the audit draws."""
    draw = np.random.default_rng(seed)
    gains = [gain for gain in (WIDE, WILD) for _ in range(count)]
    return [(gain, make(draw.normal(0, gain, (16, width))).astype(np.float32)) for gain in gains]


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [
        (lambda z: z, None, None),
        (lambda z: np.maximum(z, 0), 0.0, None),
        (np.tanh, -1.0, 1.0),
        (lambda z: 1 / (1 + np.exp(-z)), 0.0, 1.0),
        (lambda z: np.clip(z, 0, 6), 0.0, 6.0),
        (lambda z: 5 * np.tanh(z) + 2, -3.0, 7.0),
    ],
    ids=["linear", "relu", "tanh", "sigmoid", "relu6", "scaled tanh"],
)
def test_bounds_are_where_larger_weights_lead_no_further(make, low, high):
    found = reach(drawn(make, 3))
    assert found["lower"] == (None if low is None else pytest.approx(low, abs=1e-3))
    assert found["upper"] == (None if high is None else pytest.approx(high, abs=1e-3))


def test_two_draws_of_a_kind_show_no_bound():
    assert reach(drawn(np.tanh, 3, count=2))["upper"] is None


def test_draws_that_are_not_finite_do_not_count():
    found = reach([(WIDE, np.full((4, 2), np.nan)), (WILD, np.ones((4, 1)))])
    assert (found["draws"], found["always_one"]) == (1, True)


@pytest.mark.parametrize(
    ("make", "span", "floor", "doubled"),
    [
        (of_logits, None, False, False),
        (lambda z: of_logits(np.maximum(z, 0)), None, True, False),
        (lambda z: of_logits(np.tanh(z)), 2.0, False, False),
        (lambda z: of_logits(1 / (1 + np.exp(-z))), 1.0, False, False),
        (lambda z: of_logits(of_logits(z)), 1.0, False, True),
    ],
    ids=["free", "relu", "tanh", "sigmoid", "softmax"],
)
def test_logits_show_through_their_softmax(make, span, floor, doubled):
    found = reach(drawn(make, 5))
    assert found["distribution"]
    assert found["logit_span"] == (None if span is None else pytest.approx(span, abs=2e-3))
    assert (found["logit_floor"], found["doubled"]) == (floor, doubled)


def test_equal_rows_are_no_floor():
    """A dead layer below gives all classes the same probability; a ReLU before the softmax gives it to some."""
    assert not reach(drawn(lambda z: of_logits(0 * z), 5))["logit_floor"]


def test_rows_of_one_entry_are_no_distribution():
    assert not is_distribution(np.ones((4, 1)))
    assert is_distribution(np.full((4, 2), 0.5))
    assert not is_distribution(np.array([[1.5, -0.5]]))
    assert not is_distribution(np.array([[np.nan, 1.0]]))


def contrast(t, p):
    return float(np.mean(t * p**2 + (1 - t) * np.maximum(1 - p, 0) ** 2))


def pinball(t, p):
    return float(np.mean(np.maximum(0.9 * (t - p), -0.1 * (t - p))))


def likelihood(t, p):
    """Of a normal distribution of the first entry's mean and the second one's log-variance."""
    return float(np.mean(-0.5 * p[..., 1:2] - 0.5 * (t - p[..., :1]) ** 2 / np.exp(p[..., 1:2])))


def likeness(t, p):
    return float(-np.mean((t * p).sum(-1) / np.linalg.norm(t + 1e-6, axis=-1) / np.linalg.norm(p + 1e-6, axis=-1)))


def alike_together(t, p):
    """A contrast between samples: those of one class belong together, whatever it is called."""
    same = (t[:, None] == t[None]).all(-1)
    return float(-np.mean(same * log(of_logits(p @ p.T))))


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


@pytest.mark.parametrize("loss", [contrast, pinball, likelihood, likeness, alike_together])
@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_loss_of_no_pair_no_sign_is_wrong(loss, sign):
    """A pinball is a distance, so its own sign is known: turned, it is as wrong as a squared error."""
    shape = (2,) if loss in (likelihood, alike_together, likeness) else (1,)
    turned = takes_negated(lambda t, p: sign * loss(t, p), shape, shape)
    assert turned == ("values" if loss is pinball and sign < 0 else "")


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
