"""The curves of the sites' functions, on grids of their own beside the entries that were met.

To call f there is allowed where it is a function of z alone: its values at the z met must be the a met. A function with
parameters of its own (PReLU) is called in the shape its layer has. Sites that call the same function share its trace,
and are answered by one call.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing.reading import MIXES, Curve
from diagnose.callbacks.observing.tensorflow.functions import computation
from diagnose.callbacks.observing.tensorflow.reversible import Reversible
from diagnose.callbacks.observing.tensorflow.taps import Tap

GRID = 513  # points: a flat or steep stretch of 1/100 of the range still holds five of them
MOST_ENTRIES = 1 << 19  # of a grid in the layer's own shape, which has fewer points for that
FEWEST = 33  # points; a curve of fewer is left out


@dataclass
class Question:
    """A function asked for values and slopes, undoing whatever that writes.

    function: kept, since its place in memory is what it is known by. shape: of what it takes for one sample.
    """

    function: Any
    shape: tuple[int, ...]
    ask: Reversible

    def values(self, z: np.ndarray) -> np.ndarray:
        """f(z), flat."""
        return np.asarray(self.ask(tf.constant(z.reshape(-1, *self.shape)))[0].numpy().reshape(-1))

    def curves(self, ranges: list[tuple[float, float]]) -> list[Curve]:
        """A curve over each range; of a function with own parameters, the mean curve."""
        entries = int(np.prod(self.shape))
        points = min(GRID, MOST_ENTRIES // entries)
        grids = [np.linspace(low, high, points, dtype=np.float32) for low, high in ranges]
        given = np.concatenate(grids).reshape(-1, *[1] * len(self.shape))
        answers = self.ask(tf.constant(np.broadcast_to(given, (len(given), *self.shape))))
        values, slopes = (answer.numpy().reshape(len(ranges), points, -1).mean(axis=2) for answer in answers)
        return [Curve(*curve) for curve in zip(grids, values, slopes, strict=True)]


class SiteCurves:
    """Asks the functions of a model's sites for their curves.

    questions: what was traced for that so far, and is added to here.
    """

    def __init__(self, questions: dict[Hashable, Question]) -> None:
        self._questions = questions
        self._by_site: dict[str, Question] = {}

    def learn(self, tap: Tap, z: np.ndarray, a: np.ndarray, mixing: float) -> str:
        """Find out how the site's function can be asked; why it can't be, "" where it can.

        z, a: what went in and came out, at the same entries.
        """
        if tap.z is None:
            return "the input of its activation can't be read"
        if mixing > MIXES:
            return "its function mixes its inputs, so it has no slope of its own"
        features = [*tap.z.shape[1:]]
        shapes: list[tuple[int, ...]] = [(), (1,) * len(features)]
        if None not in features and 0 < int(np.prod(features)) <= z.size:
            shapes.append(tuple(features))
        tolerance = 1e-5 if tap.z.dtype == tf.float32 else 1e-2
        finite = np.isfinite(z) & np.isfinite(a)
        reason = ""
        for shape in shapes:
            count = z.size // int(np.prod(shape)) * int(np.prod(shape))
            try:
                question = self._question(tap.function, tap.z.dtype, shape)
                values = question.values(z[:count])
            except Exception as error:
                reason = f"its function can't be called alone: {type(error).__name__}: {str(error)[:200]}"
                continue
            if values.size != count:
                reason = "its function gives another shape when it is called alone"
                continue
            known = finite[:count]
            difference = np.abs(values[known] - a[:count][known])
            if difference.size and difference.max() > tolerance * max(1.0, np.abs(a[finite]).max()):
                reason = "its function is not one of the pre-activation alone"
                continue
            self._by_site[tap.where] = question
            return ""
        return reason

    def _question(self, f: Any, dtype: Any, shape: tuple[int, ...]) -> Question:
        key = (computation(f), dtype, shape)
        if key not in self._questions:
            spec = tf.TensorSpec([None, *shape], tf.float32)
            self._questions[key] = Question(f, shape, Reversible(_values_and_slopes(f, dtype), spec))
        return self._questions[key]

    def __call__(self, ranges: Mapping[str, tuple[float, float]]) -> dict[str, Curve | None]:
        """The curves of these sites over their ranges, of those that have one; None where it would be too large."""
        found: dict[str, Curve | None] = {where: None for where in ranges if where in self._by_site}
        for question in {id(question): question for question in self._by_site.values()}.values():
            places = [where for where in found if self._by_site[where] is question]
            if places and int(np.prod(question.shape)) * FEWEST <= MOST_ENTRIES:
                # A grid in a layer's own shape is large enough alone.
                for some in [[where] for where in places] if question.shape else [places]:
                    found |= zip(some, question.curves([ranges[where] for where in some]), strict=True)
        return found


def _values_and_slopes(f: Any, dtype: Any) -> Any:
    def ask(z: Any) -> tuple[Any, Any]:
        z = tf.cast(z, dtype)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            a = f(z)
        slope = tape.gradient(a, z)
        slope = tf.zeros_like(z) if slope is None else slope
        return tf.cast(a, tf.float32), tf.cast(slope, tf.float32)

    return ask
