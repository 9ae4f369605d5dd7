"""Short runs made by hand, whose verdict can be worked out on paper."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from diagnose.rules.catalogue import ALL_RULES
from diagnose.rules.evidence.case import Case
from diagnose.run.meta import Facts
from diagnose.run.run import Run
from diagnose.verdict import Finding, Verdict

Values = Sequence[float] | np.ndarray


def run_of(
    series: dict[tuple[str, str] | str, Values] | None = None,
    *,
    layers: Iterable[str] = (),
    steps: Sequence[int] | None = None,
    roles: dict[str, str] | None = None,
    **meta: Any,
) -> Run:
    """A run of a chain of layers, each with one site of its own name.

    series: values by (quantity, where), or by quantity alone for the whole model; taken at the steps 0, 1, 2, ...
    unless `steps` says otherwise (a shorter series takes the first of them). layers: paths in the order of the calls,
    each fed by the one before it, each with the variables kernel and bias. roles: role of a site, "hidden" unless
    said here. Other keys of `Run.meta` are named arguments.
    """
    names = list(layers)
    known = [
        {
            "path": name,
            "class": "Dense",
            "order": order,
            "inbound": names[order - 1 : order] if order else [],
            "variables": [f"{name}/kernel", f"{name}/bias"],
            "trainable": True,
            "units": 10,
        }
        for order, name in enumerate(names)
    ]
    sites = [
        {
            "where": name,
            "layer": name,
            "function": "tanh",
            "role": (roles or {}).get(name, "hidden"),
            "order": order,
            "units": 10,
            "dtype": "float32",
        }
        for order, name in enumerate(names)
    ]
    run = Run({"model": {"layers": known}, "sites": sites, **meta} if names else meta)
    for key, values in (series or {}).items():
        quantity, where = (key, "") if isinstance(key, str) else key
        at = np.arange(len(values)) if steps is None else np.asarray(steps[: len(values)])
        run.add_column(quantity, where, at, np.asarray(values, float))
        run.observed(*at.tolist())
    return run


def gradients(**sizes: list[float]) -> dict[tuple[str, str], list[float]]:
    """Gradients of the kernels of the layers named, with the spectral norms that make them kernels."""
    found: dict[tuple[str, str], list[float]] = {}
    for name, values in sizes.items():
        found[("gradient.rms", f"{name}/kernel")] = values
        found[("weight.spectral_norm", f"{name}/kernel")] = [1.0]
    return found


@contextlib.contextmanager
def changing(run: Run) -> Iterator[dict[str, Any]]:
    """The facts of a run as a dictionary to change; afterwards the run knows what it says."""
    meta = run.meta
    yield meta
    run.facts = Facts.from_dict(meta)


def verdicts(name: str, run: Run) -> list[Verdict]:
    """What the rule of this name says of the run."""
    return list(next(rule for rule in ALL_RULES if rule.name == name).verdicts(Case.of(run)))


def findings(name: str, run: Run) -> list[Finding]:
    """What the rule of this name found."""
    return [verdict for verdict in verdicts(name, run) if isinstance(verdict, Finding)]


def kinds(name: str, run: Run) -> set[str]:
    """The kinds of verdict that the rule gives: "Finding", "Healthy", "NotMeasured"."""
    return {type(verdict).__name__ for verdict in verdicts(name, run)}
