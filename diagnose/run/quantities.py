"""Every quantity that a run may hold: its name, meaning, unit and range, in one table.

The documentation of quantities is made from this table, and a test holds every measured name against it. How a number
is computed stands where it is computed (`callbacks.observing`, `callbacks.measuring`, `outcome.scores`), here only what
rules compute again; what it means for the user stands in the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number means.

    meaning: a sentence; `unit`: "" for none; `low`, `high`: the range, ends included (NaN and infinity aside).
    where: what `where` names: "site" (an activation), "variable", "input", "output", "layer", "model" (""), or
        "reference" (a simple model beside it).
    """

    meaning: str
    unit: str
    low: float
    high: float
    where: str


INF = float("inf")

#: Small arrays that a run may hold beside the numbers: their shape, what they are, and what `where` names.
ARRAYS: dict[str, tuple[str, str, str]] = {
    "preactivation.histogram": ("(2, bins)", "centres and counts of the sampled pre-activations", "site"),
    "activation.curve": ("(3, points)", "z, f(z) and f'(z) of the activation over the pre-activations seen", "site"),
    **{
        name.format(side): (shape, text.format(words), "output")
        for side, words in (("train", "training"), ("validation", "validation"))
        for name, shape, text in (
            (
                "classes.{}",
                "(5, classes)",
                "held {} samples at the last evaluation, class by class: its number (of many labels at once, the "
                "label's), samples, those of them predicted correctly, times it was predicted, commonest wrong "
                "prediction (-1: none)",
            ),
            (
                "residuals.{}",
                "(2, bins)",
                "centres and counts of prediction minus target on held {} samples at the last evaluation, in standard "
                "deviations of the targets; the bins at the ends hold what lies beyond",
            ),
        )
    },
}


def _distribution(prefix: str, what: str, where: str) -> dict[str, Quantity]:
    return {
        f"{prefix}.mean": Quantity(f"mean of {what}, over its finite entries", "", -INF, INF, where),
        f"{prefix}.std": Quantity(f"standard deviation of {what}, over its finite entries", "", 0, INF, where),
        f"{prefix}.min": Quantity(f"smallest finite entry of {what}", "", -INF, INF, where),
        f"{prefix}.max": Quantity(f"largest finite entry of {what}", "", -INF, INF, where),
        f"{prefix}.nonfinite": Quantity(
            f"number of entries of {what} that are NaN or infinite", "entries", 0, INF, where
        ),
    }


#: The one table. Whole tensors are reduced inside the shadow step; shares of z come from a sample (about 2,000 entries).
QUANTITIES: dict[str, Quantity] = {
    **_distribution("activation", "the outputs of the activation (a)", "site"),
    "activation.saturated_share": Quantity("share of the pre-activations at which the slope of f is almost 0 "
    "(under 1 % of its largest on the working range), one-sided flatness aside", "", 0, 1, "site"),
    "activation.falling_share": Quantity("share of f's absolute slope, at the pre-activations seen, where f "
    "falls", "", 0, 1, "site"),
    "activation.folds": Quantity("number of turning points of f within the pre-activations seen (0.1 to 99.9 "
    "%)", "turning points", 0, INF, "site"),
    "activation.bend": Quantity("what the best straight line through the points (z, a) seen leaves of a: rms of "
    "the rest over the standard deviation of a; 0: f is straight where it is used", "", 0, 1, "site"),
    "activation.dead_share": Quantity("share of the units whose slope was 0 at every sample of the last (up to) "
    "10 observed batches", "", 0, 1, "site"),
    "activation.constant_share": Quantity("share of the units whose output is the same for all samples of the "
    "batch", "", 0, 1, "site"),
    "activation.spread": Quantity("standard deviation of a over the samples of the batch, relative to rms(a), "
    "averaged over units; 0: all inputs give the same", "", 0, INF, "site"),
    "activation.gate_gain": Quantity("rms(dL/dz) / rms(dL/da): how much of the gradient the activation itself "
    "lets through", "", 0, INF, "site"),
    "activation.gradient_rms": Quantity("rms of dL/da, the gradient that arrives at the "
    "activation", "loss per unit of a", 0, INF, "site"),
    "activation.gradient_nonfinite": Quantity("number of non-finite entries of dL/da", "entries", 0, INF, "site"),
    **_distribution("preactivation", "the inputs of the activation (z)", "site"),
    "preactivation.gradient_nonfinite": Quantity("number of non-finite entries of dL/dz", "entries", 0, INF, "site"),
    "gradient.rms": Quantity("root mean square of the loss gradient of a trainable variable, loss scaling "
    "undone, before clipping; over its finite entries", "loss per unit of weight", 0, INF, "variable"),
    "gradient.nonfinite": Quantity("number of non-finite entries of the gradient of a trainable "
    "variable", "entries", 0, INF, "variable"),
    "gradient.missing": Quantity("1 where the gradient of a trainable variable is None (nothing connects it to "
    "the loss), else 0", "", 0, 1, "variable"),
    "gradient.cosine": Quantity("cosine between the gradient of this observed batch and that of the one before, "
    "over a fixed sample of the entries of all kernels", "", -1, 1, "model"),
    "gradient.kept_share": Quantity("norm of all gradients after the optimizer's clipping over their norm before "
    "it; only where the optimizer clips", "", 0, 1, "model"),
    "weight.rms": Quantity("root mean square of a variable, before the step's update", "", 0, INF, "variable"),
    "weight.nonfinite": Quantity("number of non-finite entries of a variable, before the step's "
    "update", "entries", 0, INF, "variable"),
    "weight.finite": Quantity("whether all variables were finite after this step: 1 at the last step known good, "
    "0 at the first known bad", "", 0, 1, "model"),
    "weight.spectral_norm": Quantity("largest singular value of a kernel, folded to (all axes but the last, last "
    "axis)", "", 0, INF, "variable"),
    "weight.twin_share": Quantity("share of a kernel's columns (last axis) that equal its first column, that one "
    "left out; kernels of two columns or more", "", 0, 1, "variable"),
    "update.ratio": Quantity("rms of one optimizer update over rms of the variable before it, on the same sample "
    "of its entries", "", 0, INF, "variable"),
    "observation.planned": Quantity("1 where a step was observed whatever it cost, for its number; where a run "
    "has such steps, rules judge no other observations", "", 1, 1, "model"),
    "evaluation.planned": Quantity("1 where held samples were evaluated whatever it cost, for the number of the "
    "epoch or at the end; where a run has such steps, rules judge no other evaluations", "", 1, 1, "model"),
    "batch.loss": Quantity("loss of the batch alone (not a running mean), with regularization, in training mode, "
    "before the update", "", -INF, INF, "model"),
    "batch.loss_reported": Quantity("the loss that train_step itself reports for the batch, from metrics set to "
    "zero", "", -INF, INF, "model"),
    "batch.accuracy": Quantity("share of the batch's targets that the training-mode prediction gets "
    "right", "", 0, 1, "output"),
    "batch.size": Quantity("samples in the batch", "samples", 0, INF, "model"),
    "batch.regularization": Quantity("the part of batch.loss that comes from regularizers and add_loss (the sum "
    "of model.losses)", "", -INF, INF, "model"),
    "batch.fingerprint": Quantity("a number that identifies a batch: a hash of their inputs, 0 to "
    "2**48", "", 0, 2.0**48, "model"),
    "batch.seen_again": Quantity("samples of the batch that were met in a planned observation of an earlier "
    "epoch, compared by their inputs; those of several labels within one epoch left out", "samples", 0, INF, "model"),
    "batch.relabelled": Quantity("how many of these came with another label than then", "samples", 0, INF, "model"),
    "batch.repeated": Quantity("samples of the batch that were met in a planned observation of the same "
    "epoch", "samples", 0, INF, "model"),
    "batch.contradicted": Quantity("how many of these had another label then", "samples", 0, INF, "model"),
    "batch.repeated_share": Quantity("share of all samples of planned observations so far that were met before "
    "in the same epoch", "", 0, 1, "model"),
    "validation.samples": Quantity("held validation samples that were compared with those of the "
    "training", "samples", 0, INF, "model"),
    "validation.trained_on": Quantity("how many of these are equal, input by input, to one of a planned "
    "observation", "samples", 0, INF, "model"),
    "batch.majority_share": Quantity("share of the commonest class among the labels of the batch", "", 0, 1, "output"),
    "batch.majority_class": Quantity("number of the commonest class among the labels of the batch; not of many "
    "labels at once", "", 0, INF, "output"),
    "skill.train": Quantity("skill on a held set of training samples, in inference mode: (accuracy - majority "
    "share) / (1 - majority share), or R squared, or, of a single output under a loss that is no squared error, "
    "one minus the loss over that of the best constant prediction; 0: always guessing, 1: "
    "perfect", "", -INF, 1, "output"),
    "skill.balanced": Quantity("skill on the held training samples if every class counted the same: (mean recall "
    "of the classes - 1 / classes) / (1 - 1 / classes)", "", -1, 1, "output"),
    "skill.validation": Quantity("the same skill on validation samples", "", -INF, 1, "output"),
    "skill.validation_renamed": Quantity("skill on validation samples if each predicted class is read as the "
    "class it mostly stands for", "", -INF, 1, "output"),
    "skill.validation_rescaled": Quantity("the skill of a regression on validation samples if each column of the "
    "predictions is put on the line that fits its targets best", "", 0, 1, "output"),
    "skill.reference": Quantity("what a simple model, fitted to the held training samples, reaches on the held "
    "validation samples, in the same skill; by cross-validation on training samples where there are no others. "
    "Of several outputs the name is \"output: model\"", "", -INF, 1, "reference"),
    "targets.shift": Quantity("distance between the medians of the validation and the training targets of a "
    "regression, in widths of the latter (from the 10th to the 90th percentile, over 2.563)", "", 0, INF, "output"),
    "targets.spread": Quantity("width of the validation targets of a regression, in widths of the training "
    "targets", "", 0, INF, "output"),
    "labels.shift": Quantity("half the sum of absolute differences between the class shares of training and "
    "validation labels seen; 0: the same shares", "", 0, 1, "output"),
    "loss.train": Quantity("loss on the held set of training samples, in inference mode, without "
    "regularization", "", -INF, INF, "model"),
    "loss.validation": Quantity("loss on the validation samples kept, in inference mode, without "
    "regularization", "", -INF, INF, "model"),
    "loss.constant": Quantity("loss of the best constant prediction known, on the held set, without "
    "regularization: class shares (or means), as probability and as logit", "", -INF, INF, "model"),
    "prediction.spread": Quantity("standard deviation of the predictions over the samples of the held set, "
    "relative to their rms; 0: the input does not matter", "", 0, INF, "output"),
    "prediction.nonfinite": Quantity("number of non-finite entries among the predictions of the "
    "batch", "entries", 0, INF, "output"),
    "target.nonfinite": Quantity("number of non-finite entries among the targets of the "
    "batch", "entries", 0, INF, "output"),
    "sample_weight.nonfinite": Quantity("number of non-finite entries among the sample weights of the "
    "batch", "entries", 0, INF, "model"),
    "input.nonfinite": Quantity("number of non-finite entries of the input batch", "entries", 0, INF, "input"),
    "input.mean": Quantity("mean of the input batch", "", -INF, INF, "input"),
    "input.std": Quantity("standard deviation of the input batch", "", 0, INF, "input"),
    "input.min": Quantity("smallest finite entry of the input batch", "", -INF, INF, "input"),
    "input.max": Quantity("largest finite entry of the input batch", "", -INF, INF, "input"),
    "input.validation_mean": Quantity("mean of the validation inputs kept", "", -INF, INF, "input"),
    "input.validation_std": Quantity("standard deviation of the validation inputs kept", "", 0, INF, "input"),
    "input.constant_share": Quantity("share of the input's features (last axis) that are the same in all held "
    "training samples", "", 0, 1, "input"),
    "input.same_share": Quantity("share of the held training samples whose input is, number by number, the "
    "commonest one", "", 0, 1, "input"),
    "optimizer.learning_rate": Quantity("learning rate of the optimizer at this step", "", 0, INF, "model"),
    "optimizer.updates": Quantity("optimizer updates so far (not batches: accumulation and skipped steps count "
    "none)", "updates", 0, INF, "model"),
    "optimizer.loss_scale": Quantity("the loss scale of mixed precision", "", 0, INF, "model"),
}  # fmt: skip

#: Measured each time that the held samples are evaluated.
EVALUATED = frozenset(
    {
        "loss.train",
        "loss.validation",
        "skill.train",
        "skill.balanced",
        "skill.validation",
        "skill.validation_renamed",
        "skill.validation_rescaled",
        "prediction.spread",
        "labels.shift",
        "targets.shift",
        "targets.spread",
    }
)
#: Measured for itself, also at steps that were observed: the weights are checked after each, simple models asked once.
BY_ITSELF = frozenset(
    {
        "observation.planned",
        "evaluation.planned",
        "weight.finite",
        "skill.reference",
        "loss.constant",
        "input.constant_share",
        "input.same_share",
        "input.validation_mean",
        "input.validation_std",
        "batch.repeated_share",
        "validation.samples",
        "validation.trained_on",
    }
)


def bend(z: np.ndarray, a: np.ndarray) -> float:
    """What the best straight line through the points (z, a), both (n,), leaves of a, relative to its spread, in [0, 1].

    0 where z or a is constant: nothing bends. NaN without two finite points.

    >>> bend(np.array([-1.0, 0.0, 1.0]), np.array([1.0, 3.0, 5.0])), bend(np.array([-1.0, 0.0, 1.0]), np.array([1, 0, 1]))
    (0.0, 1.0)
    """
    kept = np.isfinite(z) & np.isfinite(a)
    if kept.sum() < 2:
        return float("nan")
    x, y = (values[kept].astype(np.float64) - values[kept].mean(dtype=np.float64) for values in (z, a))
    spreads = float((x @ x) * (y @ y))
    return float(np.sqrt(max(0.0, 1.0 - (x @ y) ** 2 / spreads))) if spreads > 0 else 0.0
