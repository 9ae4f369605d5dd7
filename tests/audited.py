"""Runs that know one audited output: sound, but for what a test changes."""

from __future__ import annotations

from typing import Any

from diagnose.run.run import Run

METRIC = {"name": "accuracy", "value": 0.25, "flavours": ["argmax"], "deaf": False, "cut": "", "minds": False}


def audited(iterations: int = 0, **parts: dict[str, Any]) -> Run:
    """A run that knows one output: four classes, a softmax, sparse cross-entropy, all sound, but for `parts`."""
    output: dict[str, Any] = {
        "name": "answer",
        "where": "answer",
        "shape": [4],
        "width": 4,
        "prediction": {
            "min": 0.1,
            "max": 0.5,
            "finite": 1.0,
            "unit_interval": True,
            "distribution": True,
            "row_sum": 1.0,
            "always_one": False,
        },
        "reach": {
            "draws": 10,
            "lower": 0.0,
            "upper": 1.0,
            "always_one": False,
            "distribution": True,
            "escapes": 0.0,
            "logit_span": None,
            "logit_floor": False,
            "doubled": False,
        },
        "labels": {
            "given": True,
            "shape": [],
            "dtype": "int64",
            "count": 100,
            "min": 0.0,
            "max": 3.0,
            "finite": 1.0,
            "fractional": 0.0,
            "distinct": 4,
            "alignment": "ids",
            "zero_one": False,
            "plus_minus_one": False,
            "varied": True,
            "is_input": False,
            "unreachable": 0.0,
            "outside": 0.0,
            "outside_refused": False,
        },
        "loss": {
            "name": "loss",
            "value": 1.4,
            "weight": 1.0,
            "error": "",
            "takes": "probabilities",
            "over": "classes",
            "targets": "ids",
            "reason": "",
            "free": 1.4,
            "rescued": False,
            "silent": False,
            "pairs_up": None,
            "repeats": False,
            "heeds_wild_labels": False,
        },
        "mixes": {"difference": 0.0, "by": None},
        "weights": {"given": False, "sum": None},
        "accuracies": {"argmax": 0.25},
        "metrics": [METRIC],
    }
    for name, changes in parts.items():
        output[name] = {**output[name], **changes} if isinstance(changes, dict) and output[name] else changes
    loss = {"value": 1.4, "error": "", "custom": False, "extra": 0}
    return Run({"audit": {"samples": 100, "iterations": iterations, "loss": loss, "outputs": [output]}})


ROWS = {"shape": [4], "alignment": "vectors", "one_hot": True, "many_hot": 0.0, "empty_rows": 0.0}
ROWS |= {"row_sum_min": 1.0, "row_sum_max": 1.0, "zero_one": True, "max": 1.0, "distinct": 2}
OF_ROWS = {"targets": "vectors"}
