"""Broadcast loss: the loss broadcasts labels and predictions of different shapes against each other.

Sees: the shapes, and what the loss gives for the same labels in two shapes.

Harm: labels (n,) minus predictions (n, 1) is a table of n times n differences: every prediction is pulled to the mean
of all labels. The loss falls to their variance and stays there. One label for several units makes them all learn the
same.

Fires: the loss of (n,) labels is that of all pairs and differs from that of (n, 1); or the loss of a batch is that of
all pairs, and not the mean of its samples' alone (the loss itself drops an axis); or a narrower side is repeated over
the other, and every entry is treated alike.

Rests: losses that align the shapes first, as Keras' own do; one target for several quantiles; class numbers.

Remedy: `y = y.reshape(-1, 1)`, or as many columns of labels as the output has units.

Refute: the loss does not change when the labels get the shape of the predictions.

Source: NumPy's rules of broadcasting; keras.losses.Loss does not align what a subclass' call receives.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import CONSEQUENCES, Output, each_output, healthy, place, quoted, untold
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    labels, loss = output.labels, output.loss
    if loss is None or not labels.given:
        return untold(output) or healthy(output)
    given, made = f"(n{_tail(labels.shape)})", f"(n{_tail(output.shape)})"
    if loss.pairs_up is not None and labels.varied:
        return Finding(
            place(output),
            f"The loss `{loss.name}` of {quoted(output)} broadcasts labels of shape {given} against predictions "
            f"of shape {made}: every prediction is pulled to the mean of all labels.",
            severity="critical",
            blames=("loss", "labels"),
            evidence={
                "loss over that of aligned shapes": loss.pairs_up,
                "labels": given,
                "predictions": made,
            },
            remedy=("In" if given == made else "Give the labels a column: `y = y.reshape(-1, 1)`; or, in")
            + "side the loss, `y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))`.",
            remedies=(remedy("encode-labels", value="column"),) if given != made else (),
            refute="The loss stays the same when the labels get the shape of the predictions.",
            confidence=0.98,
        )
    if loss.repeats and not loss.error:
        width = max([output.width, *labels.shape[-1:]])
        return Finding(
            place(output),
            f"{quoted(output)} has shape {made} and its labels have {given}, so the loss `{loss.name}` "
            f"broadcasts: all {width} entries of a row are compared with the same number.",
            severity="warning",
            blames=("loss", "labels", "layers"),
            evidence={"labels": given, "predictions": made},
            remedy=_one_shape(output),
            refute="Labels and predictions have one shape.",
            confidence=0.9,
        )
    return untold(output) or healthy(output)


def _one_shape(output: Output) -> str:
    columns = output.labels.shape[-1] if output.labels.shape else 1
    if output.width == 1:
        return f"Give the output `Dense({columns})`, a unit for each column of the labels."
    sparse = 'compile with `loss="sparse_categorical_crossentropy"` and a softmax'
    return f"Give the output `Dense({columns})`, as the labels have columns; or, if they are class numbers, {sparse}."


def _tail(shape: tuple[int, ...]) -> str:
    return "".join(f", {axis}" for axis in shape) or ","


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "wrong-accuracy-flavour"),
)
