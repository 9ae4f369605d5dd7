"""Dead units: units of a layer whose slope is 0 for every sample.

Sees: `activation.dead_share`, the share of a layer's units whose slope was 0 at every sample of the last (up to) 10
observed batches.

Harm: no gradient reaches the weights of a dead unit, so it stays dead; with most of a layer dead, the layers below
it stop learning and the predictions stop depending on the input.

Fires: at least CROWD of the units, at 4 of the last 5 observations. Critical from CRITICAL on.

Rests: zeros as such (70 % of a healthy ReLU layer's outputs are 0); under SAMPLES samples in ten batches, where a unit
can be silent by chance; first layers wider than WIDE, whose sparse inputs leave many units waiting, up to CRITICAL.

Remedy: a lower learning rate, an initialization for this activation (he_normal for ReLU), inputs around 0, or an
activation with a slope on both sides (leaky_relu, elu, gelu).

Refute: a batch on which none of these units outputs only 0, or the share falls by itself when the learning rate is
lowered.

Source: Lu et al. (2019), "Dying ReLU and initialization"; keras-team/keras issue 7057; the bounds are
guesses that healthy trainings stay under at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import everywhere, normalized, rate_times
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

CROWD = 0.2  # measured: 0.03 in the median of healthy runs, 0.3 at most (a note there); benchmarks/calibration.md
CRITICAL = 0.6  # a guess: less than half of the layer is left
SAMPLES = 100  # arithmetic: a unit that fires for one sample in 30 is silent on 100 of them in 1 of 30 cases
WIDE = 1024  # a guess: narrower first layers have few units to spare
BATCHES = 10  # fixed by the quantity


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation by its share of dead units."""
    run, layout = case.run, case.layout
    places = [where for where in run.places("activation.dead_share") if layout.hidden(where)]
    if not places:
        yield NotMeasured("", "no activation was observed")
    size = run.series("batch.size").finite()
    samples = BATCHES * recent(size) if len(size) else float("inf")
    first = min(places, key=layout.position, default="")
    for where in places:
        share = run.series("activation.dead_share", where).finite()
        wide = where == first and (layout.site(where).units or 0) > WIDE
        bound = CRITICAL if wide else CROWD
        since = lasting(share, share.values >= bound)
        if samples < SAMPLES:
            yield NotMeasured(
                where, f"10 batches hold only {counted(samples, 'sample')}; {SAMPLES} are needed to call a unit dead"
            )
        elif len(share) < 3:
            yield NotMeasured(where, too_few(share))
        elif since is None:
            yield Healthy(where)
        else:
            yield _finding(run, layout, where, since)


def _finding(run: Run, layout: Layout, where: str, since: int) -> Finding:
    share = run.series("activation.dead_share", where).finite()
    now, early = recent(share), float(share.values[0])
    units = layout.site(where).units
    born = early >= CROWD
    many = f" ({round(now * units)} of {units})" if units else ""
    layer = layout.layer(where) or where
    lower = rate_times(run, 0.1)
    sloped = everywhere("replace-activation", "Replace {f} by `leaky_relu`", layout, where, "leaky_relu")
    remedies: tuple[Remedy, ...]
    if born:
        remedies = (
            remedy("zero-bias", layer),
            remedy("initializer", layer, "he_normal"),
            remedy("standardize-inputs"),
            sloped,
            lower,
        )
        blames: tuple[str, ...] = ("initialization", "learning-rate", "activation")
    else:
        remedies = (lower, sloped, normalized(layout, where))
        blames = ("learning-rate", "initialization", "activation")
    when = "from the start" if born else f"{percent(early)} at first"
    return Finding(
        where,
        f"{percent(now)} of the units of {site_name(layout, where)}{many} have slope 0 for every sample, {when}.",
        severity="critical" if now >= CRITICAL else "warning",
        blames=blames,
        since=since,
        evidence={"dead share": now, "at first": early},
        remedies=remedies,
        refute="On another batch these units have a slope other than 0, or the share falls at a lower learning rate.",
        confidence=0.85 if now >= CRITICAL else 0.65,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "blocked-gradient",
        "vanishing-gradient",
        "zero-gradient",
        "collapsed-representation",
        "constant-predictions",
        "fading-signal",
        "small-updates",
        "slow-progress",
    ),
    flow="here",
)
