"""A run as marks on a plane: charts, and maps of place by step. Geometry only; the templates turn it into SVG.

Everything is drawn in a square of 1000 by 1000, y downwards, that the page stretches to the room there is; strokes keep
their width, and ticks are words of the page beside it. So a figure needs no second size for a phone. However long the
run, a line has at most `POINTS` corners and a map at most `COLUMNS` columns: what falls into one column is reduced in
the direction of harm, so that a short fault stays visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagnose.report.words import MINUS, number, share
from diagnose.run import Run, Series

SIDE = 1000  # of the drawing square
POINTS = 240  # corners of a line: about one for each 3 px of a wide page
COLUMNS = 96  # of a map
ROWS = 40  # of a map: about two screens; the rest is in the run file

#: Slope under which a curve counts as flat in the picture, relative to its largest.
FLAT = 0.01

THINNEST = 1 / 150  # of the plot's width: a bar of 5 px on a wide page, 2 px on a phone
FEW = 30  # points of a line that are marked one by one, so that it shows where was measured


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


# --- scales and paths -------------------------------------------------------------------------------------------------


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
        return [(float(self(value)), text) for value, text in _round_numbers(self.low, self.high, most)]


def _round_numbers(low: float, high: float, most: int) -> list[tuple[float, str]]:
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


def _span(values: Iterable[np.ndarray], floor: float | None = None, room: float = 0.04) -> tuple[float, float] | None:
    """Smallest and largest finite value with a little room around, or None where nothing is finite."""
    known = _drawable(values)
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


def _drawable(values: Iterable[np.ndarray]) -> np.ndarray:
    """The finite values of all, held so far from the limits of float64 that an axis can be laid around them."""
    known = np.concatenate([np.empty(0), *values])
    return np.clip(known[np.isfinite(known)], -1e300, 1e300)


def _line(x: np.ndarray, y: np.ndarray) -> str:
    """A path through points given in [0, 1], y upwards. It breaks at NaN; a point alone is a dot (round caps)."""
    parts: list[str] = []
    pen_down = False
    for right, up in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(right) or math.isnan(up):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{_px(right)} {_px(1 - up)}")
        if not pen_down:
            parts.append("h0")
        pen_down = True
    return "".join(parts)


def _area(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The stretch between two curves, as one closed path for each run of finite points."""
    good = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    paths = []
    for start, end in _runs(good):
        forth = "L".join(f"{_px(a)} {_px(1 - b)}" for a, b in zip(x[start:end], high[start:end], strict=True))
        back = "L".join(f"{_px(a)} {_px(1 - b)}" for a, b in zip(x[start:end][::-1], low[start:end][::-1], strict=True))
        paths.append(f"M{forth}L{back}Z")
    return "".join(paths)


def _bars(left: np.ndarray, right: np.ndarray, height: np.ndarray) -> str:
    return "".join(
        f"M{_px(a)} {SIDE}V{_px(1 - h)}H{_px(b)}V{SIDE}Z"
        for a, b, h in zip(left.tolist(), right.tolist(), height.tolist(), strict=True)
        if h > 0
    )


def _bands(edges: Iterable[tuple[float, float]]) -> str:
    return "".join(f"M{_px(a)} 0H{_px(b)}V{SIDE}H{_px(a)}Z" for a, b in edges)


def _px(place: float) -> str:
    return f"{SIDE * place:.0f}"


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of True as (start, end), the end not included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def thinned(series: Series, points: int = POINTS) -> Series:
    """At most about `points` entries of a series: in each of its equal parts the smallest and the largest value.

    NaN and infinities are left out where their part has finite values.

    >>> steps = np.arange(1000)
    >>> spike = thinned(Series(steps, np.where(steps == 500, 9.0, 0.0)), 20)
    >>> len(spike), float(spike.values.max())
    (20, 9.0)
    """
    count = len(series)
    if count <= points:
        return series
    kept: list[int] = []
    with np.errstate(all="ignore"):
        for part in np.array_split(np.arange(count), max(points // 2, 1)):
            values = series.values[part]
            finite = part[np.isfinite(values)]
            if finite.size:
                kept += sorted(
                    {int(finite[series.values[finite].argmin()]), int(finite[series.values[finite].argmax()])}
                )
                if len(kept) % 2:
                    kept.append(kept[-1])
            else:
                kept += [int(part[0])] * 2
    index = np.array(kept)
    return Series(series.steps[index], series.values[index])


# --- the activation at work ------------------------------------------------------------------------------------------


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
        key.append(("histogram", "bars", f"z met at step {last:,}"))
    if first is not None and first != last:
        ground.append(Mark("line", "faint", _histogram_outline(usable[first], across)))
        key.append(("faint", "line", f"z at step {first:,}"))
    function = str(run.site(where).get("function", "")) or "f"
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
    known = run.meta.get("profiles", {}).get(function)
    if not known:
        return ()
    from diagnose.activation import ActivationProfile

    try:
        findings = ActivationProfile.from_dict(known).findings
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
    span = _span([seen], room=0.08) or (-1.0, 1.0)
    if span[0] < 0 < span[1] or abs(span[0]) < 0.3 * abs(span[1]):
        span = (min(span[0], -0.04 * span[1]), span[1])
    up = Scale(*span)
    marks = [*bands, *ground]
    if span[0] < 0 < span[1]:
        marks.append(Mark("line", "axis", f"M0 {_px(1 - float(up(0.0)))}H{SIDE}"))
    marks.append(Mark("line", tone, _line(across(z), np.where(np.isfinite(values), up(values), np.nan))))
    says = f"{title} against z, over the histogram of the z met."
    y_ticks = tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5 if size == "tall" else 3))
    return Chart(title, says, tuple(marks), x_ticks, y_ticks, "z", key, size)


def _stretches(z: np.ndarray, df: np.ndarray, across: Scale) -> tuple[list[Mark], list[tuple[str, str, str]]]:
    """Where the curve is flat, where it falls, and where its slope is no number."""
    finite = np.isfinite(df)
    largest = float(np.abs(df[finite]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        kinds = (
            ("flat", np.abs(df) < FLAT * largest if largest else finite, "f is flat here"),
            ("falling", df <= -FLAT * largest if largest else np.zeros_like(finite), "f falls here"),
            ("broken", ~finite, "slope is no number here"),
        )
    half = np.diff(z, prepend=z[:1], append=z[-1:]) / 2  # each grid point stands for half the way to its neighbours
    marks, key = [], []
    for tone, mask, words in kinds:
        edges = [(float(across(z[a] - half[a])), float(across(z[b - 1] + half[b]))) for a, b in _runs(mask)]
        edges = [(max(a, 0.0), min(b, 1.0)) for a, b in edges if b > 0 and a < 1]
        if edges:
            marks.append(Mark("area", tone, _bands(edges)))
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
        known = _drawable([np.array(ends, np.float64)])
        return min(float(known.min(initial=0)), -3.0), max(float(known.max(initial=0)), 3.0)
    return _span([curve[0]], room=0.0) if curve is not None else None


def _histogram(table: np.ndarray, across: Scale) -> str:
    left, right, height = _bins(table, across)
    return _bars(left, right, height)


def _histogram_outline(table: np.ndarray, across: Scale) -> str:
    left, right, height = _bins(table, across)
    return _line(np.stack([left, right], 1).ravel(), np.repeat(height, 2))


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
        ("of z where f is flat", "activation.saturated_share", share),
        ("of the slope on falling branches", "activation.falling_share", share),
        ("of the units dead", "activation.dead_share", share),
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
    return share(value) if value >= 1e-4 or value == 0 else number(value)


# --- curves of the training -------------------------------------------------------------------------------------------


def training_charts(run: Run) -> tuple[Chart, ...]:
    """Skill and loss on training and validation samples, compared fairly; the gap between the two is shaded."""
    charts = []
    for name, title, words in (("skill", "Skill", "0: as a constant answer; 1: perfect"), ("loss", "Loss", "")):
        outputs = run.places(f"{name}.train") or run.places(f"{name}.validation")
        for output in outputs[:4]:
            chart = _fair_chart(run, name, output, f"{title}{f' of {output}' if output else ''}", words)
            if chart:
                charts.append(chart)
    batch = _steps_chart(run, "batch.loss", "Loss of each observed batch")
    if batch:
        charts.append(batch)
    return tuple(charts)


def _fair_chart(run: Run, name: str, output: str, title: str, words: str) -> Chart | None:
    train, validation = (thinned(run.series(f"{name}.{part}", output)) for part in ("train", "validation"))
    constant = run.series(f"{name}.constant", output) if name == "loss" else Series(np.zeros(1, np.int64), np.zeros(1))
    baseline = float(constant.values[-1]) if len(constant) else float("nan")
    shown = [train.values, validation.values] + ([np.array([baseline])] if math.isfinite(baseline) else [])
    span = _span(shown, floor=0.0 if name == "loss" else None)
    if span is None or not (len(train) or len(validation)):
        return None
    if name == "skill":  # always up to 1, so that pages compare; a wild R squared must not squeeze what matters
        span = (max(min(span[0], -0.03), -1.0), 1.0)
    across, up = _step_scale(train, validation), _loss_scale(span, shown) if name == "loss" else Scale(*span)
    marks: list[Mark] = []
    key: list[tuple[str, str, str]] = []
    if math.isfinite(baseline):
        marks.append(Mark("line", "baseline", f"M0 {_px(1 - float(up(baseline)))}H{SIDE}"))
    gap = float("nan")
    if len(train) and len(validation):
        low, high = up(_at(train, validation.steps)), up(validation.values)
        marks.insert(0, Mark("area", "gap", _area(across(validation.steps.astype(float)), low, high)))
        gap = float(_at(train, validation.steps)[-1] - validation.values[-1])
        key.append(("gap", "bars", f"the gap, {number(abs(gap))} at the end"))
    for tone, series, said in (("validation", validation, "validation"), ("train", train, "training")):
        if len(series):
            marks += _series_marks(tone, series, across, up)
            key.insert(0, (tone, "line", f"{said}, {number(float(series.values[-1]))} at the end"))
    if math.isfinite(baseline):
        key.append(("baseline", "line", "best constant answer" if name == "loss" else "a constant answer"))
    says = f"{title} by step: {'; '.join(text for _, _, text in key)}."
    return Chart(
        f"{title}{f' ({words})' if words else ''}",
        says,
        tuple(marks),
        _x_ticks(across),
        _y_ticks(up),
        "step",
        tuple(key),
    )


def _steps_chart(run: Run, quantity: str, title: str) -> Chart | None:
    series = thinned(run.series(quantity))
    span = _span([series.values])
    if len(series) < 2 or span is None:
        return None
    across, up = _step_scale(series), _loss_scale(span, [series.values])
    line = _series_marks("train", series, across, up)
    lost = int((~np.isfinite(run.series(quantity).values)).sum())
    key = (("broken", "bars", f"not finite at {lost:,} of {len(run.series(quantity)):,} observations"),) if lost else ()
    return Chart(title, f"{title}, by step.", tuple(line), _x_ticks(across), _y_ticks(up), "step", key)


def history_charts(run: Run) -> tuple[Chart, ...]:
    """What Keras printed: each metric by epoch, with its validation twin."""
    names = [name for name in run.history if not name.startswith("val_")]
    charts = []
    for name in names[:6]:
        train, validation = (_floats(run.history.get(key, ())) for key in (name, f"val_{name}"))
        span = _span([train, validation])
        if span is None or max(len(train), len(validation)) < 2 or (name == "learning_rate" and np.ptp(train) == 0):
            continue
        across = Scale(1, max(len(train), len(validation)))
        is_share = 0.05 < span[1] <= 1.05 and span[0] >= -0.05 and "loss" not in name
        up = Scale(0.0, 1.0) if is_share else _loss_scale(span, [train, validation])
        marks: list[Mark] = []
        key: list[tuple[str, str, str]] = []
        for tone, values, said in (("validation", validation, f"val_{name}"), ("train", train, name)):
            if len(values):
                epochs = Series(np.arange(1, len(values) + 1), values)
                marks += _series_marks(tone, thinned(epochs), across, up)
                key.insert(0, (tone, "line", f"{said}, {number(float(values[-1]))} at the end"))
        charts.append(
            Chart(name, f"{name} by epoch.", tuple(marks), _x_ticks(across), _y_ticks(up), "epoch", tuple(key))
        )
    return tuple(charts)


def _series_marks(tone: str, series: Series, across: Scale, up: Scale) -> list[Mark]:
    """A line, with its points marked where they are few."""
    x, y = across(series.steps.astype(np.float64)), np.where(np.isfinite(series.values), up(series.values), np.nan)
    few = np.isfinite(y).sum() <= FEW
    dots = "".join(f"M{_px(a)} {_px(1 - b)}h0" for a, b in zip(x, y, strict=True) if few and math.isfinite(b))
    return [Mark("line", tone, _line(x, y)), *([Mark("dots", tone, dots)] if dots else [])]


def _at(series: Series, steps: np.ndarray) -> np.ndarray:
    """Values of a series at other steps, on the straight line between its own."""
    finite = series.finite()
    if not len(finite):
        return np.full(len(steps), np.nan)
    return np.interp(steps, finite.steps, finite.values)


def _loss_scale(span: tuple[float, float], shown: Iterable[np.ndarray]) -> Scale:
    """Logarithmic where a loss spans more than a factor 30 and stays above 0, else straight."""
    known = _drawable(shown)
    low, high = float(known.min()), float(known.max())
    low = max(low, 1e-300) if low > 0 else low
    return Scale(low * 0.8, high * 1.25, log=True) if low > 0 and high / low > 30 else Scale(*span)


def _step_scale(*series: Series) -> Scale:
    steps = np.concatenate([part.steps for part in series])
    low, high = float(steps.min()), float(steps.max())
    return Scale(min(low, 0.0), max(high, 1.0))


def _x_ticks(across: Scale) -> tuple[Tick, ...]:
    """Steps and epochs are whole numbers, and so are their ticks."""
    ticks = _round_numbers(across.low, across.high, 6)
    return tuple(Tick(100 * float(across(value)), text) for value, text in ticks if value == round(value))


def _y_ticks(up: Scale) -> tuple[Tick, ...]:
    return tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5) if 0 <= at <= 1)


def _floats(values: Iterable[object]) -> np.ndarray:
    """Epoch logs as numbers; what is no number is NaN."""
    return np.array([float(v) if isinstance(v, int | float | np.number) else np.nan for v in values], np.float64)


# --- maps of place by step --------------------------------------------------------------------------------------------

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
    ("activation.saturated_share", "Saturated share", "share of z where f is flat", SHARES, "s", share, "largest"),
    ("activation.dead_share", "Dead units", "share of units whose slope is always 0", SHARES, "s", share, "largest"),
    ("activation.gate_gain", "Gate gain", "how much of the gradient f lets through", GAINS, "d", number, "farthest"),
    ("gradient.rms", "Gradient size", "root mean square of the loss gradient", None, "g", number, "farthest"),
)  # fmt: skip


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
    for value in np.unique(level[level >= 0]):
        d = "".join(
            f"M{SIDE * start // len(level)} 0H{SIDE * end // len(level)}V1H{SIDE * start // len(level)}Z"
            for start, end in _runs(level == value)
        )
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
    layers = run.meta.get("model", {}).get("layers", ())
    firsts = {layer["variables"][0] for layer in layers if layer.get("variables")}
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
