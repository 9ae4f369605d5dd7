"""How layers are put together: chains, graphs, nested and shared parts, subclasses, train steps of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from generated.blocks import KINDS, body
from generated.choices import Choices
from generated.tasks import TASKS, Task

BATCH = 16


@dataclass
class Made:
    """A model that is not compiled, and what it takes and gives.

    inputs: kinds of its inputs by name; one alone has the name "". tasks: the same of its outputs.
    nested: "dict" or "list", how several are given. fixed: whether each batch must be a full one.
    """

    model: Any
    inputs: dict[str, str]
    tasks: dict[str, Task]
    nested: str = "dict"
    fixed: bool = False

    @property
    def sparse(self) -> bool:
        """Whether an embedding has gradients of some rows alone."""
        return "tokens" in self.inputs.values()

    @property
    def looped(self) -> bool:
        """Whether it may run over time steps."""
        return self.sparse or "sequence" in self.inputs.values()


class OwnStep:
    """A train step of the user's own, which counts its traces and its steps."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.traces = 0
        self.steps = tf.Variable(0.0, trainable=False)

    def train_step(self, data):
        self.traces += 1
        self.steps.assign_add(1.0)
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=predicted, sample_weight=weight)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return {**self.compute_metrics(x, y, predicted, weight), "loss": loss}


class Chain(keras.Model):
    """A subclass that keeps its layers in a list, and one activation as an attribute."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts
        self.bend = ops.tanh

    def call(self, x, training=False):
        for number, part in enumerate(self.parts):
            x = part(x)
            if number == 0 and not isinstance(part, (layers.Embedding, layers.Masking)):
                x = self.bend(x)
        return x


class ChainWithOwnStep(OwnStep, Chain):
    pass


class GraphWithOwnStep(OwnStep, keras.Model):
    pass


class AddedLoss(layers.Layer):
    """Adds a loss of its own, and passes its input on."""

    def call(self, x):
        self.add_loss(1e-3 * ops.mean(ops.square(ops.cast(x, "float32"))))
        return x


def _last(task: Task, name: str | None = None) -> Any:
    return layers.Dense(task.units, task.activation, name=name, dtype="float32")


def _input(kind: str, fixed: bool = False, name: str | None = None) -> Any:
    shape, highest = KINDS[kind]
    batch = BATCH if fixed else None
    return keras.Input(shape, batch_size=batch, name=name, dtype="int32" if highest else "float32")


def _chained(parts: list[Any], x: Any) -> Any:
    for part in parts:
        x = part(x)
    return x


def _residual(x: Any) -> Any:
    x = layers.Dense(6)(x)
    return layers.Add()([x, layers.Dense(6, "relu")(layers.LayerNormalization()(x))])


def _shared(x: Any) -> Any:
    x, shared = layers.Dense(6)(x), layers.Dense(6, "tanh")
    return layers.Concatenate()([shared(x), shared(shared(x))])


def _nested(x: Any) -> Any:
    inner = keras.Sequential([layers.Dense(5, "elu"), layers.Dropout(0.2)])
    x = keras.Sequential([layers.Dense(6, "relu"), inner])(x)
    seen = keras.Input((5,))
    graph = keras.Model(seen, layers.Multiply()([layers.Dense(5, "sigmoid")(seen), seen]))
    return layers.Average()([graph(x), graph(ops.flip(x, axis=-1))])


def _operations(x: Any) -> Any:
    x = layers.Dense(6)(x)
    return ops.concatenate([ops.relu(x), -ops.exp(-ops.square(x)), x[:, :2] * 0.5], axis=-1)


def _attending(x: Any) -> Any:
    x = layers.Reshape((2, 3))(layers.Dense(6)(x))
    return layers.Flatten()(layers.Attention(use_scale=True, dropout=0.1)([x, x]))


def _with_loss(x: Any) -> Any:
    return AddedLoss()(layers.Dense(6, "relu")(x))


_GRAPHS = {
    "graph": lambda x: x,
    "residual": _residual,
    "shared layer": _shared,
    "nested": _nested,
    "operations": _operations,
    "attention": _attending,
    "added loss": _with_loss,
}
_CHAINS = ("sequential", "not built", "subclassed", "subclassed with own step")
_SEVERAL = ("two inputs", "two outputs", "two of both")


def made(choices: Choices) -> Made:
    """The model of these choices. Keras' dtype policy is set before, and the seeds are."""
    kind = choices.of("input", KINDS)
    structures = [_CHAINS[0], *_GRAPHS, "graph with own step", *_CHAINS[1:], *_SEVERAL]
    structure = choices.of("structure", structures)
    task = choices.from_table("task", TASKS)
    built = structure == "sequential" or structure in _GRAPHS
    fixed = kind in ("sequence", "tokens") and built and choices.of("stateful", ["no", "yes"], plain=0.5) == "yes"
    parts = body(choices, kind, fixed)
    if structure in _SEVERAL:
        return _several(choices, structure, kind, parts, task)
    parts.append(_last(task))
    if structure == "sequential":
        model = keras.Sequential([_input(kind, fixed), *parts])
    elif structure == "not built":
        model = keras.Sequential(parts)
    elif structure in _CHAINS:
        model = (Chain if structure == "subclassed" else ChainWithOwnStep)(parts)
    else:
        x = _input(kind, fixed)
        middle = _GRAPHS.get(structure, lambda x: x)(_chained(parts[:-1], x))
        graph = GraphWithOwnStep if structure == "graph with own step" else keras.Model
        model = graph(x, parts[-1](middle))
    return Made(model, {"": kind}, {"": task}, fixed=fixed)


def _several(choices: Choices, structure: str, kind: str, parts: list[Any], task: Task) -> Made:
    nested = choices.of("nested as", ["dict", "list"])
    inputs = {"": kind} if structure == "two outputs" else {"main": kind, "side": "numbers"}
    given = {name: _input(each, name=name or None) for name, each in inputs.items()}
    x = _chained(parts, next(iter(given.values())))
    if "side" in given:
        x = layers.Concatenate()([x, layers.Dense(4, "silu")(given["side"])])
    tasks = {"": task} if structure == "two inputs" else {"first": task, "second": choices.from_table("task 2", TASKS)}
    outputs = {name: _last(each, name or None)(x) for name, each in tasks.items()}
    return Made(keras.Model(_nest(given, nested), _nest(outputs, nested)), inputs, tasks, nested)


def _nest(values: dict[str, Any], nested: str) -> Any:
    if list(values) == [""]:
        return values[""]
    return values if nested == "dict" else list(values.values())
