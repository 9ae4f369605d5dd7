"""One observation: the user's own train step once more on the same batch, tapped, its effects undone.

The step that trains is never touched: taps inside it would change how TensorFlow fuses operations, and so the last
bits of the weights. The shadow step is a function of ours around the model's own `train_step` (a custom one too), with
three things replaced while it is traced: activations by tapped ones, `Optimizer.apply` by a recorder, so that
gradients are read and no weight moves, and `compute_loss` by one that remembers what it was given. Metrics are set
back to zero inside it, so that what `train_step` reports is this batch alone and not a running mean.

Everything measured is returned, packed into a few vectors; no variable of ours is left behind. It is made when the
user's own step has made all of its variables (`step_stand_in`): a variable that is made in a trace has no value if that
trace breaks off, and would get another one than in a fit that nobody watches.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.model.arrays import leaves
from diagnose.callbacks.model.outputs import by_output, places_of
from diagnose.callbacks.model.restoring import pristine
from diagnose.callbacks.model.structures import named_leaves
from diagnose.callbacks.observing.array_reads import SIZE
from diagnose.callbacks.observing.reading import PlacedFunction, Reading, SiteReading
from diagnose.callbacks.observing.tensorflow import reductions
from diagnose.callbacks.observing.tensorflow.inline_sites import ask_gradients, inline_taps
from diagnose.callbacks.observing.tensorflow.operations import READING
from diagnose.callbacks.observing.tensorflow.packing import Packing, site_names
from diagnose.callbacks.observing.tensorflow.reversible import Reversible
from diagnose.callbacks.observing.tensorflow.site_roles import assign_roles
from diagnose.callbacks.observing.tensorflow.tapped_model import tapped
from diagnose.callbacks.observing.tensorflow.taps import Tap, Tapping, current_tapping

#: Entries of each kernel's gradient that are compared with those of the last observation.
DIRECTION = 512
#: Entries of targets and predictions that are handed to the host at one observation.
ANSWERS = 1 << 18


class ShadowStep:
    """The shadow step of one model for batches of one element spec.

    model: all variables that its step makes are there, unless the fit `ends` in this step. rows: samples of a batch, as
    far as that is known.
    Raises CannotUndo where the train step has effects that can't be put back, and whatever tracing the user's own
    train step raises.
    """

    def __init__(self, model: Any, element_spec: Any, *, rows: int | None = None, ends: bool = False) -> None:
        self.model = model
        self.taps: list[Tap] = []
        self.missed: dict[str, str] = {}
        self.looped: list[PlacedFunction] = []
        #: Whether the step asks `compute_loss` once, so that its targets and predictions are known.
        self.standard = False
        #: Places of the outputs whose targets and predictions are known.
        self.outputs: list[str] = []
        #: Whether it has been called before.
        self.called = False
        self._rows, self._packing = rows, Packing(rows)
        self._without_gradient: list[str] = []
        with pristine(model):
            self._step = Reversible(self._traced, element_spec, makes=ends)

    def __call__(self, batch: Any) -> Reading:
        """Read everything on this batch; nothing of the model is changed afterwards."""
        self.called = True
        packed = self._step(batch)
        return self._unpacked({name: _to_numpy(value) for name, value in packed.items()})

    @property
    def layers_called(self) -> list[str]:
        """Paths of the layers that own the sites, in the order of the calls, "" for a function marked by `watch`."""
        return [tap.layer for tap in self.taps]

    def _traced(self, data: Any) -> dict[str, Any]:
        model, graph = self.model, tf.compat.v1.get_default_graph()
        seen = _Seen()
        with tapped(model, graph) as tapping, _recorded(seen), _remembered_loss(model, seen):
            with contextlib.suppress(Exception):  # a metric that can't be reset reports its running mean
                for metric in model.metrics:
                    metric.reset_state()
            reported = model.train_step(_without_optionals(data))
        with tf.name_scope(READING):
            return self._packed(data, tapping, seen, reported)

    def _packed(self, data: Any, tapping: Tapping, seen: _Seen, reported: Any) -> dict[str, Any]:
        inline = self._inline(tapping, data)
        self.taps, self.missed, self.looped = tapping.taps, tapping.missed, tapping.looped
        assign_roles(self.taps, seen.y_pred, data, tapping.affine)
        if inline and seen.loss_calls == 1:
            ask_gradients(inline, seen.loss, next(iter(seen.scales.values()), None))
        self._without_gradient = seen.missing
        self.standard = seen.loss_calls == 1
        self._packing = packing = Packing(self._rows)  # anew: a step may be traced twice
        self._pack_variables(seen)
        for tap in self.taps:
            packing.site(tap)
        x = data[0] if isinstance(data, tuple) else data
        for name, value in named_leaves(x):
            if isinstance(value, tf.Tensor) and (value.dtype.is_floating or value.dtype.is_integer):
                packing.distribution("input", name, value)
        single = self._single(seen, reported)
        if single:
            packing.numbers(list(single), tf.stack([tf.cast(value, tf.float32) for value in single.values()]))
        self.outputs = places_of(self.model, seen.y_pred) if self.standard else []
        targets, predictions = by_output(seen.y, self.outputs), leaves(seen.y_pred)
        dense = all(isinstance(value, tf.Tensor) and value.shape.rank is not None for value in targets + predictions)
        if self.standard and not dense:
            self.missed["skill"] = "targets or predictions are no dense tensors"
        for side, values in (("target", targets), ("prediction", predictions)):
            for index, value in enumerate(values if self.standard and dense else []):
                packing.array(f"{side}/{index}", _first_rows(value))
        return packing.packed()

    def _inline(self, tapping: Tapping, data: Any) -> list[Tap]:
        """The activations written in a `call`; where these can't be looked for, all others are still read."""
        try:
            return inline_taps(self.model, tapping, data)
        except Exception as error:
            why = f"{type(error).__name__}: {str(error)[:200]}"
            tapping.missed["activations written in a call"] = f"they could not be looked for: {why}"
            return []

    def _pack_variables(self, seen: _Seen) -> None:
        """Sizes of gradients and weights, and a sample of the gradients of all kernels."""
        for path, (gradient, variable) in seen.gradients.items():
            if isinstance(gradient, tf.IndexedSlices):
                self._packing.numbers([("gradient", path, name) for name in SIZE], _sparse_size(gradient, variable))
                continue
            positions = _positions(variable) if len(variable.shape) > 1 else None
            self._packing.size("gradient", path, gradient, positions)
        for path, scale in seen.scales.items():
            self._packing.numbers([("gradient", path, "scale")], scale)
        for variable in self.model.trainable_variables:
            self._packing.size("weight", variable.path, tf.convert_to_tensor(variable))

    def _single(self, seen: _Seen, reported: Any) -> dict[tuple[str, ...], Any]:
        """What is one number each."""
        found: dict[tuple[str, ...], Any] = {}
        if self.standard:
            found["loss", ""] = tf.convert_to_tensor(seen.loss)
        if seen.kept_share is not None:
            found["kept_share", ""] = seen.kept_share
        with contextlib.suppress(Exception):  # losses of layers that ran inside a loop belong to another graph
            found["regularization", ""] = tf.add_n([tf.cast(loss, tf.float32) for loss in [0.0, *self.model.losses]])
        if isinstance(reported, dict):
            for name, value in reported.items():
                if isinstance(value, tf.Tensor) and value.shape.rank == 0:
                    found["reported", str(name)] = value
        return found

    def _unpacked(self, packed: dict[str, np.ndarray]) -> Reading:
        reading = Reading(None, {}, {}, {}, {}, [], outputs=self.outputs)
        reading.gradients = {path: {"missing": 1.0} for path in self._without_gradient}
        sites: list[dict[str, float]] = [{} for _ in self.taps]
        for key, value in self._packing.numbers_of(packed):
            match key:
                case ("site", index, name):
                    sites[int(index)][name] = value
                case ("loss", _):
                    reading.loss = value
                case ("kept_share", _):
                    reading.kept_share = value
                case ("regularization", _):
                    reading.regularization = value
                case ("reported", name):
                    reading.reported[name] = value
                case (kind, place, name):
                    by_place = {"gradient": reading.gradients, "weight": reading.weights, "input": reading.inputs}[kind]
                    by_place.setdefault(place, {})[name] = value
        for numbers in reading.gradients.values():
            if "scale" in numbers:
                scale = numbers.pop("scale")
                numbers["rms"] = numbers["rms"] / scale if scale else math.nan  # of a loss scaled to 0 nothing is left
            numbers.setdefault("missing", 0.0)
        for tap, numbers, read in zip(self.taps, sites, self._packing.sites_of(packed), strict=True):
            numbers |= zip(site_names(tap), read.numbers, strict=True)
            reading.sites.append(SiteReading(tap.where, numbers, read.z, read.a, read.slope, read.alive, read.constant))
        reading.direction = self._packing.samples_of(packed)
        for side, values in (("target", reading.targets), ("prediction", reading.predictions)):
            count = sum(name.startswith(f"{side}/") for name in packed)
            values.extend(packed[f"{side}/{position}"] for position in range(count))
        return reading


@dataclass
class _Seen:
    """What the train step did while it was traced."""

    gradients: dict[str, tuple[Any, Any]] = field(default_factory=dict)  # by path, the variable with it
    scales: dict[str, Any] = field(default_factory=dict)  # of the loss of which they are, where it was scaled
    missing: list[str] = field(default_factory=list)  # variables without a gradient
    kept_share: Any = None
    loss: Any = None
    loss_calls: int = 0
    y: Any = None
    y_pred: Any = None


@contextlib.contextmanager
def _recorded(seen: _Seen) -> Iterator[None]:
    """Replace `apply` of all optimizers by a recorder, in this thread only, while the body runs.

    On the classes, since a custom train step may keep its optimizers where no search would find them.
    """
    tapping = current_tapping.get()
    base = keras.optimizers.Optimizer
    classes: list[Any] = [cls for cls in _family(base) if "apply" in vars(cls)]
    classes += [cls for cls in base.__mro__ if "apply" in vars(cls) and cls not in classes]
    originals = {cls: vars(cls)["apply"] for cls in classes}

    def recorder(original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
            if current_tapping.get() is not tapping:  # another thread trains a model of its own
                return original(self, grads, trainable_variables)
            variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
            grads = list(grads)
            seen.kept_share, scale = _kept_share(self, grads), _scale_of(self)
            for gradient, variable in zip(grads, variables, strict=False):
                if gradient is None:
                    seen.missing.append(variable.path)
                    continue
                seen.gradients[variable.path] = gradient, variable
                if scale is not None:
                    seen.scales[variable.path] = scale
            return None

        return apply

    try:
        for cls, original in originals.items():
            cls.apply = recorder(original)
        yield
    finally:
        for cls, original in originals.items():
            cls.apply = original


def _kept_share(optimizer: Any, gradients: list[Any]) -> Any:
    """Norm of the gradients after the optimizer's own clipping over their norm before.

    None where it does not clip, or an optimizer of the user's own can't clip outside of its `apply`.
    """
    if not any(getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")):
        return None
    known = [gradient for gradient in gradients if gradient is not None]
    try:
        clipped = tf.linalg.global_norm(optimizer._clip_gradients(known))
    except Exception:
        return None
    return tf.math.divide_no_nan(clipped, tf.linalg.global_norm(known))


def _family(base: Any) -> list[Any]:
    return [base, *(cls for child in base.__subclasses__() for cls in _family(child))]


def _scale_of(optimizer: Any) -> Any:
    """By what `optimizer.scale_loss` multiplied the loss, (1,); None where it did not."""
    scale = getattr(optimizer, "loss_scale_factor", None)
    if hasattr(optimizer, "inner_optimizer"):
        scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
    return None if scale is None else tf.reshape(tf.cast(scale, tf.float32), [1])


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


def _positions(variable: Any) -> np.ndarray:
    """At which places of its flat form the gradient of a variable is sampled."""
    size = math.prod(variable.shape)
    return np.arange(0, size, max(1, size // DIRECTION), dtype=np.int32)[:DIRECTION]


def _sparse_size(gradient: Any, variable: Any) -> Any:
    """`reductions.SIZE` of a sparse gradient over the whole variable, whose other rows have gradient 0."""
    rows, positions = tf.unique(tf.reshape(gradient.indices, [-1]))
    values = tf.math.unsorted_segment_sum(tf.cast(gradient.values, tf.float32), positions, tf.size(rows))
    touched = tf.cast(tf.size(values), tf.float32) / float(np.prod(variable.shape))
    return reductions.size(values) * tf.stack([tf.sqrt(touched), 1.0])


def _first_rows(t: Any) -> Any:
    if not t.shape.rank:
        return t
    features = tf.maximum(1, tf.size(t) // tf.maximum(1, tf.shape(t)[0]))
    return t[: tf.maximum(1, ANSWERS // features)]


def _to_numpy(value: Any) -> np.ndarray:
    array = value.numpy()
    return array.astype(np.float32) if value.dtype in (tf.bfloat16, tf.float16) else array


def _without_optionals(data: Any) -> Any:
    """Keras hands None inside a data set on as an empty Optional; train_step expects None."""
    return keras.tree.map_structure(lambda value: None if isinstance(value, tf.experimental.Optional) else value, data)
