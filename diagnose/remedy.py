"""What to change, as data: a kind, a place and a value, from which come the sentence, the code, and what `prove` tries.

`KINDS` is the closed table: for each kind what its value is, and how it is written as a sentence and as code. How one
is applied to a model by machine is the business of `diagnose.callbacks.proving`, which needs Keras.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from diagnose.wording import named, times

LAYER = re.compile(r'model\.get_layer\("([^"]*)"\)(?!\.get_layer)')  # at the first level of the model
LOOPED = 3  # layers from which on a loop reads better than a line for each


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change to a program that trains a model.

    kind: one of `KINDS`. where: Keras path of the layer that it changes; "" for the whole program. value: what it is
    changed to, JSON-able; its meaning goes with the kind. text: the change as an imperative sentence without its full
    stop. code: what a user pastes, with their own names in it; "" where nobody can write it for them. automatic:
    whether `prove` can apply it.

    Raises ValueError for an unknown kind, and TypeError for a value that is not JSON-able.
    """

    kind: str
    where: str = ""
    value: Any = None
    text: str = ""
    code: str = ""
    automatic: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; it must be one of {', '.join(sorted(KINDS))}.")
        try:
            json.dumps(self.value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"the value of a remedy must be JSON-able, and is {self.value!r}.") from error

    @property
    def parts(self) -> tuple[Remedy, ...]:
        """The changes that it is made of: those of "together", else itself alone."""
        if self.kind != "together":
            return (self,)
        return tuple(Remedy(**part) for part in self.value)

    @property
    def takes_place(self) -> bool:
        """Whether it changes one layer, and does not say yet which."""
        return KINDS[self.kind].at_layer and not self.where

    def to_dict(self) -> dict[str, Any]:
        """Its fields as plain types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    text: of a place as a sentence has it, and a value. code: of a Keras path and a value. automatic: whether a machine
    can apply it. numeric: whether its value is a number that can be tried larger and smaller. at_layer: whether it
    changes one layer, so that a finding's place is where it goes.
    """

    text: Callable[[str, Any], str]
    code: Callable[[str, Any], str]
    automatic: bool = True
    numeric: bool = False
    at_layer: bool = True


def remedy(kind: str, where: str = "", value: Any = None, *, text: str = "", automatic: bool = True) -> Remedy:
    """A remedy of this kind, with its sentence and its code.

    text: a better sentence than the table's own, where the rule knows more. automatic: False where this one can't be
    applied by a machine, though others of its kind can.

    >>> made = remedy("learning-rate", value=0.01)
    >>> made.text, made.code, made.automatic
    ('Set the learning rate to 0.01', 'model.optimizer.learning_rate = 0.01', True)
    >>> print(remedy("replace-activation", "outer/dense_3", "tanh").code)
    model.get_layer("outer").get_layer("dense_3").activation = keras.activations.tanh
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(sorted(KINDS))}.")
    row = KINDS[kind]
    return Remedy(
        kind,
        where,
        value,
        text or row.text(_named([where]), value),
        row.code(where, value) if automatic else "",
        row.automatic and automatic,
    )


def parsed(text: str) -> Remedy:
    """The remedy that these words name: KIND, KIND=VALUE or KIND=VALUE@LAYER, as on the command line.

    Raises ValueError, saying what is known, for an unknown kind, and where a value is missing.

    >>> parsed("replace-activation=tanh@dense_1").text
    'Replace the activation of `dense_1` by `tanh`'
    >>> parsed("learning-rate=1e-3").value
    0.001
    """
    kind, _, rest = text.partition("=")
    if kind.partition("@")[0] in KINDS and not rest:
        kind, _, where = kind.partition("@")
        value: Any = None
    else:
        rest, _, where = rest.partition("@")
        try:
            value = json.loads(rest)
        except ValueError:
            value = rest
    try:
        return remedy(kind, where, value)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        if kind not in KINDS:
            raise ValueError(
                f"{text!r} names no kind of remedy; it must be one of {', '.join(sorted(KINDS))}."
            ) from None
        raise ValueError(f"{text!r} does not say what {kind} needs: write {kind}=VALUE ({error}).") from None


def advice(text: str, where: str = "", code: str = "") -> Remedy:
    """A change that only a person can make, such as one of the architecture.

    >>> advice("Add a skip connection").automatic
    False
    """
    return Remedy("advice", where, None, text.rstrip("."), code)


def together(remedies: Iterable[Remedy]) -> Remedy:
    """Several changes as one: the same at several layers, or two that help each other. One alone stays as it is.

    >>> both = together([remedy("replace-activation", f"dense_{n}", "tanh") for n in (1, 2)])
    >>> both.text
    'Replace the activation of `dense_1` and `dense_2` by `tanh`'
    >>> together([both, remedy("epochs", value=20)]).text
    'Replace the activation of `dense_1` and `dense_2` by `tanh`, and train for 20 epochs'
    """
    given = [*remedies]
    if len(given) == 1:
        return given[0]
    parts = [part for each in given for part in each.parts]
    return Remedy(
        "together",
        "",
        [part.to_dict() for part in parts],
        _joined_text(given, parts),
        _joined_code(parts),
        all(part.automatic for part in parts),
    )


def sentence_of(remedies: Iterable[Remedy]) -> str:
    """The remedies as one sentence, best first.

    >>> sentence_of([remedy("epochs", value=20), remedy("learning-rate", value=0.1)])
    'Train for 20 epochs, or set the learning rate to 0.1.'
    """
    texts = [each.text for each in remedies]
    return f"{_in_a_row(texts, 'or')}." if texts else ""


def named_for(given: Remedy, model: str) -> Remedy:
    """The remedy with its code written for a model of this name.

    A path within a model begins with the model's name, which `get_layer` does not want.

    >>> named_for(remedy("dropout", "net/drop", 0.2), "net").code
    'model.get_layer("drop").rate = 0.2'
    """
    if not given.code or given.kind == "advice":
        return given
    parts = [
        replace(part, code=KINDS[part.kind].code(part.where.removeprefix(f"{model}/"), part.value))
        for part in given.parts
    ]
    return replace(parts[0] if len(parts) == 1 else together(parts), text=given.text)


def _joined_text(given: list[Remedy], parts: list[Remedy]) -> str:
    """One sentence: what differs in the place alone is said once, with all places."""
    if len({(part.kind, json.dumps(part.value)) for part in parts}) == 1 and all(part.where for part in parts):
        return KINDS[parts[0].kind].text(_named(part.where for part in parts), parts[0].value)
    return _in_a_row([each.text for each in given], "and")


def _joined_code(parts: list[Remedy]) -> str:
    """The code of all parts, each once: what differs in the layer alone as a loop over their names."""
    names: dict[str, list[str]] = {}  # by the code with a variable in the place of the layer's name
    for code in dict.fromkeys(part.code for part in parts if part.code):
        found = LAYER.findall(code)
        body = LAYER.sub("model.get_layer(name)", code) if len(found) == 1 else code
        names.setdefault(body, []).extend(found if len(found) == 1 else [])
    return "\n".join(_looped(body, layers) for body, layers in names.items())


def _looped(body: str, layers: list[str]) -> str:
    """The body for these layers; as it is where it names none."""
    if len(layers) < LOOPED:
        return "\n".join(body.replace("(name)", f'("{layer}")') for layer in layers) or body
    among = ", ".join(f'"{layer}"' for layer in layers)
    return f"for name in ({among}):\n" + "\n".join(f"    {line}" for line in body.splitlines())


def _in_a_row(texts: list[str], word: str) -> str:
    return f", {word} ".join([texts[0], *(text[:1].lower() + text[1:] for text in texts[1:])])


def _named(places: Iterable[str]) -> str:
    """Layers as a sentence has them: the last part of their paths."""
    return named([where.rpartition("/")[2] for where in places if where], 6)


def _layer(where: str) -> str:
    """How a user gets hold of the layer at this path; each layer in a loop where it stands for all of them."""
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
    return f"`{where}` is made" if where else "the layers are made"


def _of(place: str) -> str:
    return f" of {place}" if place else ""


def _in(place: str) -> str:
    return f" in {place}" if place else ""


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
    "one-hot": ("Give the labels one-hot", "y = keras.utils.to_categorical(y, {classes})"),
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
    ),
    "scale-activation-input": Kind(
        lambda place, factor: f"{_times('the inputs of the activation' + _of(place), factor)}",
        _wrapped("f({value:.3g} * z)"),
        numeric=True,
    ),
    "shift-activation-input": Kind(
        lambda place, offset: f"Add {offset:.3g} to the inputs of the activation{_of(place)}",
        _wrapped("f(z + {value:.3g})"),
    ),
    "scale-activation-output": Kind(
        lambda place, factor: f"{_times('the outputs of the activation' + _of(place), factor)}",
        _wrapped("{value:.3g} * f(z)"),
        numeric=True,
    ),
    "shift-activation-output": Kind(
        lambda place, offset: f"Add {offset:.3g} to the outputs of the activation{_of(place)}",
        _wrapped("f(z) + {value:.3g}"),
    ),
    "clip-activation-input": Kind(
        lambda place, limits: f"Clip the inputs of the activation{_of(place)} to [{limits[0]:.3g}, {limits[1]:.3g}]",
        _wrapped("f(keras.ops.clip(z, {low:.3g}, {high:.3g}))"),
    ),
    "normalize-activation-input": Kind(
        lambda place, _: f"Put LayerNormalization in front of the activation{_of(place)}",
        _wrapped("f((z - keras.ops.mean(z, -1, keepdims=True)) / (keras.ops.std(z, -1, keepdims=True) + 1e-3))"),
    ),
    # What training starts from.
    "initializer": Kind(
        lambda place, name: f"Initialize the kernels{_of(place)} by `{name}`",
        lambda where, name: f'kernel_initializer="{name}"  # where {_made(where)}',
    ),
    "scale-kernel": Kind(
        lambda place, factor: f"{_times('the initial kernels' + _of(place), factor)}",
        _for_layers("layer.kernel.assign({value:.3g} * layer.kernel)"),
        numeric=True,
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
    ),
    "constant-learning-rate": Kind(
        lambda _, rate: f"Keep the learning rate at {rate:.3g}, without a schedule",
        lambda _, rate: f"model.compile(optimizer=keras.optimizers.Adam({rate:.3g}), ...)",
        numeric=True,
        at_layer=False,
    ),
    "optimizer": Kind(
        lambda _, to: f"Use `{to['class_name']}` with a learning rate of {to['learning_rate']:g}",
        _optimizer_code,
        at_layer=False,
    ),
    "clipnorm": Kind(
        lambda _, norm: f"Clip the gradients (clipnorm={norm:g})" if norm else "Do not clip the gradients",
        lambda _, norm: f"model.optimizer.clipnorm = {norm if norm else None}",
        at_layer=False,
    ),
    "epochs": Kind(
        lambda _, epochs: f"Train for {epochs} epochs",
        lambda _, epochs: f"model.fit(..., epochs={epochs})",
        numeric=True,
        at_layer=False,
    ),
    "batch-size": Kind(
        lambda _, size: f"Set batch_size={size}",
        lambda _, size: f"model.fit(..., batch_size={size})",
        numeric=True,
        at_layer=False,
    ),
    "early-stopping": Kind(
        lambda _, patience: f"Add EarlyStopping(patience={patience}, restore_best_weights=True)",
        lambda _, patience: (
            f"callbacks=[..., keras.callbacks.EarlyStopping(patience={patience}, restore_best_weights=True)]"
        ),
        at_layer=False,
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
        lambda _, to: ENCODINGS[to][1].format(classes="classes"),
        at_layer=False,
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
    ),
    "from-logits": Kind(
        lambda _, on: f"Make the loss with from_logits={on}",
        lambda _, on: f"from_logits={on}  # in the brackets of the loss that compile is given",
        at_layer=False,
    ),
    "output-activation": Kind(
        lambda place, f: f"Give the output{_in(place)} the activation `{f}`",
        lambda where, f: f"{_layer(where)}.activation = keras.activations.{f}",
    ),
    "metric": Kind(
        lambda _, name: f"Measure `{name}`",
        lambda _, name: f'model.compile(metrics=["{name}"], ...)',
        at_layer=False,
    ),
    # Regularization.
    "dropout": Kind(
        lambda place, rate: f"Set the dropout rate{_of(place)} to {rate:g}",
        lambda where, rate: f"{_layer(where)}.rate = {rate:g}",
        numeric=True,
    ),
    "regularizers": Kind(
        lambda place, factor: (
            f"{_times('the factors of the regularizers' + _of(place), factor)}"
            if factor
            else f"Leave out the regularizers{_of(place)}"
        ),
        lambda where, factor: f"kernel_regularizer={'None' if not factor else '...'}  # where {_made(where)}",
        at_layer=False,
    ),
    "weight-decay": Kind(
        lambda _, decay: f"Set the optimizer's weight decay to {decay:g}",
        lambda _, decay: f"model.optimizer.weight_decay = {decay:g}",
        numeric=True,
        at_layer=False,
    ),
    "spectral-norm": Kind(
        lambda place, coefficient: f"Penalize the spectral norms of the kernels{_of(place)} with {coefficient:g}",
        lambda where, coefficient: (
            f"kernel_regularizer=diagnose.regularizers.SpectralNorm({coefficient:g})  # where {_made(where)}"
        ),
        numeric=True,
        at_layer=False,
    ),
    "trainable": Kind(
        lambda place, on: f"{'Let' if on else 'Do not let'} {place or 'all layers'} be trained",
        lambda where, on: (
            f"{_layer(where) if where else 'model'}.trainable = {on}\nmodel.compile(...)  # again, after it"
        ),
        at_layer=False,
    ),
    # Made of others, and those that only a person can make.
    "together": Kind(lambda _, __: "", lambda _, __: "", at_layer=False),
    "advice": Kind(lambda _, __: "", lambda _, __: "", automatic=False, at_layer=False),
}
