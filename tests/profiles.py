"""Profiles with less in them than those users get, or with another limit in time, and what the rules found in them."""

from typing import Any

from diagnose.activation.profiling import examined
from diagnose.api import ActivationProfile

AMPLE = 60.0  # seconds: what is found must not depend on what else the machine does


def quick_profile(f: Any, *, dtype: str = "float32", seconds: float = AMPLE) -> ActivationProfile:
    """Without the cost and the finite limits of other dtypes, as at the start of a watched training."""
    return examine_function(f, dtype=dtype, seconds=seconds, quick=True)


def examine_function(
    f: Any, *, dtype: str = "float32", seconds: float = AMPLE, quick: bool = False
) -> ActivationProfile:
    """What the rules say of a function after so many seconds at most."""
    return ActivationProfile(**vars(examined(f, dtype=dtype, seconds=seconds, quick=quick)))


def finding(found: ActivationProfile, rule: str) -> Any:
    """What this rule found."""
    return next(entry for entry in found.findings if entry.rule == rule)


def faults(found: ActivationProfile) -> set[str]:
    """The rules that found more than a note."""
    return {entry.rule for entry in found.findings if entry.severity != "note"}
