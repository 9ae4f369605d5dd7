"""A proof as one self-contained HTML page, and as a fragment for a notebook, in the look of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from diagnose._version import __version__
from diagnose.diagnosis.proof import ProofRecord, Trial
from diagnose.report import html
from diagnose.report.figures import plane
from diagnose.report.figures.plane import Chart, Mark, Scale, Tick
from diagnose.report.json import plain_json
from diagnose.report.proof import text
from diagnose.wording import counted

ROWS = 12  # remedies in the strip plot; all are in the table
LOGS = ("val_accuracy", "val_loss", "accuracy", "loss")  # the first that the trainings logged is drawn


def write_proof(proof: ProofRecord, path: str | Path) -> Path:
    """Write the page, and give its path. Raises OSError with a clear message where that is not possible."""
    return html.write_page(page(proof), path)


def page(proof: ProofRecord) -> str:
    """The page as text."""
    return html.environment().get_template("proof.html").render(_view(proof))


def fragment(proof: ProofRecord) -> str:
    """What a notebook shows."""
    return html.environment().get_template("proof-fragment.html").render(_view(proof))


def to_json(proof: ProofRecord) -> str:
    """All trials and verdicts as JSON text."""
    return plain_json(
        {
            "keras_diagnose": __version__,
            "headline": text.headline(proof),
            "fault_reproduced": proof.fault_reproduced,
            "fault": proof.fault,
            "badges": proof.badges,
            "best": proof.best,
            "verdicts": proof.verdicts,
            "unchanged": proof.unchanged,
            "tried": proof.tried,
            "untried": [{"remedy": remedy, "why": why} for remedy, why in proof.untried],
            "budget": proof.budget,
            "interrupted": proof.interrupted,
        }
    )


def _view(proof: ProofRecord) -> dict[str, Any]:
    return {
        "proof": proof,
        "headline": text.headline(proof),
        "gate": text.gate(proof),
        "verdict": _outcome(proof),
        "tone": text.TONES.get(_outcome(proof), "quiet"),
        "tones": text.TONES,
        "badges": [*text.badges(proof)],
        "strips": _strips(proof),
        "curves": _curves(proof),
        "code": text.best_code(proof),
        "changed": _changed(proof),
        "trained": counted(len(proof.unchanged) + len(proof.tried), "training"),
        "version": __version__,
    }


def _outcome(proof: ProofRecord) -> str:
    if not proof.fault_reproduced:
        return "not reproduced" if proof.fault else "no fault"
    return proof.verdicts[0].verdict if proof.best else "no cure found"


def _changed(proof: ProofRecord) -> tuple[str, ...]:
    """What was different in the program with the best remedy, as the check of each trial found it."""
    return next((trial.changed for trial in proof.tried if trial.remedy == proof.best and trial.changed), ())


def _strips(proof: ProofRecord) -> Chart | None:
    """The skill of each training: a row a remedy, numbered as in the table, a dot a seed."""
    shown = proof.verdicts[:ROWS]
    if not shown:
        return None
    across = Scale(-0.02, 1.02)
    rows = len(shown)
    dots: dict[str, str] = {"validation": "", "train": ""}
    for row, verdict in enumerate(shown):
        up = 1 - (row + 0.5) / rows
        for trial in proof.tried:
            if trial.remedy == verdict.remedy:
                before = next(each for each in proof.unchanged if each.seed == trial.seed)
                dots["validation"] += _dot(float(across(before.skill)), up - 0.12 / rows)
                dots["train"] += _dot(float(across(trial.skill)), up + 0.12 / rows)
    return Chart(
        "Skill of each training",
        "Skill by remedy and seed: " + "; ".join(f"{each.remedy.text}: {each.reason}" for each in shown) + ".",
        tuple(Mark("dots", tone, d) for tone, d in dots.items()),
        tuple(Tick(100 * at, word) for at, word in across.ticks(6)),
        tuple(Tick(100 * (row + 0.5) / rows, str(row + 1)) for row in range(rows)),
        "skill",
        (("validation", "line", "unchanged, a dot a seed"), ("train", "line", "with the remedy")),
    )


def _curves(proof: ProofRecord) -> Chart | None:
    """The course of the trainings without and with the best remedy, a line a seed."""
    remedy = proof.best or (proof.verdicts[0].remedy if proof.verdicts else None)
    after = [trial for trial in proof.tried if trial.remedy == remedy]
    before = [trial for trial in proof.unchanged if trial.seed in {each.seed for each in after}]
    name = next((name for name in LOGS if all(trial.history.get(name) for trial in [*before, *after])), None)
    if name is None or not after:
        return None
    lines = [("validation", _log(trial, name)) for trial in before] + [("train", _log(trial, name)) for trial in after]
    span = plane.span([values for _, values in lines])
    most = max(len(values) for _, values in lines)
    if span is None or most < 2:
        return None
    up, across = (Scale(0.0, 1.0) if "accuracy" in name else Scale(*span)), Scale(1, most)
    marks = [
        Mark(
            "line",
            tone,
            plane.line(across(np.arange(1, len(values) + 1)), np.where(np.isfinite(values), up(values), np.nan)),
        )
        for tone, values in lines
    ]
    ticks = plane.round_numbers(1, most, 6)
    return Chart(
        f"{name} by epoch",
        f"{name} by epoch, without and with the remedy, for {counted(len(after), 'seed')}.",
        tuple(marks),
        tuple(Tick(100 * float(across(value)), f"{value:,.0f}") for value, _ in ticks if value == round(value)),
        tuple(Tick(100 * (1 - at), word) for at, word in up.ticks(5) if 0 <= at <= 1),
        "epoch",
        (("validation", "line", "unchanged, a line a seed"), ("train", "line", "with the remedy")),
    )


def _log(trial: Trial, name: str) -> np.ndarray:
    return np.array(trial.history[name], np.float64)


def _dot(right: float, up: float) -> str:
    return f"M{plane.px(right)} {plane.px(1 - up)}h0"
