"""An activation function examined on its own, by what it does: before any training, without a model.

The one public door to this room. Nothing here loads TensorFlow, pandas or matplotlib before it is called, so a profile
kept in a run file can be read and judged without them (`ActivationProfile.from_dict`).

The way of the data is that of the whole project: `profiling` measures (through `isolation`, which keeps a strange
function from harming anybody, and `calling`), `facts` holds what was seen as frozen records, the rules judge it, and
`text`, `figures` and `page` show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnose.activation.activation_profile import ActivationProfile
    from diagnose.activation.captures import captured_variables
    from diagnose.activation.comparing import Comparison, compare_activations
    from diagnose.activation.profiling import profile, quick_profile
    from diagnose.activation.spec import resolve

__all__ = [
    "ActivationProfile",
    "Comparison",
    "captured_variables",
    "compare_activations",
    "profile",
    "quick_profile",
    "resolve",
]

_HOMES = {
    "ActivationProfile": "activation_profile",
    "Comparison": "comparing",
    "captured_variables": "captures",
    "compare_activations": "comparing",
    "profile": "profiling",
    "quick_profile": "profiling",
    "resolve": "spec",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
