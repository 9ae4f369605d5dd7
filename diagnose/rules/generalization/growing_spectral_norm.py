"""Growing spectral norm: the spectral norms of the kernels grow, and the gap to validation with them.

Sees: `weight.spectral_norm` of every kernel, and the fair gap of `skill.train` and `skill.validation`.

Harm: the larger the product of the norms, the more a small change of the input changes the prediction, and the less
reliable are predictions for new samples.

Fires: the geometric mean of the norms grew by GROWTH or more, still grew at the end, and the gap grew with it; always
a note.

Rests: no validation samples; a gap that stays small.

Remedy: spectral norm regularization (`diagnose.regularizers.SpectralNorm`), or weight decay. Not to be confused with
`keras.layers.SpectralNormalization`, which divides the kernel by its norm.

Refute: the gap stays the same with the norms held down.

Source: Yoshida and Miyato (2017), "Spectral norm regularization for improving the generalizability of deep learning".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import SCALE
from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.fair_gap import gap_of, outputs_of
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

GROWTH = 1.5  # a guess: over four layers it makes a fivefold product
GAP = 0.1  # a guess: below it there is little to explain


def judge(case: Case) -> Iterator[Verdict]:
    """The norms of all kernels together, beside the gap."""
    run = case.run
    columns = [run.series("weight.spectral_norm", where).finite() for where in run.places("weight.spectral_norm")]
    columns = [column for column in columns if len(column) >= 3 and column.values[0] > 0]
    outputs = outputs_of(run)
    if not columns or not outputs:
        yield NotMeasured("", "spectral norms and the metrics on validation samples were not measured together")
        return
    growth = float(np.exp(np.mean([np.log(max(column.values[-1], 1e-30) / column.values[0]) for column in columns])))
    late = float(np.mean([column.values[-1] / max(column.values[len(column) // 2], 1e-30) for column in columns]))
    gap = gap_of(run, outputs[0])[2].values
    if growth < GROWTH or late <= 1.0 or len(gap) < 3 or gap[-1] < GAP or gap[-1] <= gap[len(gap) // 2]:
        yield Healthy("")
        return
    yield Finding(
        "",
        f"The spectral norms of the kernels grew {growth:.1f}-fold, and the gap between training and "
        f"validation skill with them, to {gap[-1]:.2f} (skill: {SCALE}).",
        severity="note",
        blames=("regularization",),
        evidence={"growth of the norms": growth, "gap": float(gap[-1])},
        remedies=(remedy("spectral-norm", value=0.01), remedy("weight-decay", value=0.01)),
        refute="The gap stays the same with the norms held down.",
        confidence=0.5,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
)
