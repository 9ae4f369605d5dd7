"""Exploding gradient: gradients grow from step to step, or from the last layer to the first, without bound.

Sees: `gradient.rms` of all variables over time, and of the first trained kernel against the last.

Harm: one such step changes the weights so much that the loss jumps, then overflows.

Fires: the root mean square of all gradients doubles at DOUBLINGS observations in a row; or is over SPIKE times its
median so far at two observations or more; or the first kernel's is over RATIO times the last's at 4 of the last 5.

Rests: one spike (clipping and Adam survive it); a growth that ends where the training began, as on leaving a plateau.

Remedy: a lower learning rate, clipping (`clipnorm=1.0`), an initialization that suits the activation.

Refute: the gradients stay bounded over the same steps at the same learning rate with another seed.

Source: Pascanu, Mikolov and Bengio (2013), section 2; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import remedy, together
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.gradients import ratio_of, total_gradient
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, times

DOUBLINGS = 4  # a guess: sixteenfold in four looks
RATIO = 1e3  # measured: healthy runs stay under 20; benchmarks/calibration.md
SPIKE = 1e4  # a guess: no batch is ten thousand times harder than the median one
SPIKES = 2  # one spike rests: clipping and Adam survive it
FEWEST = DOUBLINGS + 1  # arithmetic


def judge(case: Case) -> Iterator[Verdict]:
    """All gradients over time, then the first kernel against the last."""
    run, names = case.run, case.kernels
    total = total_gradient(run)
    if len(total) < FEWEST:
        yield NotMeasured("", f"gradients seen at {counted(len(total), 'observation')}; {FEWEST} are needed")
    else:
        yield _over_time(run, total)
    if len(names) < 2:
        return
    ratio = ratio_of(run, names[0], names[-1])
    since = lasting(ratio, ratio.values > RATIO)
    if len(ratio) < 3:
        yield NotMeasured(names[0], too_few(ratio))
    elif since is None:
        yield Healthy(names[0])
    else:
        yield _finding(
            run,
            names[0],
            f"The gradient of `{names[0]}` is {times(recent(ratio))} times that "
            f"of `{names[-1]}`: it grows towards the first layer.",
            since,
            {"first over last": recent(ratio)},
            ("initialization", "activation", "learning-rate"),
            0.6,
        )


def _over_time(run: Run, total: Series) -> Verdict:
    values = np.maximum(total.values, 1e-300)
    grew = values[1:] >= 2 * values[:-1]
    run_length = 0
    for index in range(len(grew), 0, -1):
        if not grew[index - 1]:
            break
        run_length += 1
    start = len(values) - 1 - run_length
    if run_length >= DOUBLINGS and values[-1] > values[: start + 1].max() * 2**DOUBLINGS:
        return _finding(
            run,
            "",
            f"The gradients doubled at {run_length} observations in a row, from "
            f"{times(values[start])} to {times(values[-1])}.",
            int(total.steps[start + 1]),
            {"growth": float(values[-1] / values[start]), "observations": float(run_length)},
            ("learning-rate", "initialization", "activation"),
            0.6,
        )
    medians = np.array([np.median(values[:index]) for index in _spread_out(len(values))])
    places = _spread_out(len(values))
    high = [place for place, median in zip(places, medians, strict=True) if values[place] > SPIKE * median]
    if len(high) >= SPIKES:
        factor = float(values[high].max() / np.median(values[: high[0]]))
        return _finding(
            run,
            "",
            f"The gradients reached {times(factor)} times their median, at {counted(len(high), 'observation')}.",
            int(total.steps[high[0]]),
            {"over the median": factor, "observations": float(len(high))},
            ("learning-rate", "initialization", "activation"),
            0.75,
        )
    return Healthy("")


def _spread_out(count: int) -> list[int]:
    """At most 500 places to look at, the first FEWEST left out, so that a long run stays quick to judge."""
    return sorted({int(place) for place in np.linspace(FEWEST, count - 1, min(max(count - FEWEST, 0), 500))})


def _finding(
    run: Run,
    where: str,
    message: str,
    since: int,
    evidence: dict[str, float | str],
    blames: tuple[str, ...],
    confidence: float,
) -> Finding:
    clip = remedy("clipnorm", value=1.0)
    return Finding(
        where,
        message,
        severity="critical",
        blames=blames,
        since=since,
        evidence=evidence,
        remedies=(together((rate_times(run, 0.1), clip)), clip, rate_times(run, 0.1)),
        refute="The gradients stay bounded over the same steps with another seed.",
        confidence=confidence,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "large-updates",
        "diverging-loss",
        "oscillating-loss",
        "dead-units",
        "saturated-activation",
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-activation",
        "non-finite-loss",
        "hidden-nan",
    ),
    flow="backward",
)
