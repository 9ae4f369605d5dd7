"""Where a model's activations are found: attributes, objects, functions between layers."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from sweeps import further
from watched_fits import made_anew, numbers, watched

from diagnose.callbacks import TrainingMonitor, watch
from diagnose.callbacks.observing.tensorflow.tapped_model import tapped

D = layers.Dense

fresh = pytest.fixture(autouse=True)(made_anew)


def sites_of(monitor: TrainingMonitor) -> dict[str, str]:
    return {site["where"]: site["function"] for site in monitor.run.meta["sites"]}


def flat_around_0(z: Any) -> Any:
    return ops.tanh(z**5)


class Attributes(keras.Model):
    """A user's model that keeps functions of all kinds as attributes, of which three are activations."""

    def __init__(self, act: Any = flat_around_0) -> None:
        super().__init__()
        self.first, self.second, self.answer = D(8, name="first"), D(8, name="second"), D(1, name="answer")
        self.act, self.wave = act, functools.partial(tf.multiply, 0.5)
        self.pool = lambda x: ops.mean(x, axis=1, keepdims=True)
        self.mix = lambda x, other: x + other
        self.start = keras.initializers.Zeros()
        self.block = lambda x: self.second(x)
        self.raw = self.helper
        self._hidden = ops.tanh

    def helper(self, x: Any) -> Any:
        return ops.abs(x)

    def call(self, x: Any) -> Any:
        x = self.act(self.first(x))
        x = self.mix(self.wave(self.act(self.block(x))), self.pool(x))
        return self.answer(self.raw(self._hidden(x)))


def test_functions_kept_as_attributes_are_sites_where_they_behave_like_activations():
    model = Attributes()
    kept = dict(vars(model))
    monitor = watched(model, numbers(6), numbers(1))
    assert sites_of(monitor) == {
        "attributes/first": "linear",
        "attributes/act": "flat_around_0",
        "attributes/second": "linear",
        "attributes/act@2": "flat_around_0",
        "attributes/wave": "partial",
        "attributes/raw": "helper",
        "attributes/answer": "linear",
    }
    assert list(monitor.run.meta["profiles"]) == ["flat_around_0", "helper"]  # a product with 0.5 is no activation
    assert {name: vars(model)[name] for name in kept if callable(kept[name])} == {
        name: value for name, value in kept.items() if callable(value)
    }
    assert "attributes/act" in monitor.run.places("activation.gate_gain")


class Block(layers.Layer):
    """A dense layer of the user's own; not built when its step is first traced."""

    def __init__(self, act: Any) -> None:
        super().__init__(name="block")
        self.nonlinearity = act

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, x: Any) -> Any:
        return self.nonlinearity(x @ self.kernel)


class Blocks(keras.Model):
    def __init__(self, act: Any, block: type[Block] = Block) -> None:
        super().__init__(name="blocks")
        self.block, self.answer = block(act), D(1, name="answer")

    def call(self, x: Any) -> Any:
        return self.answer(self.block(x))


@pytest.mark.parametrize("act", [tf.function(flat_around_0), further(flat_around_0), further(ops.gelu)])
def test_the_only_activation_of_a_layer_has_the_layers_path(act: Any):
    monitor = watched(Blocks(act), numbers(6), numbers(1))
    assert sites_of(monitor) == {"blocks/block": act.__name__, "blocks/answer": "linear"}
    assert (monitor.run.series("activation.gate_gain", "blocks/block").values > 0).all()


class Bent(layers.Layer):
    def __init__(self, act: Any) -> None:
        super().__init__(name="bent")
        self.inner = act

    def call(self, x: Any) -> Any:
        return x * self.inner(x)


def test_a_layer_that_is_an_activation_as_a_whole_is_one_site():
    model = keras.Sequential([layers.Input((6,)), D(8, name="hidden"), Bent(tf.sigmoid), D(1)], name="whole")
    assert sites_of(watched(model, numbers(6), numbers(1)))["whole/bent"] == "Bent"


class Breaks(Exception):  # noqa: N818
    pass


def test_attributes_are_put_back_when_the_call_raises():
    model = Attributes()
    model(numbers(6))
    graph = tf.Graph()
    with pytest.raises(Breaks), graph.as_default(), tapped(model, graph):
        assert model.act is not flat_around_0 and model.act == flat_around_0
        raise Breaks
    assert model.act is flat_around_0 and "call" not in vars(model)


@tf.custom_gradient
def turned_round(z: Any) -> Any:
    a = tf.tanh(z)
    return a, lambda upstream: upstream * (a * a - 1)


@tf.custom_gradient
def deaf(z: Any) -> Any:
    return tf.tanh(z), lambda upstream: 1 - tf.tanh(z) ** 2  # upstream forgotten


def test_a_gradient_that_heeds_nothing_from_above_is_no_mixing():
    monitor = watched(Blocks(deaf), numbers(6), numbers(1))
    (site,) = [site for site in monitor.run.meta["sites"] if site["function"] == "deaf"]
    assert (site["role"], site["elementwise"]) == ("hidden", True)
    assert list(monitor.run.meta["profiles"]) == ["deaf"]


class Pulse:
    """An activation as an object."""

    def __init__(self, frequency: float) -> None:
        self.frequency = frequency

    def __call__(self, z: Any) -> Any:
        return tf.sin(self.frequency * z)


class Table(Pulse):
    """It is asked for items too."""

    def __getitem__(self, key: str) -> float:
        return self.frequency


@pytest.mark.parametrize(
    ("kept", "stood_in"),
    [
        (turned_round, True),
        (Pulse(40.0), True),
        (Pulse(40.0).__call__, True),
        (Table(1.0), False),
        (keras.losses.MeanSquaredError(), False),
        (keras.initializers.Ones(), False),
    ],
)
def test_only_what_can_do_nothing_but_be_called_is_stood_in_for(kept: Any, stood_in: bool):
    model = Blocks(kept)
    with tf.Graph().as_default() as graph, tapped(model, graph):
        assert (model.block.nonlinearity is not kept) == stood_in
        assert model.block.nonlinearity == kept
    assert model.block.nonlinearity is kept


def test_an_activation_object_and_a_custom_gradient_are_examined_where_a_model_keeps_them():
    for kept, name in ((turned_round, "turned_round"), (Pulse(40.0), "Pulse")):
        monitor = watched(Blocks(kept), numbers(6), numbers(1))
        assert sites_of(monitor) == {"blocks/block": name, "blocks/answer": "linear"}
        assert list(monitor.run.meta["profiles"]) == [name]


def test_the_functions_of_lambda_layers_are_told_apart_and_examined():
    chain = [
        layers.Input((6,)),
        layers.Lambda(flat_around_0, name="one"),
        layers.Lambda(lambda z, steepness: ops.tanh(steepness * z), arguments={"steepness": 2.0}, name="two"),
        layers.Lambda(lambda z: 2.0 * z, name="straight"),
        D(1, name="answer"),
    ]
    monitor = watched(keras.Sequential(chain, name="chain"), numbers(6), numbers(1))
    assert list(sites_of(monitor).values()) == ["flat_around_0", "partial", "<lambda>", "linear"]
    assert list(monitor.run.meta["profiles"]) == ["flat_around_0", "partial"]


class FunctionFirst(keras.Model):
    """A function is called on the input itself, while Keras calls the model for the first time to build it."""

    def __init__(self) -> None:
        super().__init__(name="function_first")
        self.act, self.answer = flat_around_0, D(1, name="answer")

    def call(self, x: Any) -> Any:
        return self.answer(self.act(x))


def test_a_function_is_read_in_the_step_and_not_while_the_model_is_built():
    monitor = watched(FunctionFirst(), numbers(6), numbers(1))
    assert sites_of(monitor) == {"function_first": "flat_around_0", "function_first/answer": "linear"}
    assert monitor.run.meta["unmeasured"] == {}


class MakesLayersWhenBuilt(Block):
    def build(self, shape: Any) -> None:
        self.inner = D(4, self.nonlinearity)
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return self.inner(x)


def test_a_layer_made_while_the_step_is_traced_keeps_the_function_itself():
    """It is built in the first step, which is the observed one."""
    model = Blocks(flat_around_0, MakesLayersWhenBuilt)
    watched(model, numbers(6), numbers(1))
    assert model.block.inner.activation is flat_around_0 is model.block.nonlinearity


class OwnCell(layers.Layer):
    """A recurrent cell of the user's own, with its function as an attribute."""

    def __init__(self) -> None:
        super().__init__(name="cell")
        self.state_size, self.act, self.inner = 4, flat_around_0, D(4)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any, states: Any) -> Any:
        state = self.act(self.inner(x) + states[0])
        return state, [state]


def test_an_attribute_of_a_cell_of_ones_own_is_examined_too():
    model = keras.Sequential([layers.Input((5, 3)), layers.RNN(OwnCell(), name="loop"), D(1)])
    monitor = watched(model, numbers(5, 3), numbers(1))
    assert "flat_around_0" in monitor.run.meta["profiles"]
    assert monitor.run.meta["inside"]["flat_around_0"] == [model.get_layer("loop").path]
    assert not any("cell/act" in where for where in sites_of(monitor))


def log_of_nothing(z: Any) -> Any:
    return ops.log(z - z)


class MadeBackwards(keras.Model):
    """Keras lists its layers as they were made, and they are called the other way round."""

    def __init__(self) -> None:
        super().__init__(name="backwards")
        self.answer, self.second, self.norm = D(1, name="answer"), D(4, name="second"), layers.BatchNormalization()
        self.first, self.act = D(4, name="first"), log_of_nothing

    def call(self, x: Any) -> Any:
        return self.answer(self.norm(self.second(self.act(self.first(x)))))


def test_the_first_place_that_is_not_finite_is_the_first_that_is_called():
    monitor = watched(MadeBackwards(), numbers(6), numbers(1), epochs=1)
    paths = [layer["path"] for layer in monitor.run.meta["model"]["layers"]]
    assert [path.partition("/")[2] for path in paths] == ["first", "second", "batch_normalization", "answer"]
    diagnosis = monitor.diagnosis
    broken = next(finding for finding in diagnosis.findings if finding.rule == "non-finite-activation")
    assert (broken.where, broken.evidence["inputs"]) == ("backwards", "finite")
    assert diagnosis.causes[0].where == "backwards" and diagnosis.causes[0].blames[0] == "activation"


# Missing nonlinearity.


class ByCall(keras.Model):
    """Dense layers without an activation; what stands between them is a function called in `call`."""

    def __init__(self, between: Any) -> None:
        super().__init__(name="by_call")
        self.first, self.second, self.answer = D(8, name="first"), D(8, name="second"), D(1, name="answer")
        self._between = between

    def call(self, x: Any) -> Any:
        return self.answer(self._between(self.second(self._between(self.first(x)))))


def unbent(model: keras.Model) -> list[str]:
    monitor = watched(model, numbers(6), numbers(1))
    return [finding.where for finding in monitor.diagnosis.findings if finding.rule == "missing-nonlinearity"]


@pytest.mark.parametrize(
    "between", [lambda x: x + 0.1 * ops.sin(x), further(ops.relu), further(lambda x: ops.max(x, -1, keepdims=True))]
)
def test_a_function_called_on_a_dense_layers_output_bends_it(between: Any):
    assert unbent(ByCall(between)) == []


@pytest.mark.parametrize("between", [lambda x: ops.reshape(2 * x, (-1, 8)) - 1, further(lambda x: x)])
def test_nothing_but_a_scale_between_two_dense_layers_bends_nothing(between: Any):
    assert set(unbent(ByCall(between))) == {"by_call/first", "by_call/second"}


def test_an_activation_layer_behind_a_dense_layer_bends_it():
    parts = [D(8), layers.ReLU(), D(8), layers.Dropout(0.2), layers.Activation("tanh"), D(1)]
    assert unbent(keras.Sequential([layers.Input((6,)), *parts])) == []


def test_dropout_between_two_dense_layers_bends_nothing():
    found = unbent(keras.Sequential([layers.Input((6,)), D(8), layers.Dropout(0.2), D(8), D(1)], name="straight"))
    assert len(found) == 2


def test_batch_normalization_between_two_layers_bends_nothing():
    """Its statistics depend on the data while it trains; in inference it is a scale and a shift."""
    parts = [D(8), layers.BatchNormalization(), D(8), layers.BatchNormalization(scale=False), layers.Dropout(0.2), D(1)]
    assert len(unbent(keras.Sequential([layers.Input((6,)), *parts], name="straight"))) == 2


@pytest.mark.parametrize("normalize", [layers.LayerNormalization, lambda: lambda x: layers.BatchNormalization()(x) + x])
def test_other_normalizations_and_ways_around_one_are_not_taken_for_it(normalize: Any):
    """A layer normalization bends each sample; a sum around is a residual one."""
    inputs = keras.Input((6,))
    hidden = normalize()(D(8)(inputs))
    assert unbent(keras.Model(inputs, D(1)(D(8, "relu")(hidden)))) == []


def test_a_fit_that_keras_refuses_for_want_of_gradients_names_what_has_none():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1, activation=tf.round)])
    model.compile("adam", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    monitor = TrainingMonitor()
    with pytest.raises(ValueError, match="No gradients"):
        model.fit(x, 3 * x[:, :1], verbose=0, callbacks=[monitor])
    diagnosis = monitor.diagnosis
    assert (diagnosis.outcome, diagnosis.causes[0].rule) == ("not-learning", "gradientless-activation")


def test_a_function_that_holds_a_mask_of_all_samples_is_asked_with_all_of_them():
    """A few rows of z would not fit the mask, and the whole observation would be lost."""

    class Masked(layers.Layer):
        def call(self, x, mask):
            return watch(lambda z: ops.where(mask, ops.tanh(z), 0.0), name="masked_tanh")(x)

    tokens = keras.Input((6,), dtype="int32")
    h = layers.Embedding(9, 8, mask_zero=True)(tokens)
    h = layers.MultiHeadAttention(2, 4, dropout=0.1)(h, h)
    h = Masked()(h, ops.not_equal(tokens, 0)[:, :, None])
    model = keras.Model(tokens, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(h)))
    model.compile("adam", "sparse_categorical_crossentropy")
    monitor = TrainingMonitor()
    rng = np.random.default_rng(0)
    model.fit(rng.integers(0, 9, (32, 6)), rng.integers(0, 2, 32), batch_size=16, verbose=0, callbacks=[monitor])
    assert monitor.run.observations == 2 and not monitor.run.notes
    found = {site.where: site.elementwise for site in monitor.run.facts.sites}
    mixing = {where for where, elementwise in found.items() if not elementwise}
    assert found["masked_tanh"] and mixing == {"dense", "softmax"}


def test_a_penalty_that_an_activation_adds_counts_once():
    """The activation is called once more to be asked what it mixes."""

    class Penalized(layers.Layer):
        def call(self, x):
            self.add_loss(1e-2 * ops.mean(ops.square(x)))
            return ops.tanh(x)

    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(6), Penalized(), layers.Dense(1)])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((16, width)).astype("float32") for width in (4, 1))
    model(x)
    penalty = float(sum(model.losses))
    monitor = TrainingMonitor()
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[monitor])
    assert not monitor.run.notes
    assert monitor.run.series("batch.regularization").values[0] == pytest.approx(penalty, rel=1e-5)
