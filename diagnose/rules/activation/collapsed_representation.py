"""Collapsed representation: a layer has the same output for all inputs.

Sees: `activation.spread`, the standard deviation of a layer's output over the samples of a batch, relative to its size.

Harm: samples that have the same output here cannot be distinguished by any later layer.

Fires: a spread under SAME at a hidden activation, at 4 of the last 5 observations; or one under THIN, and under FADED
of that of the first hidden activation, where the outputs of different samples become more alike from layer to layer.
Reported for the first such layer.

Rests: a training that learns well: at high accuracy, each class collapses to a point (neural collapse), but not all to
one.

Remedy: inputs scaled to about [-1, 1], a lower learning rate, the initialization for the activation; where the outputs
become more alike from layer to layer, skip connections, normalization layers, or fewer layers.

Refute: two very different inputs give outputs of this layer that differ by more than a thousandth.

Source: Schoenholz et al. (2017), "Deep information propagation": the correlation of inputs goes to 1 with depth;
float16 resolves a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized, normalized_everywhere, rate_times
from diagnose.rules.evidence.persistence import lasting, recent
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent, small

SAME = 1e-3  # arithmetic: the resolution of float16
THIN = (
    0.01  # measured: healthy runs stay over 0.019 where they fall under a fifth of the first; benchmarks/diagnosis.py
)
FADED = 0.1  # a guess: nine tenths of what tells the samples apart are lost on the way


def judge(case: Case) -> Iterator[Verdict]:
    """Hidden activations in the order of the calls, up to the first that collapsed."""
    run, layout = case.run, case.layout
    first: Series | None = None
    for where in sorted(
        (where for where in run.places("activation.spread") if layout.hidden(where)), key=layout.position
    ):
        spread = run.series("activation.spread", where).finite()
        if len(spread) < 3:
            continue
        first = spread if first is None else first
        now, begun = recent(spread), recent(first)
        since = lasting(spread, spread.values < SAME)
        if since is not None:
            yield _finding(
                run, where, since, f"{site_name(layout, where)} has the same output for all samples of a batch", now
            )
            return
        since = lasting(spread, spread.values < min(THIN, FADED * begun))
        if since is not None:
            yield _fading(
                layout,
                where,
                since,
                f"{site_name(layout, where)} has nearly the same output for all samples of a batch",
                now,
                begun,
            )
            return
        yield Healthy(where)
    if first is None:
        yield NotMeasured("", "no activation was seen at 3 observations")


def _finding(run: Run, where: str, since: int, what: str, now: float) -> Finding:
    return Finding(
        where,
        f"{what}: it varies by {small(now)} of its rms.",
        severity="warning",
        blames=("initialization", "learning-rate", "activation"),
        since=since,
        evidence={"spread": now},
        remedies=(remedy("standardize-inputs"), rate_times(run, 0.1), initialized(run)),
        refute="Two very different inputs give outputs of this layer that differ by more than a thousandth.",
        confidence=0.65,
    )


def _fading(layout: Layout, where: str, since: int, what: str, now: float, begun: float) -> Finding:
    return Finding(
        where,
        f"{what}: it varies by {small(now)} of its rms, the first hidden activation by {percent(begun)}.",
        severity="warning",
        blames=("activation", "initialization", "layers"),
        since=since,
        evidence={"spread": now, "spread of the first": begun},
        remedies=(
            normalized_everywhere(layout),
            advice("Add skip connections, or leave out half of the layers"),
        ),
        refute="The metrics stay the same with half of the layers.",
        confidence=0.65,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=("constant-predictions", "vanishing-gradient", "zero-gradient", "slow-progress"),
    flow="forward",
)
