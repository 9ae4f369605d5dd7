"""Activations at work: the curve of each, and its slope, over the inputs that it really met."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.report.figures import plane
from diagnose.report.figures.plane import Chart, Mark, Scale, Tick
from diagnose.run.run import Run
from diagnose.wording import number, percent, small

#: Slope under which a curve counts as flat in the picture, relative to its largest.
FLAT = 0.01

THINNEST = 1 / 150  # of the plot's width: a bar of 5 px on a wide page, 2 px on a phone


@dataclass(frozen=True, slots=True)
class ActivationPicture:
    """What an activation does to the z it really met: f, and below it its slope f', both over the histogram of z.

    facts: (name, value) of what was measured there; alone: what its profile says of the function by itself.
    """

    where: str
    function: str
    curve: Chart
    slope: Chart | None
    facts: tuple[tuple[str, str], ...]
    alone: tuple[str, ...]


def pictured_sites(run: Run) -> tuple[str, ...]:
    """Places of which a picture can be drawn, in the order of the calls."""
    keys = {
        where: None
        for quantity, where, _, _ in run.all_arrays()
        if quantity in ("preactivation.histogram", "activation.curve")
    }
    return tuple(keys)


@np.errstate(all="ignore")
def activation_picture(run: Run, where: str) -> ActivationPicture | None:
    """The picture of one site, from the latest curve and histogram; None where the run has nothing to draw."""
    curves, histograms = run.arrays("activation.curve", where), run.arrays("preactivation.histogram", where)
    usable = {step: table for step, table in histograms.items() if _is_histogram(table)}
    first, last = (min(usable), max(usable)) if usable else (None, None)
    curve = _curve_at({step: table for step, table in curves.items() if _is_curve(table)}, last)
    if curve is None and not usable:
        return None
    span = _z_span(curve, [usable[step] for step in {first, last} if step is not None])
    if span is None:
        return None
    across = Scale(*span)
    x_ticks = tuple(Tick(100 * at, text) for at, text in across.ticks(7))
    ground: list[Mark] = []
    key: list[tuple[str, str, str]] = []
    if last is not None:
        ground.append(Mark("bars", "histogram", _histogram(usable[last], across)))
        key.append(("histogram", "bars", f"inputs z at step {last:,}"))
    if first is not None and first != last:
        ground.append(Mark("line", "faint", _histogram_outline(usable[first], across)))
        key.append(("faint", "line", f"inputs z at step {first:,}"))
    site = run.site(where)
    function = (site.function if site else "") or "f"
    slope: Chart | None = None
    if curve is None:
        chart = Chart(function, f"Histogram of the inputs of {where}.", tuple(ground), x_ticks, (), "z", tuple(key))
    else:
        z, f, df = curve
        f, df = _without_overflow(f), _without_overflow(df)
        bands, band_key = _stretches(z, df, across)
        chart = _curve_chart("f(z)", "f", z, f, across, x_ticks, bands, ground, (*key, *band_key))
        slope = _curve_chart("f'(z)", "slope", z, df, across, x_ticks, bands, ground, (), size="short")
    return ActivationPicture(where, function, chart, slope, tuple(_site_facts(run, where)), _alone(run, function))


def _alone(run: Run, function: str) -> tuple[str, ...]:
    """What the profile of this function found beyond a note, where the run has one that can be read."""
    known = run.facts.profiles.get(function)
    if not known:
        return ()
    try:
        findings = JudgedFunction.from_dict(known).findings
    except (ValueError, KeyError, TypeError, AttributeError):  # of another version: the picture stands without it
        return ()
    return tuple(finding.message for finding in findings if finding.severity != "note")


def _curve_at(curves: Mapping[int, np.ndarray], step: int | None) -> np.ndarray | None:
    """The latest curve up to this step (it spans the z met then), or the first after it; None without any."""
    before = [known for known in curves if step is None or known <= step]
    return curves[max(before)] if before else curves[min(curves)] if curves else None


def _curve_chart(
    title: str,
    tone: str,
    z: np.ndarray,
    values: np.ndarray,
    across: Scale,
    x_ticks: tuple[Tick, ...],
    bands: list[Mark],
    ground: list[Mark],
    key: tuple[tuple[str, str, str], ...],
    size: str = "tall",
) -> Chart:
    seen = values[(z >= across.low) & (z <= across.high)]
    span = plane.span([seen], room=0.08) or (-1.0, 1.0)
    if span[0] < 0 < span[1] or abs(span[0]) < 0.3 * abs(span[1]):
        span = (min(span[0], -0.04 * span[1]), span[1])
    up = Scale(*span)
    marks = [*bands, *ground]
    if span[0] < 0 < span[1]:
        marks.append(Mark("line", "axis", f"M0 {plane.px(1 - float(up(0.0)))}H{plane.SIDE}"))
    marks.append(Mark("line", tone, plane.line(across(z), np.where(np.isfinite(values), up(values), np.nan))))
    says = f"{title} against z, over the histogram of the inputs z."
    y_ticks = tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5 if size == "tall" else 3))
    return Chart(title, says, tuple(marks), x_ticks, y_ticks, "z", key, size)


def _stretches(z: np.ndarray, df: np.ndarray, across: Scale) -> tuple[list[Mark], list[tuple[str, str, str]]]:
    """Where the curve is flat, where it falls, and where its slope is no number."""
    finite = np.isfinite(df)
    largest = float(np.abs(df[finite]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        kinds = (
            ("flat", np.abs(df) < FLAT * largest if largest else finite, "slope almost 0 here"),
            ("falling", df <= -FLAT * largest if largest else np.zeros_like(finite), "f falls here"),
            ("broken", ~finite, "slope is NaN or infinite here"),
        )
    half = np.diff(z, prepend=z[:1], append=z[-1:]) / 2  # each grid point stands for half the way to its neighbours
    marks, key = [], []
    for tone, mask, words in kinds:
        edges = [(float(across(z[a] - half[a])), float(across(z[b - 1] + half[b]))) for a, b in plane.runs(mask)]
        edges = [(max(a, 0.0), min(b, 1.0)) for a, b in edges if b > 0 and a < 1]
        if edges:
            marks.append(Mark("area", tone, plane.bands(edges)))
            key.append((tone, "bars", words))
    return marks, key


def _z_span(curve: np.ndarray | None, histograms: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """The z to show: where the middle 99.8 % of those met lie, joined with [-3, 3] as the working range is."""
    ends = []
    for centres, counts in histograms:
        total = np.cumsum(counts)
        inside = (total >= 0.001 * total[-1]) & (total - counts <= 0.999 * total[-1])
        width = float(np.median(np.diff(centres))) if len(centres) > 1 else 0.0
        ends += [centres[inside].min() - width, centres[inside].max() + width]
    if ends:
        known = plane.drawable([np.array(ends, np.float64)])
        return min(float(known.min(initial=0)), -3.0), max(float(known.max(initial=0)), 3.0)
    return plane.span([curve[0]], room=0.0) if curve is not None else None


def _histogram(table: np.ndarray, across: Scale) -> str:
    left, right, height = _bins(table, across)
    return plane.bars(left, right, height)


def _histogram_outline(table: np.ndarray, across: Scale) -> str:
    left, right, height = _bins(table, across)
    return plane.line(np.stack([left, right], 1).ravel(), np.repeat(height, 2))


def _bins(table: np.ndarray, across: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left and right edge and height of each bar, in [0, 1]; the highest takes 85 % of the height.

    The bins have one width. A bar joins two (those of a sample of some thousand z are noisy), or as many as it takes
    to be seen: z that are all but equal, which is what a dead signal looks like, still make a visible bar.
    """
    with np.errstate(all="ignore"):
        centres = (table[0].astype(np.float64) - across.low) / (across.high - across.low)
    count = len(centres)
    width = float(centres[-1] - centres[0]) / max(count - 1, 1)
    joined = min(max(math.ceil(THINNEST / width), 2) if width > 0 else count, count)
    starts = np.arange(0, count, joined)
    ends = np.minimum(starts + joined, count)
    heights = np.add.reduceat(table[1].astype(np.float64), starts) / (ends - starts)
    left = centres[starts] - width / 2
    right = np.maximum(centres[ends - 1] + width / 2, left + THINNEST)
    left, right = np.clip(left, 0, 1), np.clip(right, 0, 1)
    heights = np.where(right > left, heights, 0.0)
    top = heights.max(initial=0.0)
    return left, right, 0.85 * heights / top if top else heights


def _is_histogram(table: np.ndarray) -> bool:
    return (
        table.ndim == 2
        and table.shape[0] == 2
        and table.shape[1] > 0
        and bool(np.isfinite(table).all())
        and bool(table[1].sum() > 0)
    )


def _is_curve(table: np.ndarray) -> bool:
    return table.ndim == 2 and table.shape[0] == 3 and table.shape[1] > 1 and bool(np.isfinite(table[0]).all())


def _without_overflow(values: np.ndarray) -> np.ndarray:
    """Float64, with infinities as NaN: a curve has no place to draw them."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _site_facts(run: Run, where: str) -> Iterable[tuple[str, str]]:
    """What the picture is about, in numbers: (name, latest value), with the first one where it differs."""
    for name, quantity, say in (
        ("of the inputs where the slope is almost 0", "activation.saturated_share", percent),
        ("of the slope negative", "activation.falling_share", percent),
        ("of the units dead", "activation.dead_share", percent),
        ("of the gradient passed (gate gain)", "activation.gate_gain", _gain),
    ):
        series = run.series(quantity, where)
        if len(series):
            first, last = say(float(series.values[0])), say(float(series.values[-1]))
            yield name, last if first == last else f"{last}, at first {first}"


def _gain(value: float) -> str:
    """A gate gain: a share of the gradient, or how many times it grows."""
    if value > 1:
        return f"{number(value)} times"
    return small(value)
