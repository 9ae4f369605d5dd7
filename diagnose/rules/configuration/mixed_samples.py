"""Mixed samples: the prediction for a sample depends on the other samples of its batch.

Sees: the predictions for a batch, computed twice in inference mode; the second time half of its samples are others, and
the rest keep their places. How far the predictions for those that stayed move, over the standard deviation of the
output.

Harm: a prediction does not belong to its sample alone. `predict` on one sample, or on batches of another size or order,
returns something else than `fit` and `evaluate` measured; where the samples' features are mixed up, little is learned.

Fires: a prediction moves by more than NOTICED, while the same batch has the same predictions again.

Rests: BatchNormalization in inference, which uses what it kept; models that draw random numbers or keep a state;
outputs over all pairs of samples, and graphs, whose samples are meant to know each other; an output that is a
softmax over the batch (missing-output-activation reports it).

Remedy: compute over axis=-1, never over axis 0; a reshape or transpose must leave the batch axis first.

Refute: a sample alone and the same sample within a batch get the same prediction.

Source: the definition of a prediction; arithmetic, since an independent sample is computed in the same way both times.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import CONSEQUENCES, Output, each_output, healthy, place, quoted
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict

NOTICED = 0.01  # of the standard deviation; measured: 0 without mixing, 0.026 and more with it


def can_follow(finding: Finding, cause: Finding) -> bool:
    """An activation that mixes units or places of one sample leaves the other samples alone."""
    return cause.rule != "mixing-activation" or "batch" in str(cause.evidence.get("mixes", ""))


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output; one finding where one layer mixes the samples for several."""
    run = case.run
    told: set[str] = set()
    for verdict in each_output(run, _look):
        if not isinstance(verdict, Finding) or verdict.where not in told:
            yield verdict
        told.add(verdict.where)


def _look(output: Output) -> Verdict:
    mixes = output.mixes
    if mixes is None:
        return NotMeasured(place(output), "whether its samples are mixed could not be measured")
    if mixes.difference is None:
        return NotMeasured(place(output), "its shape changes with the samples of the batch")
    if mixes.difference <= NOTICED or output.prediction.other_axis == 0:
        return healthy(output)
    by = f" `{mixes.by}` is the first layer that mixes them." if mixes.by else ""
    return Finding(
        mixes.by or place(output),
        f"The prediction of {quoted(output)} for a sample depends on the other samples of its batch: it moves by "
        f"up to {mixes.difference:.2g} standard deviations when those are exchanged.{by}",
        severity="critical",
        blames=("layers", "activation"),
        evidence={"largest change, standard deviations": mixes.difference},
        remedy="Look for axis=0, for a reshape or transpose that moves the batch axis, and for a normalization over "
        "the batch: compute over axis=-1, and let `tf.reshape(x, [tf.shape(x)[0], ...])` keep the samples apart.",
        refute="A sample alone and the same sample within a batch get the same prediction.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(
        *CONSEQUENCES,
        "mismatched-initialization",
        "train-validation-shift",
        "train-eval-gap",
        "memorized-labels",
        "overfitting",
        "suspicious-validation",
    ),
    can_follow=can_follow,
    shows_harm=True,  # the figures of the outcome were taken on batches, and hold for no others
)
