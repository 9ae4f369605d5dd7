"""The audit: that it changes nothing, and what it takes and refuses."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from configurations import (
    CCE,
    IDS,
    REAL,
    SCCE,
    YES,
    D,
    N,
    X,
    model,
    normed,
    sigmoid,
    softmax,
    subclassed,
)
from keras import layers, metrics

from diagnose.callbacks.auditing.audit import audit, facts

# --- nothing changes --------------------------------------------------------------------------------------------------


def state_of(made: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in (*made.variables, *made.metrics_variables, *made.optimizer.variables)]


def test_the_audit_changes_no_variable_and_draws_no_random_number() -> None:
    keras.utils.set_random_seed(3)
    made = model(normed(), SCCE, ["accuracy", metrics.SparseTopKCategoricalAccuracy(2)])
    made.fit(X, IDS, epochs=1, verbose=0)
    before, python, numbers = state_of(made), random.getstate(), np.random.get_state()[1].copy()
    audit(made, X, IDS)
    for one, other in zip(before, state_of(made), strict=True):
        np.testing.assert_array_equal(one, other)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)


@pytest.mark.parametrize("make", [subclassed, lambda: model(normed(), SCCE)], ids=["subclassed", "functional"])
def test_a_training_after_an_audit_is_the_same_training(make: Callable[[], Any]) -> None:
    """Bit for bit, dropout and all; names that Keras counts up included."""

    def weights(audited: bool) -> tuple[list[np.ndarray], list[str]]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(5)
        made = make()
        if audited:
            audit(made, X, IDS)
        made.fit(X, IDS, epochs=2, batch_size=32, verbose=0)
        tf.random.normal([2])
        return [*(w for w in made.get_weights()), tf.random.normal([3]).numpy()], [D(1).name, metrics.Mean().name]

    (plain, plain_names), (audited, audited_names) = weights(False), weights(True)
    for one, other in zip(plain, audited, strict=True):
        np.testing.assert_array_equal(one, other)
    assert plain_names == audited_names


def test_the_compiled_loss_and_metrics_stay_unbuilt() -> None:
    """Building them would settle for good what "accuracy" means, by the shapes of a batch that was only looked at."""
    made = model(softmax(), SCCE)
    audit(made, X, IDS)
    assert not made._compile_loss.built
    assert not made._compile_metrics.built


class Counting(layers.Layer):
    """Counts its calls in Python and in a bare TensorFlow variable."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.seen = tf.Variable(0.0, trainable=False)

    def call(self, inputs: Any) -> Any:
        self.calls += 1
        self.seen.assign_add(1.0)
        return inputs


def test_counters_in_python_and_bare_variables_are_put_back() -> None:
    layer = Counting()
    made = model([layer, softmax()], SCCE)
    calls, seen = layer.calls, float(layer.seen)
    audit(made, X, IDS)
    assert (layer.calls, float(layer.seen)) == (calls, seen)


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_labels_of_strings_get_the_line_that_numbers_them() -> None:
    with pytest.raises(ValueError, match=r"such as 'cat'.*np\.unique\(y, return_inverse=True\)"):
        audit(model(softmax(), SCCE), X, np.array(["cat"] * N))


def test_a_model_that_is_not_compiled_is_told_so() -> None:
    made = keras.Sequential([keras.Input((6,)), D(1)], name="bare")
    with pytest.raises(ValueError, match=r"'bare' is not\. Call model\.compile"):
        audit(made, X, REAL)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch is empty"):
        audit(model(D(1), "mse"), X[:0], REAL[:0])


def test_a_dataset_is_refused_with_the_line_that_takes_a_batch() -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, REAL)).batch(8)
    with pytest.raises(TypeError, match=r"x, y = next\(iter\(dataset\)\)"):
        audit(model(D(1), "mse"), dataset)


def test_different_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="x has 96, y has 95"):
        audit(model(D(1), "mse"), X, REAL[:-1])


@pytest.mark.parametrize("kind", ["tensors", "lists", "tables"])
def test_a_batch_may_come_as(kind: str) -> None:
    if kind == "tables":
        pandas = pytest.importorskip("pandas")
        x, y = pandas.DataFrame(X), pandas.Series(IDS + 1)
    else:
        x, y = (tf.constant(X), tf.constant(IDS + 1)) if kind == "tensors" else (X.tolist(), (IDS + 1).tolist())
    assert [cause.rule for cause in audit(model(softmax(), SCCE), x, y).causes] == ["labels-out-of-range"]


def test_one_sample_is_enough_to_look() -> None:
    assert [cause.rule for cause in audit(model(sigmoid(), CCE, None), X[:1], YES[:1]).causes] == [
        "one-class-crossentropy"
    ]


def test_a_model_without_a_loss_of_its_own_is_not_measured() -> None:
    made = keras.Sequential([keras.Input((6,)), D(1)])
    made.compile("sgd")
    diagnosis = audit(made, X, REAL)
    assert diagnosis.causes == ()
    assert {"mismatched-loss", "missing-output-activation"} <= {verdict.rule for verdict in diagnosis.not_measured}


def test_a_loss_that_fails_is_told_and_not_raised() -> None:
    def broken(t: Any, p: Any) -> Any:
        raise RuntimeError("no such thing")

    seen = facts(model(D(1), broken, None), X, REAL)
    assert "RuntimeError: no such thing" in seen.loss.error
    assert audit(model(D(1), broken, None), X, REAL).causes == ()


def test_no_sample_of_the_data_is_kept() -> None:
    """A run file may be sent around; shares, bounds and sums only."""
    x = X.copy()
    x[0, 0] = 12345.678
    kept = str(facts(model(D(1), "mse", None), x, REAL))
    assert "12345" not in kept
