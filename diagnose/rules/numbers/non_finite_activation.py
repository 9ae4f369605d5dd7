"""Non-finite activation: a layer's output is NaN or infinite in the forward pass.

Sees: `activation.nonfinite` and `preactivation.nonfinite`, the number of such entries by activation.

Harm: from here on the loss, or the gradient, or both are NaN; the next update makes the weights NaN.

Fires: at the first such entry; the place is the first activation in the order of the calls. If its inputs were finite,
the function itself broke them. The inputs of a recurrent layer's function can't be seen: there it is the function if
all inputs of the model, every activation before the layer and the layer's weights were finite.

Rests: never; outputs and gates count like the rest. A note where
nothing non-finite reaches loss, gradients or weights.

Remedy: for a function that overflows: its built-in form (softplus, log_softmax), or clamp its argument; else smaller
inputs, weights or learning rate.

Refute: the function, called alone on its largest input, returns a finite number.

Source: arithmetic: exp overflows at 88.7 in float32 and at 11.1 in float16.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import clipped, rate_times, replaced
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
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, named


def judge(case: Case) -> Iterator[Verdict]:
    """All activations, the first break of them all."""
    run, layout = case.run, case.layout

    if not run.places("activation.nonfinite"):
        yield NotMeasured("", "no activation was observed")
        return
    found = first_break(run, layout, "activation.nonfinite")
    if found is None:
        yield Healthy("")
    else:
        yield _finding(run, layout, found)


def _finding(run: Run, layout: Layout, found: Break) -> Finding:
    inputs = run.series("preactivation.nonfinite", found.where)
    at = inputs.values[inputs.steps == found.step]
    own = bool(len(at)) and at[0] == 0
    loop = looped(run, found.where) if not len(inputs) and _given_finite(run, layout, found) else []
    finite = own or bool(loop)
    behind = ("gradient.nonfinite", "weight.nonfinite", "prediction.nonfinite")
    looked = [name for name in behind if run.places(name)]
    harmless = bool(looked) and all(first_break(run, layout, name) is None for name in looked)
    name = site_name(layout, found.where)
    if own:
        largest = _largest(run, found)
        many = counted(found.count, "entry")
        message = f"{name} returns NaN or infinity for finite inputs{largest}: {many} {when(found)}."
        change = (
            "Use a form of it that cannot overflow (built-in softplus, log_softmax), "
            "or clamp its argument, e.g. to [-50, 50]."
        )
        blames: tuple[str, ...] = ("activation", "initialization", "learning-rate")
        refute = "The function, called alone on its largest input, returns a finite number."
    elif loop:
        message = (
            f"The output of the recurrent layer `{found.where}` is NaN or infinite for finite inputs and weights: "
            f"{counted(found.count, 'entry')} {when(found)}. The output of {named(loop)} at one time step is an "
            "input of the next."
        )
        change = f"Replace `{loop[0]}` in it by a bounded function such as tanh; else use smaller recurrent weights."
        blames = ("activation", "initialization", "learning-rate")
        refute = f"The same layer with tanh instead of `{loop[0]}` returns NaN or infinity as well."
    else:
        message = (
            f"The input of {name} is already NaN or infinite, {counted(found.count, 'entry')} "
            f"{when(found)}; no activation before it has NaN or infinity."
        )
        message += suspects(run, layout, found.step)
        change = "Look at this layer's weights and inputs"
        change += "." if untrained(run, found.step) else "; lower the learning rate by 10 and clip (`clipnorm=1.0`)."
        blames = ("learning-rate", "activation", "initialization")
        refute = "The weights of this layer are finite at that step."
    safer = (clipped(layout, found.where, 50.0), replaced(run, layout, found.where)) if own else ()
    slower = () if finite or untrained(run, found.step) else (rate_times(run, 0.1), remedy("clipnorm", value=1.0))
    return Finding(
        found.where,
        message,
        severity="note" if harmless else "critical",
        blames=possible(run, found.step, *blames),
        since=found.step,
        evidence=evidence_of(found) | {"inputs": "finite" if finite else "non-finite"},
        remedy=change,
        remedies=(*safer, *slower),
        refute=refute,
        confidence=0.9 if finite else 0.6,
    )


def _given_finite(run: Run, layout: Layout, found: Break) -> bool:
    """Whether all that reached the layer at that step was finite: it is the first activation that broke already."""

    def whole(quantity: str, where: str) -> bool:
        series = run.series(quantity, where)
        return bool((series.values[series.steps == found.step] == 0).all())

    return all(whole("input.nonfinite", where) for where in run.places("input.nonfinite")) and all(
        whole("weight.nonfinite", variable) for variable in layout.variables(found.where)
    )


def _largest(run: Run, found: Break) -> str:
    bounds = []
    for quantity in ("preactivation.min", "preactivation.max"):
        series = run.series(quantity, found.where)
        bounds += [float(value) for value in series.values[series.steps == found.step]]
    return f" (between {min(bounds):.3g} and {max(bounds):.3g})" if len(bounds) == 2 else ""


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=(
        "non-finite-loss",
        "non-finite-gradient",
        "non-finite-weights",
        "hidden-nan",
        "constant-predictions",
        "dead-units",
        "collapsed-loss-scale",
    ),
    flow="forward",
    phase=1,
    at_work="in loops",
)
