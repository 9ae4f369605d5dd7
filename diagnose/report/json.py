"""A diagnosis as JSON: the verdict with all its findings, and what is known of the run; its measurements stay there.

The text is JSON as the standard has it: NaN and infinities, which that does not know, are the strings "NaN",
"Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from diagnose._version import __version__
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.verdict import Finding
from diagnose.wording import STEERING

#: Version of the layout below; it grows when a field changes its meaning or goes.
FORMAT = 1


def to_json(diagnosis: DiagnosisRecord) -> str:
    """The verdict as JSON text, indented; each cause has its `consequences` besides the fields of a Finding."""
    run = diagnosis.run
    consequences = [*diagnosis.consequences_of, *[()] * len(diagnosis.causes)]
    verdict = {
        "format": FORMAT,
        "keras_diagnose": __version__,
        "outcome": diagnosis.outcome,
        "outcome_reason": diagnosis.outcome_reason,
        "headline": diagnosis.headline,
        "healthy": diagnosis.healthy,
        "looked": diagnosis.looked,
        "causes": [
            {
                **_finding(cause),
                "badge": diagnosis.badges.get(cause.rule),
                "consequences": [_finding(consequence) for consequence in follow],
            }
            for cause, follow in zip(diagnosis.causes, consequences, strict=False)
        ],
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "not_measured": [asdict(entry) for entry in diagnosis.not_measured],
        "run": {
            "observations": run.observations,
            "quantities": list(run.quantities),
            "meta": run.meta,
            "history": run.history,
            "notes": run.notes,
        },
    }
    return plain_json(verdict)


def plain_json(value: Any) -> str:
    """Records, numbers and text as indented JSON text."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    return STEERING.sub(_escaped, text)  # JSON itself escapes few of them, and the text may go to a terminal


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _finding(finding: Finding) -> dict[str, Any]:
    return asdict(finding)


def _plain(value: Any) -> Any:
    """The same with what JSON knows only."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")
