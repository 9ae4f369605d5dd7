"""A diagnosis as a piece of HTML for a notebook: the verdict and its causes, with a ground and colours of its own."""

from __future__ import annotations

from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.report import presentation
from diagnose.report.html import causes_of, environment, tone_of


def to_fragment(diagnosis: DiagnosisRecord) -> str:
    """Outcome, headline and causes with their remedies, and a picture of the first suspect activation."""
    headline, reason = presentation.verdict(diagnosis)
    return (
        environment()
        .get_template("fragment.html")
        .render(
            headline=headline,
            reason=reason,
            outcome=presentation.title_of_outcome(diagnosis.outcome),
            tone=tone_of(diagnosis),
            causes=causes_of(diagnosis, pictures=1),
            code=presentation.code_of(diagnosis.causes[0]) if diagnosis.causes else [],
            nothing=presentation.no_cause(diagnosis),
            reasons=presentation.reasons(entry for entry in diagnosis.not_measured if entry.applies),
        )
    )
