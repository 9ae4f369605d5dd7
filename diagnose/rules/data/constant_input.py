"""Constant input: the data do not vary.

Sees: `input.min` and `input.max` of each observed batch; `input.same_share` and `input.constant_share` over the held
training samples.

Harm: with the same input for every sample, no prediction can depend on it.

Fires: an input whose smallest and largest entry are equal, at 4 of the last 5 observations; or over ALIKE of the
samples are one and the same input, number by number; or an input that varies, and of which the first layer with a
kernel gets one number only, for all samples; or a layer that outputs the same for all samples, whatever its input.
A note where over UNUSED of the features never vary.

Rests: one input of several (a constant side input is odd, not fatal: a note); under SAMPLES held samples, where a rare
feature may not have occurred; single features that never vary, such as the corners of pictures.

Remedy: look at the preprocessing: integer division (`x // 255` makes zeros of an image), a cast to integers after
scaling, a generator that returns its empty buffer.

Refute: `x.std()` of what `fit` gets is over 0.

Source: arithmetic: no function of a constant varies; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import lasting, too_few
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import named, percent

ALIKE = 0.9  # a guess: what tells apart one sample in ten can't lift the skill by more than that tenth
UNUSED = 0.5  # a guess: of the pixels of centred pictures up to a third never vary
SAMPLES = 100  # a guess: a feature that one sample in thirty has is missed in 100 of them one time in 30


def judge(case: Case) -> Iterator[Verdict]:
    """Each input by its range, then by what repeats in it."""
    run = case.run
    places = run.places("input.max")
    if not places:
        yield NotMeasured("", "no numeric input was observed")
    yield from _levelled(run)
    for where in places:
        low, high = run.series("input.min", where).finite(), run.series("input.max", where).finite()
        if len(high) < 3 or len(low) != len(high):
            yield NotMeasured(where, too_few(high))
            continue
        since = lasting(high, high.values <= low.values)
        if since is None:
            yield _erased(run, where) or _of_samples(run, where, len(places) == 1)
            continue
        yield Finding(
            where,
            f"Every entry of the input{f' `{where}`' if where else ''} is {float(high.values[-1]):.3g}.",
            severity="critical" if len(places) == 1 else "note",
            blames=("preprocessing", "data"),
            since=since,
            evidence={"value": float(high.values[-1])},
            remedy="Look at the preprocessing: x // 255 and a cast to integers after "
            "scaling make all entries equal; use x / 255.0.",
            refute="x.std() of what fit gets is over 0.",
            confidence=0.95,
        )


def _erased(run: Run, where: str) -> Finding | None:
    """An input that varies, and of which nothing gets to the first kernel."""
    found = run.facts.audit.erased if run.facts.audit else None
    if found is None:
        return None
    before = next((layer.inbound for layer in run.facts.model.layers if layer.path == found.where), None)
    by = f": `{before[0]}`, before it, removes everything else" if before else ""
    return Finding(
        before[0] if before else found.where,
        f"The input of `{found.where}` is {found.value:.3g} for every sample{by}.",
        severity="critical",
        blames=("layers", "preprocessing"),
        since=0,
        evidence={"value": float(found.value)},
        remedy="Look at what is before that layer: a normalization over an axis of size 1 gives zeros (`axis`), as "
        "does a cast or a division of integers.",
        refute="The inputs of that layer differ from sample to sample.",
        confidence=0.9,
    )


def _levelled(run: Run) -> Iterator[Finding]:
    """A layer that makes all samples alike, whatever it is given: a factor of 0, a normalization of one entry."""
    audit = run.facts.audit
    found = audit.levelled if audit else None
    if audit is None or found is None:
        return
    if any(output.prediction.always_one and output.where == found.where for output in audit.outputs):
        return  # a softmax over one unit, told by a rule of its own
    why, remedy = "", "Look at what that layer computes: its output does not depend on its input."
    if found.frozen:
        why = f": {named(found.frozen)} {'is' if len(found.frozen) == 1 else 'are'} 0, and not trained"
        remedy = f"Start {named(found.frozen)} at another value than 0, or let it be trained (trainable=True)."
    elif found.single:
        why = ": the axis it works on has one entry, and one entry less its own mean is 0"
        remedy = (
            "Leave the layer out, or let it work on an axis of several entries (`axis`): over one there is nothing "
        )
        remedy += "to normalize."
    yield Finding(
        found.where,
        f"The output of `{found.where}` is {found.value:.3g} for every sample, whatever its input{why}.",
        severity="critical",
        blames=("layers", "initialization" if found.frozen else "activation"),
        since=0,
        evidence={"value": found.value},
        remedy=remedy,
        refute="The outputs of that layer differ from sample to sample.",
        confidence=0.95,
    )


def _of_samples(run: Run, where: str, alone: bool) -> Verdict:
    """By the held samples: how many are one and the same, and how many features never vary."""
    same, constant = run.series("input.same_share", where), run.series("input.constant_share", where)
    if not len(same) or not len(constant) or (run.facts.task.held_samples or 0) < SAMPLES:
        return Healthy(where)
    alike, unused = float(same.values[-1]), float(constant.values[-1])
    if alike <= ALIKE and unused <= UNUSED:
        return Healthy(where)
    name = f" `{where}`" if where else ""
    return Finding(
        where,
        f"{percent(alike)} of the samples seen have exactly the same input{name}."
        if alike > ALIKE
        else f"{percent(unused)} of the features of the input{name} never vary.",
        severity="warning" if alike > ALIKE and alone else "note",
        blames=("preprocessing", "data"),
        evidence={"share of equal samples": alike, "share of features that never vary": unused},
        remedy="Look at the preprocessing: a cast to integers after scaling, or x // 255, leaves almost only "
        "zeros; use x / 255.0.",
        refute="np.unique(x, axis=0) of what fit gets has about as many rows as x.",
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "constant-predictions",
        "collapsed-representation",
        "zero-gradient",
        "dead-units",
        "mismatched-initialization",
        "repeated-batch",
        "saturated-activation",
        "fading-signal",
        "vanishing-gradient",
        "slow-progress",
    ),
)
