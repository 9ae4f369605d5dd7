"""Frozen weights: weights that should be trained do not change, or weights that should stay the same change.

Sees: the model's trainable parameters, and those that layers read without owning them; `update.ratio` of every kernel,
with its `gradient.rms`; where the optimizer got no gradient at all, `optimizer.updates` and `weight.rms`; and
which variables the optimizer was built for.

Harm: the model predicts the same at the end as at the start; or a base that should be kept is changed.

Fires: no trainable parameter at all; or every kernel's update is exactly 0 at 4 of the last 5 observations, while its
gradient times the rate is over RESOLUTION of the weight; or no gradient ever reached the optimizer, its counter stands
still, and so does every weight, over STEPS steps or more. Or `trainable` was changed after a first fit and without
compile: variables that are trainable, that the optimizer was built without, and whose size stays the same to the last
bit; or variables that are not trainable, and move. Or a layer reads trainable variables that no layer owns.

Rests: a frozen base under a head that trains (transfer learning); a gradient so small that its step is lost in
rounding: then the gradient is the cause, and vanishing-gradient reports it.

Remedy: set `layer.trainable = True` and compile again (without compile it has no effect); give the optimizer the
model's variables; look at the learning rate and the loss scale.

Refute: a weight differs before and after a step.

Source: Keras' fit keeps the step that it compiled at its first call until compile is called again (reproduced;
keras-team/keras issue 6405).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import FEWEST, lasting, recent
from diagnose.rules.evidence.updates import USUAL, lowered_early, stretched
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import named

STEPS = 20  # a guess: longer than gradients are ever accumulated before an update
RESOLUTION = 6e-8  # arithmetic: half the spacing of float32 at 1; a smaller step leaves the weight as it was


def judge(case: Case) -> Iterator[Verdict]:
    """Trainable parameters first, then updates."""
    run = case.run
    model = case.facts.model
    if model.trainable_parameters == 0 and (model.parameters or 0) > 0:
        yield Finding(
            "",
            f"None of the model's {model.parameters:,} parameters is trainable.",
            severity="critical",
            blames=("layers",),
            evidence={"trainable parameters": 0.0},
            remedies=(
                remedy(
                    "trainable",
                    value=True,
                    text="Set `layer.trainable = True` for the layers to be trained, and compile again",
                ),
            ),
            refute="A weight differs before and after a step.",
            confidence=0.95,
        )
        return
    if (loose := _loose(run)) is not None:
        yield loose
        return
    if (unheeded := _unheeded(case)) is not None:
        yield unheeded
        return
    moving = [name for name in case.kernels if len(run.series("update.ratio", name).finite()) >= 3]
    if not moving:
        if (since_step := _never_updated(run)) is not None:
            yield _unapplied(since_step)
            return
        yield NotMeasured("", "the updates of no kernel were seen at 3 observations or more")
        return
    since = []
    rates = run.series("optimizer.learning_rate").finite()
    rate = float(rates.values[-1]) if len(rates) else 1.0
    for name in moving:
        ratio = run.series("update.ratio", name).finite()
        step = lasting(ratio, ratio.values == 0)
        if step is None or not _felt(run, name, rate):
            yield Healthy("")
            return
        since.append(step)
    stopped = rate == 0.0
    lowered = lowered_early(run)
    yield Finding(
        "",
        f"No kernel changes ({len(moving)} looked at), though they have gradients"
        + (f"; the learning rate is {rate:.2g}" if stopped or lowered else "")
        + (f", taken down from {lowered[0]:.3g} by step {lowered[2]}." if lowered else "."),
        severity="critical",
        blames=("learning-rate", "optimizer") if stopped or lowered else ("optimizer", "layers"),
        since=lowered[2] if lowered else min(since),
        evidence={"kernels": float(len(moving)), "update ratio": 0.0},
        remedies=stretched(lowered[0])
        if lowered
        else (remedy("learning-rate", value=USUAL, text=f"Set a learning rate over 0, such as {USUAL:g}"),)
        if stopped
        else (advice("Look at the loss scale, at a custom train_step, and at the variables that the optimizer got"),),
        refute="A weight differs before and after a step.",
        confidence=0.9,
    )


def _loose(run: Run) -> Finding | None:
    """A layer with parameters that are none of the model's: a `tf.Variable`, or layers inside a Lambda."""
    found = {layer.path: layer.loose for layer in run.facts.model.layers if layer.loose}
    if not found:
        return None
    where, names = next(iter(found.items()))
    count = sum(map(len, found.values()))
    return Finding(
        where,
        f"`{where}` reads {named(names)}, which the model does not track: "
        f"{'it is' if count == 1 else 'they are'} never "
        "trained or saved.",
        severity="critical",
        blames=("layers",),
        evidence={"variables": float(count)},
        remedy="In a Layer of your own, create them with `self.add_weight(...)`; call layers in the model itself, not "
        "inside a Lambda. What is meant to stay: `trainable = False`.",
        refute="They are among model.trainable_variables.",
        confidence=0.85,
    )


def _unheeded(case: Case) -> Finding | None:
    """What comes of `trainable` changed without compile: the step that was compiled before goes on as it was."""
    run, model = case.run, case.facts.model
    sizes = {name: run.series("weight.rms", name).finite().values for name in model.left_out}
    still = [name for name, values in sizes.items() if len(values) >= FEWEST and len(np.unique(values)) == 1]
    ratios = {name: run.series("update.ratio", name).finite() for name in model.still_trained}
    moved = [name for name, series in ratios.items() if lasting(series, series.values > 0) is not None]
    found = still or moved
    if not found:
        return None
    what = "not moving, though trainable" if still else "moving, though not trainable"
    every = bool(still) and set(case.kernels) <= set(still)
    return Finding(
        found[0],
        f"{what[0].upper()}{what[1:]}: {named(found)}. `trainable` was changed after fit had compiled its step.",
        severity="critical" if every else "warning",
        blames=("layers",),
        evidence={"variables": float(len(found))},
        remedy="Call model.compile(...) again after changing `trainable`, with a new optimizer.",
        refute="The model was compiled after the last change of `trainable`.",
        confidence=0.95,
    )


def _felt(run: Run, name: str, rate: float) -> bool:
    """Whether a step along the gradient would change the weight: it is not lost in rounding.

    A rate of 0 is the fault itself, so there any gradient counts.
    """
    gradient = run.series("gradient.rms", name).finite().values[-5:]
    weight = recent(run.series("weight.rms", name).finite())
    least = RESOLUTION * weight / rate if rate > 0 and np.isfinite(weight) else 0.0
    return bool(np.any(gradient > least))


def _never_updated(run: Run) -> int | None:
    """First step seen, if from then on the optimizer got no gradient and counted no update, and no weight moved."""
    updates = run.series("optimizer.updates").finite()
    weights = [run.series("weight.rms", name).finite() for name in run.places("weight.rms")]
    if run.places("gradient.rms") or len(updates) < FEWEST or updates.steps[-1] - updates.steps[0] < STEPS:
        return None
    if not weights or any(len(np.unique(series.values)) > 1 for series in (updates, *weights)):
        return None
    return int(updates.steps[0])


def _unapplied(since: int) -> Finding:
    return Finding(
        "",
        "No weight changes: the optimizer got no gradient and counts no update.",
        severity="critical",
        blames=("optimizer", "layers"),
        since=since,
        evidence={"updates": 0.0},
        remedy="In your train_step, pass the gradients to the optimizer: "
        "`self.optimizer.apply(gradients, self.trainable_variables)`.",
        refute="A weight differs before and after a step.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "small-updates",
        "constant-predictions",
        "slow-progress",
        "collapsed-representation",
        "unfinished-training",
    ),
)
