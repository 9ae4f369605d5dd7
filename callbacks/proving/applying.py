"""Remedies applied to a freshly built program, in place, before its first step is traced: one function a kind.

It changes a layer's attribute or first weights, compiles anew with one argument changed, or wraps the data. `apply`
makes sure that the program differs afterwards, and in nothing that the kind does not change.
"""

from __future__ import annotations

from keras import ops

from diagnose.callbacks.proving import compiled_changes as compiled
from diagnose.callbacks.proving import fit_changes as fit
from diagnose.callbacks.proving import layer_changes as layers
from diagnose.callbacks.proving.data import rebatched
from diagnose.callbacks.proving.program import Apply, NotApplicableError, Program, changes, fingerprint
from diagnose.remedy import Remedy


def apply(program: Program, remedy: Remedy) -> list[str]:
    """Change the program as the remedy says. Gives the names of what differs now, as `fingerprint` has them.

    Of several changes in one, some may be made already.
    Raises NotApplicableError where this program has nothing for it to change, and where something else changed, too.
    """
    if not remedy.automatic:
        raise NotApplicableError("only a person can make this change")
    told: list[str] = []
    for part in remedy.parts:
        function, touches = APPLY[part.kind]
        before = fingerprint(program)
        function(program, part.where, part.value)
        found = changes(before, fingerprint(program))
        if besides := [name for name in found if not name.startswith(touches)]:
            raise NotApplicableError(f"more than this changed: {besides[0]}")
        told += found
    if not told:
        raise NotApplicableError(f"{remedy.text[:1].lower()}{remedy.text[1:]}: it is so already")
    return told


#: For each kind what applies it, and how the names begin of what it may change.
APPLY: dict[str, tuple[Apply, tuple[str, ...]]] = {
    "replace-activation": (layers.of_activation(layers.by_name), ("activation:", "call:")),
    "output-activation": (layers.of_activation(layers.by_name), ("activation:", "call:")),
    "scale-activation-input": (
        layers.of_activation(layers.around(lambda f, z, by: f(by * z))),
        ("activation:", "call:"),
    ),
    "shift-activation-input": (
        layers.of_activation(layers.around(lambda f, z, by: f(z + by))),
        ("activation:", "call:"),
    ),
    "scale-activation-output": (
        layers.of_activation(layers.around(lambda f, z, by: by * f(z))),
        ("activation:", "call:"),
    ),
    "shift-activation-output": (
        layers.of_activation(layers.around(lambda f, z, by: f(z) + by)),
        ("activation:", "call:"),
    ),
    "clip-activation-input": (
        layers.of_activation(layers.around(lambda f, z, to: f(ops.clip(z, *to)))),
        ("activation:", "call:"),
    ),
    "normalize-activation-input": (
        layers.of_activation(layers.around(layers.after_normalization)),
        ("activation:", "call:"),
    ),
    "initializer": (layers.initialized, ("initializer:", "weight:")),
    "scale-kernel": (layers.scaled_kernels, ("initializer:", "weight:")),
    "zero-bias": (layers.zero_bias, ("initializer:", "weight:")),
    "learning-rate": (compiled.rate, ("optimizer:", "fit:callbacks")),
    "constant-learning-rate": (compiled.constant_rate, ("optimizer:", "fit:callbacks")),
    "optimizer": (compiled.other_optimizer, ("optimizer:",)),
    "clipnorm": (compiled.clipped, ("optimizer:",)),
    "weight-decay": (compiled.setting("weight_decay"), ("optimizer:",)),
    "epochs": (fit.argument("epochs"), ("fit:epochs",)),
    "batch-size": (lambda program, _, size: rebatched(program, size), ("fit:x", "fit:batch_size")),
    "early-stopping": (fit.early_stopping, ("fit:callbacks",)),
    "standardize-inputs": (fit.standardized_inputs, ("fit:",)),
    "standardize-targets": (fit.standardized_targets, ("fit:",)),
    "drop-non-finite": (fit.without_non_finite, ("fit:",)),
    "encode-labels": (fit.encoded, ("fit:",)),
    "shuffle": (fit.shuffled, ("fit:x", "fit:shuffle")),
    "class-weight": (fit.class_weight, ("fit:class_weight",)),
    "loss": (compiled.loss, ("loss:", "metric:")),
    "from-logits": (compiled.from_logits, ("loss:",)),
    "metric": (compiled.metric, ("metric:",)),
    "dropout": (layers.dropout, ("rate:",)),
    "regularizers": (layers.regularized, ("regularizer:",)),
    "spectral-norm": (layers.spectral_norm, ("regularizer:",)),
    "trainable": (compiled.trainable, ("trainable:", "optimizer:")),
}
