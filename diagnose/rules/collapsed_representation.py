"""Collapsed representation: a layer gives all inputs the same answer.

Sees: `activation.spread`, the standard deviation of a layer's output over the samples of a batch, relative to its size.

Harm: what was not told apart here can't be told apart behind it.

Fires: a spread under SAME at a hidden activation, at 4 of the last 5 observations; told for the first such layer.

Rests: a training that learns well: at high skill, classes collapse to points (neural collapse), yet not to one.

Remedy: inputs scaled to about [-1, 1], a lower learning rate, the initialization for the activation.

Refute: two very different inputs give outputs of this layer that differ by more than a thousandth.

Source: Schoenholz et al. (2017), "Deep information propagation": the correlation of inputs goes to 1 with depth;
float16 resolves a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.layout import Layout
from diagnose.rules._persistence import lasting, recent
from diagnose.rules._wording import percent, site_name
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "activation"
FLOW = "forward"
EXPLAINS = ("constant-predictions", "vanishing-gradient", "zero-gradient", "slow-progress")

SAME = 1e-3  # arithmetic: the resolution of float16


def judge(run: Run) -> Iterator[Verdict]:
    """Hidden activations in the order of the calls, up to the first that collapsed."""
    layout = Layout(run)
    looked = False
    for where in sorted(
        (where for where in run.places("activation.spread") if layout.hidden(where)), key=layout.position
    ):
        spread = run.series("activation.spread", where).finite()
        if len(spread) < 3:
            continue
        looked = True
        since = lasting(spread, spread.values < SAME)
        if since is None:
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"{site_name(layout, where)} gives all inputs of a batch the same answer: it "
            f"varies by {percent(recent(spread))} of its size.",
            severity="warning",
            blames=("initialization", "learning-rate", "activation"),
            since=since,
            evidence={"spread": recent(spread)},
            remedy="Scale the inputs to about [-1, 1], lower the learning rate, and initialize for the activation.",
            refute="Two very different inputs give outputs of this layer that differ by more than a thousandth.",
            confidence=0.65,
        )
        return
    if not looked:
        yield NotMeasured("", "no activation was seen at 3 observations")
