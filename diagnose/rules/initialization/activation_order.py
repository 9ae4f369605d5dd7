"""Activation order: a layer is in front of one that undoes what it does.

Sees: which layer feeds which, and their classes; `gradient.rms` of the biases in front of a BatchNormalization.

Harm: little. A dropout in front of a BatchNormalization makes the variance that it learns in training larger
than in inference; a bias in front of it is subtracted again with the mean, and never changes.

Fires: a dropout whose output reaches a BatchNormalization with no other normalization between; a bias of a layer
that feeds a BatchNormalization, whose gradient stays under NOTHING of its kernel's. Both are notes.

Rests: a bias followed by a nonlinear activation, where it matters; models whose connections between layers are not
known.

Remedy: dropout after the last BatchNormalization; `use_bias=False` in front of one.

Refute: the metrics in inference mode are no better, and no worse without the bias.

Source: Li et al. (2019), "Understanding the disharmony between dropout and batch normalization by variance shift";
Ioffe and Szegedy (2015), section 3.2, for the bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import FEWEST
from diagnose.rules.rule import Rule
from diagnose.run.meta import LayerFacts
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import named

NOTHING = 1e-3  # arithmetic: what is left of a sum of terms that cancel is rounding, 1e-7 of their size in float32

Layers = Mapping[str, LayerFacts]


def judge(case: Case) -> Iterator[Verdict]:
    """Dropouts, then biases, in front of a BatchNormalization."""
    run = case.run
    layers = {layer.path: layer for layer in case.facts.model.layers}
    normalizing = [path for path, layer in layers.items() if layer.class_name == "BatchNormalization"]
    if not layers or (normalizing and not any(layer.inbound is not None for layer in layers.values())):
        yield NotMeasured("", "which layer feeds which is not known")
        return
    dropping = [path for path in layers if any(path in _reaching(layers, norm) for norm in normalizing)]
    biased = [
        path
        for path in dict.fromkeys(path for norm in normalizing for path in layers[norm].inbound or ())
        if path in layers and _idle_bias(run, layers[path])
    ]
    if dropping:
        yield Finding(
            dropping[0],
            f"{named(dropping)} drop{'s' if len(dropping) == 1 else ''} units in front of a BatchNormalization, whose "
            "statistics in training are then not those of inference.",
            severity="note",
            blames=("layers",),
            evidence={"dropout layers": float(len(dropping))},
            remedy="Move dropout after the last BatchNormalization.",
            refute="The metrics in inference mode are no better that way.",
            confidence=0.6,
        )
    if biased:
        yield Finding(
            biased[0],
            f"The bias of {named(biased)} has no effect: the BatchNormalization after it subtracts it with the mean.",
            severity="note",
            blames=("layers",),
            evidence={"layers with such a bias": float(len(biased))},
            remedy="Set use_bias=False there.",
            refute="The bias differs before and after the training.",
            confidence=0.9,
        )
    if not dropping and not biased:
        yield Healthy("")


def _reaching(layers: Layers, norm: str) -> set[str]:
    """Dropouts whose output reaches this layer with no other normalization between."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [*(layers[norm].inbound or ())]
    while waiting:
        path = waiting.pop()
        layer = layers.get(path)
        if layer is None or path in seen or "Normalization" in layer.class_name:
            continue
        seen.add(path)
        if "Dropout" in layer.class_name and layer.rate:
            found.add(path)
        waiting.extend(layer.inbound or ())
    return found


def _idle_bias(run: Run, layer: LayerFacts) -> bool:
    """Whether the layer has a bias with no gradient to speak of beside its kernel's."""
    gradients = {name: run.series("gradient.rms", name).finite().values for name in layer.variables}
    biases = [values for name, values in gradients.items() if name.endswith("/bias") and len(values) >= FEWEST]
    kernels = [values for name, values in gradients.items() if not name.endswith("/bias") and len(values)]
    return bool(biases and kernels) and bool(
        np.median(biases[0]) <= NOTHING * max(float(np.median(values)) for values in kernels)
    )


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
)
