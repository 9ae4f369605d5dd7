"""For a user's own test suite: one line that fails with the findings in words.

```python
from diagnose.testing import assert_sound_activation

def test_my_activation():
    assert_sound_activation(my_activation, allow=("non-monotonic-activation",))
```
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from diagnose.api import profile
from diagnose.rules.catalogue import ALL_RULES


def assert_sound_activation(f: Any, allow: Iterable[str] = (), *, dtype: str = "float32") -> None:
    """Raise AssertionError if the profile of f has a finding above a note.

    f, dtype: as `diagnose.profile` takes them. allow: names of rules that may fire (`keras-diagnose rules` lists them).
    Raises ValueError for a name in `allow` that is no rule about functions.

    >>> assert_sound_activation("relu")
    >>> assert_sound_activation(lambda z: 0.0 * z, allow=["constant-activation", "badly-scaled-activation"])
    >>> assert_sound_activation(lambda z: 0.0 * z)
    Traceback (most recent call last):
        ...
    AssertionError: 0.0 * z is not sound in float32:
      [warning] constant-activation: The output of 0.0 * z is 0 for every input within |z| <= 3.
        do: Look for a clip, a cast or a factor of 0 that removes the input.
    Name a rule in `allow` to accept it.
    """
    allowed = {allow} if isinstance(allow, str) else set(allow)
    known = {rule.name for rule in ALL_RULES if rule.subject == "profile"}
    if unknown := sorted(allowed - known):
        raise ValueError(
            f"allow holds {unknown[0]!r}, which is no rule about functions; there are: {', '.join(sorted(known))}."
        )
    found = profile(f, dtype=dtype)
    faults = [finding for finding in found.findings if finding.severity != "note" and finding.rule not in allowed]
    if faults:
        told = "\n".join(
            f"  [{fault.severity}] {fault.rule}: {fault.message}\n    do: {fault.remedy}" for fault in faults
        )
        raise AssertionError(f"{found.name} is not sound in {dtype}:\n{told}\nName a rule in `allow` to accept it.")
