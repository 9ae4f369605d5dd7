"""Small trainings made by a seed: any model, options and data that Keras takes, put together by chance.

`benchmarks/generated_models.py` tries hundreds of them, `tests/test_generated_models.py` a few that cover much.
"""

from __future__ import annotations

from generated.choices import Choices
from generated.comparing import Compared, compared, smaller

__all__ = ["Choices", "Compared", "compared", "smaller"]
