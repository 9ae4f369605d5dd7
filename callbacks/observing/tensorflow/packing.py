"""How what a step holds gets to the host: small tensors as they are, of large ones what is read in the graph.

A small tensor costs the graph one operation and the host some microseconds, and what would read it in the graph two
hundred operations, each traced and set up anew for each model. Of a large one the reading is cheap beside the step, and
to keep it until the step's end would cost memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing import array_reads
from diagnose.callbacks.observing.array_reads import DISTRIBUTION, SIZE, SiteArrays, SiteNumbers
from diagnose.callbacks.observing.tensorflow import reductions
from diagnose.callbacks.observing.tensorflow.taps import Tap

#: Entries of a tensor that is handed over as it is. A larger distribution would be thinned.
SMALL = reductions.LARGE
#: Bytes of all of these, 32 MB: a choice, a small part of the 900 MB that a process with TensorFlow takes anyway.
BYTES = 1 << 25

Key = tuple[str, ...]


@dataclass
class _Flat:
    """A small tensor of which the size is read.

    keys: of its size. entries: how many, or the array that has as many. positions: of entries that are kept.
    """

    keys: Sequence[Key]
    tensor: Any
    entries: int | str
    positions: np.ndarray | None = None


@dataclass
class Packing:
    """Collects symbolic tensors while a step is traced, and reads later what they were.

    rows: samples of a batch, None if unknown; then all that has samples counts as large.
    """

    rows: int | None
    _left: int = BYTES
    _numbers: list[tuple[Sequence[Key], Any]] = field(default_factory=list)  # keys, and a vector of as many entries
    _flat: list[_Flat] = field(default_factory=list)
    _samples: list[Any] = field(default_factory=list)
    _arrays: dict[str, Any] = field(default_factory=dict)
    _taps: list[Tap] = field(default_factory=list)
    _reduced: list[Any] = field(default_factory=list)
    _whole: list[tuple[Sequence[Key], str]] = field(default_factory=list)  # keys of a distribution, and its array

    def numbers(self, keys: Sequence[Key], vector: Any) -> None:
        """Hand over a vector with one entry for each key."""
        self._numbers.append((keys, tf.cast(vector, tf.float32)))

    def array(self, name: str, value: Any) -> None:
        """Hand over a tensor as it is."""
        self._arrays[name] = value

    def size(self, kind: str, place: str, tensor: Any, positions: np.ndarray | None = None) -> None:
        """Hand over `SIZE` of a tensor of static shape, and its entries at these positions of its flat form."""
        keys = [(kind, place, name) for name in SIZE]
        entries = tensor.shape.num_elements()
        if entries and self._spends(entries):
            self._flat.append(_Flat(keys, tensor, entries, positions))
            return
        self.numbers(keys, reductions.size(tensor))
        if positions is not None:
            self._samples.append(reductions.entries(tensor, positions))

    def distribution(self, kind: str, place: str, tensor: Any) -> None:
        """Hand over `DISTRIBUTION` of a tensor with samples."""
        entries = self._entries(tensor)
        keys = [(kind, place, name) for name in DISTRIBUTION]
        if entries and self._spends(entries):
            self._whole.append((keys, f"whole/{len(self._whole)}"))
            self._arrays[self._whole[-1][1]] = reductions.float32(tensor)
        else:
            self.numbers(keys, reductions.distribution(tensor))

    def site(self, tap: Tap) -> None:
        """Hand over all that is read of a site."""
        index = str(len(self._taps))
        gradients = {"gradient_a": tap.gradient_a, "gradient_z": tap.gradient_z}
        arrived = {side: gradient for side, gradient in gradients.items() if gradient is not None}
        entries = self._entries(tap.a)
        given = {name: value for name, value in (("a", tap.a), ("z", tap.z), ("slope", tap.slope)) if value is not None}
        small = (tap.a.shape.rank or 0) > 1 and bool(entries) and self._spends(entries, len(given) + len(arrived))
        self._taps.append(tap)
        if small:
            self._arrays |= {f"site/{index}/{name}": reductions.float32(value) for name, value in given.items()}
        else:
            self._reduced.append(reductions.site(tap.a, tap.z, tap.slope, tap.unit_axis))
        for side, gradient in arrived.items():
            keys = [("site", index, f"{side}.{name}") for name in SIZE]
            if small:
                self._flat.append(_Flat(keys, gradient, f"site/{index}/a"))
            else:
                self.numbers(keys, reductions.size(gradient))
        if tap.mixing is not None:
            self.numbers([("site", index, "mixing")], tap.mixing[None])

    def _entries(self, tensor: Any) -> int:
        """Entries of a tensor with samples, as far as that is known; else 0."""
        return (self.rows or 0) * (tensor.shape[1:].num_elements() or 0) if tensor.shape.rank else 0

    def _spends(self, entries: int, tensors: int = 1) -> bool:
        """Whether so many tensors of so many entries are small; then they are counted."""
        bytes_ = 4 * entries * tensors
        if entries > SMALL or bytes_ > self._left:
            return False
        self._left -= bytes_
        return True

    def packed(self) -> dict[str, Any]:
        """All that is handed over, in few tensors."""
        packed = dict(self._arrays)
        if self._numbers:
            packed["numbers"] = tf.concat([vector for _, vector in self._numbers], axis=0)
        if self._flat:
            flat = tf.constant([-1])
            packed["flat"] = tf.concat([tf.reshape(reductions.float32(each.tensor), flat) for each in self._flat], 0)
        if self._samples:
            packed["samples"] = tf.concat(self._samples, axis=0)
        if self._reduced:
            packed["sites"] = tf.concat(self._reduced, axis=0)
        return packed

    def numbers_of(self, arrays: dict[str, np.ndarray]) -> Iterator[tuple[Key, float]]:
        """Each key with its number, of what `packed` has become."""
        if self._numbers:
            values = iter(arrays["numbers"].tolist())
            for keys, _ in self._numbers:
                yield from ((key, next(values)) for key in keys)
        if self._flat:
            sizes = array_reads.sizes(arrays["flat"], self._lengths(arrays)).tolist()
            for each, size in zip(self._flat, sizes, strict=True):
                yield from zip(each.keys, size, strict=True)
        for keys, name in self._whole:
            yield from zip(keys, array_reads.distributions(arrays[name][None])[0].tolist(), strict=True)

    def samples_of(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        """The entries at the positions that `size` was given, in one order for all batches; None where it got none."""
        found = [arrays["samples"]] if self._samples else []
        end = 0
        for each, entries in zip(self._flat, self._lengths(arrays), strict=True):
            if each.positions is not None:
                found.append(arrays["flat"][end + each.positions])
            end += entries
        return np.concatenate(found) if found else None

    def _lengths(self, arrays: dict[str, np.ndarray]) -> list[int]:
        return [arrays[each.entries].size if isinstance(each.entries, str) else each.entries for each in self._flat]

    def sites_of(self, arrays: dict[str, np.ndarray]) -> Iterator[SiteNumbers]:
        """What was read of each site, in the order in which they were handed over."""
        small: list[SiteArrays] = []
        large: list[tuple[bool, bool]] = []
        for index, tap in enumerate(self._taps):
            a, z, slope = (arrays.get(f"site/{index}/{name}") for name in ("a", "z", "slope"))
            if a is None:
                large.append((tap.z is not None, tap.slope is not None))
            else:
                small.append(SiteArrays(a, z, slope, tap.unit_axis))
        read = iter(array_reads.sites(small))
        reduced = iter(reductions.sites_read(arrays["sites"], large) if large else ())
        for index in range(len(self._taps)):
            yield next(read if f"site/{index}/a" in arrays else reduced)


def site_names(tap: Tap) -> list[str]:
    """Names of `SiteNumbers.numbers`, in its order."""
    names = [f"activation.{name}" for name in (*DISTRIBUTION, "spread")]
    return names if tap.z is None else names + [f"preactivation.{name}" for name in DISTRIBUTION]
