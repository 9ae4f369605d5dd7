"""What an output can say at all: its predictions under weights drawn at random show its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from diagnose.outcome.task import is_distribution

PILE = 0.05  # share of entries that must lie at an end for it to be a bound: a sigmoid at gain 16 has some 90 %
WIDE, WILD = 4.0, 16.0  # gains of the weights drawn: a bound is what does not move from the one to the other


def reach(draws: Sequence[tuple[float, np.ndarray]], tolerance: float = 1e-3) -> dict[str, Any]:
    """What an output can say, from its predictions under weights drawn at random: (gain, predictions) each.

    draws: how many were finite; lower, upper: bounds of its entries, None where none shows; always_one: width 1, and 1
    under any weights; distribution: rows sum to 1 under any weights; escapes: share of the draws that leave [0, 1];
    negative: share of those that hold a number under 0; logit_span: the most by which two logits of a row can differ,
    if that is bounded by 2 or less; logit_floor: logits are cut at the bottom (a ReLU); doubled: the logits are
    themselves a distribution.
    """
    finite = [(gain, values) for gain, values in draws if np.isfinite(values).all()]
    facts: dict[str, Any] = {"draws": len(finite), "lower": None, "upper": None}
    wide = [values for gain, values in finite if gain == WIDE]
    wild = [values for gain, values in finite if gain == WILD]
    if not finite:
        return facts
    width = finite[0][1].shape[-1] if finite[0][1].ndim > 1 else 1
    facts["negative"] = float(np.mean([values.min() < 0 for _, values in finite]))
    enough = len(wide) >= 3 <= len(wild)
    facts["always_one"] = width == 1 and all((np.abs(values - 1.0) <= 1e-6).all() for _, values in finite)
    facts["distribution"] = all(is_distribution(values, tolerance) for _, values in finite)
    facts["escapes"] = float(np.mean([(values.min() < -1e-3) or (values.max() > 1.001) for _, values in finite]))
    if enough and not facts["always_one"]:
        facts["upper"] = _bound(wide, wild)
        lower = _bound([-values for values in wide], [-values for values in wild])
        facts["lower"] = None if lower is None else -lower
    if enough and facts["distribution"]:
        facts |= _behind_softmax(finite, tolerance > 1e-3)
    return facts


def _bound(wide: Sequence[np.ndarray], wild: Sequence[np.ndarray]) -> float | None:
    top, before = max(float(values.max()) for values in wild), max(float(values.max()) for values in wide)
    span = before - min(float(values.min()) for values in wide)
    piled = np.mean([np.mean(values >= top - 0.01 * max(span, 1e-6)) for values in wild])
    return top if span > 0 and abs(top - before) <= 0.02 * span and piled >= PILE else None


def _behind_softmax(draws: Sequence[tuple[float, np.ndarray]], coarse: bool) -> dict[str, Any]:
    """What the probabilities tell of the logits: their differences are those of log p.

    coarse: 16 bits a number, so that equal ones mean nothing.
    """
    seen = [(gain, np.log(values)) for gain, values in draws if values.min() > 1e-30]  # below, float32 has no log left
    wild, wide = ([logs for gain, logs in seen if gain == size] for size in (WILD, WIDE))
    facts: dict[str, Any] = {"logit_span": None, "logit_floor": False, "doubled": False}
    if not seen:
        return facts
    spans = np.concatenate([np.ptp(logs, axis=-1).ravel() for _, logs in seen])
    everywhere = len(seen) == len(draws)  # logits without bound underflow somewhere at gain 16
    if everywhere and len(wild) >= 3 and spans.max() <= 2.01 and _widest(wild) <= 1.25 * _widest(wide):
        facts["logit_span"] = float(spans.max())
        width = seen[0][1].shape[-1]
        inner = [logs + (1.0 - logs.sum(-1, keepdims=True)) / width for _, logs in seen]
        sure = float(np.median(np.concatenate([np.ptp(logs, axis=-1).ravel() for logs in wild])))
        facts["doubled"] = spans.max() <= 1.001 and all(logs.min() >= -1e-3 for logs in inner) and sure > 0.9
        return facts
    ties: list[float] = []
    for _, logs in seen if not coarse else ():
        count = (logs == logs.min(-1, keepdims=True)).sum(-1)
        ties.append(float(np.mean((count >= 2) & (count < logs.shape[-1]))))
    facts["logit_floor"] = len(ties) >= 3 and float(np.mean(ties)) >= 0.1  # free logits have no chance of exact ties
    return facts


def _widest(draws: Sequence[np.ndarray]) -> float:
    return max((float(np.ptp(logs, axis=-1).max()) for logs in draws), default=0.0)
