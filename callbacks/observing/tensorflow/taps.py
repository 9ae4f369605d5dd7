"""What an activation site is, and how it is read without the user's step knowing.

A *site* is one call of one activation function: `layer.activation` of any layer that has one, the call of an activation
layer, a Lambda, a user's own layer without a kernel, a function or callable object that a user's own layer or model
keeps as an attribute (`self.act`), or a function marked by `watch`. `tapped_model` puts the taps there.

    z --tap--> f --tap--> a      forward:  z, a         backward: dL/da arrives, dL/dz leaves

A tap is an identity with a custom gradient. What Keras hangs on a tensor (`_keras_logits`, `_keras_mask`) is handed
on: its cross-entropies use it, and would compute another loss without. Where the loss takes the logits that way, no
gradient passes f, and no gate gain is measured.

The slope f'(z) of every entry is read by an inner tape on the same call of f, with ones from above; that is the slope
only where f is elementwise, so a few rows are asked with a random sign pattern as well, and the host sets aside
whatever mixes its inputs (softmax, normalizations).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import keras
import tensorflow as tf
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from tensorflow.python.eager import record

from diagnose.callbacks.model.layers import path_of
from diagnose.callbacks.observing.reading import PlacedFunction
from diagnose.callbacks.observing.tensorflow import reductions
from diagnose.callbacks.observing.tensorflow.functions import computation, is_custom
from diagnose.callbacks.observing.tensorflow.operations import READING
from diagnose.run.meta import Role

LOOP = "it runs inside a loop or a function of its own, where values can't be read from outside"
PROBE_ROWS = 4  # rows asked for mixing: two are the least that can show mixing over the batch

F = TypeVar("F", bound=Callable[..., Any])

#: The tapping that is under way in this context, if any; `watch` looks for it.
current_tapping: contextvars.ContextVar[Tapping | None] = contextvars.ContextVar("diagnose_tapping", default=None)


def watch(f: F | None = None, name: str | None = None) -> Any:
    """Give a function that behaves as `f` and is an activation site of its own while a training is observed.

    f: a function whose first argument is a tensor and that returns one tensor of the same shape.
    name: the site's name in the diagnosis; by default the function's own.
    Outside of an observation it calls `f` and nothing else. Works inline, `watch(swish)(x)`, and as a decorator, with a
    name (`@watch(name="swish")`) or without. Raises TypeError for what can't be called.

    >>> double = watch(lambda x: 2 * x, name="double")
    >>> double(21)
    42
    """
    if f is None:
        return functools.partial(watch, name=name)
    if not callable(f):
        raise TypeError(
            f"watch was given {f!r}, which can't be called. Pass a function of a tensor: watch(f, name=...)."
        )
    site = str(name or getattr(f, "__name__", type(f).__name__))

    @functools.wraps(f, updated=())
    def watched(*args: Any, **kwargs: Any) -> Any:
        tapping = current_tapping.get()
        if tapping is None or not args:
            return f(*args, **kwargs)
        return tapping.through(site, None, f, *args, **kwargs)

    return watched


@dataclass
class Tap:
    """What one site gives while the shadow step is traced: symbolic tensors of its graph, None where there is none.

    owner: the layer or model that calls the function; None for one marked by `watch`. presumed: it is an attribute
    that behaved like an activation, and need not be one. into_kernels: what leaves the site gets to kernels of other
    layers and to nothing else, and on the way to them it is at most scaled and shifted.
    """

    where: str
    owner: Any
    function: Callable[..., Any]
    z: Any
    a: Any
    out: Any = None  # a, handed on to the rest of the model
    slope: Any = None
    mixing: Any = None
    gradient_a: Any = None
    gradient_z: Any = None
    unit_axis: int = -1
    role: Role = "hidden"
    presumed: bool = False
    into_kernels: bool = False

    @property
    def layer(self) -> str:
        """Path of the owner, "" without one."""
        return "" if self.owner is None else path_of(self.owner)

    @property
    def units(self) -> int | None:
        """Size of the unit axis; None where it is not static."""
        shape = self.a.shape
        return None if not shape.rank else shape[self.unit_axis]


@dataclass
class Span:
    """The operations that were made while something ran: from number `start` on, before number `end`.

    owner: the layer or model whose `call` it was, if activations may be written there; then `outputs` is what it gave.
    opaque: they belong to nothing around it.
    """

    owner: Any
    opaque: bool
    start: int
    end: int = 0
    outputs: list[Any] = field(default_factory=list)
    inner: list[Span] = field(default_factory=list)

    def own(self, operations: list[Any]) -> Iterator[Any]:
        """Those of all operations of the graph that were made in it, but not in what is opaque inside of it."""
        at = self.start
        for span in self.inner:
            yield from operations[at : span.start]
            if not span.opaque:
                yield from span.own(operations)
            at = span.end
        yield from operations[at : self.end]

    def all(self) -> Iterator[Span]:
        """This one and all inside of it."""
        yield self
        for span in self.inner:
            yield from span.all()


@dataclass
class Tapping:
    """The taps of one traced step, in the order of the calls, and the sites that could not be tapped.

    missed: reasons by site. looped: functions inside a loop, to be examined on their own, at the layer that loops.
    loops: for each layer inside a recurrent one (by id), that recurrent layer.
    affine: what leaves a batch normalization, by the name of the operation that hands it its input.
    spans: which operations each `call` of a layer has made, where some may have written an activation in its own.
    """

    graph: Any
    taps: list[Tap] = field(default_factory=list)
    missed: dict[str, str] = field(default_factory=dict)
    looped: list[PlacedFunction] = field(default_factory=list)
    loops: dict[int, Any] = field(default_factory=dict)
    affine: dict[str, Any] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    _open: list[Span] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _asked: dict[Hashable, tuple[Any, Any]] = field(default_factory=dict)  # f too: its key holds while it exists
    _resting: bool = False

    def through(
        self,
        name: str,
        owner: Any,
        f: Callable[..., Any],
        x: Any,
        *args: Any,
        unit_axis: int = -1,
        role: Role = "hidden",
        sure: bool = True,
        presumed: bool = False,
        **kwargs: Any,
    ) -> Any:
        """What f gives for x, read on its way; whatever can't be read is handed through untouched.

        sure: whether this is an activation for certain; of a layer that only may be one, no failure is told.
        presumed: f is an attribute of which nothing else is known.
        """
        if self._rests():
            return f(x, *args, **kwargs)
        reason = self._unreadable(x)
        if reason:
            a = f(x, *args, **kwargs)
            looped = reason == LOOP and (sure or (presumed and behaves(a, x)))
            if looped:
                place = self.loops.get(id(owner), owner)
                where = name if place is None else path_of(place)
                self.looped.append(
                    PlacedFunction(f, owner, where, x.dtype.name, name.endswith("/recurrent_activation"))
                )
            if sure or looped:
                self.missed.setdefault(name, reason)
            return a
        with self.span(opaque=False) as span:
            before = len(self.taps)
            tap = Tap("", owner, _written(f), x, None, unit_axis=unit_axis, role=role, presumed=presumed)
            z = pass_on(x, _identity(x, lambda dy: self._received(tap, "gradient_z", dy)))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                a = f(z, *args, **kwargs)
            if not behaves(a, x):
                if sure:
                    self.missed.setdefault(name, "its function does not return one float tensor of its input's shape")
                return a
            if presumed and len(self.taps) > before:
                return a  # it calls layers: the sites are in them
            within = self.taps[before:]
            self.taps[before:] = [other for other in within if not (other.presumed and other.owner is owner)]
            # Of an identity written as `return x` nothing lies between the taps, and a tape finds nothing.
            tap.slope = tf.ones_like(z) if a is z else _none_on_error(functools.partial(tape.gradient, a, z))
            with self._asking():
                tap.mixing = _none_on_error(functools.partial(self._mixing, f, args, kwargs, x))
            tap.where, tap.a = self.numbered(name), a
            self.taps.append(tap)
            span.opaque = True
            tap.out = pass_on(a, _identity(a, lambda dy: self._received(tap, "gradient_a", dy)))
            return tap.out

    def output_of(self, layer: Any, call: Callable[..., Any], a: Any) -> Any:
        """Tap the output of a layer whose activation can't be reached (a recurrent one)."""
        if self._rests() or self._unreadable(a):
            return a
        tap = Tap(self.numbered(path_of(layer)), layer, call, None, a, role="recurrent")
        self.taps.append(tap)
        tap.out = pass_on(a, _identity(a, lambda dy: self._received(tap, "gradient_a", dy)))
        return tap.out

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """While the body runs a function once more: none of its sites is called that often.

        No walk of the graph may take that for the model's own use, and a penalty that it adds is none of the step's.
        """
        self._resting = True
        with tf.name_scope(READING), keras.StatelessScope(collect_losses=True, initialize_variables=False):
            yield
        self._resting = False

    def _mixing(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], x: Any) -> Any:
        """`_mixing` of f, traced once for all sites that call the same function alike."""
        keras_own = not is_custom(_written(f))  # the user's own may go by shapes
        shape = [None] * len(x.shape) if keras_own else [None, *x.shape[1:]]
        key = (computation(f), repr((args, kwargs)), x.dtype, tuple(shape))
        if key in self._asked:
            return self._asked[key][1](x)

        def traced(rows: int | None) -> Any:
            def ask(given: Any) -> Any:
                return _mixing(f, functools.partial(_call, f, args, kwargs), given[:rows])

            function = tf.function(ask, autograph=False, experimental_attributes={"_noinline": True})
            return function.get_concrete_function(tf.TensorSpec(shape, x.dtype))

        beside = None
        with contextlib.suppress(Exception):
            few = traced(PROBE_ROWS)
            beside = [outer for outer, _ in few.graph.captures if getattr(outer, "graph", None) is self.graph]
        # A mask, say, which it is given or holds, is one of all samples, and of this site alone.
        if beside is None or any(tensor.dtype != tf.resource and tensor.shape.rank != 0 for tensor in beside):
            return traced(None)(x)
        if all(value is None or isinstance(value, (bool, int, float, str)) for value in (*args, *kwargs.values())):
            self._asked[key] = f, few
        return few(x)

    @contextlib.contextmanager
    def span(self, owner: Any = None, *, opaque: bool = True) -> Iterator[Span]:
        """Note which operations are made while the body runs."""
        span = Span(owner, opaque, self.graph.version)
        (self._open[-1].inner if self._open else self.spans).append(span)
        self._open.append(span)
        try:
            yield span
        finally:
            self._open.pop()
            span.end = self.graph.version

    def rest(self) -> None:
        """Read nothing from now on: the step has been traced."""
        self._resting = True

    def settle(self) -> None:
        """Drop what is no reading of its site, and name the attributes, now that all sites are known.

        Keras calls a recurrent cell once before its loop, to learn shapes. An attribute takes its owner's path where
        the owner has no other site.
        """
        self.taps = [tap for tap in self.taps if tap.where.partition("@")[0] not in self.missed]
        for owner in {id(tap.owner): tap.owner for tap in self.taps if tap.presumed}.values():
            taps = [tap for tap in self.taps if tap.owner is owner]
            names = {tap.where.partition("@")[0] for tap in taps}
            for tap in taps if len(names) == 1 else ():
                tap.where = path_of(owner) + tap.where[len(*names) :]

    def numbered(self, name: str) -> str:
        """The name of a site; from the second call on, with the number of the call."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}@{count}"

    def _rests(self) -> bool:
        """Whether this call is no part of the step: we ask ourselves, or Keras builds the model by calling it."""
        return self._resting or in_symbolic_scope()

    def _unreadable(self, x: Any) -> str:
        if not isinstance(x, tf.Tensor) or isinstance(x, tf.RaggedTensor):
            return "it is called with something that is not a dense tensor"
        if not x.dtype.is_floating:
            return f"it is called with {x.dtype.name}, which has no gradient"
        if getattr(x, "graph", None) is not self.graph or tf.compat.v1.get_default_graph() is not self.graph:
            return LOOP
        return ""

    def _received(self, tap: Tap, side: str, gradient: Any) -> None:
        if getattr(tap, side) is None and getattr(gradient, "graph", None) is self.graph:
            setattr(tap, side, gradient)


def _written(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function as its author wrote it: of a Lambda layer's call, what the layer was given."""
    layer = getattr(f, "__self__", None)
    if not isinstance(layer, keras.layers.Lambda) or layer._fn_expects_mask_arg or layer._fn_expects_training_arg:
        return f
    function: Callable[..., Any] = layer.function
    return functools.partial(function, **layer.arguments) if layer.arguments else function


def _call(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], x: Any) -> Any:
    return f(x, *args, **kwargs)


def _none_on_error(measure: Callable[[], Any]) -> Any:
    """What can't be measured at a site (a custom gradient that refuses a tape, say) must not cost the others."""
    try:
        return measure()
    except Exception:
        return None


def _identity(x: Any, received: Callable[[Any], None]) -> Any:
    """A copy of x; `received` is told the gradient that arrives at it, which goes on as it is.

    Told to the tapes directly: `tf.custom_gradient` registers each function for good, and with it this step's graph.
    """

    def backward(upstream: Any) -> list[Any]:
        received(upstream)
        return [upstream]

    with record.stop_recording():
        copy = tf.identity(x)
    record.record_operation("DiagnoseTap", [copy], [x], backward)
    return copy


def pass_on(source: Any, copy: Any) -> Any:
    """The copy of a tensor, with what Keras hangs on the source (`_keras_logits`, `_keras_mask`)."""
    for name, value in list(getattr(source, "__dict__", {}).items()):
        if name.startswith("_keras"):
            setattr(copy, name, value)
    return copy


def behaves(a: Any, x: Any) -> bool:
    """Whether a is what an activation gives for x: one float tensor of the same shape."""
    if not isinstance(a, tf.Tensor) or not a.dtype.is_floating:
        return False
    return a.shape.rank == x.shape.rank and a.shape.is_compatible_with(x.shape)


def _mixing(f: Callable[..., Any], ask: Callable[[Any], Any], x: Any) -> Any:
    """0 where f is elementwise, else up to 1: how far a gradient with signs differs from those signs times the slope.

    With s the ones-gradient and v signs, an elementwise f has gradient v * s for every v. A gradient of the user's own
    may be wrong: then what f gives must mix as well, where half of its inputs are moved.
    """
    rows = tf.stop_gradient(x)
    signs = tf.cast(reductions.signs(tf.shape(rows)), rows.dtype)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(rows)
        outputs = ask(rows)
    signed, slope = tape.gradient(outputs, rows, output_gradients=signs), tape.gradient(outputs, rows)
    if signed is None:
        return tf.constant(0.0)
    told = reductions.disagreement(signed, slope, signs)
    if not is_custom(_written(f)):
        return told
    moved = tf.cast(signs > 0, rows.dtype)
    change = ask(rows + moved) - outputs
    return tf.minimum(told, reductions.disagreement(change, change, moved))
