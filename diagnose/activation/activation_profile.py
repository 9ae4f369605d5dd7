"""`ActivationProfile`: the facts about one function, what the rules say of them, and ways to show both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose.activation.facts import (
    Calls,
    Captured,
    Cost,
    Curve,
    GradientCheck,
    Mixing,
    Numerics,
    Propagation,
    Saving,
    Shape,
)
from diagnose.activation.plain import from_plain, to_plain
from diagnose.verdict import SEVERITIES, Finding, NotMeasured, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Version of the plain form; a reader refuses a newer one.
FORMAT = 1


@dataclass(frozen=True)
class ActivationProfile:
    """All that is known of one activation function.

    name: what it is called. kind: "name", "function", "lambda", "layer", "tf.function" or "object". dtype: that of the
    examination, the compute dtype of the layer it is meant for. Facts that could not be taken are None or empty, and
    `missing` says why, by the name of the field. seconds: what the examination took.
    """

    name: str
    kind: str
    dtype: str
    calls: Calls
    mixing: Mixing | None = None
    shape: Shape | None = None
    numerics: tuple[Numerics, ...] = ()
    gradient: GradientCheck | None = None
    propagation: Propagation | None = None
    captured: tuple[Captured, ...] = ()
    saving: Saving | None = None
    cost: Cost | None = None
    curve: Curve | None = None
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each rule of part "function" says."""
        from diagnose.rules import ALL_RULES

        return tuple(verdict for rule in ALL_RULES if rule.subject == "profile" for verdict in rule.verdicts(self))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the function, or worth knowing; the gravest first."""
        found = [verdict for verdict in self.verdicts if isinstance(verdict, Finding)]
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))

    @property
    def not_measured(self) -> tuple[NotMeasured, ...]:
        """What the rules could not look at, and why."""
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, NotMeasured))

    @property
    def sound(self) -> bool:
        """No finding above a note."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def elementwise(self) -> bool | None:
        """Each output depends on its own input alone; None where that could not be told."""
        return None if self.mixing is None else self.mixing.elementwise

    def numerics_in(self, dtype: str) -> Numerics | None:
        """Where f is finite in this dtype."""
        return next((numerics for numerics in self.numerics if numerics.dtype == dtype), None)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain JSON types."""
        return {"format": FORMAT, **to_plain(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ActivationProfile:
        """The profile that `to_dict` made `data` of. Raises ValueError for a format newer than this version knows."""
        if int(data.get("format", 0)) > FORMAT:
            raise ValueError(
                f"this profile has format {data['format']}, and this version of keras-diagnose reads up to {FORMAT}. "
                "Update keras-diagnose."
            )
        return from_plain(cls, data)

    def to_json(self) -> str:
        """Facts and findings as JSON text."""
        findings = [to_plain(finding) for finding in self.findings]
        return json.dumps({**self.to_dict(), "findings": findings}, allow_nan=False)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page, and give its path."""
        from diagnose.activation.page import write_page

        return write_page(self, path)

    def plot(self) -> Figure:
        """A figure: f and f' with flat, falling and broken stretches marked, and signal and gradient through depth."""
        from diagnose.activation.figures import portrait

        return portrait(self)

    def __str__(self) -> str:
        from diagnose.activation.text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from diagnose.activation.page import fragment

        return fragment(self)
