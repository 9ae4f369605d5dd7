"""Figures with matplotlib: the portrait of one function, and all functions of a comparison side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from diagnose.activation.curve.search import density
from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.report.function.text import headline

#: Colours for colour-blind eyes (Okabe and Ito): f, f', and the three initializations.
BLUE, PURPLE, ORANGE, GREEN, GREY = "#0072B2", "#AA4499", "#D55E00", "#009E73", "#888888"
WIDTH = 6.0


class Picture(Figure):
    """A figure that a notebook shows by itself, whether pyplot has been imported or not."""

    def _repr_png_(self) -> bytes:
        page = io.BytesIO()
        self.savefig(page, format="png", dpi=100)
        return page.getvalue()


def portrait(profile: JudgedFunction) -> Figure:
    """f and f' with their flat, falling and broken stretches; signal and gradient through depth."""
    figure = Picture(figsize=(10, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, width_ratios=(1.35, 1), height_ratios=(1.4, 1))
    figure.suptitle(headline(profile), fontsize=11)
    if profile.curve is None or profile.shape is None:
        for panel in panels.flat:
            panel.set_axis_off()
        why = profile.missing.get("shape", "it has no curve")
        panels[0, 0].text(0.0, 0.5, f"No curve: {why}.", wrap=True, fontsize=10)
        return figure
    z, value, slope = (np.array(row) for row in (profile.curve.z, profile.curve.value, profile.curve.slope))
    for panel, row, colour, label in ((panels[0, 0], value, BLUE, "f(z)"), (panels[1, 0], slope, PURPLE, "f'(z)")):
        _curve(panel, z, row, colour, profile)
        panel.set_ylabel(label)
    panels[1, 0].set_xlabel("z")
    _depth(panels[0, 1], profile, "path", "second moment of the signal")
    _depth(panels[1, 1], profile, "gradient_path", "squared gradient")
    panels[1, 1].set_xlabel("layers")
    return figure


def gallery(profiles: Sequence[JudgedFunction]) -> Figure:
    """All functions on small equal panels: f and f' for |z| <= 4."""
    columns = min(6, max(len(profiles), 1))
    rows = math.ceil(len(profiles) / columns) or 1
    figure = Picture(figsize=(2.0 * columns, 1.7 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    for panel, profile in zip(panels, profiles, strict=False):
        panel.set_title(profile.name if len(profile.name) <= 24 else profile.name[:23] + "…", fontsize=8)
        panel.tick_params(labelsize=6)
        if profile.curve is None:
            panel.text(
                0.5, 0.5, "no curve\nof its own", ha="center", va="center", fontsize=7, transform=panel.transAxes
            )
            continue
        z, value, slope = (np.array(row) for row in (profile.curve.z, profile.curve.value, profile.curve.slope))
        shown = np.abs(z) <= 4
        panel.axhline(0, color=GREY, lw=0.5)
        panel.plot(z[shown], _broken_at_jumps(z[shown], value[shown], profile), color=BLUE, lw=1.4)
        panel.plot(z[shown], _broken_at_jumps(z[shown], slope[shown], profile), color=PURPLE, lw=0.9, ls="--")
        panel.set_ylim(*_limits(np.concatenate([value[shown], slope[shown]])))
    for panel in panels[len(profiles) :]:
        panel.set_axis_off()
    figure.suptitle("f (line) and f' (dashed)", fontsize=9)
    return figure


def _curve(panel: Any, z: np.ndarray, row: np.ndarray, colour: str, profile: JudgedFunction) -> None:
    shape = profile.shape
    assert shape is not None
    shown = np.abs(z) <= WIDTH
    z, row = z[shown], row[shown]
    low, high = _limits(row)
    for flat in shape.flats:
        if min(flat.high, WIDTH) > max(flat.low, -WIDTH):
            panel.axvspan(max(flat.low, -WIDTH), min(flat.high, WIDTH), color="#F0E442", alpha=0.3, lw=0)
    bell = density(z)
    panel.fill_between(z, low, low + 0.4 * (high - low) * bell / bell.max(), color="#DDDDDD", lw=0)
    panel.axhline(0, color=GREY, lw=0.6)
    panel.plot(z, _broken_at_jumps(z, row, profile), color=colour, lw=1.8)
    for turn in shape.turns[:16]:
        panel.axvline(turn.z, color=ORANGE, lw=0.8, ls=":")
    own = profile.numerics[0] if profile.numerics else None
    for gap in (own.forward + own.backward) if own is not None else ():
        if abs(gap.nearest) <= WIDTH:
            panel.axvspan(max(gap.low, -WIDTH) - 0.02, min(gap.high, WIDTH) + 0.02, color="black", alpha=0.4, lw=0)
    panel.set_xlim(-WIDTH, WIDTH)
    panel.set_ylim(low, high)


def _broken_at_jumps(z: np.ndarray, row: np.ndarray, profile: JudgedFunction) -> np.ndarray:
    """The values with a gap at each jump, so that no line is drawn where f has none."""
    row = row.copy()
    for jump in profile.shape.jumps if profile.shape is not None else ():
        after = int(np.searchsorted(z, jump.z))
        if 0 < after < len(row):
            row[after] = np.nan
    return row


def _limits(row: np.ndarray) -> tuple[float, float]:
    finite = row[np.isfinite(row)]
    if not len(finite):
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    typical = float(np.quantile(np.abs(finite), 0.9))
    if high - low > 20 * max(typical, 1e-300):  # a pole or a spike would press all else flat
        low, high = (float(edge) for edge in np.quantile(finite, [0.03, 0.97]))
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _depth(panel: Any, profile: JudgedFunction, column: str, label: str) -> None:
    panel.set_ylabel(label)
    if profile.propagation is None:
        panel.set_axis_off()
        return
    for depth, colour in zip(profile.propagation.depths, (BLUE, ORANGE, GREEN), strict=False):
        path = np.array(getattr(depth, column))
        path = np.where((path > 1e-12) & (path < 1e12), path, np.nan)
        style = "--" if depth.initializer == "lecun_normal" else "-"  # where layers are square, the same as Glorot's
        panel.plot(np.arange(1, len(path) + 1), path, color=colour, lw=1.6, ls=style, label=depth.initializer)
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    panel.set_ylim(min(low, 0.1), max(high, 10.0))
    panel.legend(fontsize=7, frameon=False)
