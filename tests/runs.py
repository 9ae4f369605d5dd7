"""Runs made by hand, for tests of what shows them: no training is needed to draw one."""

from __future__ import annotations

import numpy as np

from diagnose.api import Diagnosis
from diagnose.run.run import Run
from diagnose.verdict import Finding, NotMeasured

STEPS = np.unique(np.concatenate([np.arange(20), np.linspace(20, 899, 60).astype(int)]))


def _meta(hidden: tuple[str, ...], function: str) -> dict[str, object]:
    def layer(order: int, path: str) -> dict[str, object]:
        variables = [f"{path}/kernel", f"{path}/bias"]
        return {
            "path": path,
            "class": "Dense",
            "order": order,
            "variables": variables,
            "trainable": True,
            "units": 64,
        }

    def site(order: int, path: str) -> dict[str, object]:
        known = {"where": path, "layer": path, "function": function, "role": "hidden", "order": order, "units": 64}
        return {**known, "elementwise": True, "dtype": "float32", "custom": True}

    return {
        "created": "2031-02-03T10:20:30+00:00",
        "versions": {"keras": "3.15.1", "tensorflow": "2.21.0", "python": "3.11.9", "keras-diagnose": "0.1.0"},
        "model": {
            "name": "digits",
            "class": "Sequential",
            "parameters": 12_810,
            "trainable_parameters": 12_810,
            "precision": "float32",
            "layers": [layer(order, path) for order, path in enumerate([*hidden, "output"])],
        },
        "sites": [site(order, path) for order, path in enumerate(hidden)],
        "loss": {"name": "sparse_categorical_crossentropy"},
        "metrics": ["accuracy"],
        "optimizer": {"class": "Adam", "learning_rate": 0.001},
        "fit": {"epochs": 20, "steps": 45},
        "monitor": {"overhead": 0.03, "every": None, "instruments": ["activations", "gradients"]},
        "steps_seen": 900,
        "finished": "completed",
        "task": {"kind": "categorical", "reason": "integer labels", "classes": 10, "majority_share": 0.102},
    }


def sick_run(hidden: tuple[str, ...] = ("dense", "dense_1", "dense_2"), function: str = "tanh_of_fifth_power") -> Run:
    """A network of tanh(x**5) that sits on its flat stretches: z is small in the first layer, then smaller still."""
    rng = np.random.default_rng(7)
    layers = [*hidden, "output"]
    run = Run(_meta(hidden, function))
    run.observed(*STEPS.tolist())
    noise = rng.normal(0, 0.01, len(STEPS))
    for depth, path in enumerate(hidden):
        run.add_column(
            "activation.saturated_share", path, STEPS, np.clip(0.55 + 0.18 * depth + STEPS / 4000 + noise, 0, 1)
        )
        run.add_column("activation.falling_share", path, STEPS, np.zeros(len(STEPS)))
        run.add_column("activation.dead_share", path, STEPS, np.clip(0.1 * depth + STEPS / 3000, 0, 1))
        run.add_column("activation.gate_gain", path, STEPS, 10.0 ** (-0.5 - min(depth, 3) - STEPS / 900))
        run.add_column("preactivation.mean", path, STEPS, noise)
        run.add_column("preactivation.std", path, STEPS, 0.5 / (1 + depth) + noise / 10)
        z = np.linspace(-6, 6, 401)
        run.add_array("activation.curve", path, 0, np.stack([z, np.tanh(z**5), 5 * z**4 * (1 - np.tanh(z**5) ** 2)]))
        for step, spread in ((0, 1.0), (899, 0.45)):
            centres = np.linspace(-3, 3, 61)
            counts = np.round(2000 * np.exp(-((centres * (1 + depth) / spread) ** 2) / 2))
            run.add_array("preactivation.histogram", path, step, np.stack([centres, counts]))
    for depth, path in enumerate(layers):
        for variable, size in ((f"{path}/kernel", 1.0), (f"{path}/bias", 0.3)):
            run.add_column(
                "gradient.rms",
                variable,
                STEPS,
                size * 10.0 ** (1.5 * max(depth - len(hidden), -4)) * np.exp(noise * 20),
            )
            run.add_column("weight.rms", variable, STEPS, 0.1 + STEPS / 90_000)
            run.add_column("update.ratio", variable, STEPS, 1e-3 * np.exp(noise * 30))
    run.add_column("batch.loss", "", STEPS, 2.303 + noise)
    ends = np.arange(44, 900, 45)
    run.add_column("skill.train", "", ends, np.linspace(0, 0.02, 20))
    run.add_column("skill.validation", "", ends, np.linspace(0, 0.01, 20))
    run.add_column("loss.train", "", ends, np.linspace(2.304, 2.27, 20))
    run.add_column("loss.validation", "", ends, np.linspace(2.304, 2.3, 20))
    run.add_column("loss.constant", "", ends, np.full(20, 2.302))
    run.history = {
        "loss": np.linspace(2.31, 2.28, 20).tolist(),
        "val_loss": np.linspace(2.305, 2.3, 20).tolist(),
        "accuracy": np.linspace(0.1, 0.15, 20).tolist(),
        "val_accuracy": np.linspace(0.1, 0.11, 20).tolist(),
    }
    return run


def sick_diagnosis(run: Run | None = None) -> Diagnosis:
    """What a verdict on `sick_run` looks like, with a cause, its consequences, a second cause and a note."""
    cause = Finding(
        "dense_1",
        "91 % of the inputs of `tanh_of_fifth_power` in `dense_1` fall where its slope is almost 0: 0.4 % of "
        "the gradient passes.",
        "critical",
        ("activation", "initialization"),
        0,
        {"saturated share": 0.912, "gate gain": 0.004, "observations": 80},
        "Replace it by `tanh`, or multiply its inputs by 2:\n`lambda x: tanh_of_fifth_power(2 * x)`",
        "The share falls below 50 % when the inputs are doubled.",
        0.92,
        ("vanishing-gradient",),
        ("small-updates",),
        "saturated-activation",
    )
    second = Finding(
        "dense_2",
        "31 % of the units of `dense_2` are dead.",
        "warning",
        ("learning-rate",),
        600,
        {"dead share": 0.31},
        "Halve the learning rate.",
        "Units come back to life.",
        0.6,
        rule="dead-units",
    )
    lost = "The gradient of `dense/kernel` is 1e-6, that of `output/kernel` 0.03."
    vanishing = Finding("dense/kernel", lost, "critical", ("activation",), 3, rule="vanishing-gradient")
    constant = Finding("", "Predictions ignore the input.", "warning", ("layers",), 44, rule="constant-predictions")
    note = Finding("", "The loss is still falling.", "note", ("epochs",), 800, rule="unfinished-training")
    return Diagnosis(
        "not-learning",
        "skill 0.01 on validation samples after 20 epochs: no better than always guessing (accuracy 11 %).",
        "`tanh_of_fifth_power` in `dense_1` passes 0.4 % of the gradient: 91 % of its inputs fall where its slope "
        "is almost 0. Replace it, or multiply its inputs by 2.",
        (cause, second),
        (cause, second, vanishing, constant, note),
        (
            NotMeasured("output", "the loss takes the logits, so no gradient passes the softmax", "blocked-gradient"),
            NotMeasured("", "the model has no recurrent layer", "fading-signal"),
        ),
        run or sick_run(),
        ((vanishing, constant), ()),
    )


def long_run(series: int = 300, observations: int = 3_334) -> Run:
    """A run of about a million measurements."""
    run = sick_run()
    steps = np.arange(observations) * 3
    run.observed(*steps.tolist())
    rng = np.random.default_rng(0)
    for index in range(series):
        quantity = ("gradient.rms", "activation.saturated_share", "activation.gate_gain", "weight.rms")[index % 4]
        run.add_column(quantity, f"block_{index // 4}/dense/{quantity}", steps, rng.uniform(0, 1, observations))
    return run
