"""Activations, layers, losses and data with state of their own: a watched training leaves it as a bare one does.

Many kinds of state share one model, since a training costs seconds: each is compared by itself afterwards. Whatever of
our calls moved one on would also have changed the weights.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from numpy.random import normal as normal_by_name
from tensorflow.python.eager import context
from watched_fits import ready

from diagnose.callbacks import TrainingMonitor, watch

X = np.random.default_rng(0).standard_normal((40, 6)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 40)

#: What a training left: the weights, and by kind what the state is.
Left = tuple[list[np.ndarray], dict[str, Any]]


# --- kinds of state in an activation: what makes it gives the function, and a function that reads the state -----------

Kind = tuple[Callable[[Any], Any], Callable[[], Any]]


def ranged(variable: Any, z: Any) -> Any:
    """A range that runs along with the largest value met."""
    variable.assign(ops.maximum(variable, ops.max(z)))
    return ops.minimum(z, variable * 0.9)


def annealed(step: int, z: Any) -> Any:
    share = min(1.0, step / 50)
    return share * ops.tanh(z) + (1 - share) * z


def leaky(slope: Any, z: Any) -> Any:
    return tf.where(z > 0, z, z * slope)


def closure_variable() -> Kind:
    held = tf.Variable(0.0, trainable=False)
    return lambda z: ranged(held, z), held.numpy


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


class HoldsVariable(Holder):
    def __call__(self, z: Any) -> Any:
        return ranged(self.held, z)


class HoldsDictionary(Holder):
    def __call__(self, z: Any) -> Any:
        return ranged(self.held["a"][0], z)


def object_variable() -> Kind:
    made = HoldsVariable(tf.Variable(0.0, trainable=False))
    return made, made.held.numpy


def object_keras_variable() -> Kind:
    made = HoldsVariable(keras.Variable(0.0, trainable=False))
    return made, made.held.numpy


def dictionary_variable() -> Kind:
    variable = tf.Variable(0.0, trainable=False)
    return HoldsDictionary({"a": [variable]}), variable.numpy


GLOBAL = tf.Variable(0.0, trainable=False)


def by_global(z: Any) -> Any:
    return ranged(GLOBAL, z)


def by_nested_global(z: Any) -> Any:
    return by_global(z) + 0.0


def global_variable_of_a_nested_function() -> Kind:
    GLOBAL.assign(0.0)
    return by_nested_global, GLOBAL.numpy


def marked_by_watch() -> Kind:
    f, read = closure_variable()
    return watch(f, name="marked"), read


def variable_made_at_the_first_call() -> Kind:
    held: dict[str, Any] = {}

    def f(z: Any) -> Any:
        if "m" not in held:
            held["m"] = tf.Variable(0.0, trainable=False)
        return ranged(held["m"], z)

    return f, lambda: held["m"].numpy()


def tensorflow_generator() -> Kind:
    made = tf.random.Generator.from_seed(3)
    return lambda z: leaky(made.uniform(tf.shape(z), 0.1, 0.3), z), made.state.numpy


SEEDS = keras.random.SeedGenerator(4)


def by_seeds(z: Any) -> Any:
    return leaky(keras.random.uniform(tf.shape(z), 0.1, 0.3, seed=SEEDS), z)


def keras_seed_generator() -> Kind:
    SEEDS.state.assign([4, 0])
    return by_seeds, SEEDS.state.numpy


def keras_random_without_a_seed() -> Kind:
    seeds = keras.src.random.seed_generator.global_seed_generator
    return lambda z: leaky(keras.random.uniform(tf.shape(z), 0.1, 0.3), z), lambda: seeds().state.numpy()


def eager_tensorflow() -> Kind:
    return lambda z: leaky(tf.random.uniform(tf.shape(z), 0.1, 0.3), z), lambda: context.context()._rng.getstate()


def global_numpy() -> Kind:
    return lambda z: leaky(float(np.random.uniform(0.1, 0.3)), z), lambda: np.random.get_state()[1:3]


def global_numpy_by_a_name() -> Kind:
    return lambda z: leaky(float(normal_by_name(0.2, 0.01)), z), lambda: np.random.get_state()[1:3]


def global_python() -> Kind:
    return lambda z: leaky(random.uniform(0.1, 0.3), z), random.getstate


def numpy_generator() -> Kind:
    made = np.random.default_rng(5)
    return lambda z: leaky(float(made.uniform(0.1, 0.3)), z), lambda: made.bit_generator.state


def old_numpy_generator() -> Kind:
    draw = np.random.RandomState(5).uniform  # a method of it is all that is held
    return lambda z: leaky(float(draw(0.1, 0.3)), z), lambda: draw.__self__.get_state()[1:3]


def python_generator() -> Kind:
    made = random.Random(6)
    return lambda z: leaky(made.uniform(0.1, 0.3), z), made.getstate


class Counts:
    def __init__(self) -> None:
        self.step = 0

    def __call__(self, z: Any) -> Any:
        self.step += 1
        return annealed(self.step, z)


class CountsInSlots:
    __slots__ = ("_step",)

    def __init__(self) -> None:
        self._step = 0

    def __call__(self, z: Any) -> Any:
        self._step += 1
        return annealed(self._step, z)


class CountsOnTheClass:
    step = 0

    def __call__(self, z: Any) -> Any:
        type(self).step += 1
        return annealed(self.step, z)


class CountsInALayer(layers.Layer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._step, self.seen = 0, []

    def call(self, z: Any) -> Any:
        self._step += 1
        self.seen.append(self._step)
        return annealed(self._step, z)


def counter_in_an_object() -> Kind:
    made = Counts()
    return made, lambda: made.step


def counter_in_slots() -> Kind:
    made = CountsInSlots()
    return made, lambda: made._step


def counter_on_a_class() -> Kind:
    CountsOnTheClass.step = 0
    return CountsOnTheClass(), lambda: CountsOnTheClass.step


def counter_in_a_layer() -> Kind:
    made = CountsInALayer()
    return made, lambda: (made._step, [*made.seen])


BOX, STEP = [0], 0


def by_box(z: Any) -> Any:
    BOX[0] += 1
    return annealed(BOX[0], z)


def by_step(z: Any) -> Any:
    global STEP
    STEP += 1
    return annealed(STEP, z)


def global_list() -> Kind:
    BOX[0] = 0
    return by_box, lambda: BOX[0]


def global_number() -> Kind:
    global STEP
    STEP = 0
    return by_step, lambda: STEP


def attribute_of_a_function() -> Kind:
    def f(z: Any) -> Any:
        f.step = getattr(f, "step", 0) + 1
        return annealed(f.step, z)

    return f, lambda: f.step


def array() -> Kind:
    steps = np.zeros(3)

    def f(z: Any) -> Any:
        steps[1] += 1
        return annealed(int(steps[1]), z)

    return f, lambda: steps.tolist()


GROUPS: dict[str, list[Callable[[], Kind]]] = {
    "variables": [
        closure_variable,
        object_variable,
        object_keras_variable,
        dictionary_variable,
        global_variable_of_a_nested_function,
        marked_by_watch,
        variable_made_at_the_first_call,
    ],
    "random numbers": [
        tensorflow_generator,
        keras_seed_generator,
        keras_random_without_a_seed,
        eager_tensorflow,
        global_numpy,
        global_numpy_by_a_name,
        global_python,
        numpy_generator,
        old_numpy_generator,
        python_generator,
    ],
    "Python": [
        counter_in_an_object,
        counter_in_slots,
        counter_on_a_class,
        counter_in_a_layer,
        global_list,
        global_number,
        attribute_of_a_function,
        array,
    ],
}
CAN_BE_COMPILED_BY_XLA = [
    closure_variable,
    object_keras_variable,
    keras_seed_generator,
    global_numpy,
    counter_in_an_object,
]
MODES = {"graph": {}, "eager": {"run_eagerly": True}, "XLA": {"jit_compile": True}}


def seeded() -> None:
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)


def fitted(kinds: list[Callable[[], Kind]], mode: str, callbacks: list[Any]) -> Left:
    seeded()
    made = {kind.__name__: kind() for kind in kinds}
    steps: list[Any] = []
    for f, _ in made.values():
        steps += [layers.Dense(4), f] if isinstance(f, layers.Layer) else [layers.Dense(4, activation=f)]
    model = keras.Sequential([keras.Input((6,)), *steps, layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", **MODES[mode])
    ready(model)
    model.fit(X, Y, epochs=2, batch_size=10, verbose=0, callbacks=callbacks, shuffle=False)
    return model.get_weights(), {name: read() for name, (_, read) in made.items()}


class Shared:
    """Trainings that several tests look at: bare, watched, and the monitor."""

    def __init__(self) -> None:
        self._done: dict[Any, tuple[Left, Left, TrainingMonitor]] = {}

    def __call__(self, key: Any, train: Callable[[list[Any]], Left]) -> tuple[Left, Left, TrainingMonitor]:
        if key not in self._done:
            monitor = TrainingMonitor(every=3)
            self._done[key] = train([]), train([monitor]), monitor
        return self._done[key]


@pytest.fixture(scope="module")
def trained() -> Shared:
    return Shared()


def assert_same_weights(bare: Left, watched: Left) -> None:
    for one, other in zip(bare[0], watched[0], strict=True):
        np.testing.assert_array_equal(one, other)


FITS = [(group, mode) for group in GROUPS for mode in ("graph", "eager")] + [("XLA", "XLA")]
GROUPS["XLA"] = CAN_BE_COMPILED_BY_XLA


#: Run with each change.
FIRST = {("variables", "graph"), ("Python", "eager"), ("XLA", "XLA")}


def marked(parameters: list[tuple[Any, ...]]) -> list[Any]:
    """Parameters that begin with a fit; those of others than the first are a sweep."""
    return [pytest.param(*each, marks=() if each[:2] in FIRST else pytest.mark.sweep) for each in parameters]


@pytest.mark.parametrize(("group", "mode"), marked(FITS))
def test_weights_are_those_of_a_bare_training(group: str, mode: str, trained: Shared):
    bare, watched, monitor = trained((group, mode), lambda callbacks: fitted(GROUPS[group], mode, callbacks))
    assert_same_weights(bare, watched)
    assert monitor.run.notes == []
    assert monitor.run.observations >= 2


@pytest.mark.parametrize(
    ("group", "mode", "kind"),
    marked([(group, mode, kind) for group, mode in FITS for kind in GROUPS[group]]),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_state_is_that_of_a_bare_training(group: str, mode: str, kind: Callable[[], Kind], trained: Shared):
    bare, watched, _ = trained((group, mode), lambda callbacks: fitted(GROUPS[group], mode, callbacks))
    np.testing.assert_equal(watched[1][kind.__name__], bare[1][kind.__name__])
