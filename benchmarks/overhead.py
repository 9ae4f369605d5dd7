"""What watching costs: watched fits against bare ones, pair by pair in one process.

    python benchmarks/overhead.py [--pairs N] [--seconds S]

For an MLP, a CNN and a transformer: seconds per step after set-up of a watched fit over those of a bare fit next to it
(so that a machine whose speed drifts does not tell), as median and range over the pairs; set-up seconds; peak memory.
Beside it on the same work: Keras' TensorBoard with histograms, `enable_check_numerics`, the Debugger V2 dump
(CURT_HEALTH), and a callback that runs a gradient tape on each batch. Each competitor runs in a process of its own,
against bare fits in that process, since some of them change TensorFlow for good.
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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH = 64
WORK = ("mlp", "cnn", "transformer")
METHODS = ("monitor", "tensorboard", "check_numerics", "debugger_v2", "gradient_tape")


def make(work: str):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    if work == "mlp":
        model = keras.Sequential(
            [layers.Input((64,)), *[layers.Dense(256, "relu") for _ in range(4)], layers.Dense(10, "softmax")]
        )
    elif work == "cnn":
        model = keras.Sequential(
            [
                layers.Input((32, 32, 3)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(64, "relu"),
                layers.Dense(10, "softmax"),
            ]
        )
    else:
        tokens = keras.Input((32,), dtype="int32")
        x = layers.Embedding(1000, 64)(tokens)
        for _ in range(2):
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
            x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, "gelu")(x)))
        model = keras.Model(tokens, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data(work: str, batches: int):
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    count = BATCH * batches
    if work == "transformer":
        x = rng.integers(0, 1000, (count, 32))
    else:
        x = rng.standard_normal((count, 64) if work == "mlp" else (count, 32, 32, 3)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, rng.integers(0, 10, count))).batch(BATCH).repeat()


def timed_fit(model, dataset, steps: int, callbacks) -> tuple[float, float]:
    """Seconds per step after warm-up, and seconds of the warm-up (the first of two equal epochs) beyond that."""
    import keras

    class Clock(keras.callbacks.Callback):
        marks: list[float]

        def on_train_begin(self, logs=None):
            self.marks = [time.perf_counter()]

        def on_epoch_end(self, epoch, logs=None):
            self.marks.append(time.perf_counter())

    clock = Clock()
    model.fit(dataset, epochs=2, steps_per_epoch=steps, verbose=0, callbacks=[*callbacks, clock])
    first, second = (after - before for before, after in zip(clock.marks, clock.marks[1:], strict=False))
    return second / steps, first - second


def tape_callback(dataset):
    import keras
    import tensorflow as tf

    class Tape(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.batch = next(iter(dataset))

        def on_train_batch_end(self, batch, logs=None):
            x, y = self.batch
            with tf.GradientTape() as tape:
                loss = self.model.compute_loss(x, y, self.model(x, training=True))
            for gradient in tape.gradient(loss, self.model.trainable_variables):
                float(tf.norm(tf.convert_to_tensor(gradient)))

    return Tape()


def run_method(method: str, work: str, pairs: int, seconds: float) -> dict:
    import tensorflow as tf

    dataset = data(work, 64)
    bare, watched = make(work), make(work)
    step, _ = timed_fit(bare, dataset, 50, [])
    steps = max(50, int(seconds / step))
    with tempfile.TemporaryDirectory() as directory:
        ratios, setups = [], []
        for _ in range(pairs):
            bare_step, bare_setup = timed_fit(bare, dataset, steps, [])
            if method == "monitor":
                from diagnose.callbacks import TrainingMonitor

                callbacks = [TrainingMonitor(f"{directory}/run.sqlite")]
            elif method == "tensorboard":
                import keras

                callbacks = [keras.callbacks.TensorBoard(directory, histogram_freq=1, update_freq="batch")]
            elif method == "gradient_tape":
                callbacks = [tape_callback(dataset)]
            else:
                callbacks = []
                if method == "check_numerics":
                    tf.debugging.enable_check_numerics()
                else:
                    tf.debugging.experimental.enable_dump_debug_info(directory, "CURT_HEALTH", circular_buffer_size=-1)
                watched = make(work)
            watched_step, watched_setup = timed_fit(watched, dataset, steps, callbacks)
            if method == "check_numerics":
                tf.debugging.disable_check_numerics()
            elif method == "debugger_v2":
                tf.debugging.experimental.disable_dump_debug_info()
            ratios.append(watched_step / bare_step)
            if method == "monitor":
                setups.append(callbacks[0]._session.budget.setup_seconds)  # as the monitor itself accounts for it
            else:
                setups.append(max(0.0, watched_setup - max(0.0, bare_setup)))
    return {
        "median": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "setup": max(setups),
        "ms": 1000 * statistics.median([bare_step]),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "steps": steps,
    }


def run_bare(work: str, seconds: float) -> dict:
    """Peak memory of a process that only trains."""
    dataset, model = data(work, 64), make(work)
    step, _ = timed_fit(model, dataset, 50, [])
    timed_fit(model, dataset, max(50, int(seconds / step)), [])
    return {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each of the two epochs of a fit")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, work = arguments.one
        if method == "bare":
            print(json.dumps(run_bare(work, arguments.seconds)))
        else:
            print(json.dumps(run_method(method, work, arguments.pairs, arguments.seconds)))
        return
    print("| method | work | ms a step, bare | median ratio (range) | set-up s | peak memory, to bare |")
    print("|---|---|---|---|---|---|")
    for work in WORK:
        bare = _process("bare", work, arguments)
        for method in arguments.methods.split(","):
            r = _process(method, work, arguments)
            ratio = f"{r['median']:.3f} ({r['low']:.3f}-{r['high']:.3f})"
            memory = r["memory_mb"] / bare["memory_mb"]
            print(f"| {method} | {work} | {r['ms']:.1f} | {ratio} | {r['setup']:.1f} | {memory:.2f} |", flush=True)


def _process(method: str, work: str, arguments) -> dict:
    amount = ["--pairs", str(arguments.pairs), "--seconds", str(arguments.seconds)]
    command = [sys.executable, __file__, "--one", method, work, *amount]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
