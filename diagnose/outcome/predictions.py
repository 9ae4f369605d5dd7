"""Predictions for the held samples, class by class, and how far they miss a number, at the last evaluation of a run.

An accuracy hides which classes are found at all. Whether the classes are worth a look is decided by their numbers here,
not by the name of a finding: where all are found alike and mostly, they tell nothing that the accuracy does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diagnose.outcome.outcome import DECENT, decent
from diagnose.run.run import Run

SIDES = ("train", "validation")
FEW = 5  # samples; arithmetic: five wrong answers of five are chance one time in 30 for a class that is half known
UNEVEN = 0.5  # a guess: a class found half as often as the others is treated as another thing than they are


@dataclass(frozen=True, slots=True)
class ClassPredictions:
    """The predictions for the held samples, class by class; each field is (classes,), int64.

    classes: their numbers; samples: how many are of this class; right: how many of those were found; predicted: how
    often the class was predicted at all; taken_for: the commonest wrong prediction for its samples, -1 without one.
    """

    classes: np.ndarray
    samples: np.ndarray
    right: np.ndarray
    predicted: np.ndarray
    taken_for: np.ndarray

    @property
    def recall(self) -> np.ndarray:
        """Share of each class's samples that were found, (classes,); NaN without samples."""
        return np.where(self.samples > 0, self.right / np.maximum(self.samples, 1), np.nan)

    @property
    def known(self) -> np.ndarray:
        """Which classes have samples enough to judge, (classes,) of bool."""
        return self.samples >= FEW


def class_predictions(run: Run, side: str, where: str = "") -> ClassPredictions | None:
    """The latest predictions of an output for the held samples of a side ("train", "validation"); None without any."""
    tables = [table for table in _tables(run, f"classes.{side}", where, 5) if table.shape[1]]
    return ClassPredictions(*tables[-1].astype(np.int64)) if tables else None


def residuals(run: Run, side: str, where: str = "") -> np.ndarray | None:
    """The latest residuals of a side, (2, bins): centres, in standard deviations of the targets, and counts."""
    tables = [t for t in _tables(run, f"residuals.{side}", where, 2) if t.shape[1] > 1 and t[1].sum() > 0]
    return tables[-1] if tables else None


def _tables(run: Run, quantity: str, where: str, rows: int) -> list[np.ndarray]:
    known = run.arrays(quantity, where).values()
    return [table for table in known if table.ndim == 2 and table.shape[0] == rows and np.isfinite(table).all()]


def outputs_with(run: Run, kind: str) -> tuple[str, ...]:
    """Outputs for which the run holds arrays of a kind ("classes" or "residuals"), in the order they were measured."""
    names = [f"{kind}.{side}" for side in SIDES]
    return tuple(dict.fromkeys(where for quantity, where, _, _ in run.all_arrays() if quantity in names))


def classes_tell(run: Run, where: str = "") -> bool:
    """Whether the classes tell more than the accuracy: on one side they are found badly, or unlike each other."""
    for side in SIDES:
        found = class_predictions(run, side, where)
        if found is None or not found.known.any():
            continue
        recall = found.recall[found.known]
        if recall.mean() < DECENT or recall.min() < UNEVEN * recall.mean():
            return True
    return False


def residuals_tell(run: Run, where: str = "") -> bool:
    """Whether the residuals tell something: on one side the answers are far from good."""
    skills = [run.series(f"skill.{side}", where).finite().values for side in SIDES]
    return any(len(skill) and skill[-1] < decent(run, where) for skill in skills)
