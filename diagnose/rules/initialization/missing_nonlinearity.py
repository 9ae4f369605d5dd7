"""Missing nonlinearity: a hidden layer has no activation, or a linear one.

Sees: `preactivation.mean`, `.std`, `activation.mean` and `.std` of each hidden site: where the activation is
linear, both are the same; and, from the traced graph, what uses its output.

Harm: two linear layers in a row can compute no more than one.

Fires: the output of a hidden site equals its input at all observations, and another site follows. A warning where
this is so at every hidden site of ALL or more.

Rests: a function that has another slope elsewhere on its working range (of a ReLU with positive inputs only,
linear-use reports it); where anything but a kernel uses the output, a function of the model's own or another
activation, or where that is not known; bottlenecks, projections, codes and residual sums, which are straight on
purpose: a single one is a note.

Remedy: `activation="relu"` (or gelu, tanh) in this layer.

Refute: leaving the layer out changes what the model can fit.

Source: arithmetic: the product of two matrices is a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from diagnose.remedy import Remedy, remedy, together
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.slope import curves
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

ALL = 2  # a guess: one alone may be a bottleneck


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden site whose output is its input."""
    run, layout = case.run, case.layout
    places = sorted((where for where in run.places("preactivation.std") if layout.hidden(where)), key=layout.position)
    places = [where for where in places if len(run.series("activation.std", where)) >= 3]
    if not places:
        yield NotMeasured("", "no hidden activation was seen at 3 observations")
        return
    straight = [where for where in places if _same(run, where) and layout.site(where).into_kernels is not False]
    every = len(straight) == len(places) and len(straight) >= ALL
    for where in places:
        if where not in straight:
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"`{where}` has no nonlinear activation"
            + (", like every hidden layer: the model acts as one linear layer." if every else "."),
            severity="warning" if every else "note",
            blames=("activation", "layers"),
            evidence={"straight layers": float(len(straight)), "hidden layers": float(len(places))},
            remedies=(_nonlinear(straight if every else [where]),),
            refute="Leaving the layer out changes what the model can fit.",
            confidence=0.75 if every else 0.4,
        )


def _nonlinear(places: list[str]) -> Remedy:
    """An activation for these layers, in one change: a single one among linear layers changes little."""
    which = f"`{places[0]}`" if len(places) == 1 else f"the {len(places)} hidden layers"
    text = f'Give {which} activation="relu" (or gelu, tanh)'
    return replace(together(remedy("replace-activation", place, "relu", text=text) for place in places), text=text)


def _same(run: Run, where: str) -> bool:
    """Whether mean and spread are the same before and behind, within what float32 resolves of the spread.

    And the slope the same all over, where the function's curve was taken.
    """
    if any(np.ptp(slope) > 1e-3 * np.abs(slope).max() for _, _, slope in curves(run, where).values()):
        return False
    spread = run.series("preactivation.std", where).values
    pairs = [
        (run.series(f"preactivation.{of}", where), run.series(f"activation.{of}", where)) for of in ("mean", "std")
    ]
    if any(len(a) != len(spread) or len(b) != len(spread) for a, b in pairs) or not np.any(spread > 0):
        return False
    return all(bool(np.all(np.abs(a.values - b.values) <= 1e-5 * spread)) for a, b in pairs)


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
    explains=("plateau",),
)
