"""`FunctionProfile`: the facts about one function, and no opinion of them.

What the rules say of a profile is added by `diagnosis.judged_function`, and how it is shown by `diagnose.api`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagnose.activation.facts import (
    Calls,
    Captured,
    Cost,
    Curve,
    GradientCheck,
    Mixing,
    Numerics,
    Propagation,
    Saving,
    Shape,
)
from diagnose.run.records import from_plain, to_plain

if TYPE_CHECKING:
    from typing_extensions import Self

#: Version of the plain form; a reader refuses a newer one.
FORMAT = 1


@dataclass(frozen=True)
class FunctionProfile:
    """All that is known of one activation function.

    name: what it is called. kind: "name", "function", "lambda", "layer", "tf.function" or "object". dtype: that of the
    examination, the compute dtype of the layer it is meant for. Facts that could not be taken are None or empty, and
    `missing` says why, by the name of the field. seconds: what the examination took.
    """

    name: str
    kind: str
    dtype: str
    calls: Calls
    mixing: Mixing | None = None
    shape: Shape | None = None
    numerics: tuple[Numerics, ...] = ()
    gradient: GradientCheck | None = None
    propagation: Propagation | None = None
    captured: tuple[Captured, ...] = ()
    saving: Saving | None = None
    cost: Cost | None = None
    curve: Curve | None = None
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def elementwise(self) -> bool | None:
        """Each output depends on its own input alone; None where that could not be told."""
        return None if self.mixing is None else self.mixing.elementwise

    def numerics_in(self, dtype: str) -> Numerics | None:
        """Where f is finite in this dtype."""
        return next((numerics for numerics in self.numerics if numerics.dtype == dtype), None)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain JSON types."""
        return {"format": FORMAT, **to_plain(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The profile that `to_dict` made `data` of.

        Raises ValueError for a format newer than this version knows, and for a field of another type.
        """
        version = data.get("format", 0)
        if not isinstance(version, int):
            raise ValueError(f"the format of this profile is {version!r:.40}, and should be a whole number.")
        if version > FORMAT:
            raise ValueError(
                f"this profile has format {version}, and this version of keras-diagnose reads up to {FORMAT}. "
                "Update keras-diagnose."
            )
        return from_plain(cls, data)
