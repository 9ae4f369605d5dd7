"""Unscaled input: the inputs are far larger or smaller than the initial weights expect.

Sees: `input.mean` and `input.std` of the batches, and `preactivation.mean` and `.std` at the first hidden activation;
the sizes of the features that the first layer with a kernel gets, in the audited batch, and what that kernel should
make of them.

Harm: initial weights expect inputs around 0 of size 1; larger ones saturate the first activations and
make the gradients of the first layer as many times too large as they are. A feature a thousand times smaller than
another hardly counts beside it, and its weights get a thousandth of the gradient.

Fires: mean or std of an input over LARGE, and the first hidden activation's inputs suffer: their mean or std is over
SUFFERS at the first observation. In front of a recurrent layer, or without any hidden activation, what the first
kernel should make of its inputs stands for them. Or two features whose sizes are over APART times apart.

Rests: inputs that a layer of the model scales or looks up (Rescaling, Normalization, Embedding): there nothing suffers.
The zeros of a feature do not count for its size, so that rare ones (words, flags) are as large as others.

Remedy: scale the data, each feature by its own: `(x - mean) / std`, `x / 255`, or a Normalization layer in front,
adapted on the training data.

Refute: the metrics are no better with scaled inputs at the same settings.

Source: LeCun et al. (1998), "Efficient backprop", section 4.3; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.audit import Entering
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

LARGE = 10.0  # a guess: ten times the unit size that initializers assume
SUFFERS = 5.0  # a guess: beyond 5 every bounded activation is flat, and a sound start gives about 1
APART = 1000.0  # a guess: a thousandth of the gradient is what counts as vanished between two layers, too
EACH = "x = (x - x.mean(axis=0)) / x.std(axis=0), or a keras.layers.Normalization() adapted on them"


def judge(case: Case) -> Iterator[Verdict]:
    """Each input, with what the first hidden activation makes of it; then the features beside each other."""
    run, layout = case.run, case.layout
    entering = case.facts.audit.entering if case.facts.audit else None
    apart = entering if entering is not None and entering.most > APART * entering.least else None
    if not run.places("input.std") and not entering:
        yield NotMeasured("", "no numeric input was observed")
        return
    site = _first_readable(run, layout)
    reached = _size(run, "preactivation", site) if site else entering.becomes if entering else None
    unscaled = False
    for where in run.places("input.std"):
        if _size(run, "input", where) <= LARGE:
            yield Healthy(where)
        elif reached is None:
            yield NotMeasured(where, "no hidden activation was observed, so the effect of the inputs there isn't known")
        elif reached <= SUFFERS:
            yield Healthy(where)
        else:
            unscaled = True
            yield _large(run, where, site, reached, apart)
    if apart and not unscaled:
        yield _apart(apart)


def _first_readable(run: Run, layout: Layout) -> str:
    """The first hidden activation; "" where there is none, or where a loop, that none is read in, lies before it."""
    loops = {where for where, site in layout.sites.items() if site.role == "recurrent"}
    hidden = {where for where in run.places("preactivation.std") if layout.hidden(where)}
    first = min(loops | hidden, key=layout.position, default="")
    return first if first in hidden else ""


def _large(run: Run, where: str, site: str, reached: float, entering: Entering | None) -> Finding:
    mean, std = float(run.series("input.mean", where).values[0]), float(run.series("input.std", where).values[0])
    gets = f"the first activation, `{site}`, gets" if site else "the first kernel should make of them"
    return Finding(
        where,
        f"The inputs{f' `{where}`' if where else ''} have a mean of {mean:.3g} "
        f"and a standard deviation of {std:.3g}; {gets} {reached:.3g} where about 1 is usual."
        + (f" {_sizes(entering)}." if entering else ""),
        severity="warning",
        blames=("preprocessing",),
        since=int(run.series("input.std", where).steps[0]),
        evidence={"mean": mean, "std": std, "size of z": reached},
        remedy=f"Scale each feature by its own size before fit: {EACH}."
        if entering
        else f"Scale the data before fit: x = (x - {mean:.3g}) / {max(std, 1e-12):.3g}, or "
        "a keras.layers.Normalization() adapted on them.",
        remedies=(remedy("standardize-inputs"),),
        refute="The metrics are no better with scaled inputs at the same settings.",
        confidence=0.75,
    )


def _apart(entering: Entering) -> Finding:
    return Finding(
        entering.where,
        f"The inputs of `{entering.where}` have very different sizes. {_sizes(entering)}: the small ones hardly "
        "count beside the large ones.",
        severity="warning",
        blames=("preprocessing",),
        since=0,
        evidence={"largest feature": entering.most, "smallest feature": entering.least},
        remedy=f"Scale each feature by its own size before fit: {EACH}.",
        remedies=(remedy("standardize-inputs"),),
        refute="The metrics are no better with scaled features at the same settings.",
        confidence=0.6,
    )


def _sizes(entering: Entering) -> str:
    """The largest and the smallest feature in words."""
    return (
        f"Feature {entering.most_at} has an rms of {entering.most:.3g}, feature {entering.least_at} one of "
        f"{entering.least:.3g}"
    )


def _size(run: Run, prefix: str, where: str) -> float:
    """The larger of absolute mean and standard deviation at the first observation."""
    values = [run.series(f"{prefix}.{name}", where).finite().values for name in ("mean", "std")]
    return max((abs(float(column[0])) for column in values if len(column)), default=0.0)


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "saturated-activation",
        "dead-units",
        "folded-activation",
        "blocked-gradient",
        "growing-signal",
        "mismatched-initialization",
        "exploding-gradient",
        "large-updates",
        "vanishing-gradient",
        "diverging-loss",
        "oscillating-loss",
        "collapsed-representation",
        "constant-predictions",
        "thin-headroom",
        "non-finite-activation",
        "non-finite-weights",
        "non-finite-loss",
        "zero-gradient",
    ),
    flow="forward",
)
