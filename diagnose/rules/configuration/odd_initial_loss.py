"""Odd initial loss: the loss of the untrained model is far higher, or far lower, than that of a guess.

Sees: the loss of the first batch before any update, where it is a cross-entropy, against ln C, that of a uniform
guess.

Harm: far over ln C the model is sure of wrong predictions: outputs start too large, and the first steps only undo that.
Far under it there is nothing left to learn, or the loss does not count what it seems to.

Fires: over HIGH times ln C, or under LOW times, before the first update: a note. Of measurements, over FAR times the
loss of the best constant prediction at first and still over it at the end: the targets are far smaller than the outputs
of an untrained layer.

Rests: a model that has been trained; weighted batches; anything another rule of this part explains.

Remedy: targets of unit variance; smaller inputs (scale them to unit variance) or weights; an output layer that starts
near 0.

Refute: the loss returns to ln C with the output layer's kernel set to zeros.

Source: arithmetic: a uniform prediction has a loss of ln C. The bounds are guesses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.outcome.skills import last_finite
from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import (
    Output,
    each_output,
    escapes,
    healthy,
    is_cross_entropy,
    loss_of,
    outputs,
    over,
    place,
    quoted,
    takes,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, NotMeasured, Verdict
from diagnose.wording import counted, times

FAR = 1e4  # arithmetic: of a squared error, answers a hundred times as large as the targets' spread
HIGH = 2.0  # a guess: an untrained output layer costs about ln C, seldom twice that
LOW = 0.1  # a guess: far under what any untrained layer reaches by chance


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    run = case.run
    updates = case.facts.audit.iterations if case.facts.audit else 0
    yield from each_output(run, lambda output: _tiny(run, output) or _look(output, updates))


def _tiny(run: Run, output: Output) -> Finding | None:
    """Targets so small that what an untrained layer gives is off by orders of magnitude."""
    constant, losses = last_finite(run, "loss.constant", ""), run.series("loss.train").finite().values
    if len(outputs(run)) > 1 or takes(output) != "values" or not constant or constant < 0 or not len(losses):
        return None
    first, last = loss_of(output).value, float(losses[-1])
    if first is None or first < FAR * constant or last < constant:
        return None
    labels = output.labels
    return Finding(
        place(output),
        f"The loss of {quoted(output)} began at {times(first / constant)} times that of the best constant "
        f"prediction, and is still {times(last / constant)} times as large: the targets, from {labels.min:.3g} to "
        f"{labels.max:.3g}, are far smaller than the outputs of an untrained layer.",
        severity="warning",
        blames=("preprocessing", "loss"),
        evidence={"first loss over that of a constant": first / constant, "now": last / constant},
        remedy="Scale the targets: y = (y - y.mean()) / y.std(), and scale the predictions back.",
        remedies=(remedy("standardize-targets"),),
        refute="The loss falls under that of the best constant prediction with the targets as they are.",
        confidence=0.8,
    )


def _look(output: Output, updates: int) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    if updates:
        return NotMeasured(place(output), f"the model has had {counted(updates, 'update')} before", applies=False)
    loss = loss_of(output)
    value, explained = loss.value, loss.silent or loss.heeds_wild_labels
    if explained or (takes(output) == "probabilities" and escapes(output)):
        return healthy(output)
    if not is_cross_entropy(output) or value is None or output.weights.given:
        return healthy(output)
    classes = output.width if over(output) == "classes" else 2
    guess = math.log(max(classes, 2))
    if LOW * guess <= value <= HIGH * guess:
        return healthy(output)
    return Finding(
        place(output),
        f"The loss of {quoted(output)} is {value:.3g} before any training; a uniform guess among {classes} has "
        f"{guess:.3g}.",
        severity="note",
        blames=("initialization", "loss"),
        evidence={"loss": value, "loss of a uniform guess": guess},
        remedy="Scale the inputs to unit variance, or start the output layer near 0."
        if value > guess
        else "Compute the loss of a few samples by hand and compare.",
        remedies=(remedy("standardize-inputs"),) if value > guess else (),
        refute="The loss is that of a uniform guess once the output layer's kernel is set to zeros.",
        confidence=0.5,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=("unfinished-training", "constant-predictions", "large-updates"),
)
