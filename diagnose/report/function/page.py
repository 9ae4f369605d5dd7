"""A profile as one self-contained HTML page, and as a fragment for a notebook, in the look of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diagnose._version import __version__
from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.report import html
from diagnose.report.function import charts, text
from diagnose.wording import counted

_TONES = {"critical": "bad", "warning": "warn", "note": "quiet"}


def write_page(profile: JudgedFunction, path: str | Path) -> Path:
    """Write the page, and give its path. Raises OSError with a clear message where that is not possible."""
    return html.write_page(page(profile), path)


def page(profile: JudgedFunction) -> str:
    """The page as text."""
    return html.environment().get_template("profile.html").render(_view(profile))


def fragment(profile: JudgedFunction) -> str:
    """What a notebook shows."""
    return html.environment().get_template("profile-fragment.html").render(_view(profile))


def _view(profile: JudgedFunction) -> dict[str, Any]:
    grave = [finding for finding in profile.findings if finding.severity != "note"]
    return {
        "profile": profile,
        "headline": text.headline(profile),
        "verdict": "sound" if not grave else counted(len(grave), "finding"),
        "tone": _TONES[grave[0].severity] if grave else "good",
        "grave": [(finding, _TONES[finding.severity]) for finding in grave],
        "notes": [finding for finding in profile.findings if finding.severity == "note"],
        "facts": text.facts_table(profile),
        "curves": charts.curve_charts(profile),
        "depths": charts.depth_charts(profile.propagation),
        "reasons": text.reasons(profile.not_measured),
        "version": __version__,
    }
