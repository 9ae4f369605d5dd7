"""A watched training is the same training, whatever models and options are put together: a dozen by chance.

The seeds were chosen for what they cover and for being quick; `benchmarks/generated_models.py` tries hundreds, and
`print(compared(seed))` tells what a seed is.
"""

from __future__ import annotations

import pytest
from generated import compared
from sweeps import quick

#: What takes time and is covered by others.
SHORT = {"fits": "one", "validation": "none", "metrics": "none", "blocks": "1", "head": "1"}
#: By what stands out in them: the seed, and which choices are made plainer for the sake of time.
TRAININGS = {
    "augmented images from workers, a shared layer, a callback that draws": (9, SHORT),
    "images and numbers, two steps an execution, validation": (19, {}),
    "masked sequences and numbers, eager, two monitors, validation": (13, {}),
    "tokens and numbers, eager, bfloat16": (26, SHORT),
    "stateful and eager with a loss of a layer's own and accumulation": (38, SHORT),
    "a subclass, eager, Muon": (39, SHORT),
    "a subclass with two steps an execution, an own schedule and gradient, float64": (11, SHORT),
    "an own step with float16 and a scaled loss": (49, SHORT),
    "two lists of inputs, float16, random data": (46, SHORT),
    "built by the fit, with accumulation": (53, SHORT),
    "a loss that draws, and a step by hand between two fits": (8, {"validation": "none"}),
    "a moving average in a nested model": (17, SHORT),
}


#: Run with each change.
FIRST = {
    "masked sequences and numbers, eager, two monitors, validation",
    "a subclass, eager, Muon",
    "an own step with float16 and a scaled loss",
    "built by the fit, with accumulation",
    "a moving average in a nested model",
}


@pytest.mark.parametrize("training", quick(TRAININGS, first=FIRST))
def test_a_generated_training_is_the_same_when_it_is_watched(training):
    found = compared(*TRAININGS[training])
    assert found.outcome == "equal", str(found)
    assert found.observations
