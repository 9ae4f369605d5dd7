"""A watched training is the same training, whatever models and options are put together: a few by chance.

The seeds were chosen for what they cover together; `benchmarks/generated_models.py` tries hundreds.
"""

from __future__ import annotations

import pytest
from generated import compared

SEEDS: dict[int, str] = {}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generated_training_is_the_same_when_it_is_watched(seed):
    found = compared(seed)
    assert found.outcome == "equal", str(found)
    assert found.observations
