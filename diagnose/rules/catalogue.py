"""The catalogue: every rule, listed once, in plain sight. `keras-diagnose rules` prints this list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from diagnose.rules.activation import (
    amplified_gradient,
    blocked_gradient,
    collapsed_representation,
    dead_units,
    fading_signal,
    folded_activation,
    growing_signal,
    linear_use,
    saturated_activation,
    thin_headroom,
)
from diagnose.rules.configuration import (
    accuracy_of_regression,
    broadcast_loss,
    clipped_logits,
    doubled_output_activation,
    empty_targets,
    everything_masked,
    float_labels_in_sparse_loss,
    labels_out_of_range,
    labels_outside_unit_interval,
    logits_thresholded_at_half,
    loss_metric_disagreement,
    mismatched_loss,
    missing_output_activation,
    mixed_samples,
    odd_initial_loss,
    one_class_crossentropy,
    single_unit_softmax,
    unreachable_targets,
    wrong_accuracy_flavour,
)
from diagnose.rules.data import (
    ambiguous_labels,
    changing_labels,
    class_imbalance,
    constant_input,
    constant_predictions,
    leaked_validation,
    repeated_batch,
    tiny_data,
    train_validation_shift,
    unscaled_input,
    unscaled_targets,
    unshuffled_batches,
)
from diagnose.rules.function import (
    badly_scaled_activation,
    constant_activation,
    discontinuous_activation,
    dtype_changing_activation,
    failing_activation,
    flat_activation,
    gradientless_activation,
    impure_activation,
    mixing_activation,
    nan_gradient_activation,
    non_monotonic_activation,
    off_centre_activation,
    overflowing_activation,
    saturating_activation,
    steep_activation,
    unsavable_activation,
    unstable_signal,
    untracked_parameter,
    wrong_gradient_activation,
)
from diagnose.rules.generalization import (
    growing_spectral_norm,
    memorized_labels,
    overfitting,
    overtraining,
    suspicious_validation,
    train_eval_gap,
    unfinished_training,
)
from diagnose.rules.initialization import (
    activation_order,
    doubled_activation,
    heavy_dropout,
    mismatched_initialization,
    missing_nonlinearity,
    symmetric_initialization,
)
from diagnose.rules.numbers import (
    hidden_nan,
    non_finite_activation,
    non_finite_gradient,
    non_finite_input,
    non_finite_loss,
    non_finite_weights,
)
from diagnose.rules.optimizer import (
    choked_clipping,
    collapsed_loss_scale,
    diverging_loss,
    dominant_regularizer,
    exploding_gradient,
    frozen_weights,
    large_updates,
    noisy_gradient,
    oscillating_loss,
    plateau,
    slow_progress,
    small_updates,
    vanishing_gradient,
    zero_gradient,
)
from diagnose.rules.reporting import (
    loss_not_reported,
    no_data_seen,
)
from diagnose.rules.rule import Rule

#: By the parts of the catalogue, in the order of `PARTS`.
ALL_RULES: tuple[Rule, ...] = (
    # What is reported is not what happened
    loss_not_reported.RULE,
    no_data_seen.RULE,
    # Loss, metric, labels and output layer
    single_unit_softmax.RULE,
    one_class_crossentropy.RULE,
    missing_output_activation.RULE,
    doubled_output_activation.RULE,
    logits_thresholded_at_half.RULE,
    accuracy_of_regression.RULE,
    float_labels_in_sparse_loss.RULE,
    wrong_accuracy_flavour.RULE,
    empty_targets.RULE,
    labels_out_of_range.RULE,
    labels_outside_unit_interval.RULE,
    everything_masked.RULE,
    unreachable_targets.RULE,
    broadcast_loss.RULE,
    mismatched_loss.RULE,
    clipped_logits.RULE,
    mixed_samples.RULE,
    odd_initial_loss.RULE,
    loss_metric_disagreement.RULE,
    # The activation function on its own
    failing_activation.RULE,
    flat_activation.RULE,
    saturating_activation.RULE,
    non_monotonic_activation.RULE,
    steep_activation.RULE,
    unstable_signal.RULE,
    badly_scaled_activation.RULE,
    overflowing_activation.RULE,
    nan_gradient_activation.RULE,
    gradientless_activation.RULE,
    wrong_gradient_activation.RULE,
    constant_activation.RULE,
    discontinuous_activation.RULE,
    off_centre_activation.RULE,
    mixing_activation.RULE,
    impure_activation.RULE,
    untracked_parameter.RULE,
    unsavable_activation.RULE,
    dtype_changing_activation.RULE,
    # The activation at work
    saturated_activation.RULE,
    dead_units.RULE,
    folded_activation.RULE,
    blocked_gradient.RULE,
    amplified_gradient.RULE,
    fading_signal.RULE,
    growing_signal.RULE,
    collapsed_representation.RULE,
    linear_use.RULE,
    thin_headroom.RULE,
    # Gradients, updates, optimizer
    vanishing_gradient.RULE,
    exploding_gradient.RULE,
    zero_gradient.RULE,
    frozen_weights.RULE,
    small_updates.RULE,
    large_updates.RULE,
    oscillating_loss.RULE,
    diverging_loss.RULE,
    slow_progress.RULE,
    plateau.RULE,
    collapsed_loss_scale.RULE,
    noisy_gradient.RULE,
    choked_clipping.RULE,
    dominant_regularizer.RULE,
    # Numbers that break
    non_finite_input.RULE,
    non_finite_activation.RULE,
    non_finite_gradient.RULE,
    non_finite_weights.RULE,
    non_finite_loss.RULE,
    hidden_nan.RULE,
    # Data
    unscaled_input.RULE,
    unscaled_targets.RULE,
    constant_input.RULE,
    changing_labels.RULE,
    ambiguous_labels.RULE,
    leaked_validation.RULE,
    class_imbalance.RULE,
    constant_predictions.RULE,
    repeated_batch.RULE,
    unshuffled_batches.RULE,
    train_validation_shift.RULE,
    tiny_data.RULE,
    # Generalization
    overfitting.RULE,
    memorized_labels.RULE,
    overtraining.RULE,
    unfinished_training.RULE,
    train_eval_gap.RULE,
    suspicious_validation.RULE,
    growing_spectral_norm.RULE,
    # Architecture and initialization
    mismatched_initialization.RULE,
    symmetric_initialization.RULE,
    missing_nonlinearity.RULE,
    doubled_activation.RULE,
    heavy_dropout.RULE,
    activation_order.RULE,
)

#: The part of the catalogue that each rule belongs to, by its name.
PART_OF = {rule.name: rule.part for rule in ALL_RULES}


def rule_named(name: str) -> Rule:
    """The rule of this name, however that is written: "Class imbalance" and "class_imbalance" are class-imbalance.

    Raises ValueError for a name that is no rule's, with those that come near it.

    >>> rule_named("Class imbalance").name
    'class-imbalance'
    """
    known = {rule.name: rule for rule in ALL_RULES}
    wanted = str(name).strip().lower().replace(" ", "-").replace("_", "-")
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else "see the list: keras-diagnose rules"
        raise ValueError(f"there is no rule {name!r}; {hint}")
    return known[wanted]


def rule_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names of rules as they are kept, of one name or several. Raises ValueError as `rule_named` does."""
    return tuple(rule_named(name).name for name in ([names] if isinstance(names, str) else names))
