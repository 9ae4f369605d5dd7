"""Growing signal: the outputs of the layers get larger from layer to layer.

Sees: `activation.mean` and `activation.std`, which give the size (root mean square) of each hidden activation's output.

Harm: the last layers get inputs so large that their activations saturate or overflow; gradients grow in the same way.

Fires: the size of the last hidden activation's output is over FACTOR times the first's, at 4 of the last 5
observations.

Rests: under LEAST hidden activations; networks with normalization layers, whose sizes are set again on the way, don't
reach it; steps at which not all of an activation's output is finite; a training that learns well (then it is a note).

Remedy: the initialization that suits the activation (he_normal for relu-like, glorot_uniform or lecun_normal for
others), or normalization layers.

Refute: the ratio comes near 1 with that initialization and the metrics are no better.

Source: He et al. (2015), section 2.2: each layer of the wrong scale multiplies the signal once more; the bound is a
guess: eight layers that are each off by 1.8.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.signal import last_against_first
from diagnose.rules.rule import Rule
from diagnose.verdict import Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """The last hidden activation against the first."""
    yield from last_against_first(case, grows=True)


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "saturated-activation",
        "exploding-gradient",
        "thin-headroom",
        "folded-activation",
        "diverging-loss",
        "amplified-gradient",
    ),
    flow="forward",
)
