"""What the run of a large model takes: megabytes of its file, and seconds and memory until its page is written.

    python benchmarks/large_runs.py [--blocks 20] [--observations 2000] [--sick 0.5] [--path run.sqlite]

Observations of a transformer with so many blocks are made up and kept by the monitor's own recorder: 20 blocks have 323
variables, 41 activation sites and 3,000 series of numbers, 28 blocks 451, 57 and 4,300. In the last blocks, a share of
them that `--sick` names, units die and their gradient vanishes, so that there is much to tell. Another process then
loads the file, judges it, and writes text, JSON and page. Told are megabytes, seconds of the processor, and the most
memory; ends with 1 if the file or the report takes more than it may.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MOST_MEGABYTES = 30.0
MOST_SECONDS = 5.0  # to load, judge and write the page

EPOCH_STEPS = 500
SPACING = 50  # steps between two observations
#: Parts of a block: the layer, its variables, and whether the first of them is a kernel with a spectral norm.
PARTS = (
    ("attention/query", ("kernel", "bias"), True),
    ("attention/key", ("kernel", "bias"), True),
    ("attention/value", ("kernel", "bias"), True),
    ("attention/output", ("kernel", "bias"), True),
    ("norm_1", ("gamma", "beta"), False),
    ("dense_1", ("kernel", "bias"), True),
    ("dense_2", ("kernel", "bias"), True),
    ("norm_2", ("gamma", "beta"), False),
)
#: What is measured of each activation at an observation, and its usual size.
OF_SITE = {
    "activation.mean": 0.1, "activation.std": 0.6, "activation.min": -0.2, "activation.max": 4.0,
    "activation.nonfinite": 0.0, "activation.gradient_rms": 1e-3, "activation.gradient_nonfinite": 0.0,
    "activation.gate_gain": 0.7, "activation.constant_share": 0.0, "activation.spread": 0.5,
    "activation.saturated_share": 0.05, "activation.falling_share": 0.02, "activation.folds": 1.0,
    "activation.bend": 0.3, "activation.dead_share": 0.01,
    "preactivation.mean": 0.0, "preactivation.std": 1.0, "preactivation.min": -4.0, "preactivation.max": 4.0,
    "preactivation.nonfinite": 0.0, "preactivation.gradient_nonfinite": 0.0,
}  # fmt: skip
#: The same of each variable.
OF_VARIABLE = {
    "gradient.rms": 1e-3, "gradient.nonfinite": 0.0, "gradient.missing": 0.0, "weight.rms": 0.05,
    "weight.nonfinite": 0.0, "update.ratio": 1e-3,
}  # fmt: skip
#: The same of the whole model.
OF_MODEL = {
    "gradient.cosine": 0.2, "batch.size": 64.0, "batch.regularization": 0.0, "optimizer.learning_rate": 1e-3,
}  # fmt: skip


class Transformer:
    """The layers, variables and sites of a made-up model, and what an observation of it would measure."""

    def __init__(self, blocks: int, sick: float) -> None:
        self.layers: list[dict[str, Any]] = []
        self.sites: list[dict[str, Any]] = []
        self._variables: list[tuple[str, bool]] = []
        self._kernels: list[str] = []
        self._rng = np.random.default_rng(0)
        self._add("embedding", ("embeddings",), "Embedding", kernel=True, sick=False)
        for block in range(blocks):
            for part, names, is_kernel in PARTS:
                path = f"block_{block}/{part}"
                is_sick = block >= round(blocks * (1 - sick))
                self._add(path, names, "Dense" if is_kernel else "LayerNormalization", kernel=is_kernel, sick=is_sick)
                if part in ("attention/output", "dense_1"):
                    mixes = part == "attention/output"
                    self._site(
                        f"block_{block}/attention/softmax" if mixes else path, path, "softmax" if mixes else "gelu"
                    )
        self._add("head", ("kernel", "bias"), "Dense", kernel=True, sick=False)
        self._site("head", "head", "softmax", role="output")
        self._z = np.linspace(-4, 4, 513)
        self._curve = np.stack([self._z, np.maximum(self._z, 0), self._z > 0]).astype(np.float32)

    def _add(self, path: str, names: tuple[str, ...], kind: str, *, kernel: bool, sick: bool) -> None:
        before = [self.layers[-1]["path"]] if self.layers else []
        variables = [f"{path}/{name}" for name in names]
        order = len(self.layers)
        self.layers.append(
            {"path": path, "class": kind, "order": order, "inbound": before, "variables": variables, "units": 256}
        )
        self._variables += [(variable, sick) for variable in variables]
        self._kernels += variables[:1] if kernel else []

    def _site(self, where: str, layer: str, function: str, role: str = "hidden") -> None:
        known = {"where": where, "layer": layer, "function": function, "units": 256, "order": len(self.sites)}
        role = "mixing" if function == "softmax" and role == "hidden" else role
        self.sites.append({**known, "role": role, "elementwise": function == "gelu", "dtype": "float32"})

    @property
    def size(self) -> str:
        """How large it is, in words."""
        return f"{len(self._variables)} variables, {len(self.sites)} sites"

    def measured(self, step: int, *, kernels: bool) -> Iterator[tuple[str, str, float]]:
        """What an observation at this step measures: quantity, place and value."""
        noise = iter(np.exp(self._rng.normal(0, 0.3, 100_000 if kernels else 50_000)).tolist())
        sick = {layer for name, ill in self._variables if ill for layer in [name.rpartition("/")[0]]}
        for site in self.sites:
            for quantity, size in OF_SITE.items():
                ill = site["layer"] in sick and quantity == "activation.dead_share"
                yield quantity, site["where"], min(0.95, step / 2000) if ill else size * next(noise)
        for name, ill in self._variables:
            for quantity, size in OF_VARIABLE.items():
                yield quantity, name, (1e-9 if ill and quantity == "gradient.rms" else size) * next(noise)
        for name in self._kernels if kernels else ():
            yield "weight.spectral_norm", name, 2.0 * next(noise)
            yield "weight.twin_share", name, 0.0
        for quantity, size in OF_MODEL.items():
            yield quantity, "", min(size * next(noise), 1.0) if quantity == "gradient.cosine" else size
        yield "optimizer.updates", "", float(step)
        yield "batch.fingerprint", "", float(step)
        loss = 0.5 + 1.8 * float(np.exp(-step / 20_000)) * next(noise)
        for quantity in ("batch.loss", "batch.loss_reported"):
            yield quantity, "", loss

    def arrays(self, step: int) -> list[tuple[str, str, int, np.ndarray]]:
        """Histogram and curve of each site."""
        found = []
        for site in self.sites:
            counts = self._rng.poisson(20, 96)
            histogram = np.stack([np.linspace(-4, 4, 96), counts]).astype(np.float32)
            found.append(("preactivation.histogram", site["where"], step, histogram))
            if site["elementwise"]:
                found.append(("activation.curve", site["where"], step, self._curve))
        return found


def memory() -> float:
    """Most memory that this process has taken so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def write(path: Path, blocks: int, observations: int, sick: float) -> None:
    """Keep made-up observations as a watched training keeps its own, and tell what that took."""
    from diagnose.callbacks.watching.guard import Guard
    from diagnose.callbacks.watching.recorder import Archive, Recorder
    from diagnose.run.meta import Facts
    from diagnose.run.run import Measurement

    model, steps = Transformer(blocks, sick), observations * SPACING
    before, archive = memory(), Archive()
    recorder = Recorder(archive, Guard(archive.run.notes, archive.write_note))
    recorder.open(str(path))
    recorder.facts = Facts.from_dict(
        {
            "model": {"name": "transformer", "class": "Functional", "parameters": 10**7, "layers": model.layers},
            "sites": model.sites,
            "loss": {"name": "sparse_categorical_crossentropy"},
            "optimizer": {"class": "Adam", "learning_rate": 1e-3},
            "fit": {"epochs": max(1, steps // EPOCH_STEPS), "steps": EPOCH_STEPS},
            "task": {"kind": "categorical", "classes": 10, "majority_share": 0.1, "held_samples": 1000},
        }
    )
    keeping = largest = 0.0
    for step in range(0, steps, SPACING):
        epoch_ends = step % EPOCH_STEPS == 0
        rows = [Measurement(*row[:2], step, row[2]) for row in model.measured(step, kernels=epoch_ends)]
        arrays = model.arrays(step)
        began = time.process_time()
        recorder.count(SPACING)
        recorder.add_observation(step, rows, arrays)
        if epoch_ends:
            done = 1 - float(np.exp(-step / 20_000))
            skills = {"skill.train": 0.9, "skill.validation": 0.85}
            losses = {"loss.train": 2.3 - 2 * done, "loss.validation": 2.3 - 1.9 * done, "loss.constant": 2.3}
            known = {name: best * done for name, best in skills.items()} | losses
            recorder.add([Measurement(name, "", step + SPACING - 1, value) for name, value in known.items()])
            recorder.add_logs({"loss": 2.3 - 2 * done, "accuracy": 0.1 + 0.8 * done, "val_loss": 2.3 - 1.9 * done})
            recorder.save_epoch()
        keeping += (taken := time.process_time() - began)
        largest = max(largest, taken)
    recorder.add_latest_arrays()
    recorder.facts = Facts.from_dict({**recorder.facts.to_dict(), "finished": "completed"})
    recorder.save_facts()
    recorder.close()
    run = archive.run
    series = [run.series(quantity, where) for quantity in run.quantities for where in run.places(quantity)]
    print(f"{observations:,} observations of {len(series):,} series ({model.size}), {sick:.0%} sick")
    print(f"numbers kept              {sum(map(len, series)):10,d}")
    print(f"memory                    {memory() - before:10.0f} MB")
    print(
        f"keeping an observation    {1000 * keeping / observations:10.1f} ms on average, {1000 * largest:.0f} at most"
    )


def report(path: Path) -> None:
    """Load, judge and show a run file, and tell what each took."""
    from diagnose import examine, load
    from diagnose.report import html, json, terminal  # noqa: F401 - what loading the code takes is not asked

    def timed(what: str, work: Any) -> Any:
        began, before = time.process_time(), memory()
        done = work()
        print(f"{what:25s} {time.process_time() - began:10.2f} s, {memory() - before:.0f} MB more", flush=True)
        return done

    began = time.process_time()
    run = timed("loading", lambda: load(path))
    diagnosis = timed("judging", lambda: examine(run))
    page = timed("writing the page", lambda: diagnosis.to_html(path.with_suffix(".html")))
    seconds = time.process_time() - began
    timed("text and JSON", lambda: (str(diagnosis), diagnosis.to_json()))
    print(f"page                      {page.stat().st_size / 1e6:10.2f} MB, {len(diagnosis.findings)} findings")
    print(f"run file                  {path.stat().st_size / 1e6:10.2f} MB, at most {MOST_MEGABYTES:.0f}")
    print(f"loading to page           {seconds:10.2f} s, at most {MOST_SECONDS:.0f}; {memory():.0f} MB in all")
    if seconds > MOST_SECONDS or path.stat().st_size / 1e6 > MOST_MEGABYTES:
        sys.exit(1)


def main() -> int:
    """Write a run file and tell what it takes; 1 if that is too much."""
    parser = argparse.ArgumentParser(description="What the run of a large model takes.")
    parser.add_argument("--blocks", type=int, default=20, help="of the transformer: 150 series each")
    parser.add_argument("--observations", type=int, default=2000)
    parser.add_argument("--sick", type=float, default=0.5, help="share of the blocks in which units die")
    parser.add_argument("--path", type=Path, help="where to keep the run file and its page")
    parser.add_argument("--only", choices=("write", "report"), help="one of the two, in this process")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = chosen.path or Path(directory) / "run.sqlite"
        if chosen.only == "write":
            write(path, chosen.blocks, chosen.observations, chosen.sick)
        elif chosen.only == "report":
            report(path)
        else:  # each in a process of its own, whose memory is that of the one alone
            again = [sys.executable, __file__, *sys.argv[1:], "--path", str(path), "--only"]
            subprocess.run([*again, "write"], check=True)
            return subprocess.run([*again, "report"], check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
