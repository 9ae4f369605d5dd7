"""Autodiff against f itself: is the gradient that a training gets the slope of the function?

Compared with central differences in float64 (float32 if f knows no other, over a longer distance), at about 2,000
places off any round number and, closer, wherever the first look shows a difference. Places where the two one-sided
differences disagree are left out: a kink has no slope to compare with.
"""

from __future__ import annotations

import numpy as np

from diagnose.activation.calling.target import Target
from diagnose.activation.curve import search
from diagnose.activation.curve.sampling import Look
from diagnose.activation.facts import GradientCheck, Shape

#: Off by more than this share of the largest slope is wrong (rules: wrong-gradient-activation).
WRONG = 0.01
#: One-sided differences may disagree by this share of the largest slope: a tenth of what is told as wrong.
SMOOTH = 0.2 * WRONG
#: Places compared in any case, and at most.
PLACES = 2048


def check(target: Target, precision: str, seen: Look, shape: Shape, answer: str) -> GradientCheck:
    """Autodiff's slopes against differences of f."""
    varies = shape.monotone != "constant"
    if answer != "slopes" or not varies:
        return GradientCheck(answer, varies)
    fine = precision == "float64"
    middle = seen.middle
    z = seen.z[middle]
    with np.errstate(all="ignore"):
        suspects = np.flatnonzero(
            np.abs(seen.slope[middle] - seen.true_slope[middle]) > 0.5 * WRONG * shape.largest_slope
        )
        spread = z[:: len(z) // PLACES][1:-1] + 0.37 * search.STEP
        chosen = suspects[:: max(len(suspects) // PLACES, 1)]
        places = np.concatenate([spread, z[chosen] + 0.37 * search.STEP])
        distance = 1e-5 if fine else 2.0**-7
        offsets = np.array([-distance, 0.0, distance, -distance / 2, distance / 2])
        values = target.values((places[:, None] + offsets).ravel(), precision).reshape(-1, 5)
        autodiff = target.values_and_slopes(places, precision)[1]
        assert autodiff is not None
        central = (values[:, 2] - values[:, 0]) / (2 * distance)
        halved = (values[:, 4] - values[:, 3]) / distance
        below, above = (values[:, 1] - values[:, 0]) / distance, (values[:, 2] - values[:, 1]) / distance
        largest = max(shape.largest_slope, float(np.nanmax(np.abs(central), initial=0.0)))
        # In float64 rounding is far below; in float32 two distances must agree as well.
        trusted = np.abs(above - below) <= SMOOTH * largest if fine else np.abs(above - below) <= 5 * SMOOTH * largest
        trusted &= (np.abs(central - halved) <= SMOOTH * largest) & np.isfinite(autodiff)
    if not np.any(trusted):
        return GradientCheck(answer, varies)
    error = np.where(trusted, np.abs(autodiff - central), 0.0) / max(largest, 1e-300)
    # The slope at scales far below f's own is rounding error of f: nothing to compare.
    error = np.where(np.abs(autodiff - central) > 8 * seen.noise / distance, error, 0.0)
    worst = int(np.argmax(error))
    wrong = (error > WRONG) & (np.abs(central) > WRONG * largest)
    ratio = float(np.median(autodiff[wrong] / central[wrong])) if np.any(wrong) else 1.0
    return GradientCheck(
        answer,
        varies,
        compared=int(trusted.sum()),
        worst=float(error[worst]),
        where=float(places[worst]),
        autodiff=float(autodiff[worst]),
        differences=float(central[worst]),
        ratio=ratio,
        wrong_share=float(np.mean(error[trusted] > WRONG)),
        upstream=_upstream(target, precision, places[:: 1 + len(places) // 256]),
        surrogate=shape.step_share > 0.9,
    )


def _upstream(target: Target, precision: str, places: np.ndarray) -> str:
    """Whether what arrives from above is handed on in proportion, all over the range: half of a ReLU has no slope."""
    one = target.values_and_slopes(places, precision)[1]
    minus_three = target.values_and_slopes(places, precision, upstream=-3.0)[1]
    if one is None or minus_three is None:
        return "wrong"
    usable = np.isfinite(one) & np.isfinite(minus_three)
    one, minus_three = one[usable], minus_three[usable]
    size = float(np.max(np.abs(one), initial=0.0))
    if np.all(np.abs(minus_three + 3 * one) <= 1e-3 * size):
        return "scales"
    return "ignored" if np.all(np.abs(minus_three - one) <= 1e-3 * size) else "wrong"
