"""What an output can say at all: its predictions under weights drawn at random show its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from diagnose.outcome.task import is_distribution
from diagnose.run.audit import ReachFacts

PILE = 0.05  # share of entries that must lie at an end for it to be a bound: a sigmoid at gain 16 has some 90 %
WIDE, WILD = 4.0, 16.0  # gains of the weights drawn: a bound is what does not move from the one to the other


def reach_facts(draws: Sequence[tuple[float, np.ndarray]], tolerance: float = 1e-3) -> ReachFacts:
    """What an output can say, from its predictions under weights drawn at random: (gain, predictions) each.

    tolerance: by which a row of probabilities may miss a sum of 1. Draws that hold a number that is not finite are left
    out; a bound needs three of each of the gains `WIDE` and `WILD`.
    """
    finite = [(gain, values) for gain, values in draws if np.isfinite(values).all()]
    if not finite:
        return ReachFacts()
    width = finite[0][1].shape[-1] if finite[0][1].ndim > 1 else 1
    found = ReachFacts(
        draws=len(finite),
        negative=float(np.mean([values.min() < 0 for _, values in finite])),
        escapes=float(np.mean([(values.min() < -1e-3) or (values.max() > 1.001) for _, values in finite])),
        always_one=width == 1 and all((np.abs(values - 1.0) <= 1e-6).all() for _, values in finite),
        distribution=all(is_distribution(values, tolerance) for _, values in finite),
    )
    wide, wild = ([values for gain, values in finite if gain == size] for size in (WIDE, WILD))
    if not len(wide) >= 3 <= len(wild):
        return found
    if not found.always_one:
        lower = _bound([-values for values in wide], [-values for values in wild])
        found = replace(found, lower=None if lower is None else -lower, upper=_bound(wide, wild))
    return _behind_softmax(found, finite, tolerance > 1e-3) if found.distribution else found


def _bound(wide: Sequence[np.ndarray], wild: Sequence[np.ndarray]) -> float | None:
    top, before = max(float(values.max()) for values in wild), max(float(values.max()) for values in wide)
    span = before - min(float(values.min()) for values in wide)
    piled = np.mean([np.mean(values >= top - 0.01 * max(span, 1e-6)) for values in wild])
    return top if span > 0 and abs(top - before) <= 0.02 * span and piled >= PILE else None


def _behind_softmax(found: ReachFacts, draws: Sequence[tuple[float, np.ndarray]], coarse: bool) -> ReachFacts:
    """`found` with what the probabilities tell of the logits: their differences are those of log p.

    coarse: 16 bits a number, so that equal ones mean nothing.
    """
    seen = [(gain, np.log(values)) for gain, values in draws if values.min() > 1e-30]  # below, float32 has no log left
    if not seen:
        return found
    wild, wide = ([logs for gain, logs in seen if gain == size] for size in (WILD, WIDE))
    spans = np.concatenate([np.ptp(logs, axis=-1).ravel() for _, logs in seen])
    everywhere = len(seen) == len(draws)  # logits without bound underflow somewhere at gain 16
    if everywhere and len(wild) >= 3 and spans.max() <= 2.01 and _widest(wild) <= 1.25 * _widest(wide):
        width = seen[0][1].shape[-1]
        inner = [logs + (1.0 - logs.sum(-1, keepdims=True)) / width for _, logs in seen]
        sure = float(np.median(np.concatenate([np.ptp(logs, axis=-1).ravel() for logs in wild])))
        doubled = bool(spans.max() <= 1.001) and all(logs.min() >= -1e-3 for logs in inner) and sure > 0.9
        return replace(found, logit_span=float(spans.max()), doubled=doubled)
    ties: list[float] = []
    for _, logs in seen if not coarse else ():
        count = (logs == logs.min(-1, keepdims=True)).sum(-1)
        ties.append(float(np.mean((count >= 2) & (count < logs.shape[-1]))))
    floor = len(ties) >= 3 and float(np.mean(ties)) >= 0.1  # free logits have no chance of exact ties
    return replace(found, logit_floor=floor)


def _widest(draws: Sequence[np.ndarray]) -> float:
    return max((float(np.ptp(logs, axis=-1).max()) for logs in draws), default=0.0)
