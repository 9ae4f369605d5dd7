"""How far one optimizer update moves the kernels, as a share of their size.

Only kernels count: a bias starts at 0 and a gain at 1, so the size of their updates says little. Each observation is
summed up by the median over kernels, which one odd layer does not sway.
"""

from __future__ import annotations

import numpy as np

from diagnose.rules.evidence.audited_output import outputs, takes
from diagnose.rules.evidence.case import Case
from diagnose.run.run import EMPTY, Run, Series

GOOD = 1e-3  # a rule of thumb: Karpathy, CS231n notes, "Ratio of weights:updates"
MOST = 100.0  # a guess: after a hundredfold, look again
FALLS = 0.02  # a guess: of the loss in an epoch; as for the outcome's STILL_FALLING
USUAL = 1e-3  # Keras' default of Adam: up to it a rate may be raised at once, however low it was
STRETCH = (
    "Let the rate fall over the whole training: decay_steps count batches, not epochs, and ReduceLROnPlateau needs "
    "patience and min_lr."
)
FAR = 100.0  # a guess: targets a hundred times the unit size that weights and losses are made for


def typical_ratio(case: Case, *, shrunk: bool = True) -> Series:
    """Median over kernels of the update ratio, by step; updates of exactly 0 (skipped, frozen) are left out.

    shrunk: whether kernels that shrank since the start are compared with what they are now, or with their first size.
    """
    run = case.run
    ratios = {name: run.series("update.ratio", name).finite() for name in case.kernels}
    columns = [ratio if shrunk else _against_start(run, name, ratio) for name, ratio in ratios.items()]
    columns = [column for column in columns if len(column)]
    if not columns:
        return EMPTY
    steps = np.concatenate([column.steps for column in columns])
    values = np.concatenate([column.values for column in columns])
    steps, values = steps[values > 0], values[values > 0]
    order = np.lexsort((values, steps))
    steps, values = steps[order], values[order]
    known, starts, counts = np.unique(steps, return_index=True, return_counts=True)
    middle = (values[starts + (counts - 1) // 2] + values[starts + counts // 2]) / 2
    return Series(known, middle)


def _against_start(run: Run, name: str, ratio: Series) -> Series:
    """The update ratio of a kernel by the larger of its size now and at first."""
    size = run.series("weight.rms", name).finite()
    steps, at_ratio, at_size = np.intersect1d(ratio.steps, size.steps, return_indices=True)
    if not len(steps):
        return ratio
    now = size.values[at_size]
    return Series(steps, ratio.values[at_ratio] * now / np.maximum(np.maximum(now, size.values[0]), 1e-300))


def at_rest(run: Run) -> str:
    """Why the learning rate of the last observations is no measure: a warm-up or the end of a schedule; "" if it is."""
    rate = run.series("optimizer.learning_rate").finite().values
    if len(rate) < 2 or rate.max() <= 0:
        return ""
    if rate[-1] < 0.1 * rate.max():
        return "the learning rate has been lowered to under a tenth by a schedule"
    if len(rate) >= 3 and rate[-1] == rate.max() and rate[-1] > rate[-2] > rate[0]:
        return "the learning rate is still warming up"
    return ""


def lowered_early(run: Run) -> tuple[float, float, int] | None:
    """First rate, last rate, and the step by which it had been taken to under a hundredth; None where it was not.

    A schedule is for the whole training: only one that is through by its middle counts, and only while the loss still
    fell, for at rest a rate may be lowered as far as one likes.
    """
    rate = run.series("optimizer.learning_rate").finite()
    high = np.flatnonzero(rate.values > 0.01 * rate.values[:1])
    if not len(high) or high[-1] + 1 >= len(rate):
        return None
    step = int(rate.steps[high[-1] + 1])
    first_fall = int(rate.steps[int(np.argmax(rate.values < 0.5 * rate.values[0]))])
    if step >= (run.facts.steps_seen or int(rate.steps[-1])) / 2 or _settled(run, first_fall):
        return None
    return float(rate.values[0]), float(rate.values[-1]), step


def _settled(run: Run, step: int) -> bool:
    """Whether the loss, of validation where it was logged, fell by under `FALLS` in the last epoch before this step."""
    losses = run.history.get("val_loss") or run.history.get("loss") or []
    steps = run.facts.fit.steps
    epoch = step // steps if steps else 0
    if not 2 <= epoch <= len(losses):
        return False
    before, after = losses[epoch - 2 : epoch]
    return bool(before - after < FALLS * abs(before))


def advised_rate(run: Run, ratio: float) -> str:
    """The learning rate that would bring this update ratio to `GOOD`, as one pastes it; far targets come first."""
    rates = run.series("optimizer.learning_rate").finite().values
    rate = float(rates[-1]) if len(rates) else 0.0
    factor = min(max(GOOD / ratio, 1 / MOST), max(MOST, USUAL / rate if rate else 0.0))
    if rate > 0:
        short = (
            "" if ratio * factor > GOOD / MOST else " That alone is not enough: look at the optimizer's epsilon, too."
        )
        return f"{far_targets(run)}Set learning_rate={rate * factor:.1g} (now {rate:.3g}).{short}"
    verb, by = ("Raise", factor) if factor > 1 else ("Lower", 1 / factor)
    return f"{far_targets(run)}{verb} the learning rate by a factor of {by:.2g}."


def far_targets(run: Run) -> str:
    """What to do first where the targets of a regression are far beyond what steps of a usual size reach; "" if not."""
    for output in outputs(run):
        labels = output.labels
        if labels.given and takes(output) == "values":
            most = max(abs(labels.min or 0.0), abs(labels.max or 0.0))
            if most > FAR:
                return f"Scale the targets, which reach {most:.3g}, first: y = (y - y.mean()) / y.std(). "
    return ""
