"""Collapsed loss scale: mixed precision skips step after step, so nothing is learned.

Sees: `optimizer.loss_scale` and `optimizer.updates` over time.

Harm: a step whose scaled gradients overflow is skipped and the scale halved; when no scale is small enough, no step is
ever taken.

Fires: the scale is under LEAST, or fell at each of the last FALLS observations, and the updates stand still over them.

Rests: the ordinary growth of the scale and single skips.

Remedy: find what overflows in float16 (the activation's limit is in its profile), keep it in float32
(`dtype="float32"` on that layer), or train in mixed_bfloat16.

Refute: the scale settles and the updates go on.

Source: reproduced with Keras 3.15: the scale falls from 8e-6 to 4e-25 and no weight moves; the same with a floor of 1
in tensorflow/tensorflow issue 38357.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import too_few
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, times

LEAST = 1.0  # arithmetic: below 1 the scale makes gradients smaller, the opposite of its purpose
FALLS = 4  # a guess; the ordinary scale doubles at most every 2,000 steps


def judge(case: Case) -> Iterator[Verdict]:
    """The scale's last observations."""
    run = case.run
    scale, updates = run.series("optimizer.loss_scale").finite(), run.series("optimizer.updates").finite()
    if len(scale) < 3:
        why = too_few(scale) if len(scale) else "no loss scale: the training is not in mixed float16"
        yield NotMeasured("", why, applies=bool(len(scale)) or not run.observations)
        return
    fell = len(scale) > FALLS and bool(np.all(np.diff(scale.values[-FALLS - 1 :]) < 0))
    span = min(len(updates), FALLS + 1)
    still = span < 2 or updates.values[-1] == updates.values[-span]
    if not (scale.values[-1] < LEAST or fell) or not still:
        yield Healthy("")
        return
    falling = np.flatnonzero(np.diff(scale.values) >= 0)
    start = int(falling[-1]) + 1 if len(falling) else 0
    yield Finding(
        "",
        f"The loss scale fell to {times(float(scale.values[-1]))} and every step is skipped: "
        f"{counted(float(updates.values[-1]) if len(updates) else 0, 'update')} so far.",
        severity="critical",
        blames=("optimizer", "activation"),
        since=int(scale.steps[start]),
        evidence={"loss scale": float(scale.values[-1]), "updates": float(updates.values[-1]) if len(updates) else 0.0},
        remedy='Use keras.mixed_precision.set_global_policy("mixed_bfloat16"), or '
        'dtype="float32" for the layer that overflows.',
        refute="The scale settles and the updates go on.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "frozen-weights",
        "small-updates",
        "zero-gradient",
        "constant-predictions",
        "slow-progress",
        "non-finite-gradient",
    ),
)
