"""A run as it stands, for a terminal that is drawn anew while the training goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.figures import SCALE
from diagnose.report.presentation import TONES, no_cause, title_of_outcome, titled, verdict
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.wording import aside, number, one_line, percent, printable

BARS = "▁▂▃▄▅▆▇█"
POINTS = 24  # columns of a course
MOST_ROWS = 12  # layers, or causes, beyond which the first ones are shown
COLOURS = {"bad": "red", "warn": "yellow", "good": "green", "quiet": "dim"}
SEVERITIES = {"critical": "bold red", "warning": "bold yellow"}


def live_view(diagnosis: DiagnosisRecord, state: str) -> RenderableType:
    """Outcome, causes, loss and skill, and the layers by their last observation. state: of the fit, in words."""
    run = diagnosis.run
    headline, reason = verdict(diagnosis)
    colour = COLOURS.get(TONES[diagnosis.outcome], "")
    parts: list[RenderableType] = [
        Text.assemble((title_of_outcome(diagnosis.outcome), f"bold {colour}"), "  ", (state, "dim")),
        Text(printable(" ".join(filter(None, (reason, headline)))) if diagnosis.causes else printable(reason)),
        Text(),
        _causes(diagnosis),
        Text(),
        _courses(run),
    ]
    if (layers := _layers(run)).row_count:
        parts += [Text(), layers]
    return Group(*parts)


def course(values: Sequence[float] | np.ndarray) -> str:
    """A line of bars from the least to the largest; what is not finite is "×".

    >>> course([0, 1, 2, 3, float("nan")]), course([2, 2]), course([])
    ('▁▃▅█×', '▁▁', '')
    """
    shown = np.asarray(values, float)
    if len(shown) > POINTS:
        shown = shown[np.linspace(0, len(shown) - 1, POINTS).round().astype(int)]
    finite = shown[np.isfinite(shown)]
    if not len(finite):
        return "×" * len(shown)
    low, span = finite.min(), max(np.ptp(finite), 1e-300)
    last = len(BARS) - 1
    return "".join(BARS[int(last * (value - low) / span)] if np.isfinite(value) else "×" for value in shown)


def _causes(diagnosis: DiagnosisRecord) -> RenderableType:
    if not diagnosis.causes:
        return Text(no_cause(diagnosis))
    table = Table.grid(padding=(0, 2))
    for cause in diagnosis.causes[:MOST_ROWS]:
        since = "" if cause.since is None else f"since step {cause.since:,}"
        name = printable(titled(cause.rule, [cause.where]))
        table.add_row(Text(cause.severity, style=SEVERITIES[cause.severity]), Text(name), Text(since, style="dim"))
        table.add_row(Text(), Text(printable(cause.remedy), style="dim"), Text())
    return table


def _courses(run: Run) -> Table:
    """What Keras logged, and the skill on held samples, each with its course so far."""
    table = Table.grid(padding=(0, 2))
    for name, values in run.history.items():
        if values and name != "learning_rate":
            table.add_row(Text(one_line(name), style="cyan"), number(values[-1]), course(values))
    for side in ("train", "validation"):
        for where in run.places(f"skill.{side}"):
            skill = run.series(f"skill.{side}", where)
            label = f"skill, {side}" + (f" of {one_line(where)}" if where else "") + aside(SCALE)
            table.add_row(Text(label, style="cyan"), number(float(skill.values[-1])), course(skill.values))
    if not table.row_count:
        losses = run.series("batch.loss")
        if len(losses):
            table.add_row(Text("loss of the batch", style="cyan"), number(losses.values[-1]), course(losses.values))
    return table


def _layers(run: Run) -> Table:
    """The hidden activations that bend: how much is saturated or dead, how much of the gradient passes."""
    layout = Layout(run)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    columns = {
        "saturated": ("activation.saturated_share", percent),
        "dead": ("activation.dead_share", percent),
        "gradient x": ("activation.gate_gain", number),
    }
    bent = [where for where, site in layout.sites.items() if layout.hidden(where) and site.function != "linear"]
    places = sorted(bent, key=layout.position)[:MOST_ROWS]
    model = places[0].partition("/")[0] + "/" if places else ""
    shared = model if all(where.startswith(model) for where in places) else ""
    for title in ("layer", "function", *columns, "by step"):
        table.add_column(title, justify="right" if title in columns else "left")
    for where in places:
        series = [run.series(quantity, where) for quantity, _ in columns.values()]
        if not any(map(len, series)):
            continue
        told = [
            write(float(seen.values[-1])) if len(seen) else "–"
            for seen, (_, write) in zip(series, columns.values(), strict=True)
        ]
        function = one_line(layout.site(where).function)
        table.add_row(Text(one_line(where.removeprefix(shared))), Text(function), *told, course(series[-1].values))
    return table
