"""The public objects: a verdict is a record of the rooms below, and here it gets the ways to show it.

The records (`DiagnosisRecord`, `JudgedFunction`) know no report, and a report takes any record; only this module knows
both. So nothing below it ever loads HTML, Jinja2 or matplotlib, and each is loaded when something needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose.diagnosis import examining
from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.diagnosis.proof import ProofRecord, reordered
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.rules.catalogue import rule_names
from diagnose.run.records import to_plain
from diagnose.run.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True)
class Diagnosis(DiagnosisRecord):
    """What happened, why, where, how sure, and what to change. The fields are those of `DiagnosisRecord`."""

    def to_html(self, path: str | Path) -> Path:
        """Write the report, one self-contained page, and give its path."""
        from diagnose.report.html import write_html

        return write_html(self, path)

    def to_json(self) -> str:
        """The verdict as JSON text (without the measurements, which are in the run file)."""
        from diagnose.report.json import to_json

        return to_json(self)

    def __str__(self) -> str:
        """The verdict as terminal text."""
        from diagnose.report.terminal import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from diagnose.report.notebook import to_fragment

        return to_fragment(self)


@dataclass(frozen=True, repr=False)
class Proof(ProofRecord):
    """What trials showed of a fault and its remedies. The fields are those of `ProofRecord`."""

    @property
    def trials(self) -> DataFrame:
        """All trainings, a row each: remedy ("" for the unchanged program), seed, outcome, skill_train,
        skill_validation (0: always guessing, 1: perfect; NaN where not measured), loss, seconds."""
        import pandas

        columns = ("outcome", "skill_train", "skill_validation", "loss", "seconds")
        rows = [
            {
                "remedy": trial.remedy.text if trial.remedy else "",
                "seed": trial.seed,
                **{name: getattr(trial, name) for name in columns},
            }
            for trial in (*self.unchanged, *self.tried)
        ]
        table = pandas.DataFrame(rows, columns=["remedy", "seed", *columns])
        return table.astype(dict.fromkeys(columns[1:], "float64"))

    @property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis with its causes in the order that the trials leave: proven ones first, refuted ones last."""
        return Diagnosis(**vars(reordered(self)))

    def to_html(self, path: str | Path) -> Path:
        """Write the proof, one self-contained page, and give its path."""
        from diagnose.report.proof.page import write_proof

        return write_proof(self, path)

    def to_json(self) -> str:
        """All trials and verdicts as JSON text."""
        from diagnose.report.proof.page import to_json

        return to_json(self)

    def __repr__(self) -> str:
        """The proof in one line."""
        from diagnose.report.proof.text import headline

        return f"<{type(self).__name__}: {headline(self)}>"

    def __str__(self) -> str:
        """The proof as terminal text."""
        from diagnose.report.proof.text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from diagnose.report.proof.page import fragment

        return fragment(self)


@dataclass(frozen=True)
class ActivationProfile(JudgedFunction):
    """All that is known of one activation function, and what the rules say of it.

    The fields are those of `FunctionProfile`; `findings`, `verdicts`, `not_measured` and `sound` are those of
    `JudgedFunction`.
    """

    def to_json(self) -> str:
        """Facts and findings as JSON text."""
        findings = [to_plain(finding) for finding in self.findings]
        return json.dumps({**self.to_dict(), "findings": findings}, allow_nan=False)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page, and give its path."""
        from diagnose.report.function.page import write_page

        return write_page(self, path)

    def plot(self) -> Figure:
        """A figure: f and f' with flat, falling and broken stretches marked, and signal and gradient through depth."""
        from diagnose.report.function.portrait import portrait

        return portrait(self)

    def __str__(self) -> str:
        from diagnose.report.function.text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from diagnose.report.function.page import fragment

        return fragment(self)


def examine(run: Run, ignore: str | Iterable[str] = ()) -> Diagnosis:
    """Judge a run: outcome, rules, ranked causes, headline.

    ignore: names of rules that judge nothing, told under `not_measured`; those that the monitor was told to ignore come
        on top.
    Raises ValueError for a name that is no rule's.
    """
    return Diagnosis(**vars(examining.examine(run, rule_names(ignore))))


def profile(f: Any, *, dtype: str = "float32") -> ActivationProfile:
    """Examine an activation function by what it does.

    f: a function of a tensor (TensorFlow or keras.ops), the name of a Keras activation, a Keras layer, a `tf.function`,
    anything that can be called with one tensor. dtype: in which it will compute: "float32", "float16", "bfloat16"
    or "float64".
    Takes well under 2 s for an ordinary function, 10 s at most for any. f runs on the CPU; its prints are kept from the
    screen, random states and variables are put back.

    Whatever f does, there is a profile: a function that raises or hangs gets a finding that says on which input.
    Raises TypeError if f can't be called or is a whole model, ValueError for an unknown name or dtype, RuntimeError
    under another Keras backend than TensorFlow.
    """
    from diagnose.activation.profiling import examined

    return ActivationProfile(**vars(examined(f, dtype=dtype)))
