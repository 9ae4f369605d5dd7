"""The facts of a function as charts for the page: f and f' over the density of N(0, 1), signal and gradient in depth.

They are the report's charts (`diagnose.report.figures`), so a profile and a run look alike. Nothing here needs
TensorFlow: a curve kept in a run file is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from diagnose.activation.curve.search import density
from diagnose.activation.facts import Propagation
from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.report.figures import SIDE, Chart, Mark, Scale, Tick

#: Half-width of the picture: all of the mass, and the tails of a sigmoid.
WIDTH = 6.0
#: A second moment is drawn between these; what leaves them is lost anyway.
LOST, GROWN = 1e-6, 1e6

_TONES = {"he_normal": "train", "glorot_normal": "validation", "lecun_normal": "baseline"}


def curve_charts(profile: JudgedFunction) -> tuple[Chart, ...]:
    """f, and below it f'; nothing if the function has no curve."""
    if profile.curve is None or profile.shape is None:
        return ()
    z, value, slope = (np.array(row) for row in (profile.curve.z, profile.curve.value, profile.curve.slope))
    shown = np.abs(z) <= WIDTH
    z, value, slope = z[shown], value[shown], slope[shown]
    across = Scale(-WIDTH, WIDTH)
    bands = [
        Mark("bars", "flat", _bands((flat.low, flat.high) for flat in profile.shape.flats)),
        Mark("bars", "falling", _bands(_falling(z, value))),
        Mark("area", "broken", _bands(_broken(profile))),
    ]
    words = {"flat": "slope under 1 % of its largest", "falling": "falling", "broken": "not finite"}
    bands = [mark for mark in bands if mark.d]
    key = [("histogram", "bars", "standard normal inputs"), *((mark.tone, "bars", words[mark.tone]) for mark in bands)]
    bell = density(np.linspace(-WIDTH, WIDTH, 121))
    ground = Mark("area", "histogram", _area(np.linspace(0, 1, 121), 0.45 * bell / bell.max()))
    jumps = [jump.z for jump in profile.shape.jumps]
    return (
        _curve("f(z)", "f", z, value, across, [*bands, ground], tuple(key), "tall", jumps),
        _curve("f'(z)", "slope", z, slope, across, [*bands, ground], (), "short", jumps),
    )


def depth_charts(found: Propagation | None) -> tuple[Chart, ...]:
    """Second moment of signal and gradient over the layers, for each initialization."""
    if found is None:
        return ()
    titles = (("Signal through depth", "path"), ("Gradient through depth", "gradient_path"))
    return tuple(
        _depth(title, [(depth.initializer, getattr(depth, column)) for depth in found.depths])
        for title, column in titles
    )


def _curve(
    title: str,
    tone: str,
    z: np.ndarray,
    values: np.ndarray,
    across: Scale,
    ground: list[Mark],
    key: tuple[tuple[str, str, str], ...],
    size: str,
    jumps: list[float],
) -> Chart:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)
    typical = float(np.quantile(np.abs(finite), 0.9)) if len(finite) else 0.0
    if high - low > 20 * typical > 0:
        low, high = (float(edge) for edge in np.quantile(finite, [0.02, 0.98]))  # a pole would press all else flat
    low, high = min(low, 0.0), max(high, 0.0)
    room = 0.08 * (high - low) or 1.0
    up = Scale(low - room, high + room)
    marks = [*ground, Mark("line", "axis", f"M0 {_px(1 - float(up(0.0)))}H{SIDE}")]
    heights = np.where(np.isfinite(values), up(values), np.nan)
    marks.append(Mark("line", tone, _line(across(z), heights, [float(across(jump)) for jump in jumps])))
    x_ticks = tuple(Tick(100 * at, text) for at, text in across.ticks(7))
    y_ticks = tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5 if size == "tall" else 3))
    return Chart(title, f"{title} for z from -6 to 6.", tuple(marks), x_ticks, y_ticks, "z", key, size)


def _depth(title: str, paths: list[tuple[str, tuple[float, ...]]]) -> Chart:
    values = np.clip(np.array([moment for _, path in paths for moment in path if moment > 0] or [1.0]), LOST, GROWN)
    low, high = min(float(values.min()) / 2, 0.5), max(float(values.max()) * 2, 2.0)
    up = Scale(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high)), log=True)
    longest = max((len(path) for _, path in paths), default=1)
    across = Scale(1.0, float(max(longest, 2)))
    marks = []
    for name, path in paths:
        layers = np.arange(1, len(path) + 1)
        heights = np.array([float(up(moment)) if 0 < moment < math.inf else math.nan for moment in path])
        marks.append(Mark("line", _TONES.get(name, "f"), _line(across(layers), heights, [])))
    key = tuple((_TONES.get(name, "f"), "line", name) for name, _ in paths)
    x_ticks = tuple(Tick(100 * at, text) for at, text in across.ticks(6))
    y_ticks = tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5))
    says = f"{title}: second moment over the layers, for standard normal input."
    return Chart(title, says, tuple(marks), x_ticks, y_ticks, "layer", key, "short")


def _falling(z: np.ndarray, value: np.ndarray) -> list[tuple[float, float]]:
    """Stretches on the lesser direction of a function that both rises and falls."""
    change = np.diff(value)
    weight = density((z[1:] + z[:-1]) / 2)
    with np.errstate(invalid="ignore"):
        up, down = np.nansum(weight * np.maximum(change, 0)), np.nansum(weight * np.maximum(-change, 0))
        lesser = (
            change < -1e-9 * np.nanmax(np.abs(value), initial=0)
            if down <= up
            else change > 1e-9 * np.nanmax(np.abs(value), initial=0)
        )
    edges = np.diff(np.concatenate([[0], lesser.astype(np.int8), [0]]))
    return [
        (float(z[a]), float(z[b])) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    ]


def _broken(profile: JudgedFunction) -> list[tuple[float, float]]:
    """Gaps of the function or its slope, at least a hair wide."""
    own = profile.numerics[0] if profile.numerics else None
    if own is None:
        return []
    return [(gap.low - 0.02, gap.high + 0.02) for gap in own.forward + own.backward if abs(gap.nearest) <= WIDTH]


def _bands(edges: Iterable[tuple[float, float]]) -> str:
    path = ""
    for low, high in edges:
        left, right = ((max(min(edge, WIDTH), -WIDTH) + WIDTH) / (2 * WIDTH) for edge in (low, high))
        if right > left:
            path += f"M{_px(left)} 0H{_px(right)}V{SIDE}H{_px(left)}Z"
    return path


def _line(x: np.ndarray, y: np.ndarray, breaks: list[float]) -> str:
    """A path through points in [0, 1], y upwards; the pen is lifted at NaN and at the breaks."""
    path, pen_down, last = "", False, -1.0
    for right, up in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(right) or math.isnan(up):
            pen_down = False
            continue
        if any(last < place <= right for place in breaks):
            pen_down = False
        path += f"{'L' if pen_down else 'M'}{_px(right)} {_px(1 - up)}"
        pen_down, last = True, right
    return path


def _area(x: np.ndarray, height: np.ndarray) -> str:
    points = "L".join(f"{_px(a)} {_px(1 - b)}" for a, b in zip(x.tolist(), height.tolist(), strict=True))
    return f"M0 {SIDE}L{points}L{SIDE} {SIDE}Z"


def _px(place: float) -> str:
    return f"{SIDE * place:.0f}"
