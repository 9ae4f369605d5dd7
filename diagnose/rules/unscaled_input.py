"""Unscaled input: the data enter the network far from the size that its weights are made for.

Sees: `input.mean` and `input.std` of the batches, and `preactivation.mean` and `.std` at the first hidden activation.

Harm: initial weights expect inputs around 0 of size 1; larger ones drive the first activations onto their rails and
make the gradients of the first layer as many times too large as they are.

Fires: mean or std of an input over LARGE, and the first hidden activation's inputs suffer: their mean or std is over
SUFFERS at the first observation.

Rests: inputs that a layer of the model scales or looks up (Rescaling, Normalization, Embedding): there nothing suffers.

Remedy: scale the data: `(x - mean) / std`, `x / 255`, or a Normalization layer in front, adapted on the training data.

Refute: the skill is no better with scaled inputs at the same settings.

Source: LeCun et al. (1998), "Efficient backprop", section 4.3; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.layout import Layout
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "data"
FLOW = "forward"
EXPLAINS = (
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
)

LARGE = 10.0  # a guess: ten times the unit size that initializers assume
SUFFERS = 5.0  # a guess: beyond 5 every bounded activation is flat, and a sound start gives about 1


def judge(run: Run) -> Iterator[Verdict]:
    """Each input, with what the first hidden activation makes of it."""
    layout = Layout(run)
    if not run.places("input.std"):
        yield NotMeasured("", "no numeric input was observed")
        return
    sites = sorted((where for where in run.places("preactivation.std") if layout.hidden(where)), key=layout.position)
    if not sites:
        yield NotMeasured("", "no hidden activation was observed, so what the inputs do there isn't known")
        return
    reached = max((_size(run, "preactivation", where) for where in sites[:1]), default=0.0)
    for where in run.places("input.std"):
        size = _size(run, "input", where)
        if size <= LARGE or reached <= SUFFERS:
            yield Healthy(where)
            continue
        mean, std = float(run.series("input.mean", where).values[0]), float(run.series("input.std", where).values[0])
        yield Finding(
            where,
            f"The inputs{f' `{where}`' if where else ''} have a mean of {mean:.3g} "
            f"and a standard deviation of {std:.3g}; "
            f"the first activation, `{sites[0]}`, gets {reached:.3g} where about 1 is sound.",
            severity="warning",
            blames=("preprocessing",),
            since=int(run.series("input.std", where).steps[0]),
            evidence={"mean": mean, "std": std, "size of z": reached},
            remedy=f"Scale the data before fit: x = (x - {mean:.3g}) / {max(std, 1e-12):.3g}, or "
            "a keras.layers.Normalization() adapted on them.",
            refute="The skill is no better with scaled inputs at the same settings.",
            confidence=0.75,
        )


def _size(run: Run, prefix: str, where: str) -> float:
    """The larger of absolute mean and standard deviation at the first observation."""
    values = [run.series(f"{prefix}.{name}", where).finite().values for name in ("mean", "std")]
    return max((abs(float(column[0])) for column in values if len(column)), default=0.0)
