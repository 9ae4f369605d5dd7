"""What watching costs at size: set-up, an observation, memory, run file and report, of models as they are used.

    python benchmarks/cost_at_size.py [--models NAME,...] [--steps N]

Each model trains twice, bare and watched, each in a process of its own, one after the other, on random data. Told are a
plain step; the bare first step, in which Keras traces and compiles; the monitor's set-up, which comes once, and its
share of that; an observation over a plain step (observed steps over others of the same fit, medians, the first aside);
the peak memory of the process over that of the bare one; the size of the run file; and the seconds to read it, judge it
and write the page. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

APPLICATIONS = {
    "MobileNetV2": "MobileNetV2",
    "ResNet50": "ResNet50",
    "DenseNet121": "DenseNet121",
    "EfficientNetB0": "EfficientNetB0",
}
MODELS = (
    *APPLICATIONS,
    "transformer of 6",
    "transformer of 24",
    "dense of 50",
    "dense of 200",
    "75 million weights",
    "vocabulary of 10000",
    "vocabulary of 50000",
)


def make(name: str):
    """The compiled model, and its data: x, y and the size of a batch."""
    import keras
    import numpy as np
    from keras import layers

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    number = int("".join(letter for letter in name if letter.isdigit()) or 0)
    loss = "sparse_categorical_crossentropy"
    if name in APPLICATIONS:
        model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
        x, classes, batch = rng.standard_normal((64, 96, 96, 3)).astype("float32"), 10, 16
    elif name.startswith("transformer"):
        tokens = keras.Input((64,), dtype="int32")
        h = layers.Embedding(1000, 128)(tokens)
        for _ in range(number):
            h = layers.LayerNormalization()(h + layers.MultiHeadAttention(4, 32)(h, h))
            h = layers.LayerNormalization()(h + layers.Dense(128)(layers.Dense(256, "gelu")(h)))
        model = keras.Model(tokens, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(h)))
        x, classes, batch = rng.integers(0, 1000, (128, 64)), 10, 32
    elif name.startswith("dense"):
        deep = [layers.Dense(64, "relu") for _ in range(number)]
        model = keras.Sequential([layers.Input((64,)), *deep, layers.Dense(10, "softmax")])
        x, classes, batch = rng.standard_normal((256, 64)).astype("float32"), 10, 32
    elif name.startswith("75"):
        wide = [layers.Dense(6000, "relu") for _ in range(3)]
        model = keras.Sequential([layers.Input((64,)), *wide, layers.Dense(10, "softmax")])
        x, classes, batch = rng.standard_normal((128, 64)).astype("float32"), 10, 32
    else:
        tokens = keras.Input((32,), dtype="int32")
        h = layers.LSTM(64, return_sequences=True)(layers.Embedding(number, 64)(tokens))
        model = keras.Model(tokens, layers.Dense(number)(h))
        x, classes, batch = rng.integers(0, number, (32, 32)), number, 8
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = rng.integers(0, classes, x.shape if name.startswith("vocabulary") else len(x))
    model.compile("adam", loss, metrics=["accuracy"])
    return model, x, y, batch


def train(name: str, steps: int, watched: bool) -> dict:
    """One fit, in two epochs of half of the steps, and what it took."""
    import keras
    import tensorflow as tf

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seconds = []

        def on_train_batch_begin(self, batch, logs=None):
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.seconds.append(time.perf_counter() - self.began)

    model, x, y, batch = make(name)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).repeat()
    clock, callbacks, found = Clock(), [], {}
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/run.sqlite"
        if watched:
            from diagnose.callbacks import TrainingMonitor

            callbacks = [TrainingMonitor(path)]
        plan = {"epochs": 2, "steps_per_epoch": steps // 2, "validation_data": (x[:batch], y[:batch])}
        model.fit(data, **plan, verbose=0, callbacks=[clock, *callbacks])
        found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["first"], rest = clock.seconds[0], clock.seconds[1:]
        if watched:
            monitor = callbacks[0]
            budget = monitor._session.budget
            observed = set(monitor.run.observed_steps.tolist())
            taken = [second for step, second in enumerate(rest, 1) if step in observed]
            plain = [second for step, second in enumerate(rest, 1) if step not in observed]
            found["setup"] = budget.setup_seconds - budget._dense_seconds
            found["observation"] = statistics.median(taken) - statistics.median(plain) if taken and plain else None
            found["file"] = Path(path).stat().st_size
            found["report"] = _report(path, f"{directory}/page.html")
        else:
            plain = rest
        found["plain"] = statistics.median(plain)
    return found


def _report(path: str, page: str) -> float:
    import diagnose

    began = time.perf_counter()
    diagnose.examine(diagnose.load(path)).to_html(page)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "HOW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(train(arguments.one[0], arguments.steps, arguments.one[1] == "watched")))
        return
    titles = [
        "plain step, ms",
        "bare first step, s",
        "set-up, s",
        "of it",
        "observation, plain steps",
        "memory, to bare",
    ]
    print(f"| model | {' | '.join(titles)} | run file, MB | report, s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in arguments.models.split(","):
        bare, watched = (_process(name, how, arguments.steps) for how in ("bare", "watched"))
        row = [
            name,
            f"{1000 * bare['plain']:.0f}",
            f"{bare['first']:.1f}",
            f"{watched['setup']:.1f}",
            f"{watched['setup'] / bare['first']:.2f}",
            "-" if watched["observation"] is None else f"{watched['observation'] / bare['plain']:.1f}",
            f"{watched['memory'] / bare['memory']:.2f}",
            f"{watched['file'] / 1e6:.1f}",
            f"{watched['report']:.1f}",
        ]
        print(f"| {' | '.join(row)} |", flush=True)


def _process(name: str, how: str, steps: int) -> dict:
    command = [sys.executable, __file__, "--one", name, how, "--steps", str(steps)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
