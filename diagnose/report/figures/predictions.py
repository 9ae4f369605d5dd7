"""What the model predicts for held samples: a bar a class, or how far the numbers miss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from diagnose.outcome.predictions import (
    SIDES,
    ClassPredictions,
    class_predictions,
    classes_tell,
    outputs_with,
    residuals,
    residuals_tell,
)
from diagnose.report.figures import plane
from diagnose.report.figures.plane import SIDE, Chart, Mark, Scale, Tick
from diagnose.run.run import Run
from diagnose.wording import counted, number, percent

OUTPUTS = 4  # of a model, as many as have curves of their own
ROWS = 20  # classes in a figure; of more, those found worst
WORDS = {"train": "training", "validation": "validation"}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class. bars: (tone, path) of the share found on each side, in a square of 1000 by 2, training above.

    found: that share in words, by side; samples: how many of it there were; taken_for: its commonest wrong
    prediction.
    """

    name: str
    bars: tuple[tuple[str, str], ...]
    found: tuple[str, ...]
    samples: tuple[str, ...]
    taken_for: str


@dataclass(frozen=True, slots=True)
class ClassFigure:
    """The classes of one output. sides: those that were measured; hidden: in words, the classes left out for room."""

    title: str
    sides: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    hidden: str


def class_figures(run: Run) -> tuple[ClassFigure, ...]:
    """For each output whose classes tell more than its accuracy does, how many of each class were found."""
    known = [where for where in outputs_with(run, "classes") if classes_tell(run, where)]
    return tuple(_class_figure(run, where) for where in known[:OUTPUTS])


def _class_figure(run: Run, where: str) -> ClassFigure:
    word = "label" if run.facts.task.of(where).kind == "multilabel" else "class"
    by_side = {side: found for side in SIDES if (found := class_predictions(run, side, where)) is not None}
    lowest: dict[int, float] = {}
    for known in by_side.values():
        for name, found in zip(known.classes.tolist(), known.recall.tolist(), strict=True):
            if found == found:  # it has samples
                lowest[name] = min(found, lowest.get(name, 1.0))
    shown = sorted(sorted(lowest, key=lambda name: lowest[name])[:ROWS])
    rest = [lowest[name] for name in lowest if name not in shown]
    hidden = (
        f"{counted(len(rest), f'more {word}')}, each predicted correctly in {percent(min(rest))} of the cases or more"
        if rest
        else ""
    )
    rows = tuple(_class_row(word, name, by_side) for name in shown)
    what = f" of {where}" if where else ""
    return ClassFigure(
        f"Share of each {word}{what} that is predicted correctly", tuple(WORDS[side] for side in by_side), rows, hidden
    )


def _class_row(word: str, name: int, by_side: dict[str, ClassPredictions]) -> ClassRow:
    bars, found, samples, taken = [], [], [], []
    for row, (side, known) in enumerate(by_side.items()):
        (place,) = np.flatnonzero(known.classes == name) if name in known.classes else (-1,)
        count = int(known.samples[place]) if place >= 0 else 0
        recall = float(known.recall[place]) if count else float("nan")
        width = SIDE * recall if count else 0
        top, foot = row + 0.12, row + 0.88
        bars.append((side, f"M0 {top}H{max(width, 3):.0f}V{foot}H0Z" if count else ""))
        found.append(percent(recall) if count else "–")
        samples.append(number(count))
        if count and known.taken_for[place] >= 0:
            taken.append(int(known.taken_for[place]))
    return ClassRow(f"{word} {name}", tuple(bars), tuple(found), tuple(samples), f"{word} {taken[-1]}" if taken else "")


def residual_charts(run: Run) -> tuple[Chart, ...]:
    """For each output whose numbers are far from good, how far they miss."""
    known = [where for where in outputs_with(run, "residuals") if residuals_tell(run, where)]
    return tuple(chart for where in known[:OUTPUTS] for chart in _residual_chart(run, where))


def _residual_chart(run: Run, where: str) -> Iterator[Chart]:
    by_side = {side: table for side in SIDES if (table := residuals(run, side, where)) is not None}
    if not by_side:
        return
    centres = next(iter(by_side.values()))[0]
    by_side = {side: table for side, table in by_side.items() if len(table[0]) == len(centres)}
    half = float(centres[1] - centres[0]) / 2
    heights = {side: table[1] / table[1].sum() for side, table in by_side.items()}
    across = Scale(float(centres[0]) - half, float(centres[-1]) + half)
    up = Scale(0.0, 1.05 * max(float(height.max()) for height in heights.values()))
    edges = across(np.stack([centres - half, centres + half], 1).ravel())
    marks = [Mark("line", "axis", f"M{plane.px(float(across(0.0)))} 0V{SIDE}")]
    key: list[tuple[str, str, str]] = []
    for side, height in reversed(heights.items()):
        marks.append(Mark("line", side, plane.line(edges, up(np.repeat(height, 2)))))
        key.insert(0, (side, "line", f"{WORDS[side]}, {counted(by_side[side][1].sum(), 'value')}"))
    ends = {round(float(centres[0])): "≤ {}", round(float(centres[-1])): "≥ {}"}
    x_ticks = tuple(
        Tick(100 * float(across(value)), ends.get(value, "{}").format(number(value))) for value in range(-4, 5, 2)
    )
    y_ticks = tuple(Tick(100 * (1 - at), percent(up.low + at * (up.high - up.low))) for at, _ in up.ticks(4))
    title = f"Errors of the predictions{f' of {where}' if where else ''}"
    says = f"{title}: prediction minus target, in standard deviations of the targets."
    yield Chart(
        f"{title} (prediction minus target, in standard deviations of the targets)",
        says,
        tuple(marks),
        x_ticks,
        y_ticks,
        "",
        tuple(key),
    )
