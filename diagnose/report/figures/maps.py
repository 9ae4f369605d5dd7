"""Maps of place by step: one row a place, one column an observed step or several, reduced in the direction of harm."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagnose.report.figures import plane
from diagnose.report.figures.plane import SIDE, Tick
from diagnose.run.run import Run, Series
from diagnose.wording import number, percent

COLUMNS = 96  # of a map
ROWS = 40  # of a map: about two screens; the rest is in the run file

#: How values are put into classes of one colour: (upper bound, words) for each.
Classes = tuple[tuple[float, str], ...]
SHARES: Classes = (
    (0.02, "under 2 %"),
    (0.1, "2–10 %"),
    (0.25, "10–25 %"),
    (0.5, "25–50 %"),
    (0.75, "50–75 %"),
    (0.9, "75–90 %"),
    (math.inf, "over 90 %"),
)
GAINS: Classes = (
    (0.01, "under 0.01"),
    (0.05, "0.01–0.05"),
    (0.2, "0.05–0.2"),
    (5, "0.2–5"),
    (20, "5–20"),
    (100, "20–100"),
    (math.inf, "over 100"),
)

#: Quantity, title, what it is, classes (None: powers of ten as measured), palette of the style sheet, how a value is
#: said, and which of the values that share a column is its worst (`_reduced`).
MAPS = (
    ("activation.saturated_share", "Saturated share", "share of inputs where the slope is almost "
    "0", SHARES, "s", percent, "largest"),
    ("activation.dead_share", "Dead units", "share of units whose slope is always 0", SHARES, "s", percent, "largest"),
    ("activation.gate_gain", "Gate gain", "how much of the gradient passes (1: all)", GAINS, "d", number, "farthest"),
    ("gradient.rms", "Gradient size", "root mean square of the loss gradient", None, "g", number, "farthest"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of a map: a place, one path for each colour level, and its latest value in words."""

    where: str
    levels: tuple[tuple[str, str], ...]
    last: str


@dataclass(frozen=True, slots=True)
class Map:
    """One quantity, place by step. `key`: (level, words) of its colours; `hidden`: rows left out for room."""

    title: str
    says: str
    strips: tuple[Strip, ...]
    x_ticks: tuple[Tick, ...]
    key: tuple[tuple[str, str], ...]
    hidden: int


def layer_maps(run: Run, named: Mapping[str, object] | Iterable[str] = ()) -> tuple[tuple[Map, ...], tuple[str, ...]]:
    """The maps that can be drawn, and the titles of those whose quantity was not measured.

    named: places that must have a row, since a finding names them.
    """
    maps, missing = [], []
    for quantity, title, says, classes, palette, say, worst in MAPS:
        places = run.places(quantity)
        if quantity == "gradient.rms":
            places = _kernels(run, places)
        if not places:
            missing.append(title)
            continue
        columns = {where: run.series(quantity, where) for where in places}
        bounds = classes or _decades(columns.values())
        exact = quantity == "gradient.rms"  # a gradient of exactly 0 is another thing than a small one
        maps.append(_map(title, says, columns, bounds, palette, say, worst, frozenset(named), exact))
    return tuple(maps), tuple(missing)


def _map(
    title: str,
    says: str,
    columns: Mapping[str, Series],
    classes: Classes,
    palette: str,
    say: Callable[[float], str],
    worst: str,
    named: frozenset[str],
    marks_zero: bool,
) -> Map:
    steps = np.unique(np.concatenate([series.steps for series in columns.values()]))
    groups = np.array_split(steps, min(len(steps), COLUMNS))
    starts = np.array([group[0] for group in groups])
    table = {where: _reduced(series, starts, worst) for where, series in columns.items()}
    rows = _chosen(table, named)
    bounds = [bound for bound, _ in classes[:-1]]
    looks = [*(f"{palette}{index}" for index in range(len(classes))), "zero", "broken"]
    strips = []
    for where in rows:
        values, broken = table[where]
        level = np.where(np.isnan(values), -1, np.searchsorted(bounds, values, side="right"))
        if marks_zero:
            level[values == 0] = len(classes)
        level[broken] = len(classes) + 1
        strips.append(Strip(where, tuple(_cells(level, looks)), say(float(columns[where].values[-1]))))
    ticks = [0, len(groups) // 4, len(groups) // 2, 3 * len(groups) // 4, len(groups) - 1]
    x_ticks = tuple(Tick(100 * (k + 0.5) / len(groups), f"{int(starts[k]):,}") for k in sorted(set(ticks)))
    met = {look for strip in strips for look, _ in strip.levels}
    words = [*(text for _, text in classes), "exactly 0", "not finite"]
    key = [(look, text) for look, text in zip(looks, words, strict=True) if look in met or look[0] == palette]
    return Map(title, says, tuple(strips), x_ticks, tuple(key), len(columns) - len(rows))


def _reduced(series: Series, starts: np.ndarray, worst: str) -> tuple[np.ndarray, np.ndarray]:
    """One value a column (NaN: nothing measured), and whether the column met a value that is not finite.

    worst: "largest", or "farthest": the value whose order of magnitude lies farthest from 1, of values from 0 on.
    """
    which = np.searchsorted(starts, series.steps, side="right") - 1
    order = np.argsort(which, kind="stable")
    which, met = which[order], series.values[order]
    values, broken = np.full(len(starts), np.nan), np.zeros(len(starts), bool)
    edges = np.flatnonzero(np.diff(which, prepend=-1))
    columns, finite = which[edges], np.isfinite(met)
    broken[columns] = ~np.logical_and.reduceat(finite, edges)
    size = met if worst == "largest" else np.log10(np.maximum(np.abs(met), 1e-300))
    high = np.maximum.reduceat(np.where(finite, size, -np.inf), edges)
    if worst == "farthest":
        low = np.minimum.reduceat(np.where(finite, size, np.inf), edges)
        farthest = np.where(np.abs(low) > np.abs(high), low, high)
        high = np.where(farthest <= -300, np.where(np.isfinite(high), 0.0, np.nan), 10.0**farthest)
    values[columns] = np.where(np.logical_or.reduceat(finite, edges), high, np.nan)
    return values, broken


def _cells(level: np.ndarray, looks: Sequence[str]) -> Iterable[tuple[str, str]]:
    """One path for each look: its cells, neighbours of the same look joined."""
    edges = [SIDE * column // len(level) for column in range(len(level) + 1)]
    for value in np.unique(level[level >= 0]):
        d = "".join(f"M{edges[start]} 0H{edges[end]}V1H{edges[start]}Z" for start, end in plane.runs(level == value))
        yield looks[int(value)], d


def _decades(columns: Iterable[Series]) -> Classes:
    """Classes of whole powers of ten (or of a hundred, a thousand, ...) that cover what was measured; 7 at most."""
    values = np.concatenate([series.values for series in columns])
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return ((math.inf, "0"),)
    low, high = math.floor(math.log10(known.min())), math.floor(math.log10(known.max()))
    stride = max(1, math.ceil((high - low) / 6))
    exponents = [high - stride * k for k in range(6) if high - stride * k > low][::-1]
    bounds = [10.0**exponent for exponent in exponents]
    words = [f"under 1e{exponents[0]}"] if bounds else []
    words += [f"from 1e{exponent}" for exponent in exponents[:-1]]
    last = f"over 1e{exponents[-1]}" if bounds else f"about 1e{high}"
    return (*zip(bounds, words, strict=True), (math.inf, last))


def _kernels(run: Run, places: tuple[str, ...]) -> tuple[str, ...]:
    """One variable a layer, the largest there is (its kernel): biases would double the rows and tell little more."""
    firsts = {layer.variables[0] for layer in run.facts.model.layers if layer.variables}
    kept = tuple(where for where in places if where in firsts)
    return kept or places


def _chosen(table: Mapping[str, tuple[np.ndarray, np.ndarray]], named: frozenset[str]) -> list[str]:
    """The rows to show, in their order: all, or those named by findings, broken or most extreme."""
    if len(table) <= ROWS:
        return list(table)

    def weight(where: str) -> tuple[bool, bool, float]:
        values, broken = table[where]
        finite = values[np.isfinite(values)]
        return where in named, bool(broken.any()), float(finite.max() - finite.min()) if finite.size else 0.0

    best = set(sorted(table, key=weight, reverse=True)[:ROWS])
    return [where for where in table if where in best]
