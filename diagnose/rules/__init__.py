"""The catalogue: one file a rule, listed once, in plain sight.

A rule is a module. Its docstring is its manual page: the first line, "Title: one sentence.", then a paragraph for each
of `STORY_PARTS`. It defines

- `judge(subject) -> Iterator[Verdict]`, where the subject is a `Run`, or an `ActivationProfile` if `SUBJECT` says so;
- `PART`: the part of the catalogue it belongs to, a key of `PARTS`;
- `EXPLAINS` (optional): names of the rules whose findings this one can explain;
- `can_follow(finding, cause) -> bool` (optional): whether a cause that names this rule can have led to this finding.

Thresholds stand in the module as constants, each with its source.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np

from diagnose.verdict import NotMeasured, Verdict

#: Paragraphs that each rule's docstring must have.
STORY_PARTS = ("Sees", "Harm", "Fires", "Rests", "Remedy", "Refute", "Source")

#: The parts of the catalogue. The order is that of ties between causes: the earlier part is shown first.
PARTS = {
    "reporting": "What is reported is not what happened",
    "configuration": "Loss, metric, labels and output layer",
    "function": "The activation function on its own",
    "numbers": "Numbers that break",
    "data": "Data",
    "initialization": "Architecture and initialization",
    "activation": "The activation at work",
    "optimizer": "Gradients, updates, optimizer",
    "generalization": "Generalization",
}

#: Parts whose findings are faults only where harm shows in the outcome.
HARM_MUST_SHOW = frozenset({"function", "activation", "optimizer", "data", "generalization", "initialization"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue, read from its module."""

    name: str
    module: ModuleType

    @property
    def story(self) -> str:
        """The manual page, as plain text."""
        return inspect.cleandoc(self.module.__doc__ or "")

    @property
    def title(self) -> str:
        """First line of the story: "Title: one sentence."."""
        return self.story.split("\n\n", 1)[0].replace("\n", " ")

    @property
    def part(self) -> str:
        """Key of `PARTS`."""
        return str(self.module.PART)

    @property
    def subject(self) -> Literal["run", "profile"]:
        """What the rule judges: a `Run` or an `ActivationProfile`."""
        return getattr(self.module, "SUBJECT", "run")

    @property
    def explains(self) -> tuple[str, ...]:
        """Names of the rules whose findings this one can explain."""
        return tuple(getattr(self.module, "EXPLAINS", ()))

    def verdicts(self, subject: Any) -> list[Verdict]:
        """The rule's verdicts on a subject, each with the rule's name. A rule that fails becomes NotMeasured."""
        found: list[Verdict] = []
        try:
            with np.errstate(all="ignore"):  # a sick run holds NaN and infinity, which compare as they should
                for verdict in self.module.judge(subject):
                    found.append(replace(verdict, rule=self.name))
        except Exception as error:  # one broken rule must not cost the user the other verdicts
            found.append(NotMeasured("", f"the rule itself failed: {type(error).__name__}: {error}", rule=self.name))
        return found


def _rules(*modules: ModuleType) -> tuple[Rule, ...]:
    return tuple(Rule(module.__name__.rsplit(".", 1)[-1].replace("_", "-"), module) for module in modules)


from diagnose.rules import (  # noqa: E402  # the registry stands after what its modules import
    accuracy_of_regression,
    activation_order,
    amplified_gradient,
    badly_scaled_activation,
    blocked_gradient,
    broadcast_loss,
    choked_clipping,
    class_imbalance,
    clipped_logits,
    collapsed_loss_scale,
    collapsed_representation,
    constant_activation,
    constant_input,
    constant_predictions,
    dead_units,
    discontinuous_activation,
    diverging_loss,
    dominant_regularizer,
    doubled_activation,
    doubled_output_activation,
    dtype_changing_activation,
    empty_targets,
    everything_masked,
    exploding_gradient,
    fading_signal,
    failing_activation,
    flat_activation,
    float_labels_in_sparse_loss,
    folded_activation,
    frozen_weights,
    gradientless_activation,
    growing_signal,
    growing_spectral_norm,
    heavy_dropout,
    hidden_nan,
    impure_activation,
    labels_out_of_range,
    labels_outside_unit_interval,
    large_updates,
    linear_use,
    logits_thresholded_at_half,
    loss_metric_disagreement,
    loss_not_reported,
    memorized_labels,
    mismatched_initialization,
    mismatched_loss,
    missing_nonlinearity,
    missing_output_activation,
    mixed_samples,
    mixing_activation,
    nan_gradient_activation,
    no_data_seen,
    noisy_gradient,
    non_finite_activation,
    non_finite_gradient,
    non_finite_input,
    non_finite_loss,
    non_finite_weights,
    non_monotonic_activation,
    odd_initial_loss,
    off_centre_activation,
    one_class_crossentropy,
    oscillating_loss,
    overfitting,
    overflowing_activation,
    overtraining,
    plateau,
    repeated_batch,
    saturated_activation,
    saturating_activation,
    single_unit_softmax,
    slow_progress,
    small_updates,
    steep_activation,
    suspicious_validation,
    symmetric_initialization,
    thin_headroom,
    tiny_data,
    train_eval_gap,
    train_validation_shift,
    unfinished_training,
    unreachable_targets,
    unsavable_activation,
    unscaled_input,
    unshuffled_batches,
    unstable_signal,
    untracked_parameter,
    vanishing_gradient,
    wrong_accuracy_flavour,
    wrong_gradient_activation,
    zero_gradient,
)

#: Every rule, once, by the parts of the catalogue. `keras-diagnose rules` prints this list.
ALL_RULES: tuple[Rule, ...] = _rules(
    # What is reported is not what happened
    loss_not_reported,
    no_data_seen,
    # Loss, metric, labels and output layer
    single_unit_softmax,
    one_class_crossentropy,
    missing_output_activation,
    doubled_output_activation,
    logits_thresholded_at_half,
    accuracy_of_regression,
    float_labels_in_sparse_loss,
    wrong_accuracy_flavour,
    empty_targets,
    labels_out_of_range,
    labels_outside_unit_interval,
    everything_masked,
    unreachable_targets,
    broadcast_loss,
    mismatched_loss,
    clipped_logits,
    mixed_samples,
    odd_initial_loss,
    loss_metric_disagreement,
    # The activation function on its own
    failing_activation,
    flat_activation,
    saturating_activation,
    non_monotonic_activation,
    steep_activation,
    unstable_signal,
    badly_scaled_activation,
    overflowing_activation,
    nan_gradient_activation,
    gradientless_activation,
    wrong_gradient_activation,
    constant_activation,
    discontinuous_activation,
    off_centre_activation,
    mixing_activation,
    impure_activation,
    untracked_parameter,
    unsavable_activation,
    dtype_changing_activation,
    # The activation at work
    saturated_activation,
    dead_units,
    folded_activation,
    blocked_gradient,
    amplified_gradient,
    fading_signal,
    growing_signal,
    collapsed_representation,
    linear_use,
    thin_headroom,
    # Gradients, updates, optimizer
    vanishing_gradient,
    exploding_gradient,
    zero_gradient,
    frozen_weights,
    small_updates,
    large_updates,
    oscillating_loss,
    diverging_loss,
    slow_progress,
    plateau,
    collapsed_loss_scale,
    noisy_gradient,
    choked_clipping,
    dominant_regularizer,
    # Numbers that break
    non_finite_input,
    non_finite_activation,
    non_finite_gradient,
    non_finite_weights,
    non_finite_loss,
    hidden_nan,
    # Data
    unscaled_input,
    constant_input,
    class_imbalance,
    constant_predictions,
    repeated_batch,
    unshuffled_batches,
    train_validation_shift,
    tiny_data,
    # Generalization
    overfitting,
    memorized_labels,
    overtraining,
    unfinished_training,
    train_eval_gap,
    suspicious_validation,
    growing_spectral_norm,
    # Architecture and initialization
    mismatched_initialization,
    symmetric_initialization,
    missing_nonlinearity,
    doubled_activation,
    heavy_dropout,
    activation_order,
)
