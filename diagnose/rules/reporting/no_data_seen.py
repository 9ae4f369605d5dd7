"""No data seen: an epoch, or a validation, ran without a single batch.

Sees: the epoch logs, and how many steps were seen.

Harm: nothing is trained or validated, and the zeros that are printed look like a perfect loss and the worst accuracy.

Fires: the training ended without a step; or loss and all metrics of an epoch (or of its validation) are exactly 0;
or, with no metric, a loss of exactly 0 between epochs whose loss is over SURELY.

Rests: a loss of 0 beside a metric that isn't, or where all steps of all epochs were seen, or samples of the first
validation: that has other causes.

Remedy: a dataset or generator that gives `steps_per_epoch` batches in every epoch (`dataset.repeat()`); a validation
set that is not empty and no `validation_steps=0`.

Refute: a batch counter in the generator counts batches in that epoch.

Source: rcmalli/keras-vggface issue 66, tensorflow/tensorflow issue 39465.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

SURELY = 1e-3  # a guess: from one epoch to the next and back, no loss that large falls to exactly 0


def judge(case: Case) -> Iterator[Verdict]:
    """The whole training, then training and validation epochs."""
    run = case.run
    if case.facts.finished == "completed" and case.facts.steps_seen == 0:
        yield _finding("The training ended without a single batch.", "critical", {"steps": 0.0})
        return
    if not run.history.get("loss"):
        yield NotMeasured("", "no epoch has ended")
        return
    train = _empty({name: values for name, values in run.history.items() if not name.startswith("val_")}, "loss")
    validation = _empty({name: values for name, values in run.history.items() if name.startswith("val_")}, "val_loss")
    epochs = len(run.history["loss"])
    planned = case.facts.fit.steps
    if planned and (case.facts.steps_seen or 0) >= planned * epochs:
        train = []
    if 0 in validation and case.facts.task.held_validation_samples:  # kept in the first validation
        validation = []
    for what, empty in (("training", train), ("validation", validation)):
        if empty:
            shown = ", ".join(str(epoch + 1) for epoch in empty[:5]) + (" ..." if len(empty) > 5 else "")
            yield _finding(
                f"No batch was seen in the {what} of {len(empty)} of {epochs} epochs ({shown}): loss and metrics are "
                "exactly 0 there.",
                "critical" if len(empty) == epochs else "warning",
                {"empty epochs": float(len(empty)), "epochs": float(epochs)},
            )
            return
    yield Healthy()


def _empty(logs: dict[str, list[float]], loss: str) -> list[int]:
    """Epochs, counted from 0, in which nothing was seen."""
    losses = logs.get(loss, [])
    others = [values for name, values in logs.items() if name != loss and not name.endswith("learning_rate")]
    found = []
    for epoch, value in enumerate(losses):
        metrics = [values[epoch] for values in others if epoch < len(values)]
        around = [other for other in losses[max(0, epoch - 1) : epoch + 2] if other != 0]
        if value == 0 and (
            all(metric == 0 for metric in metrics) if metrics else bool(around) and min(around) > SURELY
        ):
            found.append(epoch)
    return found


def _finding(message: str, severity: str, evidence: dict[str, float | str]) -> Finding:
    return Finding(
        "",
        message,
        severity="critical" if severity == "critical" else "warning",
        blames=("data",),
        evidence=evidence,
        remedy="Let the dataset give enough batches for every epoch: `dataset.repeat()`, or leave out "
        "`steps_per_epoch`; "
        "look whether the validation set is empty or `validation_steps=0`.",
        refute="A counter in the generator counts batches in that epoch.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="reporting",
    judge=judge,
    explains=(
        "loss-metric-disagreement",
        "plateau",
        "oscillating-loss",
        "unfinished-training",
        "overfitting",
        "suspicious-validation",
        "loss-not-reported",
    ),
)
