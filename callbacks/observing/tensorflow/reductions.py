"""Sums over tensors, made inside the shadow step.

Each is compiled once for tensors of any shape and size and then called, so that a reading costs the shadow step's graph
one operation where its body would be twenty to sixty: a model of 40 layers would else be traced for seconds. Nothing is
inlined, so that the graph stays small for TensorFlow's own optimizer too.

They serve all fits of one eager context. One that is reset takes them along: none of them could be called after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as eager_context

SAMPLE = 2048  # entries of z kept a site: a share of 1 % is then told with a standard error of 0.2 %
LARGE = 1 << 18  # entries above which a distribution is read from evenly spaced rows; counts of NaN stay exact

#: What `distribution` and `size` give, in their order.
DISTRIBUTION = ("nonfinite", "mean", "std", "min", "max")
SIZE = ("rms", "nonfinite")

ANY = tf.TensorSpec(None, tf.float32)
POSITIONS = tf.TensorSpec([None], tf.int32)

#: The functions compiled so far, of the eager context that was met last.
_by_context: dict[Any, dict[Any, Any]] = {}


def distribution(t: Any) -> Any:
    """`DISTRIBUTION` of a tensor: `nonfinite` among all entries, the rest of the finite ones of evenly spaced rows."""
    return _compiled(_distribution, ANY)(_float32(t))


def size(t: Any) -> Any:
    """`SIZE` of a tensor: root mean square of its finite entries, and the number of the others."""
    return _compiled(_size, ANY)(_float32(t))


def entries(t: Any, positions: Any) -> Any:
    """The entries of a tensor at these positions of its flat form, float32."""
    return _compiled(_entries, ANY, POSITIONS)(_float32(t), positions)


def signs(shape: Any) -> Any:
    """A tensor of this shape of -1 and 1, without a period that a function's structure (pairs, strides) could have."""
    return _compiled(_signs, POSITIONS)(shape)


def disagreement(signed: Any, slope: Any, signs: Any) -> Any:
    """How far a gradient asked with signs differs from those signs times the one asked with ones; 0 to about 1."""
    return _compiled(_disagreement, ANY, ANY, ANY)(*map(_float32, (signed, slope, signs)))


def site(a: Any, z: Any, slope: Any, unit_axis: int) -> dict[str, Any]:
    """What is read of one activation site on the way forward. Its gradients are read apart: z need not wait for them.

    a, z, slope: of one shape; z and slope may be None.
    "numbers": `DISTRIBUTION` of a, its spread, `DISTRIBUTION` of z, one vector, without what is None; "a", "z",
    "slope": samples of the same entries; "constant", "alive": by unit, whether a is the same for all samples, and
    whether the slope is not 0 for any.
    """
    given = [None if t is None else _float32(t) for t in (a, z, slope)]
    rank = a.shape.rank or 0
    features = a.shape[1:].num_elements() if rank else None
    whole_rows = features is not None and 0 < features <= SAMPLE
    width = None if whole_rows or not rank else a.shape[-1]
    read = _compiled_site(rank, unit_axis % max(rank, 1), whole_rows, width, tuple(t is not None for t in given))
    return dict(read(*[t for t in given if t is not None]))


def _float32(t: Any) -> Any:
    t = tf.convert_to_tensor(t)
    t = t if t.dtype == tf.float32 else tf.cast(t, tf.float32)
    return t if t.shape.rank != 0 else tf.reshape(t, [1])


def _compiled(function: Callable[..., Any], *specs: Any) -> Any:
    return _known((function, *specs), lambda: _traced(function, *specs))


def _known(key: Any, make: Callable[[], Any]) -> Any:
    context = eager_context.context()
    if context not in _by_context:
        _by_context.clear()
        _by_context[context] = {}
    known = _by_context[context]
    if key not in known:
        known[key] = make()
    return known[key]


def _traced(function: Callable[..., Any], *specs: Any) -> Any:
    with tf.init_scope():  # not inside of the step that is being traced
        traced = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
        return traced.get_concrete_function(*specs)


def _compiled_site(*kind: Any) -> Any:
    return _known(kind, lambda: _traced_site(*kind))


def _traced_site(rank: int, axis: int, whole_rows: bool, width: int | None, given: tuple[bool, ...]) -> Any:
    """`site` for tensors of this rank; whole_rows, width: how to sample them; given: which of its tensors there are."""
    others = [index for index in range(rank) if index != axis]

    def read(*tensors: Any) -> dict[str, Any]:
        left = iter(tensors)
        a, z, slope = (next(left) if there else None for there in given)
        positions = _row_positions(a) if whole_rows else _coprime_positions(tf.size(a), width)
        numbers = [_distribution(a), _spread(a)[None]]
        numbers += [] if z is None else [_distribution(z)]
        found = {"numbers": tf.concat(numbers, axis=0), "a": _entries(a, positions)}
        found["constant"] = tf.reduce_max(a, axis=others) == tf.reduce_min(a, axis=others)
        if z is not None:
            found["z"] = _entries(z, positions)
        if slope is not None:
            found["slope"] = _entries(slope, positions)
            found["alive"] = tf.reduce_any(slope != 0, axis=others)
        return found

    return _traced(read, *[tf.TensorSpec([None] * max(rank, 1), tf.float32)] * sum(given))


def _distribution(t: Any) -> Any:
    nonfinite = _nonfinite(t)
    t = _thinned(t)
    finite = tf.math.is_finite(t)
    count = tf.maximum(tf.reduce_sum(tf.cast(finite, tf.float32)), 1.0)
    mean = tf.reduce_sum(tf.where(finite, t, 0.0)) / count
    variance = tf.reduce_sum(tf.where(finite, tf.square(t - mean), 0.0)) / count
    low, high = tf.where(finite, t, float("inf")), tf.where(finite, t, float("-inf"))
    return tf.stack([nonfinite, mean, tf.sqrt(variance), tf.reduce_min(low), tf.reduce_max(high)])


def _size(t: Any) -> Any:
    nonfinite = _nonfinite(t)
    count = tf.maximum(tf.cast(tf.size(t), tf.float32) - nonfinite, 1.0)
    clean = tf.where(tf.math.is_finite(t), t, 0.0)
    # Scaled by the largest entry: squares of gradients under 1e-19 would vanish in float32.
    largest = tf.maximum(tf.reduce_max(clean), -tf.reduce_min(clean))
    squares = tf.reduce_sum(tf.square(tf.math.divide_no_nan(clean, largest)))
    return tf.stack([largest * tf.sqrt(squares / count), nonfinite])


def _nonfinite(t: Any) -> Any:
    """How many entries are NaN or infinite. As a list of places, which is empty as a rule, it needs no memory."""
    return tf.cast(tf.size(tf.where(~tf.math.is_finite(tf.reshape(t, [-1])))), tf.float32)


def _spread(a: Any) -> Any:
    """How far the samples differ, to their size: standard deviation over the samples over the root mean square."""
    a = _thinned(a)
    deviation = a - tf.reduce_mean(a, axis=0)
    return tf.math.divide_no_nan(tf.sqrt(tf.reduce_mean(tf.square(deviation))), tf.sqrt(tf.reduce_mean(tf.square(a))))


def _signs(shape: Any) -> Any:
    # From the golden ratio, the number that is hardest to come near to by fractions.
    positions = tf.cast(tf.range(tf.reduce_prod(shape)), tf.float64) * 0.6180339887498949
    return tf.reshape(tf.where(positions % 1.0 < 0.5, 1.0, -1.0), shape)


def _disagreement(signed: Any, slope: Any, signs: Any) -> Any:
    difference = tf.abs(signed - signs * slope)
    finite = tf.math.is_finite(difference)
    largest = tf.reduce_max(tf.where(finite, tf.maximum(tf.abs(signed), tf.abs(slope)), 0.0))
    return tf.math.divide_no_nan(tf.reduce_max(tf.where(finite, difference, 0.0)), largest)


def _thinned(t: Any) -> Any:
    """Evenly spaced rows of a tensor, about `LARGE` entries; the tensor itself if it has no more."""
    return t[:: tf.maximum(1, tf.size(t) // LARGE)]


def _entries(t: Any, positions: Any) -> Any:
    return tf.gather(tf.reshape(t, [-1]), positions)


def _row_positions(t: Any) -> Any:
    """Where whole rows, evenly spaced, about `SAMPLE` entries together, lie in the flat form of a tensor."""
    samples = tf.shape(t)[0]
    features = tf.maximum(1, tf.size(t) // tf.maximum(1, samples))
    rows = tf.maximum(1, SAMPLE // features)
    first = tf.range(0, samples, tf.maximum(1, samples // rows))[:rows] * features
    return tf.reshape(first[:, None] + tf.range(features), [-1])


def _coprime_positions(count: Any, width: int | None) -> Any:
    """Evenly spaced positions; one whose spacing shares a factor with the width would see some units only."""
    stride = tf.maximum(1, count // SAMPLE)
    if width and width > 1:
        below = [next(s for s in range(max(step, 1), 0, -1) if math.gcd(s, width) == 1) for step in range(width + 1)]
        beyond = (stride // width) * width + 1  # one more than a multiple of the width has no factor with it
        stride = tf.where(stride <= width, tf.gather(tf.constant(below, tf.int32), tf.minimum(stride, width)), beyond)
    return tf.range(0, count, stride)[: 2 * SAMPLE]
