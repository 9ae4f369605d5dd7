"""The demo: small networks on scikit-learn's digits, one healthy and five with a fault that users really make.

What is said of each is what was measured in this run on this machine; nothing here knows what the verdict should be.
Keras and scikit-learn are loaded when a network is trained, so that the list can be read without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diagnose.api import Diagnosis, Proof

EPOCHS = 10
EVERY, OVERHEAD = 10, 0.5  # these trainings last seconds: too short for a budget of a few per cent
DEEP = 4  # hidden layers: in fewer, an activation that loses gradient in each of them may still train
SHALLOW = 2  # hidden layers where the fault does not need depth
BATCH = 32
UNITS = 64
SEED = 0
FITS = 3  # trainings beyond the unchanged ones that the demo's proof may take
WHITE = 16.0  # the brightest pixel of the digits
BYTE = 255.0  # the brightest pixel of an 8-bit picture


@dataclass(frozen=True, slots=True)
class Network:
    """One training of the demo.

    file: stem of its run file and report; story: what is trained, in a sentence.
    activation: makes the hidden activation, once Keras may be loaded. pixels: largest input value.
    depth: hidden layers.
    question: "which" (of ten digits) or "even" (one output unit, softmax and categorical cross-entropy).
    """

    file: str
    name: str
    story: str
    activation: Callable[[], Any]
    pixels: float = 1.0
    question: str = "which"
    depth: int = DEEP


@dataclass(frozen=True, slots=True)
class Data:
    """Digits as rows of 64 pixels in [0, 1], float32 of (samples, 64), and their labels, int64 of (samples,)."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


def _relu() -> Any:
    return "relu"


def _tanh_of_fifth_power() -> Any:
    from keras import ops

    def tanh_x5(x: Any) -> Any:
        return ops.tanh(x**5)

    return tanh_x5


def _steep_sigmoid() -> Any:
    from keras import ops

    def sigmoid_10x(x: Any) -> Any:
        return ops.sigmoid(10 * x)

    return sigmoid_10x


def _sine() -> Any:
    from keras import ops

    def sine(x: Any) -> Any:
        return ops.sin(x)

    return sine


def _hand_made_elu() -> Any:
    from keras import ops

    def hand_made_elu(x: Any) -> Any:
        return ops.where(x > 0, x, ops.exp(x) - 1)

    return hand_made_elu


NETWORKS = (
    Network("healthy", "relu", "Four hidden layers of 64 units with `relu`, pixels scaled to [0, 1].", _relu),
    Network("tanh-x5", "`tanh(x**5)`", "The same network with an activation flat around 0.", _tanh_of_fifth_power),
    Network("sigmoid-10x", "`sigmoid(10*x)`", "The same network with a sigmoid ten times as steep.", _steep_sigmoid),
    Network("sine", "`sin(x)`", "The same network with an activation that is not monotonic.", _sine),
    Network(
        "hand-made-elu",
        "hand-made ELU",
        "Two hidden layers with `where(x > 0, x, exp(x) - 1)`, and pixels left at 0 to 255.",
        _hand_made_elu,
        pixels=BYTE,
        depth=SHALLOW,
    ),
    Network(
        "one-unit-softmax",
        "one-unit softmax",
        "Is the digit even? One output unit with `softmax`, trained with categorical cross-entropy.",
        _relu,
        question="even",
        depth=SHALLOW,
    ),
)  # fmt: skip


def load_digits() -> Data:
    """The digits, a quarter of them (stratified) held back for validation."""
    import sklearn.datasets
    from sklearn.model_selection import train_test_split

    digits = sklearn.datasets.load_digits()
    x, x_validation, y, y_validation = train_test_split(
        (digits.data / WHITE).astype(np.float32),
        digits.target,
        test_size=0.25,
        random_state=SEED,
        stratify=digits.target,
    )
    return Data(x, y, x_validation, y_validation)


def made(network: Network, data: Data, seed: int = SEED) -> tuple[Any, dict[str, Any]]:
    """The compiled network, and the keyword arguments of its fit."""
    import keras

    keras.utils.set_random_seed(seed)
    activation = network.activation()
    hidden = [
        keras.layers.Dense(UNITS, activation=activation, name=f"hidden_{depth}")
        for depth in range(1, network.depth + 1)
    ]
    even = network.question == "even"
    output = keras.layers.Dense(1 if even else 10, activation="softmax", name="output")
    model = keras.Sequential([keras.Input((data.x.shape[1],)), *hidden, output], name=network.file.replace("-", "_"))
    loss = "categorical_crossentropy" if even else "sparse_categorical_crossentropy"
    y, y_validation = (_labels(labels, even) for labels in (data.y, data.y_validation))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of the one-unit softmax too; here the diagnosis is to say it
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model, {
        "x": data.x * network.pixels,
        "y": y,
        "validation_data": (data.x_validation * network.pixels, y_validation),
        "epochs": EPOCHS,
        "batch_size": BATCH,
    }


def train(network: Network, data: Data, run_file: Path, on_epoch: Callable[[], None]) -> Diagnosis:
    """Train one network while it is watched, and give the verdict. `on_epoch` is called at the end of each epoch."""
    import keras

    from diagnose.callbacks import TrainingMonitor

    model, arguments = made(network, data)
    monitor = TrainingMonitor(run_file, every=EVERY, overhead=OVERHEAD)
    each_epoch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(**arguments, verbose=0, callbacks=[monitor, each_epoch])
    return monitor.diagnosis


def cured() -> Proof:
    """The remedies of the activation that is flat around 0, tried on two seeds."""
    from diagnose.callbacks import prove

    return prove(flat_around_0, seeds=2, budget=FITS, progress=False)


def flat_around_0(seed: int) -> tuple[Any, dict[str, Any]]:
    """The network whose cure the demo proves, as `prove` takes it."""
    return made(next(network for network in NETWORKS if network.file == "tanh-x5"), load_digits(), seed)


def _labels(digits: np.ndarray, even: bool) -> np.ndarray:
    return (digits % 2 == 0).astype(np.float32)[:, None] if even else digits
