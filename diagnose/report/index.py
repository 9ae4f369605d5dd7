"""Several diagnoses side by side on one page, each with a link to its own report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from diagnose import wording
from diagnose._version import __version__
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.figures import SCALE
from diagnose.report import presentation
from diagnose.report.figures import history_charts, training_charts
from diagnose.report.html import environment, tone_of, write_page

COLUMNS = ("Accuracy, validation", f"Skill, validation ({SCALE})", "Loss, last epoch")


@dataclass(frozen=True, slots=True)
class Entry:
    """One training of the index. story: what was trained, in a sentence; file: its report, relative to the index."""

    name: str
    story: str
    file: str
    diagnosis: DiagnosisRecord


def write_index(entries: Iterable[Entry], path: str | Path, *, title: str, lede: str = "") -> Path:
    """Write the index page and give its path. Raises OSError, saying what to do, where it cannot be written."""
    page = (
        environment()
        .get_template("index.html")
        .render(
            title=title, lede=lede, version=__version__, columns=COLUMNS, entries=[_view(entry) for entry in entries]
        )
    )
    return write_page(page, path)


def figures_of(diagnosis: DiagnosisRecord) -> tuple[str, ...]:
    """The numbers of one training, in the order of `COLUMNS`."""
    run = diagnosis.run

    outputs = run.places("skill.validation")
    accuracy, loss = run.history.get("val_accuracy"), run.history.get("loss")
    return (
        wording.percent(float(accuracy[-1])) if accuracy else "–",
        wording.number(round(float(run.series("skill.validation", outputs[0]).values[-1]), 2)) if outputs else "–",
        wording.number(float(loss[-1])) if loss else "–",
    )


def _view(entry: Entry) -> dict[str, object]:
    diagnosis = entry.diagnosis
    first = diagnosis.causes[0] if diagnosis.causes else None
    charts = training_charts(diagnosis.run) or history_charts(diagnosis.run)
    return {
        "name": entry.name,
        "story": entry.story,
        "file": entry.file,
        "outcome": presentation.title_of_outcome(diagnosis.outcome),
        "tone": tone_of(diagnosis),
        "headline": presentation.verdict(diagnosis)[0],
        "numbers": figures_of(diagnosis),
        "cause": presentation.titled(first.rule, [first.where]) if first else "none",
        "chart": charts[0] if charts else None,
    }
