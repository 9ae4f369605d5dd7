"""The fair gap: skill on training samples minus that on validation samples, in inference mode, at the same weights."""

from __future__ import annotations

import numpy as np

from diagnose.run.run import Run, Series


def gap_of(run: Run, where: str) -> tuple[Series, Series, Series]:
    """Skill on training samples, on validation samples, and their difference, at the evaluations that took both."""
    train, validation = run.series("skill.train", where).finite(), run.series("skill.validation", where).finite()
    steps, one, other = np.intersect1d(train.steps, validation.steps, return_indices=True)
    high, low = train.values[one], validation.values[other]
    return Series(steps, high), Series(steps, low), Series(steps, high - low)


def outputs_of(run: Run) -> list[str]:
    """Outputs with a skill on training samples and on validation samples."""
    validated = set(run.places("skill.validation"))
    return [where for where in run.places("skill.train") if where in validated]
