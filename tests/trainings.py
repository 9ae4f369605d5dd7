"""Small real trainings, described by what can go wrong with them.

A `Training` says everything that a verdict can be about: data, layers, loss, optimizer, fit. A sick training is a
healthy one with a field changed, and `dataclasses.replace` of that field is its cure, so that twins differ in nothing
else.
Data sets come from scikit-learn's package or are generated; each holds back a third for validation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets as sk
from sklearn.model_selection import train_test_split
from watched_fits import ready

from diagnose import Diagnosis
from diagnose.callbacks import TrainingMonitor, audit

D = layers.Dense


@dataclass(frozen=True, slots=True)
class Data:
    """Samples and labels, for training and for validation.

    kind: "classes" (whole numbers), "binary" (0 or 1), "labels" (several of 0 or 1) or "regression"; it says which
    output and which loss belong to them. outputs: units that the output needs.
    """

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    kind: str
    outputs: int


def _split(x: Any, y: Any, kind: str, rng: np.random.Generator, most: int = 900) -> Data:
    x, y = np.asarray(x), np.asarray(y)
    seed = int(rng.integers(1 << 30))
    stratify = y if kind in ("classes", "binary") else None
    x, x_validation, y, y_validation = train_test_split(x, y, test_size=1 / 3, random_state=seed, stratify=stratify)
    x, y = x[:most], y[:most]
    outputs = int(y.max()) + 1 if kind == "classes" else (y.shape[1] if y.ndim > 1 else 1)
    return Data(x, y, x_validation[:most], y_validation[:most], kind, outputs)


def _standard(x: Any) -> np.ndarray:
    x = np.asarray(x, "float32")
    return (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)


def digits(rng: np.random.Generator) -> Data:
    x, y = sk.load_digits(return_X_y=True)
    return _split((x / 16).astype("float32"), y, "classes", rng, 1000)


def pictures(rng: np.random.Generator) -> Data:
    x, y = sk.load_digits(return_X_y=True)
    return _split((x / 16).astype("float32").reshape(-1, 8, 8, 1), y, "classes", rng, 1000)


def rows(rng: np.random.Generator) -> Data:
    x, y = sk.load_digits(return_X_y=True)
    return _split((x / 16).astype("float32").reshape(-1, 8, 8), y, "classes", rng, 1000)


def wine(rng: np.random.Generator) -> Data:
    x, y = sk.load_wine(return_X_y=True)
    return _split(_standard(x), y, "classes", rng)


def iris(rng: np.random.Generator) -> Data:
    x, y = sk.load_iris(return_X_y=True)
    return _split(_standard(x), y, "classes", rng)


def cancer(rng: np.random.Generator) -> Data:
    x, y = sk.load_breast_cancer(return_X_y=True)
    return _split(_standard(x), y.astype("float32"), "binary", rng)


def diabetes(rng: np.random.Generator) -> Data:
    x, y = sk.load_diabetes(return_X_y=True)
    return _split(_standard(x), _standard(y), "regression", rng)


def moons(rng: np.random.Generator) -> Data:
    x, y = sk.make_moons(1200, noise=0.15, random_state=int(rng.integers(1 << 30)))
    return _split(x.astype("float32"), y.astype("float32"), "binary", rng)


def circles(rng: np.random.Generator) -> Data:
    x, y = sk.make_circles(1200, noise=0.08, factor=0.5, random_state=int(rng.integers(1 << 30)))
    return _split(_standard(x), y.astype("float32"), "binary", rng)


def clusters(rng: np.random.Generator) -> Data:
    x, y = sk.make_classification(
        1200, 20, n_informative=10, n_classes=5, n_clusters_per_class=1, class_sep=1.8,
        random_state=int(rng.integers(1 << 30)),
    )  # fmt: skip
    return _split(_standard(x), y, "classes", rng)


def friedman(rng: np.random.Generator) -> Data:
    x, y = sk.make_friedman1(1200, noise=0.5, random_state=int(rng.integers(1 << 30)))
    return _split(_standard(x), _standard(y), "regression", rng)


def bumps(rng: np.random.Generator) -> Data:
    x = rng.uniform(-1, 1, (1200, 3)).astype("float32")
    y = np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=len(x))
    return _split(x, _standard(y), "regression", rng)


def several(rng: np.random.Generator) -> Data:
    x, y = sk.make_multilabel_classification(
        1200, 20, n_classes=5, n_labels=2, random_state=int(rng.integers(1 << 30))
    )  # fmt: skip
    return _split(_standard(x), y.astype("float32"), "labels", rng)


def words(rng: np.random.Generator) -> Data:
    x = rng.integers(1, 200, size=(1200, 12))
    return _split(x, (np.isin(x, np.arange(1, 40)).sum(axis=1) > 2).astype("float32"), "binary", rng)


def waves(rng: np.random.Generator) -> Data:
    """Short signals of one of three frequencies, at any phase and with noise."""
    y = rng.integers(0, 3, 900)
    time = np.arange(24) / 24
    x = np.sin(2 * np.pi * ((y[:, None] + 1) * time + rng.uniform(size=(900, 1)))) + 0.2 * rng.normal(size=(900, 24))
    return _split(x[..., None].astype("float32"), y, "classes", rng)


def shapes(rng: np.random.Generator) -> Data:
    """Pictures of 10 x 10 pixels: a bar that lies or stands, a cross, or a block, anywhere, with noise."""
    y = rng.integers(0, 4, 900)
    x = 0.1 * rng.normal(size=(900, 10, 10, 1))
    for picture, kind in zip(x, y, strict=True):
        row, column = rng.integers(0, 5, 2)
        if kind in (0, 2):
            picture[row + 2, column : column + 5] += 1
        if kind in (1, 2):
            picture[row : row + 5, column + 2] += 1
        if kind == 3:
            picture[row + 1 : row + 4, column + 1 : column + 4] += 1
    return _split(x.astype("float32"), y, "classes", rng)


def rare(rng: np.random.Generator) -> Data:
    """One sample in seventeen is positive, and lies apart from the others."""
    x = rng.normal(size=(1500, 10)).astype("float32")
    y = x[:, 0] + x[:, 1] > 2.2
    x[y, :2] += 1
    return _split(x, y.astype("float32"), "binary", rng, 1000)


OUTPUT = {"classes": "softmax", "binary": "sigmoid", "labels": "sigmoid", "regression": None}
LOSS = {
    "classes": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "labels": "binary_crossentropy",
    "regression": "mse",
}


def adam(rate: float = 3e-3, **settings: Any) -> Callable[[], Any]:
    return lambda: keras.optimizers.Adam(rate, **settings)


def sgd(rate: float, momentum: float = 0.0, **settings: Any) -> Callable[[], Any]:
    return lambda: keras.optimizers.SGD(rate, momentum, **settings)


Spoil = Callable[[Data, np.random.Generator], Data]


@dataclass(frozen=True)
class Training:
    """One training.

    data: makes the samples from a generator of random numbers; spoil: what was done to them, in that order.
    activation, depth, width, initializer, bias, regularizer: of the hidden layers `hidden_1`, `hidden_2`, ...
    between: makes a layer behind each hidden one. network: makes the whole model from this training and its data,
        instead of a stack of dense layers. last, outputs, loss: of the layer `output`; left out, what the data ask for.
    compiled, fit: further settings of `compile` and `fit`. precision: policy under which the model is made.
    batches: makes what fit is given instead of arrays. after: what is done to the compiled model before fit.
    """

    data: Callable[[np.random.Generator], Data] = digits
    spoil: tuple[Spoil, ...] = ()
    activation: Any = "relu"
    depth: int = 2
    width: int = 32
    initializer: Any = "glorot_uniform"
    bias: Any = "zeros"
    regularizer: Any = None
    between: Callable[[], Any] | None = None
    network: Callable[[Training, Data], keras.Model] | None = None
    model: Any = keras.Model
    last: Any = ""
    outputs: int | None = None
    loss: Any = ""
    metrics: Any = ""
    optimizer: Callable[[], Any] = field(default_factory=adam)
    epochs: int = 6
    batch_size: int = 32
    compiled: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    batches: Callable[[Data], Any] | None = None
    after: Callable[[keras.Model], Any] | None = None
    every: int | None = None
    seed: int = 1


def dense_stack(training: Training, data: Data) -> keras.Model:
    """Hidden dense layers, all alike, and an output."""
    x = inputs = keras.Input(data.x.shape[1:], dtype=data.x.dtype.name)
    for depth in range(1, training.depth + 1):
        x = D(
            training.width,
            training.activation,
            kernel_initializer=training.initializer,
            bias_initializer=training.bias,
            kernel_regularizer=training.regularizer,
            name=f"hidden_{depth}",
        )(x)
        if training.between is not None:
            x = training.between()(x)
    return training.model(inputs, head(training, data)(x))


def head(training: Training, data: Data) -> Any:
    """The output layer that the training and its data ask for."""
    last = OUTPUT[data.kind] if training.last == "" else training.last
    return D(training.outputs or data.outputs, last, name="output")


def made(training: Training) -> tuple[keras.Model, Data, np.random.Generator]:
    """The compiled model and its data."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    data = training.data(rng)
    for spoil in training.spoil:
        data = spoil(data, rng)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(training.precision)
    try:
        model = (training.network or dense_stack)(training, data)
    finally:
        keras.config.set_dtype_policy(before)
    classified = data.kind in ("classes", "binary")
    model.compile(
        training.optimizer(),
        LOSS[data.kind] if training.loss == "" else training.loss,
        metrics=(["accuracy"] if classified else None) if training.metrics == "" else training.metrics,
        **training.compiled,
    )
    if training.after is not None:
        training.after(model)
    return model, data, rng


def structure(training: Training) -> Hashable:
    """What is traced of a training: others of the same structure differ in data, initial weights, rate or length."""
    optimizer = training.optimizer()
    settings = {name: value for name, value in optimizer.get_config().items() if name != "learning_rate"}
    layer = training.activation, training.depth, training.width, training.regularizer, training.between
    head = training.last, training.outputs, training.loss, training.precision
    return training.data, training.network, training.model, *layer, *head, type(optimizer), repr(settings)


_compiled: dict[Hashable, keras.Model] = {}


def compiled_once(training: Training) -> tuple[keras.Model, Data]:
    """A compiled model as `made` makes it, and its data. Of one structure it is the same model, started anew.

    What Keras and the monitor traced for it serves again, and that is most of what a small training costs.
    """
    model, data, _ = made(training)
    rate = model.optimizer.get_config().get("learning_rate")
    plain = training.precision == "float32" and training.metrics == "" and isinstance(rate, float)
    shared = plain and not training.compiled and training.after is None
    kept = _compiled.setdefault(structure(training), model) if shared else model
    if kept is model:
        ready(model)
        return model, data
    for old, new in zip(kept.layers, model.layers, strict=True):
        for variable, value in zip(old.variables, new.variables, strict=True):
            variable.assign(value)
    for variable in kept.optimizer.variables:
        variable.assign(ops.zeros_like(variable))
    kept.optimizer.learning_rate = rate
    return kept, data


def train(training: Training) -> Diagnosis:
    """The verdict on a training, watched from its first to its last step."""
    model, data = compiled_once(training)
    monitor = TrainingMonitor(every=training.every)
    whole = len(data.x_validation)  # in one batch: what a step costs at these sizes is the call, not the samples
    settings: dict[str, Any] = {"validation_data": (data.x_validation, data.y_validation), **training.fit}
    settings.setdefault("validation_batch_size", whole)
    if training.batches is not None:
        model.fit(training.batches(data), epochs=training.epochs, verbose=0, callbacks=[monitor], **settings)
    else:
        settings["batch_size"] = training.batch_size
        model.fit(data.x, data.y, epochs=training.epochs, verbose=0, callbacks=[monitor], **settings)
    assert not [note for note in monitor.run.notes if " failed: " in note]  # of our own code
    return monitor.diagnosis


def first_batch(training: Training) -> Diagnosis:
    """The verdict of the audit, on the first samples and before any training."""
    model, data, _ = made(training)
    return audit(model, data.x[:96], data.y[:96], training.fit.get("sample_weight"))


def reconstruct(data: Data, rng: np.random.Generator) -> Data:
    """The labels are the samples."""
    return Data(data.x, data.x, data.x_validation, data.x_validation, "regression", data.x.shape[1])
