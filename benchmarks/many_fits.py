"""What watching costs over many fits of one model in one process, and over one long fit: time and memory.

    python benchmarks/many_fits.py [--fits N] [--steps N]

A small model (two hidden layers of 32) is fitted so many times for two epochs of eight steps: bare, with one monitor
for all fits, and with a new one for each. Then it is fitted once for so many steps, bare and watched. Each in a process
of its own, one after the other. Told are the seconds of the first fit, those of all others with their share of the bare
ones, and by how much memory grew from the sixth fit, or the tenth part of the steps, to the end. Run it on an idle
machine.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BARE, ONE, NEW = "bare", "one monitor", "a new monitor each"


def megabytes() -> float:
    """Memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def made():
    """The compiled model, and data for eight steps."""
    import keras
    import numpy as np
    from keras import layers

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, rng.standard_normal((256, 64)).astype("float32"), rng.integers(0, 10, 256)


def many(how: str, fits: int) -> tuple[float, float, float]:
    """Seconds of the first fit and of the others, and megabytes from the sixth to the last."""
    from diagnose.callbacks import TrainingMonitor

    model, x, y = made()
    one = TrainingMonitor()
    seconds, sizes = [], []
    for number in range(fits):
        monitors = {BARE: [], ONE: [one], NEW: [TrainingMonitor()]}[how]
        began = time.perf_counter()
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=monitors)
        seconds.append(time.perf_counter() - began)
        if number in (5, fits - 1):
            sizes.append(megabytes())
    return seconds[0], sum(seconds[1:]), sizes[-1] - sizes[0]


def long(how: str, steps: int) -> tuple[float, float, float]:
    """Seconds of the first tenth of the steps and of the others, and megabytes from there to the end."""
    import keras

    from diagnose.callbacks import TrainingMonitor

    model, x, y = made()
    seen = []

    def note(epoch: int) -> None:
        if epoch in (epochs // 10, epochs - 1):
            seen.append((time.perf_counter(), megabytes()))

    epochs = steps // 8
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note(epoch))]
    began = time.perf_counter()
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=callbacks + [TrainingMonitor()] * (how != BARE))
    (first, small), (last, large) = seen
    return first - began, last - first, large - small


def main() -> None:
    """Measure all, each in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=30)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--alone", nargs=2, metavar=("WHAT", "HOW"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        what, how = given.alone
        print(*(many(how, given.fits) if what == "many" else long(how, given.steps)))
        return
    for what, title, hows in (
        ("many", f"{given.fits} fits", (BARE, ONE, NEW)),
        ("long", f"{given.steps} steps", (BARE, ONE)),
    ):
        bare = 0.0
        for how in hows:
            command = [sys.executable, __file__, "--fits", str(given.fits), "--steps", str(given.steps)]
            told = subprocess.run([*command, "--alone", what, how], check=True, capture_output=True, text=True).stdout
            first, others, grown = (float(number) for number in told.split()[-3:])
            bare = bare or others
            print(f"{title}, {how}: first {first:.1f} s, others {others:.1f} s ({others / bare:.2f}), {grown:+.1f} MB")


if __name__ == "__main__":
    main()
