"""Linear use: the activations are used only where they are straight lines, so the network acts as one linear layer.

Sees: `activation.bend`, what the best straight line through the points (z, a) leaves of a, at each hidden activation;
and the curve of its function on its working range.

Harm: none while a linear model does the job; but depth then adds nothing, and what is not linear can't be learned.

Fires: the bend is under STRAIGHT at every hidden activation that could bend, at 4 of the last 5 observations. Always a
note: a training that needs more than a line shows that elsewhere.

Rests: where one activation bends; functions that are straight everywhere, which
missing-nonlinearity reports.

Remedy: larger inputs of the activations: the initialization that suits them, data scaled to a size of 1, normalization
layers.

Refute: a linear model (no hidden layer) reaches lower metrics on the same data.

Source: arithmetic: tanh leaves 0.82 of the variance of z, so that z of a standard deviation of 0.15 bends it by 2 %.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized, normalized_everywhere
from diagnose.rules.evidence.persistence import FEWEST, lasting, recent
from diagnose.rules.evidence.slope import curves
from diagnose.rules.rule import Rule
from diagnose.run.layout import site_name
from diagnose.run.quantities import bend
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

STRAIGHT = 0.02  # a guess: a straight line then explains 99.96 % of what comes out; see Source


def judge(case: Case) -> Iterator[Verdict]:
    """All hidden activations that could bend, together."""
    run, layout = case.run, case.layout
    places = sorted((where for where in run.places("activation.bend") if layout.hidden(where)), key=layout.position)
    places = [where for where in places if len(run.series("activation.bend", where).finite()) >= FEWEST]
    able = [where for where in places if could_bend(run, where)]
    if not able:
        yield NotMeasured("", "no hidden activation that could bend was seen at 3 observations")
        return
    since = []
    for where in able:
        bends = run.series("activation.bend", where).finite()
        step = lasting(bends, bends.values < STRAIGHT)
        if step is None:
            yield Healthy("")
            return
        since.append(step)
    now = {where: recent(run.series("activation.bend", where).finite()) for where in able}
    most = max(now, key=lambda where: now[where])
    yield Finding(
        "",
        f"The network acts as one linear layer: even {site_name(layout, most)}, the least linear one, is a "
        "straight line "
        f"except for {percent(now[most])} of its output.",
        severity="note",
        blames=("activation", "initialization"),
        since=max(since),
        evidence={"largest bend": now[most], "activations": float(len(able))},
        remedies=(remedy("standardize-inputs"), initialized(run), normalized_everywhere(layout)),
        refute="A model without hidden layers reaches lower metrics on the same data.",
        confidence=0.6,
    )


def could_bend(run: Run, where: str) -> bool:
    """Whether the function there is anything but a straight line on its working range, as far as that was seen."""
    known = curves(run, where)
    return not known or not max(bend(curve[0], curve[1]) for curve in known.values()) < STRAIGHT


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
)
