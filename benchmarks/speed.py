"""Whether what a user waits for comes in time: processor seconds of each, beside the most it may take.

    python benchmarks/speed.py

Ends with 1 if one takes longer. Each is tried three times and the best counts, since the first try loads kernels. What
these are about (how much of a run, which model) is the tests' own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
import tensorflow as tf
from configurations import IDS, SCCE, D, X, model, softmax
from hand_made import run_of
from profiles import quick_profile
from runs import long_run, sick_diagnosis

from diagnose import Run, examine, load, profile
from diagnose.callbacks.auditing.audit import audit
from diagnose.run.run import Measurement
from diagnose.run.store import Store

TRIES = 3


def processor_seconds() -> float:
    """Of this process and of those it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def best_of(work: Callable[[], Any]) -> float:
    taken = []
    for _ in range(TRIES):
        began = processor_seconds()
        work()
        taken.append(processor_seconds() - began)
    return min(taken)


def much_measured() -> Run:
    """A run of sixty layers and over a million measurements, of the quantities that the rules read."""
    steps, rng = np.arange(1000), np.random.default_rng(0)
    chain = [f"dense_{depth}" for depth in range(60)]
    task = {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}
    run = run_of(layers=chain, task=task, steps_seen=1000)
    of_site = "saturated_share falling_share folds dead_share gate_gain mean std spread nonfinite"
    of_variable = "gradient.rms gradient.nonfinite weight.rms weight.nonfinite update.ratio"
    for name in chain:
        for quantity in of_site.split():
            run.add_column(f"activation.{quantity}", name, steps, rng.random(1000) * (quantity != "nonfinite"))
        for quantity in of_variable.split():
            for kind in ("kernel", "bias"):
                run.add_column(quantity, f"{name}/{kind}", steps, rng.random(1000) * ("nonfinite" not in quantity))
    run.add_column("batch.loss", "", steps, rng.random(1000))
    run.observed(*steps.tolist())
    return run


def a_million_written(path: Path) -> Path:
    """A run file of a million measurements."""
    store = Store.create(path)
    for start in range(0, 1_000, 100):
        rows = [
            Measurement("weight.rms", f"layer_{k}", step, step + k / 1000)
            for step in range(start, start + 100)
            for k in range(1_000)
        ]
        store.write(start, rows)
    store.close()
    return store.path


def main() -> int:
    """Print the table; 1 if something takes longer than it may."""
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        classifier = model([D(256, activation="relu"), D(256, activation="relu"), softmax(10)], SCCE)
        much, long, written = much_measured(), sick_diagnosis(long_run()), a_million_written(here / "million.sqlite")

        def hidden_nan(z: Any) -> Any:
            return tf.where(z > 0, z, tf.exp(z) - 1)

        asked_for_help = [sys.executable, "-m", "diagnose.cli", "--help"]
        table: list[tuple[str, float, Callable[[], Any]]] = [
            ("--help", 0.5, lambda: subprocess.run(asked_for_help, check=True, capture_output=True)),
            ("an audit", 1.0, lambda: audit(classifier, X, IDS)),
            ("a profile of a function", 2.0, lambda: profile(hidden_nan)),
            ("the same at the start of a training", 1.0, lambda: quick_profile(hidden_nan)),
            ("judging a million measurements", 2.0, lambda: examine(much)),
            ("loading a million measurements", 3.0, lambda: load(written)),
            ("a page of a million measurements", 10.0, lambda: long.to_html(here / "long.html")),
        ]
        late = False
        for what, most, work in table:
            seconds = best_of(work)
            late |= seconds > most
            print(
                f"{what:40s} {seconds:6.2f} s, at most {most:4.1f} s{'   TOO LONG' if seconds > most else ''}",
                flush=True,
            )
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
