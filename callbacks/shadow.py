"""One observation: the user's own train step once more on the same batch, tapped, its effects undone.

The step that trains is never touched: taps inside it would change how TensorFlow fuses operations, and so the last
bits of the weights. The shadow step is a function of ours around the model's own `train_step` (a custom one too), with
three things replaced while it is traced: activations by tapped ones, `Optimizer.apply` by a recorder, so that
gradients are read and no weight moves, and `compute_loss` by one that remembers what it was given. Metrics are set
back to zero inside it, so that what `train_step` reports is this batch alone and not a running mean.

Everything measured is returned, packed into a few vectors; no variable of ours is left behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.reversible import CannotUndo, Reversible, pristine
from diagnose.callbacks.roles import assign_roles
from diagnose.callbacks.taps import Tap, Tapping, _tapping, leaf_layers, path_of, sample_of, tapped

#: Entries above which the distribution of a tensor is read from evenly spaced rows; counts of NaN stay exact.
LARGE = 1 << 18
#: Entries of targets and predictions that are handed to the host at one observation.
ANSWERS = 1 << 18


@dataclass
class SiteReading:
    """What one observation read at one activation site. Arrays are None where nothing could be read."""

    where: str
    numbers: dict[str, float]
    z: np.ndarray | None
    a: np.ndarray
    slope: np.ndarray | None
    alive: np.ndarray | None
    constant: np.ndarray


@dataclass
class Reading:
    """What one observation read.

    loss: of this batch, as `compute_loss` gave it (None where train_step does not call it exactly once).
    reported: what train_step returned, with metrics that started from zero.
    gradients: variable path -> {"rms", "nonfinite", "missing"}; weights: variable path -> {"rms", "nonfinite"}.
    inputs: input name -> numbers; sites: in the order of the calls; targets, predictions: by output, None if unknown.
    """

    loss: float | None
    reported: dict[str, float]
    gradients: dict[str, dict[str, float]]
    weights: dict[str, dict[str, float]]
    inputs: dict[str, dict[str, float]]
    sites: list[SiteReading]
    targets: list[np.ndarray] = field(default_factory=list)
    predictions: list[np.ndarray] = field(default_factory=list)


class ShadowStep:
    """The shadow step of one model for batches of one element spec.

    Raises CannotUndo where the train step has effects that can't be put back, and whatever tracing the user's own
    train step raises.
    """

    def __init__(self, model: Any, element_spec: Any) -> None:
        self.model = model
        self.taps: list[Tap] = []
        self.missed: dict[str, str] = {}
        #: Whether the step asks `compute_loss` once, so that its targets and predictions are known.
        self.standard = False
        #: Whether it has been called before.
        self.called = False
        self._scalars: list[tuple[str, ...]] = []
        self._failure: Exception | None = None
        owners = [model, *leaf_layers(model), *optimizers_of(model)] if model.built else [model]
        with pristine(owners, building=not model.built):
            self._step = Reversible(self._traced, element_spec)
        if self._failure is not None:
            raise self._failure

    def __call__(self, batch: Any) -> Reading:
        """Read everything on this batch; nothing of the model is changed afterwards."""
        self.called = True
        packed = self._step(batch)
        return self._unpacked({name: _to_numpy(value) for name, value in packed.items()})

    def _traced(self, data: Any) -> dict[str, Any]:
        model, graph = self.model, tf.compat.v1.get_default_graph()
        seen = _Seen()
        with tapped(model, graph) as tapping, _recorded(seen), _remembered_loss(model, seen):
            with contextlib.suppress(Exception):  # a metric that can't be reset reports its running mean
                for metric in model.metrics:
                    metric.reset_state()
            reported = model.train_step(_without_optionals(data))
        # What fails in our own part is told after the tracing: TensorFlow gives the variables that were made during a
        # trace (metrics, layers built just now) their values at its end, and never if it breaks off.
        try:
            with tf.name_scope("diagnose_reading"):
                return self._packed(data, tapping, seen, reported)
        except Exception as error:
            self._failure = error
            return {}

    def _packed(self, data: Any, tapping: Tapping, seen: _Seen, reported: Any) -> dict[str, Any]:
        assign_roles(tapping.taps, seen.y_pred, data)
        self.taps, self.missed = tapping.taps, tapping.missed
        self.standard = seen.loss_calls == 1
        scalars: dict[tuple[str, ...], Any] = {}
        packed: dict[str, Any] = {}
        for index, tap in enumerate(tapping.taps):
            scalars.update({("site", str(index), name): value for name, value in _site_numbers(tap).items()})
            packed.update({f"site/{index}/{name}": value for name, value in _site_arrays(tap).items()})
        for path, value in seen.gradients.items():
            scalars.update({("gradient", path, name): number for name, number in value.items()})
        for variable in self.model.trainable_variables:
            for name, number in _size_numbers(tf.convert_to_tensor(variable)).items():
                scalars["weight", variable.path, name] = number
        x = data[0] if isinstance(data, tuple) else data
        for name, value in named_leaves(x):
            if isinstance(value, tf.Tensor) and (value.dtype.is_floating or value.dtype.is_integer):
                for key, number in _distribution(tf.cast(value, tf.float32)).items():
                    scalars["input", name, key] = number
        if self.standard:
            scalars["loss", ""] = tf.cast(tf.convert_to_tensor(seen.loss), tf.float32)
        if isinstance(reported, dict):
            for name, value in reported.items():
                if isinstance(value, tf.Tensor) and value.shape.rank == 0:
                    scalars["reported", str(name)] = tf.cast(value, tf.float32)
        for side, values in (("target", seen.y), ("prediction", seen.y_pred)):
            for index, value in enumerate(leaves(values) if self.standard else []):
                if isinstance(value, tf.Tensor) and value.shape.rank is not None:
                    packed[f"{side}/{index}"] = _first_rows(value)
        self._scalars = list(scalars)
        flat = [tf.cast(tf.reshape(value, []), tf.float32) for value in scalars.values()]
        packed["scalars"] = tf.stack(flat) if flat else tf.zeros([0])
        return packed

    def _unpacked(self, packed: dict[str, np.ndarray]) -> Reading:
        reading = Reading(None, {}, {}, {}, {}, [])
        sites: list[dict[str, float]] = [{} for _ in self.taps]
        for key, value in zip(self._scalars, packed["scalars"].tolist(), strict=True):
            match key:
                case ("site", index, name):
                    sites[int(index)][name] = value
                case ("loss", _):
                    reading.loss = value
                case ("reported", name):
                    reading.reported[name] = value
                case (kind, place, name):
                    by_place = {"gradient": reading.gradients, "weight": reading.weights, "input": reading.inputs}[kind]
                    by_place.setdefault(place, {})[name] = value
        for index, (tap, numbers) in enumerate(zip(self.taps, sites, strict=True)):
            arrays = {name: packed.get(f"site/{index}/{name}") for name in ("z", "a", "slope", "alive", "constant")}
            reading.sites.append(SiteReading(tap.where, numbers, **arrays))  # type: ignore[arg-type]
        for side, values in (("target", reading.targets), ("prediction", reading.predictions)):
            count = sum(name.startswith(f"{side}/") for name in packed)
            values.extend(packed[f"{side}/{index}"] for index in range(count))
        return reading


@dataclass
class _Seen:
    """What the train step did while it was traced."""

    gradients: dict[str, dict[str, Any]] = field(default_factory=dict)
    loss: Any = None
    loss_calls: int = 0
    y: Any = None
    y_pred: Any = None


def optimizers_of(model: Any) -> list[Any]:
    """Every optimizer that the model or one of its layers holds, inner ones after their wrappers."""
    found: dict[int, Any] = {}
    for owner in [model, *leaf_layers(model)]:
        for value in list(vars(owner).values()):
            while isinstance(value, keras.optimizers.Optimizer) and id(value) not in found:
                found[id(value)] = value
                value = getattr(value, "inner_optimizer", None)
    return list(found.values())


@contextlib.contextmanager
def _recorded(seen: _Seen) -> Iterator[None]:
    """Replace `apply` of all optimizers by a recorder, in this thread only, while the body runs.

    On the classes, since a custom train step may keep its optimizers where no search would find them.
    """
    tapping = _tapping.get()
    base = keras.optimizers.Optimizer
    classes = [cls for cls in _family(base) if "apply" in vars(cls)]
    classes += [cls for cls in base.__mro__ if "apply" in vars(cls) and cls not in classes]
    originals = {cls: vars(cls)["apply"] for cls in classes}

    def recorder(original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
            if _tapping.get() is not tapping:  # another thread trains a model of its own
                return original(self, grads, trainable_variables)
            variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
            for gradient, variable in zip(grads, variables, strict=False):
                seen.gradients[variable.path] = _gradient_numbers(gradient, variable, _scale_of(self))
            return None

        return apply

    try:
        for cls, original in originals.items():
            cls.apply = recorder(original)
        yield
    finally:
        for cls, original in originals.items():
            cls.apply = original


def _family(base: type) -> list[type]:
    return [base, *(cls for child in base.__subclasses__() for cls in _family(child))]


def _scale_of(optimizer: Any) -> Any:
    """By what `optimizer.scale_loss` multiplied the loss."""
    if hasattr(optimizer, "inner_optimizer"):
        return optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
    return getattr(optimizer, "loss_scale_factor", None) or 1.0


@contextlib.contextmanager
def _remembered_loss(model: Any, seen: _Seen) -> Iterator[None]:
    original = model.compute_loss

    def compute_loss(x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any) -> Any:
        loss = original(x, y, y_pred, *args, **kwargs)
        seen.loss, seen.y, seen.y_pred = loss, y, y_pred
        seen.loss_calls += 1
        return loss

    own = vars(model).get("compute_loss")
    object.__setattr__(model, "compute_loss", compute_loss)
    try:
        yield
    finally:
        if own is None:
            del model.__dict__["compute_loss"]
        else:
            object.__setattr__(model, "compute_loss", own)


def _site_numbers(tap: Tap) -> dict[str, Any]:
    numbers = {f"activation.{name}": value for name, value in _distribution(tf.cast(tap.a, tf.float32)).items()}
    a = _thinned(tf.cast(tap.a, tf.float32))
    deviation = a - tf.reduce_mean(a, axis=0)
    numbers["activation.spread"] = _ratio(tf.sqrt(tf.reduce_mean(deviation * deviation)), tf.sqrt(tf.reduce_mean(a * a)))
    if tap.z is not None:
        z = _distribution(tf.cast(tap.z, tf.float32))
        numbers.update({f"preactivation.{name}": value for name, value in z.items()})
    if tap.mixing is not None:
        numbers["mixing"] = tap.mixing
    for side, gradient in (("a", tap.gradient_a), ("z", tap.gradient_z)):
        if gradient is not None:
            size = _size_numbers(tf.convert_to_tensor(gradient))
            numbers[f"gradient_{side}.rms"], numbers[f"gradient_{side}.nonfinite"] = size["rms"], size["nonfinite"]
    return numbers


def _site_arrays(tap: Tap) -> dict[str, Any]:
    sample = sample_of(tap.a)
    arrays = {"a": sample(tap.a), "constant": _constant_units(tap.a, tap.unit_axis)}
    if tap.z is not None:
        arrays["z"] = sample(tap.z)
    if tap.slope is not None:
        slope = tf.convert_to_tensor(tap.slope)
        arrays["slope"] = sample(slope)
        arrays["alive"] = tf.reduce_any(slope != 0, axis=_all_axes_but(slope, tap.unit_axis))
    return arrays


def _all_axes_but(t: Any, axis: int) -> list[int]:
    rank = t.shape.rank or 0
    return [index for index in range(rank) if index != axis % max(rank, 1)]


def _constant_units(a: Any, axis: int) -> Any:
    axes = _all_axes_but(a, axis)
    return tf.reduce_max(a, axis=axes) == tf.reduce_min(a, axis=axes)


def _thinned(t: Any) -> Any:
    """Evenly spaced rows of a tensor, about `LARGE` entries; the tensor itself if it has no more."""
    if not t.shape.rank:
        return t
    return t[:: tf.maximum(1, tf.size(t) // LARGE)]


def _distribution(t: Any) -> dict[str, Any]:
    nonfinite = tf.math.count_nonzero(~tf.math.is_finite(t))
    t = _thinned(t)
    finite = tf.math.is_finite(t)
    count = tf.cast(tf.maximum(tf.math.count_nonzero(finite), 1), tf.float32)
    mean = tf.reduce_sum(tf.where(finite, t, 0.0)) / count
    variance = tf.reduce_sum(tf.where(finite, tf.square(t - mean), 0.0)) / count
    return {
        "nonfinite": nonfinite,
        "mean": mean,
        "std": tf.sqrt(variance),
        "min": tf.reduce_min(tf.where(finite, t, float("inf"))),
        "max": tf.reduce_max(tf.where(finite, t, float("-inf"))),
    }


def _size_numbers(t: Any) -> dict[str, Any]:
    t = tf.cast(t, tf.float32)
    finite = tf.math.is_finite(t)
    count = tf.math.count_nonzero(finite)
    clean = tf.where(finite, t, 0.0)
    # Scaled by the largest entry: squares of gradients under 1e-19 would vanish in float32.
    largest = tf.reduce_max(tf.abs(clean))
    scaled = tf.math.divide_no_nan(clean, largest)
    mean_square = tf.reduce_sum(tf.square(scaled)) / tf.cast(tf.maximum(count, 1), tf.float32)
    return {"rms": largest * tf.sqrt(mean_square), "nonfinite": tf.size(t, tf.int64) - count}


def _gradient_numbers(gradient: Any, variable: Any, scale: Any) -> dict[str, Any]:
    if gradient is None:
        return {"missing": tf.constant(1.0)}
    if isinstance(gradient, tf.IndexedSlices):
        rows, positions = tf.unique(gradient.indices)
        values = tf.math.unsorted_segment_sum(tf.cast(gradient.values, tf.float32), positions, tf.size(rows))
        numbers = _size_numbers(values)
        touched = tf.cast(tf.size(values), tf.float32) / float(np.prod(variable.shape))
        numbers["rms"] = numbers["rms"] * tf.sqrt(touched)  # over the whole variable: other rows have gradient 0
    else:
        numbers = _size_numbers(tf.convert_to_tensor(gradient))
    numbers["rms"] = numbers["rms"] / tf.cast(scale, tf.float32)
    return {**numbers, "missing": tf.constant(0.0)}


def _ratio(part: Any, whole: Any) -> Any:
    return tf.math.divide_no_nan(part, whole)


def _first_rows(t: Any) -> Any:
    if not t.shape.rank:
        return t
    features = tf.maximum(1, tf.size(t) // tf.maximum(1, tf.shape(t)[0]))
    return t[: tf.maximum(1, ANSWERS // features)]


def _to_numpy(value: Any) -> np.ndarray:
    array = value.numpy()
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array


def _without_optionals(data: Any) -> Any:
    """Keras hands None inside a data set on as an empty Optional; train_step expects None."""
    return keras.tree.map_structure(
        lambda value: None if isinstance(value, tf.experimental.Optional) else value, data
    )


def leaves(structure: Any) -> list[Any]:
    """The leaves of a nested structure, in the order Keras flattens it; [] for None."""
    return [] if structure is None else list(keras.tree.flatten(structure))


def named_leaves(structure: Any) -> list[tuple[str, Any]]:
    """The leaves with a name each: the key in a dict, the position in a list, "" for a single one."""
    if isinstance(structure, dict):
        return [(str(key), value) for key, value in sorted(structure.items(), key=lambda item: str(item[0]))]
    if isinstance(structure, (list, tuple)):
        return [(str(index), value) for index, value in enumerate(structure)]
    return [("", structure)]


__all__ = ["CannotUndo", "Reading", "ShadowStep", "SiteReading", "leaves", "named_leaves", "optimizers_of", "path_of"]
