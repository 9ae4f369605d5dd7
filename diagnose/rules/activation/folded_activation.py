"""Folded activation: the inputs spread over several turning points, so different inputs have the same output.

Sees: `activation.falling_share`, the share of the absolute slope, at the pre-activations of the training, where the
function falls; `activation.folds`, the turning points within these pre-activations.

Harm: the sign of the gradient changes from one fold to the next, so a step that helps one sample hurts its neighbour,
and samples that differ before the activation are the same after it.

Fires: over FALLING of the slope is falling, over FOLDS turning points or more, at 4 of the last 5 observations.

Rests: one shallow dip (gelu, silu, mish), or a sine whose inputs stay within one rise; a wave that trains well is a
note.

Remedy: divide the inputs of the activation until they stay within one rise, or use a monotonic activation.

Refute: the metrics do not change when the inputs are made so small that they reach no turning point.

Source: Sitzmann et al. (2020), section 3.2, keep the inputs of a sine near N(0, 1); the bounds are
arithmetic for a sine on normal inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import replaced, scaled
from diagnose.rules.evidence.persistence import WINDOW, lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent, times

# Arithmetic: a sine has 6 % of its slope falling on z of std 1, 25 % on 1.5, 39 % on 2. Measured: at most 6 % in
# healthy runs, 50 % in sick ones (benchmarks/calibration.md).
FALLING = 0.2
FOLDS = 2  # arithmetic: two turning points make a fold; gelu, silu and mish have one


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation by its falling share."""
    run, layout = case.run, case.layout
    places = [where for where in run.places("activation.falling_share") if layout.hidden(where)]
    if not places:
        yield NotMeasured("", "no activation was observed")
    for where in places:
        falling = run.series("activation.falling_share", where).finite()
        folds = run.series("activation.folds", where).finite()
        since = lasting(falling, falling.values > FALLING)
        if len(falling) < 3 or not len(folds):
            yield NotMeasured(where, too_few(falling) if len(folds) else "its turning points were not counted")
        elif since is None or recent(folds) < FOLDS:
            yield Healthy(where)
        else:
            yield _finding(run, layout, where, since)


def _finding(run: Run, layout: Layout, where: str, since: int) -> Finding:
    falling = recent(run.series("activation.falling_share", where).finite())
    folds = run.series("activation.folds", where).finite()
    spread = recent(run.series("preactivation.std", where).finite().last(WINDOW))
    # Turning points lie about evenly over the inputs met, so dividing by one more than their number leaves about none.
    factor = recent(folds) + 1
    return Finding(
        where,
        f"The inputs of {site_name(layout, where)} spread over {times(recent(folds))} turning points, and "
        f"{percent(falling)} of its slope there is negative: different inputs have the same output.",
        severity="critical" if falling > 0.4 and recent(folds) > 3 else "warning",
        blames=("activation", "initialization"),
        since=since,
        evidence={"falling share": falling, "turning points": recent(folds), "std of z": spread},
        remedies=(scaled(layout, where, 1 / factor), replaced(run, layout, where)),
        refute="The metrics stay the same when the inputs are divided until they reach no turning point.",
        confidence=0.8,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "non-monotonic-activation",  # what the function would do anywhere, beside what it did here
        "steep-activation",
        "exploding-gradient",
        "oscillating-loss",
        "overfitting",
        "memorized-labels",
        "amplified-gradient",
        "slow-progress",
    ),
    flow="forward",
    at_work="always",
)
