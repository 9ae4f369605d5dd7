"""Large updates: each step of the optimizer changes the weights far too much.

Sees: `update.ratio`, rms of one update over rms of the kernel before it (or at first, where it was larger then); the
median over the kernels.

Harm: where each step changes a tenth of the weights, nothing learned lasts ten steps; units die, activations
saturate, the loss jumps.

Fires: a median over LARGE at 4 of the last 5 observations; or the first FIRST observed updates together over WILD,
after which the weights are so large that the ratio falls by itself; or kernels that many steps in one direction have
brought to BLOWN times the spectral norm of any start; or a first update that leaves under WIPED of the kernels; or a
rate that a schedule has raised RAISED-fold since the best skill, of which LOST is lost.

Rests: a single large step; kernels that shrink towards 0, because nothing can be learned or because of a penalty,
so that every step looks large; a training that learns well (then it is a note).

Remedy: the learning rate times 10^(-3 - log10 of the ratio), at most by a factor of 100.

Refute: the loss falls no better at a tenth of the learning rate.

Source: Karpathy, CS231n notes, "Ratio of weights:updates": about a thousandth; the bound is a hundred times that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import subject, value
from diagnose.remedy import Remedy, advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.evidence.updates import GOOD, advised_rate, typical_ratio
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import change, counted, percent, times

LARGE = 0.1  # measured: healthy runs stay under 0.02; benchmarks/calibration.md
BLOWN = 30.0  # measured: at most 8.1 in the healthy trainings of benchmarks/diagnosis.py, both parts
WIPED = 0.1  # a guess: a tenth of the initial weights is none of what the initialization chose
ORDINARY = 2.0  # arithmetic: the spectral norm of a square kernel with entries of variance 1 / n
HEAVY = 0.95  # arithmetic: from here on one gradient counts for twenty updates and more
WILD = 1.0  # arithmetic: they outweigh what the initialization chose; measured: at most 0.22 in healthy runs
CRITICAL = 0.5  # a guess: half of the weights replaced at each step
FIRST = 5
RAISED = 5.0  # a guess: one-cycle schedules raise it tenfold and more, but not after the best skill
LOST = 0.3  # a guess: as for the outcome's FELL_BACK


def judge(case: Case) -> Iterator[Verdict]:
    """The median update ratio of the kernels, now and in the first steps."""
    run = case.run
    ratio = typical_ratio(case, shrunk=False)
    if len(ratio) < 3:
        yield NotMeasured("", f"updates {too_few(ratio)}")
        return
    since = lasting(ratio, ratio.values > LARGE)
    now, early = recent(ratio), float(ratio.values[:FIRST].sum())
    if since is not None:
        yield _finding(run, now, since, f"One step changes the weights {change(now)} (usual: 0.1 %).", 0.8)
    elif (kept := _kept(case)) < WIPED and ratio.values[0] > 1 - WIPED:
        yield _wiped(run, kept, int(ratio.steps[0]))
    elif early > WILD:
        count = min(len(ratio), FIRST)
        message = (
            f"The first {counted(count, 'observed step')} changed the weights {change(early)} (usual: "
            f"{percent(0.001 * count)})."
        )
        yield _finding(run, float(np.median(ratio.values[:FIRST])), int(ratio.steps[0]), message, 0.8)
    elif (grown := _growth(case)) > BLOWN:
        yield _blown(run, grown, int(ratio.steps[0]))
    elif (raised := _raised(run)) is not None:
        yield raised
    else:
        yield Healthy("")


def _growth(case: Case) -> float:
    """Median over the kernels of the spectral norm now, over that at first or an ordinary one; 0 of none."""
    norms = [case.run.series("weight.spectral_norm", name).finite().values for name in case.kernels]
    grown = [float(norm[-1]) / max(float(norm[0]), ORDINARY) for norm in norms if len(norm) > 1]
    return float(np.median(grown)) if grown else 0.0


def _kept(case: Case) -> float:
    """Median over the kernels of their size now, over that at first; infinite where none was seen."""
    sizes = [case.run.series("weight.rms", name).finite().values for name in case.kernels]
    kept = [float(size[-1] / size[0]) for size in sizes if len(size) > 1 and size[0] > 0]
    return float(np.median(kept)) if kept else math.inf


def _wiped(run: Run, kept: float, since: int) -> Finding:
    return Finding(
        "",
        f"The first step replaced the initial weights, and {percent(kept)} of the kernels' size is left.",
        severity="critical",
        blames=("optimizer", "learning-rate"),
        since=since,
        evidence={"size over that at first": kept},
        remedies=(
            remedy(
                "optimizer",
                value={"class_name": "Adam", "learning_rate": 0.001},
                text="Use an optimizer that starts from the present weights, such as Adam with a learning rate of "
                "0.001",
            ),
            rate_times(run, 0.01),
            remedy("weight-decay", value=0.0, text="Leave out the weight decay"),
        ),
        refute="The kernels keep their size in the first update with another optimizer.",
        confidence=0.85,
    )


def _blown(run: Run, grown: float, since: int) -> Finding:
    momentum = run.facts.optimizer.momentum
    steady: tuple[Remedy, ...] = ()
    if momentum is not None and HEAVY < momentum < 1:
        steady = (advice(f"Set momentum=0.9: {momentum:g} adds up {times(1 / (1 - momentum))} updates"),)
    return Finding(
        "",
        f"The spectral norms of the kernels are now {times(grown)} times those at the start (or times "
        f"{ORDINARY:g}, where that is more).",
        severity="critical",
        blames=("learning-rate", "optimizer"),
        since=since,
        evidence={"spectral norm over that at first": grown},
        remedies=(*steady, *advised_rate(run, GOOD * grown)),
        refute="The kernels grow as far at a tenth of the learning rate.",
        confidence=0.8,
    )


def _raised(run: Run) -> Finding | None:
    """A schedule that went on upwards when the best was reached."""
    rate = run.series("optimizer.learning_rate").finite()
    for where in run.places("skill.train"):
        skill = run.series("skill.train", where).finite()
        best = int(skill.values.argmax()) if len(skill) else 0
        known = rate.steps <= skill.steps[best] if len(skill) else rate.steps < 0
        if not known.any() or skill.values[best] - skill.values[-1] < LOST:
            continue
        then, now = float(rate.values[known][-1]), float(rate.values[-1])
        if 0 < RAISED * then <= now:
            return Finding(
                "",
                f"The learning rate rose from {then:.3g} to {now:.3g} after {subject(run, where)} was best, "
                f"{value(run, skill.values[best], where)} at step {skill.steps[best]}; "
                f"it is {value(run, skill.values[-1], where)} now.",
                severity="critical",
                blames=("learning-rate", "optimizer"),
                since=int(skill.steps[best]),
                evidence={"rate at the best": then, "rate at the end": now},
                remedies=(
                    remedy(
                        "constant-learning-rate",
                        value=float(f"{then:.2g}"),
                        text=f"Let the schedule stay at or under {then:.2g}, and end lower than it began",
                    ),
                ),
                refute="The metrics fall just as much with a constant learning rate.",
                confidence=0.85,
            )
    return None


def _finding(run: Run, ratio: float, since: int, message: str, confidence: float) -> Finding:
    return Finding(
        "",
        message,
        severity="critical" if ratio > CRITICAL else "warning",
        blames=("learning-rate", "optimizer"),
        since=since,
        evidence={"update ratio": ratio},
        remedies=(*advised_rate(run, ratio), remedy("clipnorm", value=1.0)),
        refute="The loss falls no better at a tenth of the learning rate.",
        confidence=confidence,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "diverging-loss",
        "oscillating-loss",
        "dead-units",
        "saturated-activation",
        "folded-activation",
        "growing-signal",
        "fading-signal",
        "vanishing-gradient",
        "zero-gradient",
        "slow-progress",
        "exploding-gradient",
        "blocked-gradient",
        "collapsed-representation",
        "constant-predictions",
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-activation",
        "non-finite-loss",
        "hidden-nan",
        "thin-headroom",
    ),
)
