"""What each tapped site is, from the first reading of a shadow step: facts for the run, and its curve."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import keras
import numpy as np

from diagnose.callbacks.observing.reading import MIXES, PlacedFunction, Reading, SiteReading, Sites
from diagnose.callbacks.observing.tensorflow.functions import function_name, identity, is_custom
from diagnose.callbacks.observing.tensorflow.inline_function import InlineFunction
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep
from diagnose.callbacks.observing.tensorflow.site_curves import Question, SiteCurves
from diagnose.callbacks.observing.tensorflow.taps import Tap
from diagnose.run.meta import SiteFacts


def learn_sites(sites: Sites, shadow: ShadowStep, reading: Reading, questions: dict[Hashable, Question]) -> None:
    """Add to `sites` what a shadow step has met and they do not hold yet.

    reading: what the shadow step gave; its first is the one that is needed. questions: see `SiteCurves`.
    """
    curves = sites.curves if isinstance(sites.curves, SiteCurves) else SiteCurves(questions)
    sites.curves = curves
    for order, (tap, read) in enumerate(zip(shadow.taps, reading.sites, strict=True)):
        if tap.where not in sites.facts:
            _learn_site(sites, curves, tap, order, read)
    for where, reason in shadow.missed.items():
        sites.unmeasured.setdefault(where, reason)
    for placed in sorted(shadow.looped, key=lambda placed: placed.gate):
        name = _name_of(sites, placed.function)
        places = sites.inside.setdefault(name, [])
        if placed.where not in places:
            places.append(placed.where)
        if is_custom(placed.function):
            sites.customs.setdefault(name, placed)


def _learn_site(sites: Sites, curves: SiteCurves, tap: Tap, order: int, read: SiteReading) -> None:
    mixing = read.numbers.get("mixing", 0.0)
    reason = curves.learn(tap, read.z if read.z is not None else np.empty(0), read.a, mixing)
    name, custom = _name_of(sites, tap.function), is_custom(tap.function)
    site = SiteFacts(
        where=tap.where,
        layer=tap.layer,
        function=name,
        role="mixing" if tap.role == "hidden" and mixing > MIXES else tap.role,
        elementwise=None if tap.z is None else mixing <= MIXES,
        units=tap.units,
        order=order,
        dtype=tap.a.dtype.name,
        custom=custom,
        into_kernels=tap.into_kernels,
    )
    sites.facts[tap.where] = site
    # What only behaves like an activation, and mixes its inputs or is straight, is most likely something else.
    straight = read.slope is not None and np.ptp(read.slope) == 0 and np.any(read.slope)
    unsure = tap.presumed or isinstance(tap.owner, keras.layers.Lambda)
    if custom and not (unsure and (mixing > MIXES or straight)):
        inline = isinstance(tap.function, InlineFunction)
        placed = PlacedFunction(tap.function, tap.owner, tap.where, tap.a.dtype.name, inline=inline)
        sites.customs.setdefault(name, placed)
    if reason and site.role in ("hidden", "recurrent"):
        sites.unmeasured[tap.where] = reason


def _name_of(sites: Sites, f: Any) -> str:
    """The function's name; two functions of one name (lambdas) are told apart by a number."""
    same = identity(f)
    if same not in sites.names:
        plain = function_name(f)
        taken = sum(name == plain or name.startswith(f"{plain} (") for name in sites.names.values())
        sites.names[same] = f"{plain} ({taken + 1})" if taken else plain
    return sites.names[same]
