"""Who lies on whose way: the layers of a model in the order of the calls.

A cause of a small gradient lies between the variable and the loss; a cause of a flat activation lies between the input
and the layer. Where the model tells which layer feeds which, the answer follows the edges, so that two branches are
not blamed for each other; in a subclassed model only the order of the calls is known, and the answer follows that.
"""

from __future__ import annotations

from functools import lru_cache

from diagnose.run.meta import LayerFacts, SiteFacts
from diagnose.run.run import Run


class Layout:
    """The layers and activation sites of a run.

    A site that no layer owns (a function that the model itself calls, or one marked by `watch`) goes with the layer
    whose site was called just before it.

    >>> layers = [{"path": "a", "order": 0, "inbound": []}, {"path": "b", "order": 1, "inbound": ["a"]}]
    >>> layout = Layout(Run({"model": {"layers": layers}}))
    >>> layout.feeds("a/kernel", "b/kernel"), layout.feeds("b/kernel", "a/kernel"), layout.feeds("a", "unheard-of")
    (True, False, None)
    """

    def __init__(self, run: Run) -> None:
        self._layers: dict[str, LayerFacts] = {layer.path: layer for layer in run.facts.model.layers}
        self.sites: dict[str, SiteFacts] = {site.where: site for site in run.facts.sites}
        # A layer made of layers holds their variables too: the innermost owns them.
        owners = sorted(self._layers.items(), key=lambda item: -len(item[1].variables))
        self._owner = {variable: path for path, layer in owners for variable in layer.variables}
        self._with: dict[str, str] = {}
        before = None
        for where, site in sorted(self.sites.items(), key=lambda item: item[1].order):
            if site.layer in self._layers:
                before = site.layer
            elif before is not None:
                self._with[where] = before
        self._before = lru_cache(maxsize=None)(self._ancestors)
        self._found = lru_cache(maxsize=None)(self._find)

    def site(self, where: str) -> SiteFacts:
        """What is known of the site there; one that nobody described is hidden, and nothing else is known of it."""
        return self.sites.get(where) or SiteFacts(where)

    def layer(self, where: str) -> str | None:
        """Path of the layer at `where`, or that holds the variable or site there; None where none is known."""
        return self._found(where)

    def order(self, where: str) -> int | None:
        """Position of that layer in the order of the calls."""
        path = self.layer(where)
        return None if path is None else self._layers[path].order

    def position(self, where: str) -> tuple[int, int]:
        """What to sort places by: the call of the layer, then of the site in it; unknown places come last."""
        order = self.order(where)
        return (1 << 30 if order is None else order, self.site(where).order)

    def feeds(self, first: str, second: str) -> bool | None:
        """Whether what leaves `first` reaches `second` (or both are in one layer); None where that is not known.

        What a layer is made of is in that layer; of two of its parts the one called first feeds the other.
        """
        one, other = self.layer(first), self.layer(second)
        if one is None or other is None:
            return None
        # What feeds a layer feeds all that it is made of.
        outer, outer_other = (self._layers[path].within or path for path in (one, other))
        if outer == outer_other and outer in (one, other):
            return True
        before, complete = self._before(outer_other)
        if outer in before:
            return True
        if complete and outer != outer_other:
            return False
        return self._layers[one].order < self._layers[other].order

    def between(self, first: str, second: str) -> list[str]:
        """Layers on the way from `first` to `second`, in the order of the calls; none where the graph is not known."""
        one, other = self.layer(first), self.layer(second)
        if one is None or other is None:
            return []
        found = [path for path in self._before(other)[0] if path in self._layers and one in self._before(path)[0]]
        return sorted(found, key=lambda path: self._layers[path].order)

    def variables(self, where: str) -> tuple[str, ...]:
        """Paths of the variables of the layer at `where`."""
        layer = self._layers.get(self.layer(where) or "")
        return layer.variables if layer is not None else ()

    def hidden(self, where: str) -> bool:
        """Whether the activation there is no output, gate or the like; a site nobody described counts as hidden."""
        return self.site(where).role == "hidden"

    def shares_out(self, where: str) -> bool:
        """Whether the activation there mixes its inputs and hands them on to kernels: a softmax between two layers.

        That of attention, or one that weighs experts, feeds products with the data.
        """
        site = self.site(where)
        return site.role == "mixing" and bool(site.into_kernels)

    def _find(self, where: str) -> str | None:
        if where in self._layers:
            return where
        if (owner := self._owner.get(where)) is not None:
            return owner
        if (layer := self.site(where).layer) in self._layers:
            return layer
        name = where.split("@", 1)[0]
        while name:
            if name in self._layers:
                return name
            name = name.rpartition("/")[0]
        return self._with.get(where)

    def _ancestors(self, path: str) -> tuple[frozenset[str], bool]:
        """Layers that feed this one, and whether the walk back came to its end everywhere."""
        seen: set[str] = set()
        waiting, complete = [path], True
        while waiting:
            layer = self._layers.get(waiting.pop())
            inbound = None if layer is None else layer.inbound
            if inbound is None:
                complete = False
                continue
            fresh = [name for name in inbound if name not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        return frozenset(seen), complete


def site_name(layout: Layout, where: str) -> str:
    """An activation with its place: "`tanh` in `dense_1`", or the place alone where the function is not known."""
    function = layout.site(where).function
    return f"`{function}` in `{where.partition('@')[0]}`" if function else f"`{where}`"
