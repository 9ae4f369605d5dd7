"""Which samples were seen, and with which labels: whether one comes back with another, or is used for validation, too.

Samples are known by a hash of their numbers, so that none is kept. Augmented ones are others each time, and tell
nothing. The memory is filled by planned observations alone: what it says must not depend on what the budget allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MOST = 20_000  # samples remembered, 3 MB: far more than the planned observations of a usual training bring
ENTRIES = 4096  # of a sample that are hashed, spread over all: two different samples rarely agree in so many


class Met(NamedTuple):
    """Samples of one batch that were met before, as numbers.

    again: in an earlier epoch, and with one label then; relabelled: how many of these have another label now. repeated:
    in the same epoch; contradicted: how many of these had another label then.
    """

    again: int
    relabelled: int
    repeated: int
    contradicted: int


@dataclass
class SampleMemory:
    """The samples of planned observations.

    met: how many were met in all, repeated: how many of them for at least the second time within one epoch.
    """

    met: int = 0
    repeated: int = 0
    _labels: dict[bytes, tuple[bytes | None, int]] = field(default_factory=dict)

    def see(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], epoch: int) -> Met:
        """Remember a batch, and tell what was known of its samples.

        inputs, targets: arrays, samples first.

        >>> memory, x = SampleMemory(), [np.eye(3)]
        >>> memory.see(x, [np.array([0, 1, 2])], 0), memory.see(x, [np.array([0, 2, 1])], 1)
        (Met(again=0, relabelled=0, repeated=0, contradicted=0), Met(again=3, relabelled=2, repeated=0, contradicted=0))
        """
        known = changed = repeated = contradicted = 0
        for sample, label in zip(hashes(inputs), hashes(targets), strict=False):
            self.met += 1
            before, since = self._labels.get(sample, (label, epoch))
            if sample not in self._labels:
                if len(self._labels) < MOST:
                    self._labels[sample] = label, epoch
            elif since == epoch:
                repeated += 1
                contradicted += before != label
                if before != label:
                    self._labels[sample] = None, epoch
            elif before is not None:
                known += 1
                changed += before != label
        self.repeated += repeated
        return Met(known, changed, repeated, contradicted)

    def trained_on(self, inputs: Sequence[np.ndarray]) -> int:
        """How many of these samples were met in training."""
        return sum(sample in self._labels for sample in hashes(inputs))


def hashes(leaves: Sequence[np.ndarray]) -> Iterator[bytes]:
    """A hash of each sample over all arrays, samples first; none where they differ in their number."""
    lengths = {len(leaf) if leaf.ndim else 0 for leaf in leaves}
    if len(lengths) != 1:
        return
    rows = [leaf.reshape(len(leaf), -1) for leaf in leaves]
    rows = [leaf[:, :: max(1, leaf.shape[1] // ENTRIES)] for leaf in rows]
    for index in range(lengths.pop()):
        code = hashlib.blake2b(digest_size=8)
        for leaf in rows:
            code.update(leaf[index].astype(str).tobytes() if leaf.dtype == object else leaf[index].tobytes())
        yield code.digest()
