"""The time that tests go by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SteadyClock:
    """A clock that no busy machine moves: a look at it takes a tenth of a millisecond, and a test may let time pass."""

    now: float = 0.0  # seconds

    def __call__(self) -> float:
        self.now += 1e-4
        return self.now
