"""What a metric counts: plain NumPy functions of which that is known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_losses import absolute, binary, squared

from diagnose.callbacks.auditing.metric_nature import accuracies, metric_nature


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
        (cut_at(0.5), ("half",), "half"),
        (cut_at(0.0), ("zero",), ""),
        (area, (), "interval"),
        (rank, (), ""),
        (squared, (), ""),
        (binary, (), ""),
    ],
)
def test_a_metric_is_known_by_what_it_reads(metric, flavours, cut):
    nature = metric_nature(metric, LABELS[:, None], (1,))
    assert (nature.flavours, nature.cut, nature.deaf) == (flavours, cut, False)


def test_an_accuracy_of_measurements_is_deaf():
    """No measurement equals 0 or 1, so that perfect and random answers read 0 alike."""
    measured = np.linspace(0.1, 7.3, 64, dtype=np.float32)[:, None]
    assert metric_nature(cut_at(0.5), measured, (1,)).deaf
    assert not metric_nature(absolute, measured, (1,)).deaf
