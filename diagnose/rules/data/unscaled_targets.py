"""Unscaled targets: the targets of a regression are far larger than what the network can predict in the steps it has.

Sees: the largest target and the largest prediction of the first batch, before any update; the skill of the network and
of the simple models beside it.

Harm: weights and steps are made for numbers of about 1. Until the output has grown to the size of the targets, errors
and gradients are as much too large: hidden units saturate or die, and steps that are bounded
(Adam, clipping) take thousands of updates to get there.

Fires: of a loss of numbers, targets over LARGE and over BEYOND times the predictions of the untrained network, while
its skill is low and no simple model shows that no more can be learned.

Rests: predictions that are good: then the size of the targets was reached; simple models that reach no more; an output
that a layer scales (Rescaling, a Lambda): its first predictions are of the targets' size; samples with weights, whose
unweighted skill is not what is trained.

Remedy: `y = (y - y.mean()) / y.std()` on the training targets, and the same numbers for validation; predictions are
taken back by `* y.std() + y.mean()`.

Refute: the metrics are no better with scaled targets at the same settings.

Source: LeCun et al. (1998), "Efficient backprop", sections 4.3 and 4.5: inputs and targets in the range that units are
made for; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.outcome.figures import subject, value
from diagnose.outcome.outcome import decent
from diagnose.outcome.references import best_reference
from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import Output, healthy, outputs, place, quoted, takes, untold
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict

LARGE = 10.0  # a guess: ten times the unit size that weights and steps are made for
BEYOND = 30.0  # a guess: an output of a usual start says numbers of about 1, and grows tenfold soon
FAR = 100.0  # a guess: a hundred times; Adam at its default rate needs thousands of updates for it
CLEARLY = 0.1  # a guess: of all skill; what a simple model must reach beyond the network


def judge(case: Case) -> Iterator[Verdict]:
    """Each output that a loss of numbers is tied to."""
    found = outputs(case.run)
    if not found:
        yield NotMeasured("", "no batch was audited")
    for output in found:
        yield untold(output) or _judged(case, output)


def _judged(case: Case, output: Output) -> Verdict:
    labels, said = output.labels, output.prediction
    if takes(output) != "values" or labels.min is None or labels.max is None or output.weights.given:
        return healthy(output)
    name = output.name if output.name in case.skills.known else ""
    skill, reference = case.skills.known.get(name), best_reference(case.run, name)
    if skill is None or said.min is None or said.max is None:
        return NotMeasured(place(output), "neither accuracy nor R squared was measured, or no prediction is finite")
    wanted, says = (max(abs(low), abs(high)) for low, high in ((labels.min, labels.max), (said.min, said.max)))
    far = wanted / max(says, 1.0)
    knowable = reference is None or reference[1] > skill + CLEARLY
    if wanted <= LARGE or far <= BEYOND or skill >= decent(case.run, name) or not knowable:
        return healthy(output)
    return Finding(
        place(output),
        f"The targets reach {wanted:.3g}, the predictions of {quoted(output)} reach {says:.3g} before any "
        f"training, and {subject(case.run, name)} got to {value(case.run, skill, name)} only.",
        severity="critical" if far > FAR else "warning",
        blames=("preprocessing", "learning-rate"),
        since=0,
        evidence={"largest target": wanted, "largest first prediction": says, "skill": skill},
        remedy="Scale the targets: y = (y - y.mean()) / y.std(), with the same numbers for validation; predictions go "
        "back by * y.std() + y.mean().",
        remedies=(remedy("standardize-targets"),),
        refute="The metrics are no better with scaled targets at the same settings.",
        confidence=0.85 if far > FAR else 0.7,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "saturated-activation",
        "blocked-gradient",
        "dead-units",
        "constant-predictions",
        "collapsed-representation",
        "growing-signal",
        "vanishing-gradient",
        "exploding-gradient",
        "small-updates",
        "large-updates",
        "slow-progress",
        "diverging-loss",
        "oscillating-loss",
        "noisy-gradient",
        "unfinished-training",
        "plateau",
        "odd-initial-loss",
        "overtraining",
    ),
)
