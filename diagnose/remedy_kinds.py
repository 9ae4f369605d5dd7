"""Every kind of change that a remedy can be: what its value is, and how it is written as a sentence and as code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnose.wording import times


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    text: of a place as a sentence has it, and a value. code: of a Keras path and a value. automatic: whether a machine
    can apply it. numeric: whether its value is a number that can be tried larger and smaller. at_layer: whether it
    changes one layer, so that a finding's place is where it goes. example: a value, for whoever shows the table.
    """

    text: Callable[[str, Any], str]
    code: Callable[[str, Any], str]
    automatic: bool = True
    numeric: bool = False
    at_layer: bool = True
    example: Any = None


def _layer(where: str) -> str:
    """How a user gets hold of the layer at this path."""
    return "model" + "".join(f'.get_layer("{name}")' for name in where.partition("@")[0].split("/"))


def _wrapped(inner: str) -> Callable[[str, Any], str]:
    """Code that puts something around the activation that a layer has; `inner` is an expression of f, z and {value}."""

    def code(where: str, value: Any) -> str:
        body = inner.format(value=value, low=value[0] if isinstance(value, list) else "", high=_last(value))
        return f"layer = {_layer(where)}\nlayer.activation = lambda z, f=layer.activation: {body}"

    return code


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) else ""


def _for_layers(line: str) -> Callable[[str, Any], str]:
    """Code for one layer, or for each that has a kernel where no place is given."""

    def code(where: str, value: Any) -> str:
        shown = line.format(value=repr(value) if isinstance(value, str) else value)
        if where:
            return f"layer = {_layer(where)}\n{shown}"
        return f'for layer in model.layers:\n    if hasattr(layer, "kernel"):\n        {shown}'

    return code


def _times(what: str, factor: float) -> str:
    return f"Multiply {what} by {times(factor)}" if factor >= 1 else f"Divide {what} by {times(1 / factor)}"


def _made(where: str) -> str:
    return f"{where} is made" if where else "the layers are made"


def _of(place: str) -> str:
    return f" of {place}" if place else ""


def _named(place: str) -> str:
    return f" {place}" if place else ""


def _optimizer_code(_: str, value: Any) -> str:
    rate = f"learning_rate={value['learning_rate']:g}"
    return f"model.compile(optimizer=keras.optimizers.{value['class_name']}({rate}), ...)"


STANDARDIZED = (
    "mean, std = x.mean(axis=0), x.std(axis=0) + 1e-7\n"
    "x, x_val = (x - mean) / std, (x_val - mean) / std  # the training samples' numbers for both"
)
SCALED_TARGETS = (
    "mean, std = y.mean(), y.std()\n"
    "y, y_val = (y - mean) / std, (y_val - mean) / std  # model.predict(x) * std + mean gives predictions back"
)
ENCODINGS = {
    "one-hot": ("Give the labels one-hot", "y = keras.utils.to_categorical(y, classes)"),
    "whole numbers": ("Give the labels as whole numbers", "y = y.argmax(axis=-1)"),
    "from 0": ("Number the classes from 0 on", "y = y - y.min()"),
    "0 and 1": ("Give the labels as 0 and 1", 'y = (y > y.min()).astype("float32")'),
    "column": ("Give the targets the shape of the predictions", "y = y.reshape(-1, 1)"),
}

#: Every kind of change, by name.
KINDS: dict[str, Kind] = {
    # Activation functions. The place is a layer that has one.
    "replace-activation": Kind(
        lambda place, f: (
            f"Replace the activation{_of(place)} by `{f}`" if f != "linear" else f"Leave out the activation{_of(place)}"
        ),
        lambda where, f: f"{_layer(where)}.activation = keras.activations.{f}",
        example="tanh",
    ),
    "scale-activation-input": Kind(
        lambda place, factor: f"{_times('the inputs of the activation' + _of(place), factor)}",
        _wrapped("f({value:.3g} * z)"),
        numeric=True,
        example=2.0,
    ),
    "shift-activation-input": Kind(
        lambda place, offset: f"Add {offset:.3g} to the inputs of the activation{_of(place)}",
        _wrapped("f(z + {value:.3g})"),
        example=1.0,
    ),
    "scale-activation-output": Kind(
        lambda place, factor: f"{_times('the outputs of the activation' + _of(place), factor)}",
        _wrapped("{value:.3g} * f(z)"),
        numeric=True,
        example=0.1,
    ),
    "shift-activation-output": Kind(
        lambda place, offset: f"Add {offset:.3g} to the outputs of the activation{_of(place)}",
        _wrapped("f(z) + {value:.3g}"),
        example=-0.5,
    ),
    "clip-activation-input": Kind(
        lambda place, limits: f"Clip the inputs of the activation{_of(place)} to [{limits[0]:.3g}, {limits[1]:.3g}]",
        _wrapped("f(keras.ops.clip(z, {low:.3g}, {high:.3g}))"),
        example=[-10.0, 10.0],
    ),
    "normalize-activation-input": Kind(
        lambda place, _: f"Put LayerNormalization in front of the activation{_of(place)}",
        _wrapped("f((z - keras.ops.mean(z, -1, keepdims=True)) / (keras.ops.std(z, -1, keepdims=True) + 1e-3))"),
    ),
    # What training starts from.
    "initializer": Kind(
        lambda place, name: f"Initialize the kernels{_of(place)} by `{name}`",
        lambda where, name: f'kernel_initializer="{name}"  # where {_made(where)}',
        example="he_normal",
    ),
    "scale-kernel": Kind(
        lambda place, factor: f"{_times('the initial kernels' + _of(place), factor)}",
        _for_layers("layer.kernel.assign({value:.3g} * layer.kernel)"),
        numeric=True,
        example=0.1,
    ),
    "zero-bias": Kind(
        lambda place, _: f"Start the biases{_of(place)} at 0",
        lambda where, _: f'bias_initializer="zeros"  # where {_made(where)}',
    ),
    # The optimizer and its steps.
    "learning-rate": Kind(
        lambda _, rate: f"Set the learning rate to {rate:.3g}",
        lambda _, rate: f"model.optimizer.learning_rate = {rate:.3g}",
        numeric=True,
        at_layer=False,
        example=0.001,
    ),
    "constant-learning-rate": Kind(
        lambda _, rate: f"Keep the learning rate at {rate:.3g}, without a schedule",
        lambda _, rate: f"model.compile(optimizer=type(model.optimizer)(learning_rate={rate:.3g}), ...)",
        numeric=True,
        at_layer=False,
        example=0.001,
    ),
    "optimizer": Kind(
        lambda _, to: f"Use `{to['class_name']}` with a learning rate of {to['learning_rate']:g}",
        _optimizer_code,
        at_layer=False,
        example={"class_name": "Adam", "learning_rate": 0.001},
    ),
    "clipnorm": Kind(
        lambda _, norm: f"Clip the gradients (clipnorm={norm:g})" if norm else "Do not clip the gradients",
        lambda _, norm: f"model.optimizer.clipnorm = {norm if norm else None}",
        at_layer=False,
        example=1.0,
    ),
    "epochs": Kind(
        lambda _, epochs: f"Train for {epochs} epochs",
        lambda _, epochs: f"model.fit(..., epochs={epochs})",
        numeric=True,
        at_layer=False,
        example=50,
    ),
    "batch-size": Kind(
        lambda _, size: f"Set batch_size={size}",
        lambda _, size: f"model.fit(..., batch_size={size})",
        numeric=True,
        at_layer=False,
        example=32,
    ),
    "early-stopping": Kind(
        lambda _, patience: f"Add EarlyStopping(patience={patience}, restore_best_weights=True)",
        lambda _, patience: (
            f"callbacks=[..., keras.callbacks.EarlyStopping(patience={patience}, restore_best_weights=True)]"
        ),
        at_layer=False,
        example=5,
    ),
    # Data.
    "standardize-inputs": Kind(
        lambda _, __: "Scale each feature to mean 0 and standard deviation 1",
        lambda _, __: STANDARDIZED,
        at_layer=False,
    ),
    "standardize-targets": Kind(
        lambda _, __: "Scale the targets to mean 0 and standard deviation 1",
        lambda _, __: SCALED_TARGETS,
        at_layer=False,
    ),
    "drop-non-finite": Kind(
        lambda _, __: "Leave out the samples that hold NaN or infinity",
        lambda _, __: (
            "good = np.isfinite(x).reshape(len(x), -1).all(axis=1) & np.isfinite(y).reshape(len(y), -1).all(axis=1)\n"
            "x, y = x[good], y[good]"
        ),
        at_layer=False,
    ),
    "encode-labels": Kind(
        lambda _, to: ENCODINGS[to][0],
        lambda _, to: ENCODINGS[to][1],
        at_layer=False,
        example="one-hot",
    ),
    "shuffle": Kind(
        lambda _, __: "Shuffle the samples in each epoch",
        lambda _, __: "model.fit(..., shuffle=True)  # of a dataset: dataset.shuffle(len(dataset))",
        at_layer=False,
    ),
    "class-weight": Kind(
        lambda _, __: "Weigh the classes by how rare they are",
        lambda _, __: (
            "counts = np.bincount(y.ravel().astype(int))\n"
            "model.fit(..., class_weight={c: len(y) / (len(counts) * n) for c, n in enumerate(counts) if n})"
        ),
        at_layer=False,
    ),
    # Loss, metrics and the output.
    "loss": Kind(
        lambda _, name: f"Use the loss `{name}`",
        lambda _, name: f'model.compile(loss="{name}", ...)',
        at_layer=False,
        example="mse",
    ),
    "from-logits": Kind(
        lambda _, on: f"Make the loss with from_logits={on}",
        lambda _, on: f"from_logits={on}  # in the brackets of the loss that compile is given",
        at_layer=False,
        example=True,
    ),
    "output-activation": Kind(
        lambda place, f: f"Use the activation `{f}` in the output layer{_named(place)}",
        lambda where, f: f"{_layer(where)}.activation = keras.activations.{f}",
        example="sigmoid",
    ),
    "metric": Kind(
        lambda _, name: f"Measure `{name}`",
        lambda _, name: f'model.compile(metrics=["{name}"], ...)',
        at_layer=False,
        example="mae",
    ),
    # Regularization.
    "dropout": Kind(
        lambda place, rate: f"Set the dropout rate{_of(place)} to {rate:g}",
        lambda where, rate: f"{_layer(where)}.rate = {rate:g}",
        numeric=True,
        example=0.2,
    ),
    "regularizers": Kind(
        lambda place, factor: (
            f"{_times('the factors of the regularizers' + _of(place), factor)}"
            if factor
            else f"Leave out the regularizers{_of(place)}"
        ),
        lambda where, factor: f"kernel_regularizer={'None' if not factor else '...'}  # where {_made(where)}",
        at_layer=False,
        example=0.1,
    ),
    "weight-decay": Kind(
        lambda _, decay: f"Set the optimizer's weight decay to {decay:g}",
        lambda _, decay: f"model.optimizer.weight_decay = {decay:g}",
        numeric=True,
        at_layer=False,
        example=0.01,
    ),
    "spectral-norm": Kind(
        lambda place, coefficient: f"Penalize the spectral norms of the kernels{_of(place)} with {coefficient:g}",
        lambda where, coefficient: (
            f"kernel_regularizer=diagnose.regularizers.SpectralNorm({coefficient:g})  # where {_made(where)}"
        ),
        numeric=True,
        at_layer=False,
        example=0.01,
    ),
    "trainable": Kind(
        lambda place, on: f"{'Let' if on else 'Do not let'} {place or 'all layers'} be trained",
        lambda where, on: (
            f"{_layer(where) if where else 'model'}.trainable = {on}\nmodel.compile(...)  # again, after it"
        ),
        at_layer=False,
        example=True,
    ),
    # Made of others, and those that only a person can make.
    "together": Kind(lambda _, __: "", lambda _, __: "", at_layer=False),
    "advice": Kind(lambda _, __: "", lambda _, __: "", automatic=False, at_layer=False),
}
