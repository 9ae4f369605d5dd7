"""Profiles that take less time than those users get, or stop earlier."""

from typing import Any

from diagnose.activation.profiling import SECONDS, examined
from diagnose.api import ActivationProfile


def quick_profile(f: Any, *, dtype: str = "float32", seconds: float = 3.0) -> ActivationProfile:
    """Without the cost and the finite limits of other dtypes, as at the start of a watched training."""
    return examine_function(f, dtype=dtype, seconds=seconds, quick=True)


def examine_function(
    f: Any, *, dtype: str = "float32", seconds: float = SECONDS, quick: bool = False
) -> ActivationProfile:
    """What the rules say of a function after so many seconds at most."""
    return ActivationProfile(**vars(examined(f, dtype=dtype, seconds=seconds, quick=quick)))
