"""Whether a mutant is worse than its program, decided over seeds and without the diagnosis.

A network trained twice differs from itself, so that one worse run proves nothing. As in mutation testing of networks
(Jahangirova & Tonella, ICST 2020; Humbatova, Jahangirova & Tonella, "DeepCrime", ISSTA 2021) a mutant differs where the
scores over several trainings differ with p < 0.05 and an effect size (Cohen's d, pooled) of 0.5. They fit a generalised
linear model to the scores; here it is the paired t-test of scipy, since the same seed gives a mutant the samples and
the shuffling of its program, and what differs between seeds is mostly what samples are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Harm = Literal["harmful", "smaller loss", "unsure", "harmless"]

SIGNIFICANT = 0.05  # DeepCrime's
EFFECT = 0.5  # DeepCrime's: a medium effect
GRAVE = 0.1  # of the skill; what a user would surely notice
ROUNDING = 1e-9  # of skills, which are numbers around 1


@dataclass(frozen=True, slots=True)
class Difference:
    """Two sets of skills, seed by seed.

    lost: share of the program's mean skill that the mutant lacks. p: of the paired t-test. d: Cohen's, above 0 where
    the mutant is worse.
    """

    lost: float
    p: float
    d: float

    @property
    def harm(self) -> Harm:
        """Harmful: surely worse, by a tenth of the skill. Unsure: worse by that on average, yet not on all seeds alike.

        >>> Difference(lost=0.5, p=0.001, d=4.0).harm, Difference(lost=0.05, p=0.001, d=4.0).harm
        ('harmful', 'smaller loss')
        >>> Difference(lost=0.5, p=0.2, d=1.0).harm, Difference(lost=-0.5, p=0.001, d=-4.0).harm
        ('unsure', 'harmless')
        """
        if self.p < SIGNIFICANT and self.d >= EFFECT:
            return "harmful" if self.lost >= GRAVE else "smaller loss"
        return "unsure" if self.lost >= GRAVE else "harmless"


def difference(program: Sequence[float], mutant: Sequence[float]) -> Difference:
    """How much worse the mutant's skills are than the program's, in the same order of seeds.

    A skill that is not finite, or under 0, counts as 0: a network worse than guessing is of no less use than one that
    guesses, and one seed's R squared of -1000 would hide the others in its variance.
    Raises ValueError for fewer than two seeds, and where the program itself has no skill.

    >>> difference([0.8, 0.9, 1.0], [0.4, 0.5, 0.6]).harm  # each the same 0.4 worse
    'harmful'
    """
    if len(program) != len(mutant) or len(program) < 2:
        raise ValueError(f"{len(program)} and {len(mutant)} skills; a test needs the same two or more seeds of both.")
    healthy, other = _skills(program), _skills(mutant)
    if healthy.mean() <= 0:
        raise ValueError("The program itself has no skill, so that nothing can be lost.")
    apart = healthy - other
    lost = float(apart.mean() / healthy.mean())
    if np.ptp(apart) < ROUNDING:  # all seeds differ by the same, and the test would divide by 0
        same = abs(lost) < ROUNDING
        return Difference(lost, p=1.0, d=0.0) if same else Difference(lost, p=0.0, d=float(np.copysign(np.inf, lost)))
    pooled = np.sqrt((healthy.var(ddof=1) + other.var(ddof=1)) / 2)
    return Difference(lost, float(stats.ttest_rel(healthy, other).pvalue), float(apart.mean() / pooled))


def _skills(values: Sequence[float]) -> np.ndarray:
    return np.maximum(np.nan_to_num(np.asarray(values, "float64"), nan=0.0, neginf=0.0), 0.0)
