"""What a seed chooses, each thing by its name.

A choice depends on the seed and its own name alone, so that one can be forced to something plainer while all others
stay: that is how a failing training is made smaller. The first option is the plainest.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any


class Choices:
    """The choices of one seed.

    forced: choices made beforehand, name to option; one that is no option there is let go.
    """

    def __init__(self, seed: int, forced: Mapping[str, str] | None = None) -> None:
        self.seed = seed
        self._forced = dict(forced or {})
        #: What was chosen, in the order of choosing, without what is the plainest.
        self.told: dict[str, str] = {}
        #: The plainest option of each of these.
        self.plainest: dict[str, str] = {}

    def of(self, name: str, options: Iterable[str], plain: float = 0.0) -> str:
        """One of the options. plain: how much more often than by chance the plainest is taken, a share."""
        known = list(options)
        drawn = random.Random(f"{self.seed} {name}")
        chosen = known[0] if drawn.random() < plain else drawn.choice(known)
        if self._forced.get(name) in known:
            chosen = self._forced[name]
        if chosen != known[0]:
            self.told[name] = chosen
            self.plainest[name] = known[0]
        return chosen

    def from_table(self, name: str, table: Mapping[str, Any], plain: float = 0.0) -> Any:
        """What stands in a table under the chosen name."""
        return table[self.of(name, table, plain)]

    def __str__(self) -> str:
        return ", ".join(f"{name}: {option}" for name, option in self.told.items())
