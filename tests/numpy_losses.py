"""Losses of textbooks and beside them as functions on NumPy arrays: what they do is known on paper."""

from __future__ import annotations

import math

import numpy as np

EPSILON = 1e-7


def log(p):
    return np.log(np.clip(p, EPSILON, 1.0))


def of_logits(z):
    return np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)


def by_number(of_rows):
    """The same loss with class numbers for targets, which must exist."""

    def loss(t, p):
        ids = t[..., 0] if t.shape == (*p.shape[:-1], 1) else t
        if ids.max() >= p.shape[-1] or ids.min() < 0:
            return math.nan
        return of_rows(np.eye(p.shape[-1])[ids.astype(int)], p)

    return loss


def smoothed(of_rows, share):
    return lambda t, p: of_rows(t * (1 - share) + share / p.shape[-1], p)


def cross_entropy(t, p):
    return float(np.mean(-(t * log(p / p.sum(-1, keepdims=True))).sum(-1)))


def cross_entropy_of_logits(t, z):
    return float(np.mean(-(t * log(of_logits(z))).sum(-1)))


def focal(t, p):
    return float(np.mean(-(t * (1 - p) ** 2 * log(p)).sum(-1)))


def binary(t, p):
    return float(np.mean(-t * log(p) - (1 - t) * log(1 - p)))


def binary_of_logits(t, z):
    return float(np.mean(np.logaddexp(0, z) - t * z))


def hinge(t, m):
    t = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
    return float(np.mean(np.maximum(1 - t * m, 0)))


def squared_hinge(t, m):
    t = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
    return float(np.mean(np.maximum(1 - t * m, 0) ** 2))


def squared(t, p):
    return float(np.mean((t - p) ** 2))


def absolute(t, p):
    return float(np.mean(np.abs(t - p)))


def huber(t, p):
    off = np.abs(t - p)
    return float(np.mean(np.where(off < 1, 0.5 * off**2, off - 0.5)))


def contrast(t, p):
    return float(np.mean(t * p**2 + (1 - t) * np.maximum(1 - p, 0) ** 2))


def pinball(t, p):
    return float(np.mean(np.maximum(0.9 * (t - p), -0.1 * (t - p))))


def likeness(t, p):
    return float(-np.mean((t * p).sum(-1) / np.linalg.norm(t + 1e-6, axis=-1) / np.linalg.norm(p + 1e-6, axis=-1)))


def alike_together(t, p):
    """A contrast between samples: those of one class belong together, whatever it is called."""
    same = (t[:, None] == t[None]).all(-1)
    return float(-np.mean(same * log(of_logits(p @ p.T))))
