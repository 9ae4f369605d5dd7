"""The plane that every chart is drawn on: its marks, its scales with their ticks, and paths for SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from diagnose.wording import MINUS, number

SIDE = 1000  # of the drawing square


@dataclass(frozen=True, slots=True)
class Tick:
    """A word beside an axis: `at` in percent of the plot's width from the left, or of its height from the top."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One path. `look`: "line", "area", "bars" or "dots"; `tone`: name of its colour; `d`: SVG path in the square."""

    look: str
    tone: str
    d: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plane with axes. `says` describes it to those who cannot see it; `key`: (tone, look, words) of its legend."""

    title: str
    says: str
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str = ""
    key: tuple[tuple[str, str, str], ...] = ()
    size: str = "tall"


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight, or logarithmic, map from [low, high] to [0, 1]."""

    low: float
    high: float
    log: bool = False

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        """Where the values lie: 0 at `low`, 1 at `high`, held within [-0.05, 1.05]; NaN stays NaN."""
        values = np.asarray(values, np.float64)
        low, high = self.low, self.high
        with np.errstate(all="ignore"):
            if self.log:
                values, low, high = np.log10(np.maximum(values, 1e-300)), math.log10(low), math.log10(high)
            # halves first: the difference of two float64 near the limit would overflow
            place = (values / 2 - low / 2) / (high / 2 - low / 2)
        return np.clip(place, -0.05, 1.05)

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """(place in [0, 1], word) of round numbers."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            stride = max(1, math.ceil((last - first) / (most - 1)))
            exponents = range(first, last + 1, stride)
            return [(float(self(10.0**e)), f"1e{e}" if abs(e) > 3 else f"{10.0**e:g}") for e in exponents]
        return [(float(self(value)), text) for value, text in round_numbers(self.low, self.high, most)]


def round_numbers(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """At most about `most` multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    rough = (high / 2 - low / 2) / max(most - 1, 1) * 2
    if not math.isfinite(rough) or rough <= 0:
        return [(low, number(low))]
    power = 10.0 ** math.floor(math.log10(rough))
    stride = next((factor * power for factor in (1, 2, 5) if factor * power >= rough * 0.999), 10 * power)
    if not stride > 0:  # under the smallest float
        return [(low, number(low))]
    first, last = math.ceil(low / stride - 1e-9), math.floor(high / stride + 1e-9)
    values = [k * stride for k in range(int(first), int(last) + 1)]
    decimals = max(0, -math.floor(math.log10(stride) + 1e-9))
    if decimals > 4 or max(map(abs, values), default=0.0) >= 1e6:
        return [(value, number(float(f"{value:.6g}"))) for value in values]
    return [(value, f"{value:,.{decimals}f}".replace("-", MINUS) if value else "0") for value in values]


def span(values: Iterable[np.ndarray], floor: float | None = None, room: float = 0.04) -> tuple[float, float] | None:
    """Smallest and largest finite value with a little room around, or None where nothing is finite."""
    known = drawable(values)
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    if floor is not None:
        low = min(low, floor)
    spread, size = high - low, max(abs(low), abs(high))
    pad = spread * room
    if size <= 1e-290:
        return -0.04, 1.0
    if spread <= max(1e-12 * size, 1e-290):  # one value
        pad = size * 0.1
    return (low if floor is not None and low >= floor else low - pad), high + pad


def drawable(values: Iterable[np.ndarray]) -> np.ndarray:
    """The finite values of all, held so far from the limits of float64 that an axis can be laid around them."""
    known = np.concatenate([np.empty(0), *values])
    return np.clip(known[np.isfinite(known)], -1e300, 1e300)


def line(x: np.ndarray, y: np.ndarray) -> str:
    """A path through points given in [0, 1], y upwards. It breaks at NaN; a point alone is a dot (round caps)."""
    parts: list[str] = []
    pen_down = False
    for right, up in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(right) or math.isnan(up):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{px(right)} {px(1 - up)}")
        if not pen_down:
            parts.append("h0")
        pen_down = True
    return "".join(parts)


def area(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The stretch between two curves, as one closed path for each run of finite points."""
    good = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    paths = []
    for start, end in runs(good):
        forth = "L".join(f"{px(a)} {px(1 - b)}" for a, b in zip(x[start:end], high[start:end], strict=True))
        back = "L".join(f"{px(a)} {px(1 - b)}" for a, b in zip(x[start:end][::-1], low[start:end][::-1], strict=True))
        paths.append(f"M{forth}L{back}Z")
    return "".join(paths)


def bars(left: np.ndarray, right: np.ndarray, height: np.ndarray) -> str:
    """Bars that stand on the lower edge, given in [0, 1]; those without a height are left out."""
    return "".join(
        f"M{px(a)} {SIDE}V{px(1 - h)}H{px(b)}V{SIDE}Z"
        for a, b, h in zip(left.tolist(), right.tolist(), height.tolist(), strict=True)
        if h > 0
    )


def bands(edges: Iterable[tuple[float, float]]) -> str:
    """Bands over the whole height, between pairs of places in [0, 1]."""
    return "".join(f"M{px(a)} 0H{px(b)}V{SIDE}H{px(a)}Z" for a, b in edges)


def px(place: float) -> str:
    """A place in [0, 1] as a coordinate of the square."""
    return f"{SIDE * place:.0f}"


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of True as (start, end), the end not included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
