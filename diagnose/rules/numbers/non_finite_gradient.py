"""Non-finite gradient: the forward pass is finite and the backward pass is not.

Sees: `gradient.nonfinite` by variable; `activation.gradient_nonfinite` (the gradient that reaches an activation) and
`preactivation.gradient_nonfinite` (the gradient that it passes on), at steps whose activations are finite.

Harm: the next update makes weights NaN, while the loss of this very step still looks fine.

Fires: at the first such step. Where an activation gets a finite gradient and returns a non-finite one, that
activation is the place; so is a recurrent layer that got a finite gradient and whose own variables got another.
Elsewhere it broke between the layer nearest to the loss that it is not finite at and the next one towards the loss; if
the graph knows one layer between the two, that one is the place.

Rests: steps that loss scaling skips: with a loss scale and finite weights it is a note.

Remedy: the double `where`: make the argument safe first, then select. For roots and norms, an epsilon inside the root.
Clipping helps only against a gradient that overflowed because it had grown: the norm of NaN is NaN.

Refute: the slope of the function is finite on all its inputs (`diagnose.profile` looks for that).

Source: the unselected branch of `where` gets 0 * inf = NaN (jax-ml/jax issue 5798, tensorflow/tensorflow
issue 38349).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times, replaced
from diagnose.rules.evidence.first_break import (
    Break,
    evidence_of,
    first_break,
    looped,
    possible,
    suspects,
    untrained,
    when,
)
from diagnose.rules.evidence.gradients import whole_gradient
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Severity, Verdict
from diagnose.wording import counted, named

GROWN = 1e4  # a guess, as for an exploding gradient: no batch is ten thousand times harder than the median one


def judge(case: Case) -> Iterator[Verdict]:
    """The first break of any gradient, and the activation that made it where one was seen to."""
    run, layout = case.run, case.layout
    if not run.places("gradient.nonfinite") and not run.places("preactivation.gradient_nonfinite"):
        yield NotMeasured("", "no gradient was observed")
        return
    makers = _makers(run, layout)
    found = first_break(run, layout, "gradient.nonfinite", backward=True)
    if makers and (found is None or makers[-1][1].step <= found.step):
        yield _made_by(run, layout, [where for where, _ in makers], makers[-1][1])
    elif found is None:
        yield Healthy("")
    else:
        yield _somewhere(run, layout, found)


def _makers(run: Run, layout: Layout) -> list[tuple[str, Break]]:
    """Activations that a finite gradient entered and a non-finite one left, at the first step where any did."""
    found = []
    for where in run.places("activation.gradient_nonfinite"):
        left, arrived = _left(run, layout, where), run.series("activation.gradient_nonfinite", where)
        if len(left) != len(arrived) or not np.array_equal(left.steps, arrived.steps):
            continue
        own = np.flatnonzero((left.values > 0) & ~(arrived.values > 0))
        if len(own):
            before = left.steps[left.steps < left.steps[own[0]]]
            last_good = int(before[-1]) if len(before) else None
            found.append((where, Break(where, int(left.steps[own[0]]), float(left.values[own[0]]), last_good, 1)))
    first = min((broken.step for _, broken in found), default=0)
    return sorted(
        ((where, broken) for where, broken in found if broken.step == first), key=lambda pair: layout.position(pair[0])
    )


def _left(run: Run, layout: Layout, where: str) -> Series:
    """Broken entries of the gradient that leaves a site: of a recurrent layer, those of its own variables."""
    left = run.series("preactivation.gradient_nonfinite", where)
    if len(left) or not looped(run, where):
        return left
    columns = [run.series("gradient.nonfinite", variable) for variable in layout.variables(where)]
    columns = [column for column in columns if len(column) and len(column) == len(columns[0])]
    return Series(columns[0].steps, np.sum([column.values for column in columns], axis=0)) if columns else left


def _made_by(run: Run, layout: Layout, wheres: list[str], broken: Break) -> Finding:
    others = f"; so do {named(wheres[:-1])}" if len(wheres) > 1 else ""
    where = wheres[-1]
    loop = f" on its way back through the time steps of {named(looped(run, where))}" if looped(run, where) else ""
    return Finding(
        where,
        f"{site_name(layout, where)} turns a finite gradient into NaN or infinity{loop}: "
        f"{counted(broken.count, 'entry')} {when(broken)}{others}.",
        severity=_severity(run),
        blames=("activation",),
        since=broken.step,
        evidence=evidence_of(broken) | {"arriving gradient": "finite"},
        remedy="Make the argument safe before selecting: safe = where(mask, z, 0); where(mask, "
        "g(safe), h(z)); an epsilon goes inside a root.",
        remedies=(replaced(run, layout, where),),
        refute="The slope of the function is finite on all its inputs.",
        confidence=0.9,
    )


def _somewhere(run: Run, layout: Layout, found: Break) -> Finding:
    forward = first_break(run, layout, "activation.nonfinite")
    overflow = forward.where if forward is not None and forward.step <= found.step else None
    looked = bool(run.places("activation.nonfinite"))
    how = ", while every activation of that step is finite" if overflow is None and looked else ""
    more = f" and {counted(found.places - 1, 'more variable')}" if found.places > 1 else ""
    last, first = _edges(run, layout, found)
    between = layout.between(first, last) if last else []
    way = (
        f"in {named(between)}"
        if between
        else f"between `{first}` and `{last}`"
        if last
        else "in the loss or the output"
    )
    edge = f" At `{last}` it was still finite; it broke {way}." if last else ""
    severity = _severity(run)
    if severity == "note":
        change = "Nothing to do: loss scaling skips such steps, and lowers the scale."
    elif _grown(run, found):
        rate = "" if untrained(run, found.step) else " and lower the learning rate"
        change = f"Clip the gradient (`clipnorm=1.0`){rate}."
    elif overflow is None:
        change = f"Put an epsilon inside the root, logarithm, norm or division {way}, such as sqrt(x + 1e-7)."
    else:
        change = f"Look first at what is not finite in the forward pass, at `{overflow}`."
    guilty = ("activation", "layers") if last else ("loss", "activation")
    return Finding(
        between[0] if len(between) == 1 else found.where,
        f"The gradient of `{found.where}`{more} is NaN or infinite {when(found)}"
        f"{how}.{edge}{suspects(run, layout, found.step)}",
        severity=severity,
        blames=possible(run, found.step, *(guilty if overflow is None else ("activation", "loss")), "learning-rate"),
        since=found.step,
        evidence=evidence_of(found) | {"variables": float(found.places)},
        remedy=change,
        remedies=(remedy("clipnorm", value=1.0), rate_times(run, 0.1))
        if severity != "note" and _grown(run, found)
        else (),
        refute="A GradientTape over the same batch returns finite gradients.",
        confidence=0.8 if overflow is None and len(between) == 1 else 0.6,
    )


def _edges(run: Run, layout: Layout, found: Break) -> tuple[str, str]:
    """The layers between which it broke: the last finite one on the way back from the loss, and the first that is not.

    The last finite one is "" where there is none, or where it is not known which layer feeds which.
    """
    broken: dict[str, bool] = {}
    for quantity in ("gradient.nonfinite", "activation.gradient_nonfinite", "preactivation.gradient_nonfinite"):
        for where in run.places(quantity):
            series, layer = run.series(quantity, where), layout.layer(where)
            there = series.values[series.steps == found.step]
            if len(there) and layer is not None:
                broken[layer] = broken.get(layer, False) or bool(there[0] > 0)
    first = max((layer for layer in broken if broken[layer]), key=layout.position, default="")
    beyond = [layer for layer in broken if not broken[layer] and layout.feeds(first, layer)]
    return min(beyond, key=layout.position, default=""), first


def _grown(run: Run, found: Break) -> bool:
    """Whether it was so large before that it can have overflowed."""
    sizes = whole_gradient(run, found.where)
    before = sizes.values[sizes.steps < found.step]
    return len(before) > 1 and bool(before[-1] > GROWN * np.median(before))


def _severity(run: Run) -> Severity:
    """A note where loss scaling skipped the step: the weights stayed finite."""
    scaled = bool(run.places("optimizer.loss_scale"))
    broken = any(np.any(run.series("weight.nonfinite", where).values > 0) for where in run.places("weight.nonfinite"))
    return "note" if scaled and not broken else "critical"


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=(
        "non-finite-weights",
        "non-finite-activation",
        "non-finite-loss",
        "hidden-nan",
        "constant-predictions",
        "collapsed-loss-scale",
    ),
    flow="backward",
    phase=3,
)
