"""What is read of a tensor is the same, whether it is small and read on the host, or large and reduced in the graph."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.observing import array_reads
from diagnose.callbacks.observing.array_reads import SAMPLE, SiteArrays
from diagnose.callbacks.observing.tensorflow import packing, reductions
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep
from diagnose.callbacks.observing.tensorflow.site_curves import SiteCurves
from diagnose.callbacks.observing.tensorflow.variable_reads import VariableReads


def ordinary(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def broken(shape):
    values = ordinary(shape)
    values.reshape(-1)[::7] = np.nan
    values.reshape(-1)[3::11] = np.inf
    return values


CONTENTS = {
    "ordinary": ordinary,
    "with NaN and infinity": broken,
    "all zero": lambda shape: np.zeros(shape, np.float32),
    "nothing but NaN": lambda shape: np.full(shape, np.nan, np.float32),
    "so small that its squares vanish": lambda shape: ordinary(shape) * np.float32(1e-25),
    "so large that its squares overflow": lambda shape: ordinary(shape) * np.float32(1e25),
}


@pytest.mark.parametrize("shape", [(40, 6), (8, 5, 5, 16)], ids=str)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_site_reads_the_same_on_the_host_and_in_the_graph(content, shape):
    z = CONTENTS[content](shape)
    a, slope = np.maximum(z, 0), (z > 0).astype(np.float32)
    [small] = array_reads.sites([SiteArrays(a, z, slope, -1)])
    [large] = reductions.sites_read(reductions.site(*map(tf.constant, (a, z, slope)), -1).numpy(), [(True, True)])

    np.testing.assert_allclose(small.numbers, large.numbers, rtol=1e-4, atol=1e-30)
    for name in ("a", "z", "slope", "constant", "alive"):
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name), err_msg=name)


@pytest.mark.parametrize("content", CONTENTS)
def test_a_size_is_the_same_on_the_host_and_in_the_graph(content):
    values = CONTENTS[content]((30, 20))
    small = array_reads.sizes(values.reshape(-1), [values.size])[0]
    np.testing.assert_allclose(small, reductions.size(tf.constant(values)).numpy(), rtol=1e-5)


def test_sizes_of_arrays_that_lie_one_behind_the_other_are_those_of_each_alone():
    parts = [ordinary((n,), n) for n in (1, 5, 3)]
    together = array_reads.sizes(np.concatenate(parts), [len(part) for part in parts])
    alone = [array_reads.sizes(part, [len(part)])[0] for part in parts]
    np.testing.assert_allclose(together, alone)


def test_a_map_of_a_million_entries_a_sample_still_shows_how_far_the_samples_differ():
    """Thinned by whole samples alone, one sample would be left."""
    z = ordinary((4, 160, 160, 48))
    [read] = reductions.sites_read(reductions.site(tf.constant(z), None, None, -1).numpy(), [(False, False)])
    spread = read.numbers[-1]
    assert spread == pytest.approx(np.sqrt(np.square(z - z.mean(axis=0)).mean() / np.square(z).mean()), rel=0.02)
    assert len(read.a) <= 2 * SAMPLE


def convolution():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(6, "tanh"),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_whole_step_reads_the_same_whatever_counts_as_small(monkeypatch):
    x, y = ordinary((16, 12, 12, 3)), np.arange(16) % 3
    batch = (tf.constant(x), tf.constant(y))
    spec = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), batch)
    model = convolution()
    small = ShadowStep(model, spec, rows=16)(batch)
    monkeypatch.setattr(packing, "SMALL", 0)
    large = ShadowStep(model, spec, rows=16)(batch)

    assert small.reported == pytest.approx(large.reported, rel=1e-5)
    for kind in ("gradients", "weights", "inputs"):
        one, other = getattr(small, kind), getattr(large, kind)
        assert one.keys() == other.keys()
        for place, numbers in one.items():
            assert numbers == pytest.approx(other[place], rel=1e-4, abs=1e-7), (kind, place)
    for one, other in zip(small.sites, large.sites, strict=True):
        assert one.where == other.where
        assert one.numbers == pytest.approx(other.numbers, rel=1e-4, abs=1e-7), one.where
    np.testing.assert_allclose(np.sort(small.direction), np.sort(large.direction), rtol=1e-4, atol=1e-7)


def test_layers_with_the_same_function_are_asked_for_their_curves_by_one_call(monkeypatch):
    asked = []
    original = SiteCurves.__call__

    def noted(self, ranges):
        asked.append((len(ranges), len(self._questions)))
        return original(self, ranges)

    monkeypatch.setattr(SiteCurves, "__call__", noted)
    keras.utils.set_random_seed(0)
    deep = [layers.Dense(5, "tanh") for _ in range(6)]
    model = keras.Sequential([layers.Input((4,)), *deep, layers.ReLU(), layers.ReLU(0.5), layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = TrainingMonitor()
    model.fit(ordinary((16, 4)), ordinary((16, 1)), batch_size=16, verbose=0, callbacks=[monitor])
    assert asked == [(9, 4)]  # tanh, each ReLU, and the linear output
    assert sum(quantity == "activation.curve" for quantity, *_ in monitor.run.all_arrays()) == 9


def test_a_fit_that_is_over_leaves_no_graph_behind():
    graphs = []
    original = ShadowStep.__call__

    class Noting(ShadowStep):
        def __call__(self, batch):
            graphs.append(weakref.ref(self._step._concrete.graph))
            return original(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diagnose.callbacks.watching.observer.ShadowStep", Noting)
        model = convolution()
        model.fit(ordinary((16, 12, 12, 3)), np.arange(16) % 3, verbose=0, callbacks=[TrainingMonitor()])
    assert graphs and graphs[0]() is not None
    del model
    gc.collect()
    assert graphs[0]() is None


def test_a_step_is_made_anew_for_batches_more_than_twice_as_large(monkeypatch):
    """What is handed over as it is was counted for batches of one size."""
    made = []
    original = ShadowStep.__init__

    def noted(self, model, spec, *, rows=None, ends=False):
        made.append(rows)
        original(self, model, spec, rows=rows, ends=ends)

    monkeypatch.setattr(ShadowStep, "__init__", noted)
    model = convolution()

    def batches():
        for rows in (2, 4, 3, 20, 20):
            yield ordinary((rows, 12, 12, 3)), np.arange(rows) % 3

    kinds = (tf.TensorSpec((None, 12, 12, 3)), tf.TensorSpec((None,), tf.int64))
    monitor = TrainingMonitor(every=1)
    data = tf.data.Dataset.from_generator(batches, output_signature=kinds)
    model.fit(data, verbose=0, callbacks=[monitor])
    assert made == [2, 20]
    assert monitor.run.observations == 5


def test_functions_of_one_name_in_layers_of_one_kind_have_curves_of_their_own():
    def scaled(factor):
        def act(z):
            return tf.tanh(factor * z)

        return act

    keras.utils.set_random_seed(0)
    hidden = [layer for factor in (0.5, 2.0) for layer in (layers.Dense(6), layers.Activation(scaled(factor)))]
    model = keras.Sequential([layers.Input((4,)), *hidden, layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = TrainingMonitor()
    model.fit(ordinary((16, 4)), ordinary((16, 1)), batch_size=16, verbose=0, callbacks=[monitor])
    curves = {where: array for quantity, where, _, array in monitor.run.all_arrays() if quantity == "activation.curve"}
    steepest = [curve.max(axis=1)[2] for where, curve in curves.items() if "activation" in where]
    assert steepest == pytest.approx([0.5, 2.0], rel=1e-3)


def test_a_variance_beyond_the_square_root_of_what_float32_holds_is_finite():
    """Squared it would overflow; inputs of 1e12 have such a moving variance."""
    model = convolution()
    model.add(layers.BatchNormalization())
    model.layers[-1].moving_variance.assign([1e24] * 3)
    assert VariableReads(model).all_finite()
    model.layers[-1].moving_variance.assign([1e24, np.inf, 1e24])
    assert not VariableReads(model).all_finite()
