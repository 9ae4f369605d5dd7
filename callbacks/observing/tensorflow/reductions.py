"""Sums over tensors, made inside the shadow step.

Each is compiled once for tensors of any shape and size and then called, so that a reading costs the shadow step's graph
one operation where its body would be twenty to sixty: a model of 40 layers would else be traced for seconds. What
belongs together is read by one call and given as one vector, since each operation and each result costs. Nothing is
inlined, so that the graph stays small for TensorFlow's own optimizer too.

A tensor is read from end to end as seldom as can be: its extremes, or the sum of its squares, tell whether all of it is
finite, and only where it is not are the others counted and left out.

They serve all fits of one eager context. One that is reset takes them along: none of them could be called after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context as eager_context

from diagnose.callbacks.observing.array_reads import DISTRIBUTION, SAMPLE, SiteNumbers

LARGE = 1 << 18  # entries of a distribution, evenly spaced where there are more; extremes and counts of NaN stay exact
FEW_ROWS = 64  # samples that stay where a distribution is thinned: a spread of so many is right within 9 %, 1/sqrt(2 n)
SURE = 1e-24  # of a sum of squares: squares that vanish in float32 (under 1e-38) are a millionth of it, of 1e8 entries

ANY = tf.TensorSpec(None, tf.float32)
POSITIONS = tf.TensorSpec([None], tf.int32)

#: The functions compiled so far, of the eager context that was met last.
_by_context: dict[Any, dict[Any, Any]] = {}


def distribution(t: Any) -> Any:
    """`DISTRIBUTION` of the finite entries of a tensor; `nonfinite`, `min` and `max` of all, the rest of a sample."""
    t = float32(t)
    return _compiled(_distribution_of, ANY)(tf.reshape(t, [tf.shape(t)[0], -1]))


def size(t: Any) -> Any:
    """`SIZE` of a tensor: root mean square of its finite entries, and the number of the others."""
    return _compiled(_size, ANY)(float32(t))


def entries(t: Any, positions: np.ndarray) -> Any:
    """The entries of a tensor at these positions of its flat form, float32."""
    return tf.gather(tf.reshape(float32(t), [-1]), positions)


def signs(shape: Any) -> Any:
    """A tensor of this shape of -1 and 1, without a period that a function's structure (pairs, strides) could have."""
    return _compiled(_signs, POSITIONS)(shape)


def disagreement(signed: Any, slope: Any, signs: Any) -> Any:
    """How far a gradient asked with signs differs from those signs times the one asked with ones; 0 to about 1."""
    return _compiled(_disagreement, ANY, ANY, ANY)(*map(float32, (signed, slope, signs)))


def site(a: Any, z: Any, slope: Any, unit_axis: int) -> Any:
    """What is read of one activation site on the way forward, as one vector: see `sites_read`.

    Its gradients are read apart: z need not wait for them. a, z, slope: of one shape; z and slope may be None.
    """
    given = [None if t is None else float32(t) for t in (a, z, slope)]
    rank = a.shape.rank or 0
    features = a.shape[1:].num_elements() if rank else None
    whole_rows = features is not None and 0 < features <= SAMPLE
    width = None if whole_rows or not rank else a.shape[-1]  # rows so short are never cut
    read = _compiled_site(rank, unit_axis % max(rank, 1), whole_rows, width, tuple(t is not None for t in given))
    return read(*[t for t in given if t is not None])


def sites_read(packed: np.ndarray, given: Sequence[tuple[bool, bool]]) -> list[SiteNumbers]:
    """What the vectors of `site`, one after the other, say. given: by site, whether it had a z, and a slope."""
    at, found = 0, []

    def next_of(count: int) -> np.ndarray:
        nonlocal at
        at += count
        return packed[at - count : at]

    for has_z, has_slope in given:
        samples, units = (int(count) for count in next_of(2))
        numbers = next_of(len(DISTRIBUTION) + 1 + len(DISTRIBUTION) * has_z).tolist()
        a = next_of(samples)
        z = next_of(samples) if has_z else None
        slope = next_of(samples) if has_slope else None
        constant = next_of(units) > 0
        found.append(SiteNumbers(numbers, a, z, slope, constant, next_of(units) > 0 if has_slope else None))
    return found


def float32(t: Any) -> Any:
    """The tensor in float32, of one axis at least."""
    t = t if isinstance(t, tf.Tensor) else tf.convert_to_tensor(t)
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

    def read(*tensors: Any) -> Any:
        left = iter(tensors)
        a, z, slope = (next(left) if there else None for there in given)
        samples = tf.shape(a)[0]
        rows = [tf.reshape(t, tf.stack([samples, -1])) for t in (a, z) if t is not None]
        high, low = tf.reduce_max(a, axis=others), tf.reduce_min(a, axis=others)
        highs, lows = [tf.reduce_max(high)], [tf.reduce_min(low)]
        by_unit = [tf.cast(tf.equal(high, low), tf.float32)]
        if z is not None:
            highs, lows = [*highs, tf.reduce_max(z)], [*lows, tf.reduce_min(z)]
        if slope is not None:
            by_unit.append(tf.cast(tf.reduce_any(tf.not_equal(slope, 0.0), axis=others), tf.float32))
        some = _thinned(rows, width)
        told = tf.unstack(_distributions(rows, some, tf.stack(lows), tf.stack(highs)), num=len(rows))
        numbers = tf.concat([told[0], _spread(some[0])[None], *told[1:]], axis=0)
        positions = _row_positions(samples, tf.size(a)) if whole_rows else _coprime_positions(tf.size(a), width)
        picked = [tf.gather(tf.reshape(t, [-1]), positions) for t in tensors]
        counts = tf.cast(tf.stack([tf.size(positions), tf.size(high)]), tf.float32)
        return tf.concat([counts, numbers, *picked, *by_unit], axis=0)

    return _traced(read, *[tf.TensorSpec([None] * max(rank, 1), tf.float32)] * sum(given))


def _distribution_of(t: Any) -> Any:
    return _distributions([t], _thinned([t], None), tf.reduce_min(t)[None], tf.reduce_max(t)[None])[0]


def _distributions(rows: list[Any], some: Any, low: Any, high: Any) -> Any:
    """`DISTRIBUTION` of each tensor, (tensors, 5). some: evenly spaced entries of them, (tensors, samples, entries).

    low, high: the extremes of each, NaN where it holds one.
    """
    sound = tf.math.is_finite(low) & tf.math.is_finite(high)
    nonfinite = tf.stack([_nonfinite(tf.math.is_finite(_unless(sound[at], t))) for at, t in enumerate(rows)])
    finite = tf.math.is_finite(some)
    count = tf.maximum(tf.reduce_sum(tf.cast(finite, tf.float32), axis=[1, 2]), 1.0)
    # Scaled by the largest entry, as are all squares here: those of 1e-25 vanish in float32, those of 1e25 overflow.
    largest = _largest(tf.where(finite, some, 0.0))
    scaled = some / largest
    mean = tf.reduce_sum(tf.where(finite, scaled, 0.0), axis=[1, 2], keepdims=True) / count[:, None, None]
    squares = tf.square(tf.where(finite, scaled - mean, 0.0))
    std = tf.sqrt(tf.reduce_sum(squares, axis=[1, 2]) / count) * largest[:, 0, 0]
    mean = (mean * largest)[:, 0, 0]
    least = tf.reduce_min(tf.where(finite, some, float("inf")), axis=[1, 2])
    most = tf.reduce_max(tf.where(finite, some, float("-inf")), axis=[1, 2])
    extremes = [tf.where(sound, low, least), tf.where(sound, high, most)]
    return tf.stack([nonfinite, mean, std, *extremes], axis=1)


def _size(t: Any) -> Any:
    squares, entries = 2 * tf.nn.l2_loss(t), tf.cast(tf.size(t), tf.float32)
    sound = tf.math.is_finite(squares) & (squares > SURE)
    doubtful = _unless(sound, t)
    finite = tf.math.is_finite(doubtful)
    nonfinite, clean = _nonfinite(finite), tf.where(finite, doubtful, 0.0)
    # Scaled by the largest entry: squares of gradients under 1e-19 would vanish in float32.
    largest = tf.reduce_max(tf.abs(clean))
    scaled = tf.reduce_sum(tf.square(tf.math.divide_no_nan(clean, largest)))
    rms = largest * tf.sqrt(scaled / tf.maximum(entries - nonfinite, 1.0))
    return tf.where(sound, tf.stack([tf.sqrt(squares / entries), 0.0]), tf.stack([rms, nonfinite]))


def _unless(sound: Any, t: Any) -> Any:
    """A tensor in its flat form; nothing of it where it is sound, so that what follows costs nothing.

    That is cheaper than a branch: one inside of a function takes the time of twenty operations.
    """
    flat = tf.reshape(t, [-1])
    return flat[: tf.where(sound, 0, tf.size(flat))]


def _nonfinite(finite: Any) -> Any:
    """How many are not. As a list of places, which is empty as a rule, it needs no memory."""
    return tf.cast(tf.size(tf.where(~finite)), tf.float32)


def _largest(t: Any) -> Any:
    """The largest size of an entry of each tensor of some, (tensors, 1, 1); 1 where all are 0."""
    largest = tf.reduce_max(tf.abs(t), axis=[1, 2], keepdims=True)
    return tf.where(largest > 0, largest, 1.0)


def _spread(a: Any) -> Any:
    """How far the samples differ, to their size: standard deviation over the samples over the root mean square."""
    a /= _largest(a[None])[0]
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


def _thinned(rows: list[Any], width: int | None) -> Any:
    """About `LARGE` evenly spaced entries of each tensor of (samples, entries), stacked; all if there are no more.

    Whole samples are left out first, and of the last `FEW_ROWS` entries, of all units alike: the last axis is `width`.
    """
    shape = tf.shape(rows[0])
    factor = tf.maximum(1, tf.size(rows[0]) // LARGE)
    over_rows = tf.minimum(factor, tf.maximum(1, shape[0] // FEW_ROWS))
    over_entries = _coprime(tf.maximum(1, factor // over_rows), width)
    strides = tf.stack([over_rows, over_entries])
    return tf.stack([tf.strided_slice(t, [0, 0], shape, strides) for t in rows])


def _row_positions(samples: Any, size: Any) -> Any:
    """Where whole rows, evenly spaced, about `SAMPLE` entries together, lie in the flat form of a tensor."""
    features = tf.maximum(1, size // tf.maximum(1, samples))
    rows = tf.maximum(1, SAMPLE // features)
    first = tf.range(0, samples, tf.maximum(1, samples // rows))[:rows] * features
    return tf.reshape(first[:, None] + tf.range(features), [-1])


def _coprime_positions(count: Any, width: int | None) -> Any:
    """Evenly spaced positions, of all units alike."""
    return tf.range(0, count, _coprime(tf.maximum(1, count // SAMPLE), width))[: 2 * SAMPLE]


def _coprime(stride: Any, width: int | None) -> Any:
    """A stride of about this size; one that shares a factor with the width would see some units only."""
    if not width or width == 1:
        return stride
    below = [next(s for s in range(max(step, 1), 0, -1) if math.gcd(s, width) == 1) for step in range(width + 1)]
    beyond = (stride // width) * width + 1  # one more than a multiple of the width has no factor with it
    return tf.where(stride <= width, tf.gather(tf.constant(below, tf.int32), tf.minimum(stride, width)), beyond)
