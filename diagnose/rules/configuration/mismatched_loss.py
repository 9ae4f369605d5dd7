"""Mismatched loss: output, loss and labels do not fit together.

Sees: what the loss expects, which values the output can reach, and the form of the labels.

Harm: by pair. A squared error on probabilities has a gradient that vanishes where the model is wrong and sure. A binary
cross-entropy on a softmax counts every class for itself, most of them zeros. A softmax can't predict two classes
at once. A hinge expects margins beyond 1, which a probability never reaches. A loss that uses no label teaches nothing
about them, one of the wrong sign makes the predictions as wrong as possible, and one that is least for the same
prediction for all samples teaches that prediction.

Fires: a distance loss on one-hot labels; a binary cross-entropy on a softmax of three or more exclusive classes or of
several at once; a cross-entropy over classes with rows of several ones; a hinge on an output kept in [0, 1]. Critical:
a loss that is the same whatever the labels are (a label smoothing of 1), if it is a cross-entropy or an accuracy is
measured beside it; a loss of the table with its sign turned; a loss of no pair for which one prediction for all samples
has as small a loss as any (labels of 0 and 1), or whose labels only add to the loss (measurements). Where a metric is
measured beside it: a loss of measurements that leaves open which sample has which, or, if they are not learned, their
size or their offset. A loss under DROWNED of another output's, where little is learned of it. A note: a squared error
on a sigmoid with labels 0 and 1.

It is unsure of several 1s where there is one a row on average, and many rows are empty: the labels may be wrongly
built (empty-targets).

Rests: the pairs of the table (binary: sigmoid and binary cross-entropy; one of many: softmax and categorical; many at
once: sigmoids and binary; measurements: linear and MSE, MAE or Huber; in [0, 1]: sigmoid and MSE or binary
cross-entropy; margins: linear or tanh and hinge), inputs as labels (autoencoders), two classes under a softmax (the
same loss either way), and whatever another rule of this part explains. On losses of no pair (contrastive, quantiles,
likelihoods, similarities): their sign is not known. On a turned sign, or one prediction for all, beside other losses or
under a negative loss weight, which may be an adversary's. What would be a warning is a note where the network learned
well and reached what simple models reach: unusual, and harmless there.

Remedy: the pair of the table that fits the labels.

Refute: the recommended pair trains no better from the same start.

Source: the pairing table of the textbooks (Goodfellow et al. 2016, section 6.2.2); keras-team/keras issue 6499.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    healthy,
    is_bounded_to_unit,
    is_cross_entropy,
    is_distribution,
    is_scrambled,
    loss_of,
    outputs,
    over,
    place,
    quoted,
    takes,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Severity, Verdict
from diagnose.wording import percent

LITTLE = 0.25  # a guess: a quarter of what there is to win
DROWNED = 1e-4  # arithmetic: a gradient a hundred times smaller, as the root of a squared error, is noise in the sum
SEVERAL = 0.01  # a guess: rarer, they are slips of labelling
OPEN = {
    "size": "is the same for twice the labels as for the labels: how large they are is not learned",
    "offset": "is the same when a constant is added to all labels: their offset is not learned",
    "which": "is the same when the samples exchange their predictions: which has which label is not learned",
}


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    run = case.run
    alone = sum(output.loss is not None for output in outputs(run)) == 1
    learns = case.outcome.name not in ("not-learning", "hollow-loss")

    def look(output: Output) -> Verdict:
        wrong = _teaches_wrongly(output, alone) or _teaches_in_part(output, learns) or _drowned(case, output)
        return wrong or _look(output)

    yield from each_output(run, look)


def _teaches_wrongly(output: Output, alone: bool) -> Finding | None:
    """What is wrong with a loss that can't teach these labels, whatever the output is; None if nothing is known."""
    labels, loss = output.labels, output.loss
    if loss is None or not labels.given or not labels.varied or loss.takes == "nothing":
        return None
    counted = any(metric.flavours for metric in output.metrics)
    if not loss.heeds_labels and (is_cross_entropy(output) or counted):
        return _finding(
            output,
            "is the same whatever the labels are: nothing about them can be learned",
            "Look for what removes the labels from the loss: a `label_smoothing` of 1 (0.1 is usual), or a "
            "`y_true` that "
            "is never used.",
            0.95,
            "critical",
        )
    if loss.takes_negated and alone and loss.weight > 0:
        return _finding(
            output,
            "has the wrong sign: it is largest where predictions and labels agree",
            "Turn the sign of the loss: training makes it small.",
            0.95,
            "critical",
        )
    if loss.takes_exchanged and not loss.takes_negated:
        return _finding(
            output,
            f"has its arguments exchanged: it is a loss of {loss.takes_exchanged} if predictions come first, and "
            "Keras passes the labels first",
            "Exchange the arguments in the loss: Keras calls it as loss(y_true, y_pred).",
            0.95,
        )
    if loss.one_answer and alone and loss.weight > 0:
        return _finding(
            output,
            "is least for one and the same prediction for all samples, whatever their labels are",
            "Change the loss so that it is least where the prediction equals the label. Often the part for the "
            "other label is missing or has the wrong sign, or a difference is not squared.",
            0.9,
            "critical",
            "For some predictions that follow the labels the loss is lower than for any one prediction for all "
            "samples.",
        )
    return None


def _teaches_in_part(output: Output, learns: bool) -> Finding | None:
    """What the loss leaves open of measurements that are measured in another way, too."""
    loss = output.loss
    left = loss.aim if loss is not None and any(metric.minds for metric in output.metrics) else ""
    if left not in OPEN or output.labels.one_hot or (learns and left != "which"):
        return None
    return _finding(
        output,
        OPEN[left],
        'Compile with a loss that is least where prediction and label agree: `loss="mse"`, or "mae", or "huber".',
        0.75,
    )


def _drowned(case: Case, output: Output) -> Finding | None:
    """A loss that counts for nothing in the sum of all, and an output that learns nothing."""
    parts = {
        other.name: abs(other.loss.value * other.loss.weight)
        for other in outputs(case.run)
        if other.loss is not None and other.loss.value is not None
    }
    largest, name = max(parts, key=lambda part: parts[part], default=""), output.name
    if not 0 < parts.get(name, 0.0) < DROWNED * parts.get(largest, 0.0) or case.skills.train.get(name, 1.0) > LITTLE:
        return None
    return _finding(
        output,
        f"is {parts[name]:.2g}, and that of `{largest}` is {parts[largest]:.2g}: in their sum it hardly counts, "
        "and little is learned of it",
        f"Scale the targets of `{largest}` to unit variance, or weight its loss: "
        f'`loss_weights={{"{largest}": {parts[name] / parts[largest]:.1g}}}` in compile.',
        0.85,
        "critical",
    )


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    labels, width, loss = output.labels, output.width, loss_of(output)
    several = (labels.many_hot or 0.0) > SEVERAL and (labels.row_sum_max or 0) >= 2
    if output.prediction.always_one:
        return healthy(output)
    if (
        takes(output) == "values"
        and width > 1
        and labels.one_hot
        and labels.alignment == "vectors"
        and not labels.is_input
    ):
        softmax = is_distribution(output)
        return _finding(
            output,
            f"compares {'probabilities' if softmax else 'numbers'} with one-hot labels by their distance; its "
            "gradient vanishes where the model is wrong and sure",
            'Compile with `loss="categorical_crossentropy"`'
            + ("." if softmax else f' and end in `Dense({width}, activation="softmax")`.'),
            0.85,
        )
    counts_each = takes(output) == "probabilities" or (takes(output) == "logits" and loss.rescued)
    if counts_each and over(output) == "entries" and is_distribution(output):
        if several:
            return _finding(
                output,
                f"allows several of {width} classes at once, but the rows of probabilities sum to 1",
                f'End in `Dense({width}, activation="sigmoid")`.',
                0.95,
            )
        if labels.one_hot and width >= 3:
            return _finding(
                output,
                f"treats each of {width} exclusive classes separately, though they share one softmax",
                'Compile with `loss="categorical_crossentropy"`.',
                0.9,
            )
    if (
        over(output) == "classes"
        and takes(output) in ("probabilities", "logits")
        and loss.targets == "vectors"
        and several
    ):
        return _finding(
            output,
            f"expects one class of {width}, but {percent(labels.many_hot)} of the label rows have none or several",
            f'End in `Dense({width}, activation="sigmoid")` and compile with `loss="binary_crossentropy"`.',
            0.5 if is_scrambled(output) else 0.95,
        )
    if takes(output) == "margins" and is_bounded_to_unit(output):
        return _finding(
            output,
            "expects margins beyond 1 on both sides of 0, and the output stays in [0, 1]",
            f'End in `Dense({width})` without activation, or compile with `loss="binary_crossentropy"`.',
            0.9,
        )
    if (
        takes(output) == "values"
        and width == 1
        and labels.zero_one
        and not labels.is_input
        and is_bounded_to_unit(output)
    ):
        return _finding(
            output,
            "measures the distance of a probability from labels 0 and 1; its gradient vanishes where the model "
            "is wrong and sure",
            'Compile with `loss="binary_crossentropy"`.',
            0.6,
            "note",
        )
    return healthy(output)


def _finding(
    output: Output, what: str, remedy: str, confidence: float, severity: Severity = "warning", refute: str = ""
) -> Finding:
    labels, loss = output.labels, loss_of(output)
    evidence: dict[str, float | str] = {
        "loss takes": f"{loss.takes_negated}, with its sign turned" if loss.takes_negated else loss.takes,
        "loss is over": loss.over,
        "units": float(output.width),
    }
    if labels.row_sum_max is not None:
        evidence["largest label row sum"] = labels.row_sum_max
    return Finding(
        place(output),
        f"The loss `{loss.name}` on {quoted(output)} {what}.",
        severity=severity,
        blames=("loss", "activation"),
        evidence=evidence,
        remedy=remedy,
        refute=refute or "The recommended loss trains no better from the same start."
        if refute or severity == "critical"
        else "The recommended pair trains no better from the same start.",
        confidence=confidence,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=CONSEQUENCES,
    only_unusual=True,
)
