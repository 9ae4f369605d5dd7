"""Growing signal: what the layers hand on gets larger from layer to layer.

Sees: `activation.mean` and `activation.std`, which give the size (root mean square) of each hidden activation's output.

Harm: the last layers get inputs far out on their activations' rails, or overflow; gradients grow the same way back.

Fires: the size of the last hidden activation's output is over FACTOR times the first's, at 4 of the last 5
observations.

Rests: under LEAST hidden activations; networks with normalization layers, whose sizes are set again on the way, don't
reach it; a training that learns well (then it is a note).

Remedy: the initialization that suits the activation (he_normal for relu-like, glorot_uniform or lecun_normal for
others), or normalization layers.

Refute: the ratio comes near 1 with that initialization and the training fares no better.

Source: He et al. (2015), section 2.2: each layer of the wrong scale multiplies the signal once more; the bound is a
guess: eight layers that are each off by 1.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from diagnose.counting import counted
from diagnose.layout import Layout
from diagnose.rules._persistence import lasting, recent, too_few
from diagnose.rules._signal import FACTOR, LEAST, hidden_sites, last_over_first, size_of
from diagnose.rules._wording import times
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "activation"
FLOW = "forward"
EXPLAINS = (
    "saturated-activation",
    "exploding-gradient",
    "thin-headroom",
    "folded-activation",
    "diverging-loss",
    "amplified-gradient",
)


def judge(run: Run) -> Iterator[Verdict]:
    """The last hidden activation against the first."""
    names = hidden_sites(run, Layout(run))
    if len(names) < LEAST:
        yield NotMeasured("", f"{counted(len(names), 'hidden activation')} seen; {LEAST} are needed", applies=not names)
        return
    ratio = last_over_first(run, names)
    since = lasting(ratio, ratio.values > FACTOR)
    if len(ratio) < 3:
        yield NotMeasured("", too_few(ratio))
        return
    if since is None:
        yield Healthy("")
        return
    now = recent(ratio)
    sizes = [max(recent(size_of(run, name)), 1e-30) for name in names]
    steps = [above / below for below, above in pairwise(sizes)]
    step = max(steps)
    worst = names[steps.index(step) + 1]
    yield Finding(
        worst,
        f"The signal grows {times(now)} times from `{names[0]}` to `{names[-1]}`, "
        f"most of all at `{worst}` ({times(step)} times).",
        severity="warning",
        blames=("initialization", "activation", "layers"),
        since=since,
        evidence={"last over first": now, "largest change": step},
        remedy="Initialize for the activation (he_normal for relu-like, lecun_normal for selu, glorot_uniform "
        "for tanh-like), or put LayerNormalization between the layers.",
        refute="The ratio comes near 1 with that initialization and the training fares no better.",
        confidence=0.65,
    )
