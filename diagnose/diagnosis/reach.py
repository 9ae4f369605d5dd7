"""What follows from what in a graph of findings, as quickly as thousands of findings ask for.

One fault at hundreds of places is a ring of findings that explain each other. What follows from one of them follows
from all, so a ring is walked once and its members share one set: a caller may look at each different set once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def reachable(edges: Sequence[Collection[int]]) -> list[frozenset[int]]:
    """For each place in the graph all those that follow from it, itself included; members of a ring share one set.

    edges: for each place the places that it leads to.

    >>> [sorted(found) for found in reachable([{1}, {0, 2}, set()])]
    [[0, 1, 2], [0, 1, 2], [2]]
    """
    rings, ring_of = _rings(edges)
    found: list[frozenset[int]] = [frozenset()] * len(rings)
    for number in reversed(range(len(rings))):  # what a ring leads to has a higher number
        after = {ring_of[end] for index in rings[number] for end in edges[index]} - {number}
        found[number] = frozenset(rings[number]).union(*(found[other] for other in after))
    return [found[number] for number in ring_of]


def _rings(edges: Sequence[Collection[int]]) -> tuple[list[list[int]], list[int]]:
    """The rings (strongly connected components), each after all that lead to it, and the number of each place's ring.

    Kosaraju's two walks: forward for the order in which places are done with, then backward in the reverse order.
    """
    backward: list[list[int]] = [[] for _ in edges]
    for start, ends in enumerate(edges):
        for end in ends:
            backward[end].append(start)
    rings: list[list[int]] = []
    ring_of = [-1] * len(edges)
    for start in reversed(_done_in_order(edges)):
        if ring_of[start] >= 0:
            continue
        ring_of[start] = len(rings)
        members = [start]
        for index in members:  # grows while it is walked
            for before in backward[index]:
                if ring_of[before] < 0:
                    ring_of[before] = len(rings)
                    members.append(before)
        rings.append(members)
    return rings, ring_of


def _done_in_order(edges: Sequence[Collection[int]]) -> list[int]:
    """The places in the order in which a walk in depth is done with them."""
    done: list[int] = []
    seen = [False] * len(edges)
    for start in range(len(edges)):
        if seen[start]:
            continue
        seen[start] = True
        way = [(start, iter(edges[start]))]
        while way:
            index, ends = way[-1]
            fresh = next((end for end in ends if not seen[end]), None)
            if fresh is None:
                done.append(index)
                way.pop()
            else:
                seen[fresh] = True
                way.append((fresh, iter(edges[fresh])))
    return done
