"""What an output can say at all: functions of random signals whose bounds are known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_losses import of_logits

from diagnose.callbacks.auditing.output_range import WIDE, WILD, reach_facts
from diagnose.outcome.task import is_distribution


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
    found = reach_facts(drawn(make, 3))
    assert found.lower == (None if low is None else pytest.approx(low, abs=1e-3))
    assert found.upper == (None if high is None else pytest.approx(high, abs=1e-3))


def test_two_draws_of_a_kind_show_no_bound():
    assert reach_facts(drawn(np.tanh, 3, count=2)).upper is None


def test_draws_that_are_not_finite_do_not_count():
    found = reach_facts([(WIDE, np.full((4, 2), np.nan)), (WILD, np.ones((4, 1)))])
    assert (found.draws, found.always_one) == (1, True)


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
    found = reach_facts(drawn(make, 5))
    assert found.distribution
    assert found.logit_span == (None if span is None else pytest.approx(span, abs=2e-3))
    assert (found.logit_floor, found.doubled) == (floor, doubled)


def test_equal_rows_are_no_floor():
    """A dead layer below gives all classes the same probability; a ReLU before the softmax gives it to some."""
    assert not reach_facts(drawn(lambda z: of_logits(0 * z), 5)).logit_floor


def test_rows_of_one_entry_are_no_distribution():
    assert not is_distribution(np.ones((4, 1)))
    assert is_distribution(np.full((4, 2), 0.5))
    assert not is_distribution(np.array([[1.5, -0.5]]))
    assert not is_distribution(np.array([[np.nan, 1.0]]))
