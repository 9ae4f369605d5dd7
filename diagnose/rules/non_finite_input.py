"""Non-finite input: the data hold NaN or infinity.

Sees: `input.nonfinite`, the number of such entries in each observed batch, by input.

Harm: one NaN in one sample makes a whole layer's weights NaN at the next update.

Fires: on the first such batch. A note where everything behind it stays finite, as with a model that masks NaN itself.

Rests: where no input holds numbers (strings, integers).

Remedy: drop or fill these entries: `x = np.nan_to_num(x)`, or `x = x[np.isfinite(x).all(axis=1)]`.

Refute: `np.isfinite(x).all()` is True for all that `fit` was given.

Source: reproduced on TF 2.21, CPU: one NaN sample in 2,048 made the first kernel NaN while the loss stayed finite.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.counting import counted
from diagnose.layout import Layout
from diagnose.rules._numbers import evidence_of, first_break, when
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "numbers"
PHASE = 0
EXPLAINS = (
    "non-finite-activation",
    "non-finite-gradient",
    "non-finite-weights",
    "non-finite-loss",
    "hidden-nan",
    "constant-predictions",
    "dead-units",
    "zero-gradient",
)


def judge(run: Run) -> Iterator[Verdict]:
    """All inputs."""
    if not run.places("input.nonfinite"):
        yield NotMeasured("", "no input was observed")
        return
    found = first_break(run, Layout(run), "input.nonfinite")
    if found is None:
        yield Healthy("")
        return
    behind = ("activation.nonfinite", "gradient.nonfinite", "weight.nonfinite", "prediction.nonfinite")
    looked = [name for name in behind if run.places(name)]
    harmless = bool(looked) and all(first_break(run, Layout(run), name) is None for name in looked)
    batches = sum(
        int((run.series("input.nonfinite", where).values > 0).sum()) for where in run.places("input.nonfinite")
    )
    name = f" `{found.where}`" if found.where else ""
    yield Finding(
        found.where,
        f"The input{name} holds NaN or infinity: {counted(found.count, 'entry')} {when(found)}"
        + ("; all that was measured behind it stays finite." if harmless else "."),
        severity="note" if harmless else "critical",
        blames=("preprocessing", "data"),
        since=found.step,
        evidence=evidence_of(found) | {"batches": float(batches)},
        remedy="Drop or fill them before fit: x = np.nan_to_num(x), or x = x[np.isfinite(x).all(axis=1)].",
        refute="np.isfinite(x).all() is True for all that fit was given.",
        confidence=0.95,
    )
