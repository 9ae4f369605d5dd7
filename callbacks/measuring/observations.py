"""From what an observation read to the measurements of the run.

Sums over tensors are done inside the shadow step; what is left is arithmetic on small samples, and what needs memory:
which units were dead in the last batches, where a function was flat on the range it met.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.outputs_and_losses import by_output
from diagnose.callbacks.measuring.slopes import MIXES, SiteCurve, falling_share, folds, saturated_share, working_range
from diagnose.callbacks.observing.tensorflow.shadow_step import Reading, ShadowStep, SiteReading, named_leaves
from diagnose.callbacks.observing.tensorflow.taps import Placed
from diagnose.outcome.scores import accuracy, majority_class, majority_share
from diagnose.outcome.task import Task, Wanted, task_of
from diagnose.run.quantities import bend
from diagnose.run.run import Measurement

DEAD_BATCHES = 10  # the contract's: a unit is dead if its slope was 0 at every sample of so many observed batches
FINGERPRINT = 16384  # entries of a batch that are hashed: two different batches rarely agree in so many
BINS = 96  # of a histogram of z: fine enough for a page, 0.8 kB
ARRAY_KINDS = ("preactivation.histogram", "activation.curve")

Array = tuple[str, str, int, np.ndarray]


class Measuring:
    """Turns readings into measurements; remembers what spans several of them.

    instruments: which parts are wanted, of "activations", "gradients", "numerics", "outputs", "weights".
    """

    def __init__(self, instruments: frozenset[str]) -> None:
        self.instruments = instruments
        self.unmeasured: dict[str, str] = {}
        self.sites: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, Task] = {}
        #: What is wanted of each output, in their order; empty where nobody asked.
        self.wanted: list[Wanted] = []
        #: By function: the layers in whose loops it runs.
        self.inside: dict[str, list[str]] = {}
        #: By name: the functions of the user's own.
        self.customs: dict[str, Placed] = {}
        self._names: dict[int, str] = {}
        self._curves: dict[str, SiteCurve] = {}
        self._alive: dict[str, deque[np.ndarray]] = {}
        self._direction: np.ndarray | None = None

    def learn_sites(self, shadow: ShadowStep, reading: Reading) -> None:
        """Find out, from the first reading of a shadow step, what each of its sites is."""
        for order, (tap, site) in enumerate(zip(shadow.taps, reading.sites, strict=True)):
            if tap.where in self.sites:
                continue
            mixing = site.numbers.get("mixing", 0.0)
            curve = SiteCurve(tap, site.z if site.z is not None else np.empty(0), site.a, mixing)
            self._curves[tap.where] = curve
            role = "mixing" if tap.role == "hidden" and mixing > MIXES else tap.role
            self.sites[tap.where] = {
                "where": tap.where,
                "layer": tap.layer,
                "function": self._name_of(tap.function),
                "role": role,
                "elementwise": None if tap.z is None else mixing <= MIXES,
                "units": tap.units,
                "order": order,
                "dtype": tap.a.dtype.name,
                "custom": is_custom(tap.function),
                "into_kernels": tap.into_kernels,
            }
            # What only behaves like an activation, and mixes its inputs or is straight, is most likely something else.
            straight = site.slope is not None and np.ptp(site.slope) == 0 and np.any(site.slope)
            unsure = tap.presumed or isinstance(tap.owner, keras.layers.Lambda)
            if is_custom(tap.function) and not (unsure and (mixing > MIXES or straight)):
                placed = Placed(tap.function, tap.owner, tap.where, tap.a.dtype.name)
                self.customs.setdefault(self._name_of(tap.function), placed)
            if curve.reason and role in ("hidden", "recurrent"):
                self.unmeasured[tap.where] = curve.reason
        for where, reason in shadow.missed.items():
            self.unmeasured.setdefault(where, reason)
        for placed in sorted(shadow.looped, key=lambda placed: placed.gate):
            name = self._name_of(placed.function)
            places = self.inside.setdefault(name, [])
            if placed.where not in places:
                places.append(placed.where)
            if is_custom(placed.function):
                self.customs.setdefault(name, placed)

    def _name_of(self, f: Any) -> str:
        """The function's name; two functions of one name (lambdas) are told apart by a number."""
        owner = identity(f)
        if owner not in self._names:
            plain = _function_name(f)
            taken = sum(name == plain or name.startswith(f"{plain} (") for name in self._names.values())
            self._names[owner] = f"{plain} ({taken + 1})" if taken else plain
        return self._names[owner]

    def measure(self, reading: Reading, step: int) -> tuple[list[Measurement], list[Array]]:
        """All measurements of one observation at `step`, and its histograms and curves."""
        found: list[Measurement] = []
        arrays: list[Array] = []

        def add(quantity: str, where: str, value: float) -> None:
            found.append(Measurement(quantity, where, step, float(value)))

        for name, numbers in reading.inputs.items():
            for key, value in numbers.items():
                if "numerics" in self.instruments or key != "nonfinite":
                    add(f"input.{key}", name, value)
        for site in reading.sites:
            self._measure_site(site, step, add, arrays)
        for path, numbers in reading.gradients.items():
            for key, value in numbers.items():
                if "gradients" in self.instruments or ("numerics" in self.instruments and key == "nonfinite"):
                    add(f"gradient.{key}", path, value)
        if "gradients" in self.instruments:
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

    def _measure_site(self, site: SiteReading, step: int, add: Any, arrays: list[Array]) -> None:
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
            self._measure_slopes(site, step, add, arrays)

    def _measure_slopes(self, site: SiteReading, step: int, add: Any, arrays: list[Array]) -> None:
        if site.z is None:
            return
        finite = site.z[np.isfinite(site.z)]
        if finite.size:
            # In float64, and at least this wide: float32 can't tell the edges of 96 bins around a large number apart.
            low, high = float(finite.min()), float(finite.max())
            margin = max(high - low, 1e-6 * max(abs(low), abs(high), 1e-30)) / 2
            middle = low / 2 + high / 2
            counts, edges = np.histogram(finite.astype(np.float64), bins=BINS, range=(middle - margin, middle + margin))
            centres = (edges[:-1] + edges[1:]) / 2
            arrays.append(("preactivation.histogram", site.where, step, np.stack([centres, counts]).astype(np.float32)))
        curve_of = self._curves[site.where]
        if curve_of.reason or site.slope is None:
            return
        curve = curve_of(*working_range(site.z))
        if curve is not None:
            arrays.append(
                ("activation.curve", site.where, step, np.stack([curve.z, curve.f, curve.slope]).astype(np.float32))
            )
            add("activation.saturated_share", site.where, saturated_share(site.slope, site.z, curve))
            add("activation.folds", site.where, folds(curve, site.z))
            add("activation.bend", site.where, bend(site.z, site.a))
        add("activation.falling_share", site.where, falling_share(site.slope))
        if site.alive is not None:
            recent = self._alive.setdefault(site.where, deque(maxlen=DEAD_BATCHES))
            if recent and recent[-1].shape != site.alive.shape:
                recent.clear()
            recent.append(site.alive)
            add("activation.dead_share", site.where, float(1 - np.mean(np.any(recent, axis=0))))

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
        if len(reading.targets) != len(reading.predictions):
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
                add("target.nonfinite", name, _nonfinite(target))
                add("prediction.nonfinite", name, _nonfinite(prediction))
        if "outputs" in self.instruments and reading.predictions and reading.predictions[0].ndim:
            add("batch.size", "", len(reading.predictions[0]))


def nonfinite_data(batch: Any, outputs: list[str]) -> list[tuple[str, str, int]]:
    """Quantity, place and number of the non-finite entries of a batch's inputs, targets and sample weights.

    outputs: places of the outputs, [] where it is not known which targets belong to them.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    found = [("input.nonfinite", name, leaf) for name, leaf in named_leaves(x)]
    found += [("sample_weight.nonfinite", name, leaf) for name, leaf in named_leaves(weights)]
    found += [("target.nonfinite", *pair) for pair in zip(outputs, by_output(y, outputs), strict=False)]
    return [(quantity, name, _nonfinite(leaf.numpy())) for quantity, name, leaf in found if isinstance(leaf, tf.Tensor)]


def _nonfinite(values: np.ndarray) -> int:
    return int(np.count_nonzero(~np.isfinite(values))) if values.dtype.kind == "f" else 0


def fingerprint(inputs: list[Any]) -> float:
    """A number that tells batches apart: CRC-32 of evenly spaced entries of their inputs, 0 to 2**32."""
    code = 0
    for leaf in inputs:
        values = leaf.numpy().reshape(-1)
        spaced = values[:: max(1, values.size // FINGERPRINT)]
        code = zlib.crc32("\0".join(map(repr, spaced)).encode() if spaced.dtype == object else spaced.tobytes(), code)
    return float(code)


def _cosine(one: np.ndarray | None, other: np.ndarray | None) -> float:
    if one is None or other is None or one.shape != other.shape:
        return float("nan")
    size = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(other.astype(np.float64)))
    if not 0 < size < np.inf:
        return float("nan")
    return float(np.clip(one.astype(np.float64) @ other / size, -1, 1))


def is_custom(f: Any) -> bool:
    """Whether a function is the user's own and not Keras'."""
    return not (getattr(f, "__module__", "") or "").startswith("keras.")


def identity(f: Any) -> int:
    """What makes a function the same at two sites: of a layer without variables, its class's own `call`."""
    layer = getattr(f, "__self__", None)
    shared = layer is not None and not getattr(layer, "variables", None)
    return id(getattr(f, "__func__", f)) if shared else id(f if layer is None else layer)


def _function_name(f: Any) -> str:
    inner = getattr(f, "__self__", None)
    if inner is not None and getattr(f, "__name__", "") == "call":
        return type(inner).__name__
    return str(getattr(f, "__name__", None) or getattr(f, "name", None) or type(f).__name__)
