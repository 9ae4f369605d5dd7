"""Which inputs an output depends on: its own alone, or others of its row, its sequence or its batch.

Only an elementwise function has a curve. Asked by changing one sample, one unit, one place, and looking which outputs
move.
"""

from __future__ import annotations

import contextlib

import numpy as np

from diagnose.activation.calling.isolation import ENDINGS
from diagnose.activation.calling.rounding import SAME, same
from diagnose.activation.calling.target import Target, probe
from diagnose.activation.facts import Mixing


def mixing_of(target: Target, dtype: str) -> Mixing:
    """Change one sample, one unit, one place; which outputs move?"""
    z = probe(6, target.shape)
    base = target.answer(z, dtype)
    keeps = base.shape == z.shape
    batch = base.ndim == 0 or base.shape[0] != len(z)
    units = positions = False
    mixed_axis = -1
    for axis in range(z.ndim):
        if batch and axis == 0:
            continue
        followed = base.ndim == z.ndim and base.shape[axis] == z.shape[axis]
        moved = False
        middle = z.shape[axis] // 2  # what exchanges places may leave the first where it is
        for place, push in ((0, 1.0), (0, 10.0), (0, -10.0), (middle, 1.0)):
            pushed = z.copy()
            pushed[(slice(None),) * axis + (place,)] += push
            try:
                answer = target.answer(pushed, dtype)
            except ENDINGS:
                raise
            except BaseException:  # the sweep over z will find out where f raises
                continue
            if axis == 0:
                moved |= not same(np.delete(base, place, 0), np.delete(answer, place, 0))
            elif followed:
                moved |= not same(np.delete(base, place, axis), np.delete(answer, place, axis))
        if axis == 0:
            batch |= moved
        elif axis == z.ndim - 1:
            units |= moved
        else:
            positions |= moved
            mixed_axis = axis if moved else mixed_axis
    by_position, spread = False, 0.0
    if keeps and not (batch or units or positions):
        level = np.linspace(-3.0, 3.0, 13).reshape((13,) + (1,) * (z.ndim - 1)) * np.ones((1, *target.shape))
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            flat = target.answer(level, dtype).astype(float).reshape(13, -1)
            size = float(np.nanmax(np.abs(flat), initial=0.0))
            spread = float(np.nanmax(np.ptp(flat, axis=1), initial=0.0)) / max(size, 1e-300)
        by_position = bool(spread > SAME)
    normalizes = ""
    if units or positions:
        other = target.answer(3 * probe(6, target.shape) - 1, dtype)
        normalizes = _invariant(*(np.moveaxis(answer, -1 if units else mixed_axis, -1) for answer in (base, other)))
        alike = keeps and (not units or _units_alike(target, dtype, z))
        normalizes = normalizes or ("bound" if units and _bounded(target, dtype, z) else "") if alike else ""
    return Mixing(batch, units, positions, normalizes, tuple(base.shape[1:]), keeps, by_position, spread)


def middle_position(target: Target, dtype: str) -> int:
    """The place whose curve is nearest to the median of all."""
    level = np.linspace(-3.0, 3.0, 13).reshape((13,) + (1,) * len(target.shape)) * np.ones((1, *target.shape))
    flat = target.answer(level, dtype).astype(float).reshape(13, -1)
    return int(np.argmin(np.abs(flat - np.median(flat, axis=1, keepdims=True)).sum(axis=0)))


def _units_alike(target: Target, dtype: str, z: np.ndarray) -> bool:
    """Units in another order give the same outputs in that order."""
    return same(np.flip(target.answer(z, dtype), -1), target.answer(np.flip(z, -1), dtype))


def _bounded(target: Target, dtype: str, z: np.ndarray) -> bool:
    """The outputs stay within a bound whatever the size of the inputs."""
    large, larger = (float(np.max(np.abs(target.answer(z * size, dtype)))) for size in (10, 100))
    return bool(np.isfinite(larger) and larger <= 1.01 * large)


def _invariant(*answers: np.ndarray) -> str:
    """What is the same for all rows of all answers, on purpose as it seems; "" for nothing."""
    if any(answer.ndim < 2 or answer.shape[-1] < 2 for answer in answers):
        return ""
    rows = np.concatenate([answer.astype(float).reshape(-1, answer.shape[-1]) for answer in answers])
    if not np.all(np.isfinite(rows)):
        return ""
    top = rows.max(axis=1, keepdims=True)
    measures = {
        "sum": rows.sum(axis=1),
        "log-sum-exp": (top + np.log(np.exp(rows - top).sum(axis=1, keepdims=True)))[:, 0],
        "sum of squares": (rows**2).sum(axis=1),
        "sum of sizes": np.abs(rows).sum(axis=1),
        "largest size": np.abs(rows).max(axis=1),
        "largest": rows.max(axis=1),
    }
    size = float(np.abs(rows).max())
    return next(
        (
            name
            for name, measure in measures.items()
            if np.ptp(measure) <= 1e-3 * max(size, float(np.abs(measure).max()))
        ),
        "",
    )
