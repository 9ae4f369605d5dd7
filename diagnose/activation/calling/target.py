"""A function on the table: called in the shape and dtype that it wants, its failures told with their input.

Flat arrays of z are laid into that shape, so that the rest of the examination thinks in curves. Everything runs on the
CPU: no profile depends on the machine's GPU, nor takes its memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diagnose.activation.calling.failures import WrongOutputError, kind_of, sentence
from diagnose.activation.calling.isolation import ENDINGS, Isolation
from diagnose.activation.calling.naming import with_article
from diagnose.activation.calling.tracing import Trace
from diagnose.activation.facts import Failure

#: Width of the rows that are tried: even for functions that halve it, small enough for those that square it.
WIDTH = 8
#: Bytes that the largest intermediate of one call may take; larger sweeps are cut in pieces.
PIECE_BYTES = 256 * 1024**2


@dataclass
class Target:
    """One function, and the ways found to call it.

    call: f itself, or the layer in inference mode. traced: what a graph would call, if that is something else.
    by_dtype: stand-ins for other dtypes (copies of a layer).
    shape: of one sample of the input. position: index into it where a curve is read off (functions that differ by
    place).
    failed: stretches of z on which f raised; their values are NaN. safe: beyond these z, f is not called any more.
    """

    call: Callable[[Any], Any]
    isolation: Isolation
    layer: Any = None
    shape: tuple[int, ...] = (WIDTH,)
    trace: Trace | None = None
    traced: Callable[[Any], Any] | None = None
    by_dtype: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    position: int | None = None
    failures: list[Failure] = field(default_factory=list)
    failed: list[tuple[float, float]] = field(default_factory=list)
    safe: tuple[float, float] = (-np.inf, np.inf)

    @property
    def places(self) -> int:
        """Numbers in one sample."""
        return int(np.prod(self.shape, dtype=int))

    def answer(self, z: np.ndarray, dtype: str, training: bool = False) -> np.ndarray:
        """f of a whole tensor, (batch, *shape) -> whatever comes back, in its dtype. Raises what f raises."""
        return self.isolation.run(lambda: self.taped(z, dtype, training)[0].numpy())

    def output_dtype(self, z: np.ndarray, dtype: str) -> str:
        """Name of the dtype that f answers with."""
        return self.isolation.run(lambda: str(self.taped(z, dtype, False)[0].dtype.name))

    def values(self, z: np.ndarray, dtype: str) -> np.ndarray:
        """f(z) of a flat array as float64, for a function that works element by element. NaN where f raised."""
        return self._curve(z, dtype, None)[0]

    def values_and_slopes(
        self, z: np.ndarray, dtype: str, upstream: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """f(z) and `upstream` times its autodiff slope, both float64; None for the slope if autodiff has none."""
        return self._curve(z, dtype, upstream)

    def taped(self, z: np.ndarray, dtype: str, training: bool) -> tuple[Any, Any]:
        """f of a whole tensor, and the tape that saw it with its input; to be run in the isolation."""
        import tensorflow as tf

        call = self.by_dtype.get(dtype, self.call)
        # As within a layer of that dtype: Keras' own variables are cast to it.
        with tf.device("CPU:0"), _autocast(dtype), np.errstate(over="ignore"):  # float16 ends at 65504
            x = tf.constant(z.astype(tf.as_dtype(dtype).as_numpy_dtype))
            with tf.GradientTape() as tape:
                tape.watch(x)
                a = call(x, training=True) if training else call(x)  # type: ignore[call-arg]
                a = _tensor(a, x)
        return a, (tape, x)

    def _curve(self, z: np.ndarray, dtype: str, upstream: float | None) -> tuple[np.ndarray, np.ndarray | None]:
        import tensorflow as tf

        z = np.asarray(z, np.float64)
        piece = self._piece(tf.as_dtype(dtype).size)
        parts = [self._patiently(z[start : start + piece], dtype, upstream) for start in range(0, len(z), piece)]
        values = np.concatenate([part[0] for part in parts])
        slopes = [part[1] for part in parts]
        if all(slope is None for slope in slopes):
            return values, None
        return values, np.concatenate([np.zeros(len(part[0])) if part[1] is None else part[1] for part in parts])

    def _piece(self, itemsize: int) -> int:
        """How many z one call may hold."""
        samples = 2**20
        while self.trace is not None and samples > 1 and self.trace.largest(samples) * itemsize > PIECE_BYTES:
            samples //= 2
        return max(samples * (1 if self.position is not None else self.places), 1)

    def _patiently(self, z: np.ndarray, dtype: str, upstream: float | None) -> tuple[np.ndarray, np.ndarray | None]:
        """One call; if f raises on it, the largest part around 0 on which it does not. The rest is NaN."""
        values, slopes = np.full(len(z), np.nan), np.full(len(z), np.nan)
        inside = np.flatnonzero((z >= self.safe[0]) & (z <= self.safe[1]))
        if len(inside) == 0:
            return values, slopes

        def attempt(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray | None] | BaseException:
            try:
                return self.isolation.run(lambda: self._flat(z[chosen], dtype, upstream))
            except ENDINGS:
                raise
            except BaseException as error:  # whatever f raises, SystemExit too
                return error

        found = attempt(inside)
        if isinstance(found, BaseException):
            first_error = found
            inside, found = self._largest_part(z, inside, dtype, attempt)
            if isinstance(found, BaseException):
                self._remember(float(z.min()), float(z.max()), first_error)
                return values, slopes
        if len(inside) == len(z):
            return found
        values[inside] = found[0]
        if found[1] is None:
            return values, None
        slopes[inside] = found[1]
        return values, slopes

    def _largest_part(
        self,
        z: np.ndarray,
        inside: np.ndarray,
        dtype: str,
        attempt: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None] | BaseException],
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray | None] | BaseException]:
        """Bisect on each side of 0 how far out f works: what raises mostly does so beyond some size."""
        kept: list[np.ndarray] = []
        safe = list(self.safe)
        for side, members in enumerate((inside[z[inside] < 0], inside[z[inside] >= 0])):
            order = members[np.argsort(np.abs(z[members]), kind="stable")]
            works, fails = 0, len(order) + 1
            error: BaseException | None = None
            while fails - works > 1:
                middle = (works + fails) // 2 if works or fails <= len(order) else len(order)
                answer = attempt(order[:middle])
                if isinstance(answer, BaseException):
                    fails, error = middle, answer
                else:
                    works = middle
            kept.append(order[:works])
            if error is not None and works:
                edge, beyond = self._edge(float(z[order[works - 1]]), float(z[order[works]]), dtype)
                self._remember(beyond if side else -np.inf, np.inf if side else beyond, error)
                safe[side] = max(safe[0], edge) if side == 0 else min(safe[1], edge)
            elif error is not None:
                self._remember(float(z[members].min()), float(z[members].max()), error)
                safe[side] = 0.0
        if all(len(part) == 0 for part in kept):
            return inside, attempt(inside)
        self.safe = (safe[0], safe[1])
        chosen = np.sort(np.concatenate(kept))
        return chosen, attempt(chosen)

    def _edge(self, works: float, fails: float, dtype: str) -> tuple[float, float]:
        """The last z on which f works and the first on which it raises, between one of each, to a millionth."""
        while abs(fails - works) > 1e-6 * max(abs(works), 1e-3):
            middle = (works + fails) / 2
            try:
                self.isolation.run(lambda middle=middle: self._flat(np.array([middle]), dtype, None))  # type: ignore[misc]
                works = middle
            except ENDINGS:
                raise
            except BaseException:
                fails = middle
        return works, fails

    def _remember(self, low: float, high: float, error: BaseException) -> None:
        self.failed.append((low, high))
        words = (
            f"up to {high:.6g}"
            if low == -np.inf
            else f"from {low:.6g} on"
            if high == np.inf
            else f"from {low:.6g} to {high:.6g}"
        )
        known = [failure for failure in self.failures if failure.kind == kind_of(error)]
        if len(known) < 2 and len(self.failures) < 8:  # one for each side
            self.failures.append(Failure(kind_of(error), f"z {words}", sentence(error), fatal=False))

    def _flat(self, z: np.ndarray, dtype: str, upstream: float | None) -> tuple[np.ndarray, np.ndarray | None]:
        """f(z) and its slope of a flat array, in one call."""
        import tensorflow as tf

        if self.position is None:
            count = -(-len(z) // self.places)
            laid = np.concatenate([z, np.full(count * self.places - len(z), z[0])]).reshape(count, *self.shape)
        else:
            laid = np.repeat(z, self.places).reshape(len(z), *self.shape)
        a, (tape, x) = self.taped(laid, dtype, False)
        values = self._read(a, len(z))
        if upstream is None:
            return values, None
        with tf.device("CPU:0"):
            arriving = tf.fill(tf.shape(a), tf.cast(upstream, a.dtype)) if a.dtype.is_floating else None
            slope = None if arriving is None else tape.gradient(a, x, output_gradients=arriving)
        return values, None if slope is None else self._read(tf.convert_to_tensor(slope), len(z))

    def _read(self, a: Any, count: int) -> np.ndarray:
        flat = a.numpy().astype(np.float64)
        return flat.reshape(-1)[:count] if self.position is None else flat.reshape(count, -1)[:, self.position]


def _tensor(a: Any, x: Any) -> Any:
    """What f gave, as a tensor of real numbers; raises WrongOutputError, saying what it is, for anything else."""
    import tensorflow as tf

    if isinstance(a, np.ndarray):
        raise WrongOutputError(
            f"it returns a NumPy array of shape {a.shape}, not a tensor: no gradient can pass, and a compiled training "
            "can't run it"
        )
    if not isinstance(a, tf.Tensor) and hasattr(a, "value") and callable(getattr(a, "assign", None)):
        a = tf.convert_to_tensor(a)  # a variable
    if not isinstance(a, tf.Tensor):
        what = "None" if a is None else with_article(type(a).__name__)
        raise WrongOutputError(f"it returns {what}, not a tensor")
    if not (a.dtype.is_floating or a.dtype.is_integer or a.dtype.is_bool):
        raise WrongOutputError(f"it returns a tensor of {a.dtype.name}, not of real numbers")
    return a


def _autocast(dtype: str) -> contextlib.AbstractContextManager[Any]:
    """Keras' scope that casts its variables, as `Layer.__call__` opens it (a private name: without it, none are
    cast)."""
    try:
        from keras.src.backend.common.variables import AutocastScope
    except ImportError:
        return contextlib.nullcontext()
    return AutocastScope(dtype)


def probe(rows: int, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    """A batch of z ~ N(0, scale^2), the same at each call."""
    return np.random.default_rng(16).normal(0.0, scale, (rows, *shape))
