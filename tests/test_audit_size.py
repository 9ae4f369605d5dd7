"""What the audit asks a model for, and what it may cost: samples, multiplications and bytes are counted, never time."""

from __future__ import annotations

import tracemalloc
from typing import Any

import keras
import numpy as np
import pytest
from configurations import IDS, SCCE, SEQUENCES, D, N, X, model, softmax
from keras import layers

from diagnose.callbacks.auditing import batch_sample
from diagnose.callbacks.auditing.audit import audit, facts
from diagnose.callbacks.auditing.loss_optimum import heeds_targets
from diagnose.callbacks.auditing.work import multiplications


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples the model is asked for at each call that chooses samples."""
    sizes: list[int] = []
    forward = batch_sample.forward

    def noted(asked_model: Any, x: Any) -> Any:
        sizes.append(len(x))
        return forward(asked_model, x)

    monkeypatch.setattr(batch_sample, "forward", noted)
    return sizes


def test_of_an_easy_model_all_samples_are_asked_for(asked: list[int]) -> None:
    facts(model(softmax(), SCCE), X, IDS)
    assert asked == [2, N]


def test_of_a_model_of_much_work_few_samples_are_asked_for(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one sample there are 12 * (6 + 4) multiplications."""
    monkeypatch.setattr(batch_sample, "PASS", 1500)
    facts(model(softmax(), SCCE), X, IDS)
    assert asked == [2, 12]


@pytest.mark.parametrize(
    ("layer", "x", "work"),
    [
        (D(4), (6,), 6 * 4),
        (D(4), (5, 6), 5 * 6 * 4),
        (layers.Conv2D(4, 3, strides=2, padding="same"), (8, 8, 2), 16 * 3 * 3 * 2 * 4),
        (layers.LSTM(4), (5, 6), 5 * (6 + 4) * 16),
        (layers.Embedding(50, 8), (7,), 0),
    ],
)
def test_the_work_of_a_sample_is_a_multiplication_for_each_weight_and_place(layer: Any, x: Any, work: int) -> None:
    given = np.zeros((3, *x), "float32")
    assert multiplications([(layer, given, layer(given))]) == work


def wide(classes: int) -> keras.Model:
    made = keras.Sequential([keras.Input((2,)), D(classes, "softmax")])
    made.compile("sgd", SCCE)
    return made


def test_fifty_thousand_classes_take_no_more_memory_than_stated() -> None:
    x, y = np.zeros((4, 2), "float32"), np.array([0, 1, 2, 3])
    made = wide(50_000)
    tracemalloc.start()
    facts(made, x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256e6


@pytest.mark.parametrize("samples", [1, 3])
def test_a_model_that_says_too_much_of_a_sample_is_not_audited(samples: int) -> None:
    made = keras.Sequential([keras.Input((3000, 1)), D(3000, "softmax")])
    made.compile("sgd", SCCE)
    with pytest.raises(ValueError, match="the prediction for one sample holds 9,000,000 numbers"):
        audit(made, np.zeros((samples, 3000, 1), "float32"), np.zeros((samples, 3000)))


def test_samples_of_one_class_do_not_make_a_loss_deaf_to_labels() -> None:
    for label in (0.0, 1.0):
        assert heeds_targets(lambda t, p: float(np.mean((t - p) ** 2)), np.full((2, 1), label), (2, 1))


def test_a_model_for_one_size_of_a_batch_is_given_no_other() -> None:
    inputs = keras.Input(batch_shape=(8, 5, 6))
    made = keras.Model(inputs, softmax()(layers.GRU(4, stateful=True)(inputs)))
    made.compile("sgd", SCCE)
    assert audit(made, SEQUENCES, IDS).run.facts.audit.samples == 8


def test_layers_that_leave_one_number_of_all_samples_are_known_and_others_are_not() -> None:
    def erased(normalization: Any, x: Any = SEQUENCES[..., :1]) -> Any:
        inputs = keras.Input(x.shape[1:])
        made = keras.Model(inputs, softmax()(layers.Flatten()(layers.Conv1D(3, 2)(normalization(inputs)))))
        made.compile("sgd", SCCE)
        return facts(made, x, IDS).erased

    assert erased(layers.LayerNormalization(axis=-1)).value == 0.0
    assert erased(layers.LayerNormalization(axis=1)) is None
    assert erased(layers.LayerNormalization(axis=-1), SEQUENCES) is None


class Bare(keras.Model):
    """Has no layer, and one number for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x: Any) -> Any:
        return self.scale * x[:, 0]


def test_a_model_without_layers_takes_no_work_and_is_audited_whole() -> None:
    made = Bare()
    made.compile("sgd", "mse")
    assert facts(made, X, X[:, 0]).samples == N
