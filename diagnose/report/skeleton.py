"""The beginning of a `build` function for a program that was watched: `prove` needs one, and people have scripts."""

from __future__ import annotations

from diagnose.run.run import Run
from diagnose.wording import one_line

TEMPLATE = '''"""The program for `keras-diagnose prove {file}:build`. Fill in the two places marked by "..."."""

import keras


def build(seed):
    keras.utils.set_random_seed(seed)
    x, y, x_val, y_val = ...  # load the data here, and prepare them as your script does
    model = ...  # make the model here{layers}
    model.compile(
        optimizer=keras.optimizers.{optimizer}({rate}),
        loss={loss!r},
        metrics={metrics!r},
    )
    return model, {{"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": {epochs}}}
'''


def skeleton(run: Run, file: str = "program.py") -> str:
    """A `build` with what is known of the run filled in: layers as a reminder, optimizer, loss, metrics, epochs."""
    facts = run.facts
    rate = facts.optimizer.learning_rate
    layers = [f"{layer.path} ({layer.class_name})" for layer in facts.model.layers]
    metrics = [name for name in facts.metrics if isinstance(name, str) and name not in ("loss", "compile_metrics")]
    return TEMPLATE.format(
        file=file,
        layers="".join(f"\n    # {one_line(layer)}" for layer in layers),
        optimizer=one_line(facts.optimizer.class_name) or "Adam",
        rate="" if rate is None else f"{rate:g}",
        loss=facts.loss.name,
        metrics=metrics or [name for name in run.history if name != "loss" and not name.startswith("val_")],
        epochs=facts.fit.epochs or 10,
    )
