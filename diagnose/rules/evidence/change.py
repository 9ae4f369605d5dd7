"""Remedies that several rules advise, with the places and the numbers of this run in them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from diagnose.remedy import Remedy, advice, remedy, together
from diagnose.rules.evidence.persistence import recent
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.wording import times

BOUNDED = 1.5  # arithmetic: what tanh, softsign and their like return stays within; ReLU and its like leave it
LOPSIDED = 5.0  # a guess: what ELU and GELU return below 0 is less than a fifth of what they return above


def alike(layout: Layout, where: str) -> list[str]:
    """The hidden places with the activation of this one, where it is a function of the user's own; else this alone.

    Such a function is at fault wherever it stands: mended at one place, it goes on spoiling the others.
    """
    site = layout.site(where)
    places = [place for place, other in layout.sites.items() if other.function == site.function]
    hidden = [place for place in places if layout.hidden(place)]
    return hidden if site.custom and where in hidden else [where]


def everywhere(kind: str, text: str, layout: Layout, where: str, value: object = None) -> Remedy:
    """This change at the place and all that are alike. text: with {f} for the activation."""
    places = alike(layout, where)
    swappable = all(_is_swappable(layout, place) for place in places)
    function = layout.site(where).function
    said = text.format(f=f"`{function}`" if function else f"the activation of `{where}`")
    said += f" in {len(places)} layers" if len(places) > 1 else ""
    made = [remedy(kind, place, value, text=said, automatic=swappable) for place in places]
    return replace(together(made), text=said)


def at_each(text: str, made: Iterable[Remedy]) -> Remedy:
    """These changes as one, each of their parts once."""
    parts = {(part.kind, part.where): part for each in made for part in each.parts}
    return replace(together(parts.values()), text=text)


def _is_swappable(layout: Layout, where: str) -> bool:
    """Whether the activation there is that of a layer, and not in a loop or written in a `call`."""
    site = layout.site(where)
    return "@" not in where and site.role != "recurrent" and layout.layer(where) == (site.layer or where)


def replaced(run: Run, layout: Layout, where: str) -> Remedy:
    """The activation of Keras that comes nearest to what this one returned: on both sides of 0 and bounded, or not."""
    low, high = (recent(run.series(f"activation.{end}", where).finite()) for end in ("min", "max"))
    to = "tanh" if _is_two_sided(run, where) and max(-low, high) <= BOUNDED else "relu"
    if layout.site(where).function == to:
        to = "relu" if to == "tanh" else "leaky_relu"
    return everywhere("replace-activation", f"Replace {{f}} by `{to}`", layout, where, to)


def normalized(layout: Layout, where: str) -> Remedy:
    """Normalization in front of the activation."""
    return everywhere("normalize-activation-input", "Put LayerNormalization in front of {f}", layout, where)


def normalized_everywhere(layout: Layout) -> Remedy:
    """Normalization in front of every hidden activation that is a layer's own."""
    places = [where for where, site in layout.sites.items() if site.role == "hidden" and _is_swappable(layout, where)]
    text = "Put LayerNormalization in front of each hidden activation"
    if not places:
        return advice(text)
    return replace(together(remedy("normalize-activation-input", place) for place in places), text=text)


def larger_batch(run: Run, factor: int) -> tuple[Remedy, ...]:
    """Batches of so many times as many samples; none where their size is not known."""
    sizes = run.series("batch.size").finite().values
    return (remedy("batch-size", value=int(sizes.max()) * factor),) if len(sizes) else ()


def scaled(layout: Layout, where: str, factor: float) -> Remedy:
    """The inputs of the activation times this factor."""
    by = two_digits(factor)
    how = (
        f"Multiply the inputs of {{f}} by {times(by)}" if by >= 1 else f"Divide the inputs of {{f}} by {times(1 / by)}"
    )
    return everywhere("scale-activation-input", how, layout, where, by)


def rate_times(run: Run, factor: float) -> Remedy:
    """Another learning rate, so many times that of now; in words alone where that is not known."""
    now = rate_of(run)
    if now is None:
        how = f"Raise the learning rate by a factor of {times(factor)}"
        return advice(how if factor > 1 else f"Lower the learning rate by a factor of {times(1 / factor)}")
    value = float(f"{now * factor:.1g}")
    return remedy("learning-rate", value=value, text=f"Set learning_rate={value:g} (now {now:.3g})")


def rate_of(run: Run) -> float | None:
    """The learning rate last seen; None where none was, or it is 0."""
    rates = run.series("optimizer.learning_rate").finite().values
    return float(rates[-1]) if len(rates) and rates[-1] > 0 else None


def initialized(run: Run, where: str = "") -> Remedy:
    """The initializer that suits most of the model's activations; for one layer, or for all.

    He et al. (2015) for those that return nothing below 0, Glorot and Bengio (2010) for those on both sides of 0.
    """
    hidden = [site.where for site in run.facts.sites if site.role == "hidden"]
    cut = sum(not _is_two_sided(run, place) for place in hidden)
    return remedy("initializer", where, "he_normal" if 2 * cut > len(hidden) else "glorot_uniform")


def _is_two_sided(run: Run, where: str) -> bool:
    """Whether what the activation returned lies on both sides of 0, about as far."""
    low, high = (recent(run.series(f"activation.{end}", where).finite()) for end in ("min", "max"))
    return low < 0 < high and 1 / LOPSIDED <= -low / high <= LOPSIDED


def clipped(layout: Layout, where: str, limit: float) -> Remedy:
    """The inputs of the activation kept within [-limit, limit]."""
    text = f"Clip the inputs of {{f}} to [-{limit:g}, {limit:g}]"
    return everywhere("clip-activation-input", text, layout, where, [-limit, limit])


def dropped(run: Run) -> tuple[Remedy, ...]:
    """More dropout where the model has some: half-way from each rate to 1."""
    rates = {layer.path: layer.rate for layer in run.facts.model.layers if layer.rate}
    more = [remedy("dropout", path, two_digits((1 + rate) / 2)) for path, rate in rates.items()]
    return (together(more),) if more else ()


def two_digits(value: float) -> float:
    """The value with two digits, as a person would write it; 1 for what is no number."""
    return float(f"{value:.2g}") if math.isfinite(value) and value else 1.0
