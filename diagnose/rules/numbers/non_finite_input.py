"""Non-finite input: the data hold NaN or infinity.

Sees: `input.nonfinite`, `target.nonfinite` and `sample_weight.nonfinite`, the number of such entries in each batch
looked at. Once the weights or the loss broke, all batches of one epoch are searched for them.

Harm: one NaN in one sample makes a whole layer's weights NaN at the next update.

Fires: on the first such batch. A note where everything computed from it stays finite, as with a model that masks NaN
itself.

Rests: where no input holds numbers (strings, integers).

Remedy: drop or fill these entries: `x = np.nan_to_num(x)`, or `x = x[np.isfinite(x).all(axis=1)]`; of targets, drop the
samples.

Refute: `np.isfinite(x).all()` and `np.isfinite(y).all()` are True for all data of `fit`.

Source: reproduced on TF 2.21, CPU: one NaN sample in 2,048 made the first kernel NaN while the loss stayed finite.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.first_break import Break, evidence_of, first_break, when
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

GIVEN = {"input": "x", "target": "y", "sample_weight": "sample_weight"}
BEHIND = ("activation.nonfinite", "gradient.nonfinite", "weight.nonfinite", "prediction.nonfinite")


def judge(case: Case) -> Iterator[Verdict]:
    """Inputs, targets, sample weights."""
    run, layout = case.run, case.layout
    if not run.places("input.nonfinite"):
        yield NotMeasured("", "no input was observed")
        return
    found = {side: first_break(run, layout, f"{side}.nonfinite") for side in GIVEN}
    if not any(found.values()):
        yield Healthy("")
    breaks = [first_break(run, layout, name) for name in BEHIND if run.places(name)]
    broken = min((each.step for each in breaks if each is not None), default=None)
    for side, first in found.items():
        if first is not None:
            yield _finding(run, side, first, broken, harmless=bool(breaks) and broken is None)


def _finding(run: Run, side: str, found: Break, broken: int | None, *, harmless: bool) -> Finding:
    """broken: the first step at which something behind the data broke; data found later are not new, only seen late."""
    late = broken is not None and found.step > broken
    seen = f"seen at step {found.step}, when the data were searched" if late else when(found)
    series = [run.series(f"{side}.nonfinite", where) for where in run.places(f"{side}.nonfinite")]
    name = f"`{found.where}` " if found.where else ""
    if side == "input":
        holder, blames = f"The input {name}holds", ("preprocessing", "data")
        change = "Drop or fill them before fit: x = np.nan_to_num(x), or x = x[np.isfinite(x).all(axis=1)]."
    elif side == "sample_weight":
        holder, blames = f"The sample weights {name and 'of ' + name}hold", ("preprocessing", "data")
        change = "Look at how the sample weights are made: a division by 0, or a class without a weight."
    else:
        holder, blames = f"The targets {name and 'of ' + name}hold", ("labels", "data")
        change = "Drop these samples before fit: keep = np.isfinite(y).reshape(len(y), -1).all(axis=1)."
    return Finding(
        found.where,
        f"{holder} NaN or infinity: {counted(found.count, 'entry')} {seen}"
        + ("; everything measured after it stays finite." if harmless else "."),
        severity="note" if harmless else "critical",
        blames=blames,
        since=broken if late else found.step,
        evidence=evidence_of(found) | {"batches": float(sum(int((each.values > 0).sum()) for each in series))},
        remedy=change,
        remedies=(remedy("drop-non-finite"),) if side != "sample_weight" else (),
        refute=f"np.isfinite({GIVEN[side]}).all() is True for all data of fit.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=(
        "non-finite-activation",
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-loss",
        "hidden-nan",
        "constant-predictions",
        "dead-units",
        "zero-gradient",
    ),
    phase=0,
)
