"""From what an observation read to the measurements of the run.

Sums over tensors are done inside the shadow step; what is left is arithmetic on small samples, and what needs memory:
which units were dead in the last batches, where a function was flat on the range it met.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from diagnose.callbacks.measuring.batches import nonfinite_count
from diagnose.callbacks.measuring.slopes import falling_share, folds, range_met, saturated_share, working_range
from diagnose.callbacks.observing.reading import CurvesOver, Reading, SiteReading
from diagnose.outcome.scores import accuracy, majority_class, majority_share
from diagnose.outcome.task import Task, Wanted, task_of
from diagnose.run.quantities import bend
from diagnose.run.run import Measurement

DEAD_BATCHES = 10  # the contract's: a unit is dead if its slope was 0 at every sample of so many observed batches
BINS = 96  # of a histogram of z: fine enough for a page, 0.8 kB

Array = tuple[str, str, int, np.ndarray]


class Measuring:
    """Turns readings into measurements; remembers what spans several of them.

    instruments: which parts are wanted, of "activations", "gradients", "numerics", "outputs", "weights".
    """

    def __init__(self, instruments: frozenset[str]) -> None:
        self.instruments = instruments
        self.tasks: dict[str, Task] = {}
        #: What is wanted of each output, in their order; empty where nobody asked.
        self.wanted: list[Wanted] = []
        self._alive: dict[str, deque[np.ndarray]] = {}
        self._direction: np.ndarray | None = None

    def measure(
        self, reading: Reading, curves_over: CurvesOver, step: int, *, planned: bool = True
    ) -> tuple[list[Measurement], list[Array]]:
        """All measurements of one observation at `step`, and its histograms and curves.

        planned: what spans several observations is of planned ones alone: of others it would depend on how many of them
        the budget allowed.
        """
        found: list[Measurement] = []
        arrays: list[Array] = []

        def add(quantity: str, where: str, value: float) -> None:
            found.append(Measurement(quantity, where, step, float(value)))

        for name, numbers in reading.inputs.items():
            for key, value in numbers.items():
                if "numerics" in self.instruments or key != "nonfinite":
                    add(f"input.{key}", name, value)
        for site in reading.sites:
            self._measure_site(site, add)
        if "activations" in self.instruments:
            arrays += self._measure_slopes(reading.sites, curves_over, step, add, planned)
        for path, numbers in reading.gradients.items():
            for key, value in numbers.items():
                if "gradients" in self.instruments or ("numerics" in self.instruments and key == "nonfinite"):
                    add(f"gradient.{key}", path, value)
        if "gradients" in self.instruments:
            if planned:
                cosine = _cosine(self._direction, reading.direction)
                self._direction = reading.direction
                if np.isfinite(cosine):
                    add("gradient.cosine", "", cosine)
            if reading.kept_share is not None:
                add("gradient.kept_share", "", min(1.0, reading.kept_share))
        for path, numbers in reading.weights.items():
            for key, value in numbers.items():
                if "weights" in self.instruments or ("numerics" in self.instruments and key == "nonfinite"):
                    add(f"weight.{key}", path, value)
        self._measure_outputs(reading, add)
        return found, arrays

    def _measure_site(self, site: SiteReading, add: Any) -> None:
        numbers, where = site.numbers, site.where
        for key, value in numbers.items():
            if key.startswith(("activation.", "preactivation.")):
                wanted = "numerics" if key.endswith(".nonfinite") else "activations"
                if wanted in self.instruments:
                    add(key, where, value)
        if "numerics" in self.instruments:
            for key, name in (("a", "activation"), ("z", "preactivation")):
                if f"gradient_{key}.nonfinite" in numbers:
                    add(f"{name}.gradient_nonfinite", where, numbers[f"gradient_{key}.nonfinite"])
        if "gradients" in self.instruments and "gradient_a.rms" in numbers:
            arriving = numbers["gradient_a.rms"]
            add("activation.gradient_rms", where, arriving)
            if arriving > 0 and "gradient_z.rms" in numbers:
                add("activation.gate_gain", where, numbers["gradient_z.rms"] / arriving)
        if "activations" in self.instruments:
            add("activation.constant_share", where, float(np.mean(site.constant)))

    def _measure_slopes(
        self, sites: list[SiteReading], curves_over: CurvesOver, step: int, add: Any, planned: bool
    ) -> list[Array]:
        """Add what slopes and curves tell, and give the curves, and the histograms of what went in."""
        arrays = [_histogram(site.where, site.z, step) for site in sites if site.z is not None]
        met = {site.where: range_met(site.z) for site in sites if site.z is not None and site.slope is not None}
        curves = curves_over({where: working_range(ends) for where, ends in met.items()})
        for site in sites:
            where, z, slope = site.where, site.z, site.slope
            if where not in curves or z is None or slope is None:
                continue
            curve = curves[where]
            if curve is not None:
                drawn = np.stack([curve.z, curve.f, curve.slope]).astype(np.float32)
                arrays.append(("activation.curve", where, step, drawn))
                add("activation.saturated_share", where, saturated_share(slope, z, curve))
                add("activation.folds", where, folds(curve, met[where]))
                add("activation.bend", where, bend(z, site.a))
            add("activation.falling_share", where, falling_share(slope))
            if planned and site.alive is not None:
                recent = self._alive.setdefault(where, deque(maxlen=DEAD_BATCHES))
                if recent and recent[-1].shape != site.alive.shape:
                    recent.clear()
                recent.append(site.alive)
                add("activation.dead_share", where, float(1 - np.mean(np.any(recent, axis=0))))
        return [array for array in arrays if array is not None]

    def wanted_of(self, outputs: int) -> list[Wanted]:
        """What is wanted of so many outputs."""
        return self.wanted if len(self.wanted) == outputs else [Wanted()] * outputs

    def _measure_outputs(self, reading: Reading, add: Any) -> None:
        if "outputs" in self.instruments:
            if reading.loss is not None:
                add("batch.loss", "", reading.loss)
            if reading.regularization is not None:
                add("batch.regularization", "", reading.regularization)
            if "loss" in reading.reported:
                add("batch.loss_reported", "", reading.reported["loss"])
                if reading.loss is None:
                    add("batch.loss", "", reading.reported["loss"])
        if not len(reading.targets) == len(reading.predictions) == len(reading.outputs):
            return
        answers = zip(reading.outputs, reading.targets, reading.predictions, strict=True)
        for (name, target, prediction), wanted in zip(answers, self.wanted_of(len(reading.outputs)), strict=True):
            if "outputs" in self.instruments:
                if name not in self.tasks or self.tasks[name].kind == "unknown":
                    self.tasks[name] = task_of(target, prediction, wanted)
                score = accuracy(self.tasks[name], target, prediction)
                if np.isfinite(score):
                    add("batch.accuracy", name, score)
                    add("batch.majority_share", name, majority_share(self.tasks[name], target))
                    if self.tasks[name].kind != "multilabel":
                        add("batch.majority_class", name, majority_class(self.tasks[name], target))
            if "numerics" in self.instruments:
                add("target.nonfinite", name, nonfinite_count(target))
                add("prediction.nonfinite", name, nonfinite_count(prediction))
        if "outputs" in self.instruments and reading.predictions and reading.predictions[0].ndim:
            add("batch.size", "", len(reading.predictions[0]))


def _histogram(where: str, z: np.ndarray, step: int) -> Array | None:
    """How often what went in lay where, (2, BINS): centres and counts; None where nothing was finite."""
    finite = z[np.isfinite(z)]
    if not finite.size:
        return None
    # In float64, and at least this wide: float32 can't tell the edges of 96 bins around a large number apart.
    low, high = float(finite.min()), float(finite.max())
    margin = max(high - low, 1e-6 * max(abs(low), abs(high), 1e-30)) / 2
    middle = low / 2 + high / 2
    counts, edges = np.histogram(finite.astype(np.float64), bins=BINS, range=(middle - margin, middle + margin))
    drawn = np.stack([(edges[:-1] + edges[1:]) / 2, counts]).astype(np.float32)
    return ("preactivation.histogram", where, step, drawn)


def _cosine(one: np.ndarray | None, other: np.ndarray | None) -> float:
    if one is None or other is None or one.shape != other.shape:
        return float("nan")
    size = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(other.astype(np.float64)))
    if not 0 < size < np.inf:
        return float("nan")
    return float(np.clip(one.astype(np.float64) @ other / size, -1, 1))
