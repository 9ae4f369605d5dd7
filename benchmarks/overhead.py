"""What watching costs: watched fits against bare ones, by turns in one process.

    python benchmarks/overhead.py [--blocks N] [--seconds S]

For an MLP, a CNN and a transformer: a bare and a watched fit train by turns of a quarter of a second in one process, so
that a machine whose speed drifts slows both alike. Told are the seconds of the watched fit over those of the bare one
after set-up (the first block), as median and range over the other blocks; set-up seconds; peak memory of the process
over that of one with two bare fits. The row "nothing" is of those two: what it is off from 1 is noise. Beside it on the
same work: Keras' TensorBoard with histograms, `enable_check_numerics`, the Debugger V2 dump (CURT_HEALTH), and a
callback that runs a gradient tape on each batch. Each has a process of its own, since some change TensorFlow for good.
Needs `pip install tensorboard`.
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
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH = 64
WORK = ("mlp", "cnn", "transformer")
METHODS = ("nothing", "monitor", "tensorboard", "check_numerics", "debugger_v2", "gradient_tape")
TURN_SECONDS = 0.25


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


class Turns:
    """Two fits of one process that train by turns, so that a machine whose speed drifts slows both alike."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._changed = threading.Condition()
        self._turn: int | None = 0

    def wait(self, number: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn in (number, None))

    def hand_over(self, number: int) -> None:
        with self._changed:
            if self._turn is not None:
                self._turn = 1 - number
            self._changed.notify_all()

    def leave(self) -> None:
        """One has ended: the other goes on alone."""
        with self._changed:
            self._turn = None
            self._changed.notify_all()


def turn_taker(turns: Turns, number: int):
    """A callback, the first of its fit, that hands the turn over after each so many steps.

    `seconds`: of each turn; `away`: seconds spent waiting. A turn ends where a step begins, so that what happens at
    the end of an epoch is part of it.
    """
    import keras

    class TurnTaker(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seconds, self.away, self.count = [], 0.0, 0
            self.rest()

        def rest(self):
            began = time.perf_counter()
            turns.wait(number)
            self.started = time.perf_counter()
            self.away += self.started - began

        def on_train_batch_begin(self, batch, logs=None):
            if self.count and self.count % turns.steps == 0:
                self.seconds.append(time.perf_counter() - self.started)
                turns.hand_over(number)
                self.rest()
            self.count += 1

    return TurnTaker()


class StandingClock:
    """In place of `time` in the monitor's accounts: stands still while the other fit has its turn."""

    def __init__(self, taker) -> None:
        self._taker = taker

    def perf_counter(self) -> float:
        return time.perf_counter() - getattr(self._taker, "away", 0.0)


def by_turns(work: str, callbacks_of, seconds: float, blocks: int):
    """Seconds of each turn of a bare and of a watched fit, (turns,) each; a block of turns is an epoch.

    callbacks_of: gives the watched fit's callbacks, called in its thread, given its turn taker.
    """
    dataset = data(work, 64)
    probe = make(work)
    probe.fit(dataset, steps_per_epoch=20, verbose=0)
    began = time.perf_counter()
    probe.fit(dataset, steps_per_epoch=50, verbose=0)
    step = (time.perf_counter() - began) / 50
    turns = Turns(max(1, round(TURN_SECONDS / step)))
    epoch = turns.steps * max(1, round(seconds / TURN_SECONDS))
    takers = [turn_taker(turns, number) for number in (0, 1)]
    failures = []

    def train(number: int) -> None:
        try:
            turns.wait(number)
            callbacks = callbacks_of(takers[1]) if number else []
            model = make(work)
            epochs = {"epochs": blocks + 1, "steps_per_epoch": epoch}
            model.fit(dataset, **epochs, verbose=0, callbacks=[takers[number], *callbacks])
        except BaseException as error:
            failures.append(error)
        finally:
            turns.leave()

    threads = [threading.Thread(target=train, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return step, epoch // turns.steps, takers[0].seconds, takers[1].seconds


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


def run_method(method: str, work: str, blocks: int, seconds: float) -> dict:
    import keras
    import tensorflow as tf

    monitors = []
    with tempfile.TemporaryDirectory() as directory:

        def callbacks_of(taker):
            if method == "monitor":
                from diagnose.callbacks import TrainingMonitor
                from diagnose.callbacks.watching import budget

                budget.time = StandingClock(taker)
                monitors.append(TrainingMonitor(f"{directory}/run.sqlite"))
                return monitors
            if method == "tensorboard":
                return [keras.callbacks.TensorBoard(directory, histogram_freq=1, update_freq="batch")]
            if method == "gradient_tape":
                return [tape_callback(data(work, 1))]
            if method == "check_numerics":
                tf.debugging.enable_check_numerics()
            elif method == "debugger_v2":
                tf.debugging.experimental.enable_dump_debug_info(directory, "CURT_HEALTH", circular_buffer_size=-1)
            return []

        step, block, bare, watched = by_turns(work, callbacks_of, seconds, blocks)
    sums = [[sum(turns[at : at + block]) for at in range(0, len(turns), block)] for turns in (bare, watched)]
    ratios = [after / before for before, after in list(zip(*sums, strict=False))[1:]]
    if monitors:
        setup = monitors[0]._session.budget.setup_seconds  # as the monitor itself accounts for it
    else:
        extra = [epochs[0] - statistics.median(epochs[1:]) for epochs in sums]
        setup = max(0.0, extra[1] - extra[0])
    return {
        "median": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "setup": setup,
        "ms": 1000 * step,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--blocks", type=int, default=8, help="epochs after the first")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each block of each of the two fits")
    parser.add_argument("--methods", default=",".join(METHODS), help='to compare, after "nothing"')
    parser.add_argument("--work", default=",".join(WORK))
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_method(*arguments.one, arguments.blocks, arguments.seconds)))
        return
    print("| method | work | ms a step, bare | median ratio (range) | set-up s | peak memory, to bare |")
    print("|---|---|---|---|---|---|")
    methods = dict.fromkeys(["nothing", *arguments.methods.split(",")])
    for work in arguments.work.split(","):
        memory = 0.0
        for method in methods:
            r = _process(method, work, arguments)
            memory = memory or r["memory_mb"]
            ratio = f"{r['median']:.3f} ({r['low']:.3f}-{r['high']:.3f})"
            row = f"{method} | {work} | {r['ms']:.1f} | {ratio} | {r['setup']:.1f} | {r['memory_mb'] / memory:.2f}"
            print(f"| {row} |", flush=True)


def _process(method: str, work: str, arguments) -> dict:
    amount = ["--blocks", str(arguments.blocks), "--seconds", str(arguments.seconds)]
    command = [sys.executable, __file__, "--one", method, work, *amount]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
