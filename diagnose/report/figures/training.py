"""Curves of the training by step and by epoch: skill and loss compared fairly, and what Keras printed."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from diagnose.outcome.figures import SCALE
from diagnose.outcome.references import best_reference
from diagnose.report.figures import plane
from diagnose.report.figures.plane import Chart, Mark, Scale, Tick
from diagnose.run.run import Run, Series
from diagnose.wording import counted, number

POINTS = 240  # corners of a line: about one for each 3 px of a wide page
FEW = 30  # points of a line that are marked one by one, so that it shows where was measured


def training_charts(run: Run) -> tuple[Chart, ...]:
    """Skill and loss on training and validation samples, compared fairly; the gap between the two is shaded."""
    charts = []
    for name, title, words in (("skill", "Skill", SCALE), ("loss", "Loss", "")):
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
    best = best_reference(run, output) if name == "skill" else None
    lines = [value for value in (baseline, best[1] if best else math.nan) if math.isfinite(value)]
    shown = [train.values, validation.values] + ([np.array(lines)] if lines else [])
    span = plane.span(shown, floor=0.0 if name == "loss" else None)
    if span is None or not (len(train) or len(validation)):
        return None
    if name == "skill":  # always up to 1, so that pages compare; a wild R squared must not squeeze what matters
        span = (max(min(span[0], -0.03), -1.0), 1.0)
    across, up = _step_scale(train, validation), _loss_scale(span, shown) if name == "loss" else Scale(*span)
    marks: list[Mark] = []
    key: list[tuple[str, str, str]] = []
    if math.isfinite(baseline):
        marks.append(Mark("line", "baseline", f"M0 {plane.px(1 - float(up(baseline)))}H{plane.SIDE}"))
    if best:
        marks.append(Mark("line", "reference", f"M0 {plane.px(1 - float(up(best[1])))}H{plane.SIDE}"))
    gap = float("nan")
    if len(train) and len(validation):
        low, high = up(_at(train, validation.steps)), up(validation.values)
        marks.insert(0, Mark("area", "gap", plane.area(across(validation.steps.astype(float)), low, high)))
        gap = float(_at(train, validation.steps)[-1] - validation.values[-1])
        key.append(("gap", "bars", f"the gap, {number(abs(gap))} at the end"))
    for tone, series, said in (("validation", validation, "validation"), ("train", train, "training")):
        if len(series):
            marks += _series_marks(tone, series, across, up)
            key.insert(0, (tone, "line", f"{said}, {number(float(series.values[-1]))} at the end"))
    if math.isfinite(baseline):
        key.append(("baseline", "line", "best constant prediction" if name == "loss" else "always guessing"))
    if best:
        key.append(("reference", "line", f"a simple model ({best[0]}), {number(best[1])}"))
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
    span = plane.span([series.values])
    if len(series) < 2 or span is None:
        return None
    across, up = _step_scale(series), _loss_scale(span, [series.values])
    line = _series_marks("train", series, across, up)
    seen = run.series(quantity).values
    lost = int((~np.isfinite(seen)).sum())
    key = (("broken", "bars", f"not finite at {lost:,} of {counted(len(seen), 'observation')}"),) if lost else ()
    return Chart(title, f"{title}, by step.", tuple(line), _x_ticks(across), _y_ticks(up), "step", key)


def history_charts(run: Run) -> tuple[Chart, ...]:
    """What Keras printed: each metric by epoch, with its validation twin."""
    names = [name for name in run.history if not name.startswith("val_")]
    charts = []
    for name in names[:6]:
        train, validation = (_floats(run.history.get(key, ())) for key in (name, f"val_{name}"))
        span = plane.span([train, validation])
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
    dots = "".join(f"M{plane.px(a)} {plane.px(1 - b)}h0" for a, b in zip(x, y, strict=True) if few and math.isfinite(b))
    return [Mark("line", tone, plane.line(x, y)), *([Mark("dots", tone, dots)] if dots else [])]


def _at(series: Series, steps: np.ndarray) -> np.ndarray:
    """Values of a series at other steps, on the straight line between its own."""
    finite = series.finite()
    if not len(finite):
        return np.full(len(steps), np.nan)
    return np.interp(steps, finite.steps, finite.values)


def _loss_scale(span: tuple[float, float], shown: Iterable[np.ndarray]) -> Scale:
    """Logarithmic where a loss spans more than a factor 30 and stays above 0, else straight."""
    known = plane.drawable(shown)
    low, high = float(known.min()), float(known.max())
    low = max(low, 1e-300) if low > 0 else low
    return Scale(low * 0.8, high * 1.25, log=True) if low > 0 and high / low > 30 else Scale(*span)


def _step_scale(*series: Series) -> Scale:
    steps = np.concatenate([part.steps for part in series])
    low, high = float(steps.min()), float(steps.max())
    return Scale(min(low, 0.0), max(high, 1.0))


def _x_ticks(across: Scale) -> tuple[Tick, ...]:
    """Steps and epochs are whole numbers, and so are their ticks."""
    ticks = plane.round_numbers(across.low, across.high, 6)
    return tuple(Tick(100 * float(across(value)), f"{value:,.0f}") for value, _ in ticks if value == round(value))


def _y_ticks(up: Scale) -> tuple[Tick, ...]:
    return tuple(Tick(100 * (1 - at), text) for at, text in up.ticks(5) if 0 <= at <= 1)


def _floats(values: Iterable[object]) -> np.ndarray:
    """Epoch logs as numbers; what is no number is NaN."""
    return np.array([float(v) if isinstance(v, int | float | np.number) else np.nan for v in values], np.float64)


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
