"""Noisy gradient: the gradients of successive batches point in unrelated directions, so the steps do not add up.

Sees: `gradient.cosine`, the cosine between the gradients of successive observed batches, and `batch.size`.

Harm: the weights change at random instead of lowering the loss.

Fires: a mean cosine under NOISE in size over LEAST observations or more, from the start on, with batches of SMALL
samples or fewer.

Rests: larger batches; a training that learns well, since gradients point all ways near a minimum (then it is a note).

Remedy: a batch size eight times as large, or gradient accumulation (`gradient_accumulation_steps=8`).

Refute: the loss falls no faster with batches eight times as large at the same number of steps.

Source: McCandlish et al. (2018), "An empirical model of large-batch training": the noise scale; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import recent
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

NOISE = 0.05  # a guess: in a thousand dimensions independent directions have a cosine of about 0.03
LEAST = 8  # a guess: the mean of eight is known to a third of its scatter
SMALL = 16  # a guess: larger batches average the noise away for themselves


def judge(case: Case) -> Iterator[Verdict]:
    """The first observations' cosines, and all of them."""
    run = case.run
    cosine, size = run.series("gradient.cosine").finite(), run.series("batch.size").finite()
    if len(cosine) < LEAST or not len(size):
        yield NotMeasured("", f"gradients compared at {counted(len(cosine), 'observation')}; {LEAST} are needed")
        return
    early, mean = float(cosine.values[:LEAST].mean()), float(cosine.values.mean())
    if abs(early) >= NOISE or abs(mean) >= NOISE or recent(size) > SMALL:
        yield Healthy("")
        return
    samples = int(recent(size))
    yield Finding(
        "",
        f"Gradients of successive batches of {samples} point in unrelated directions (cosine {mean:.2f}; 1: the "
        "same direction).",
        severity="warning",
        blames=("batch-size", "learning-rate"),
        since=int(cosine.steps[0]),
        evidence={"cosine": mean, "batch size": float(samples)},
        remedies=(
            remedy("batch-size", value=8 * samples),
            advice("Set gradient_accumulation_steps=8 in the optimizer"),
        ),
        refute="The loss falls no faster with batches eight times as large.",
        confidence=0.5,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("oscillating-loss", "slow-progress"),
)
