"""Nothing of ours may fail the training: what does fail is caught, told once, and left off for the rest of the fit.

A part is left off and not tried again, since what failed once fails at each step, and a warning a step hides the
training. The next fit tries everything anew: it may be of another model, or the disk may have room again.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Literal

from diagnose.wording import one_line

#: What can fail by itself. Left off for the rest of the fit are "observation" (all that is seen inside a step),
#: "weights" (how far an update moved them), "check" (whether they are finite), "evaluation" (of the held samples) and
#: "file" (the run file). The others come once, or cost nothing to try again; they are told once.
Part = Literal[
    "audit",
    "check",
    "count",
    "description",
    "evaluation",
    "file",
    "history",
    "live",
    "observation",
    "profiles",
    "references",
    "telling",
    "validation",
    "weights",
]

GOES_ON = "The training goes on; "


class Guard:
    """Catches what fails in our own code during one fit.

    notes: of the run; each failure is added once, also over several fits. write_note: adds a note to the run file, if
    there is one; it may raise OSError.
    """

    def __init__(self, notes: list[str], write_note: Callable[[str], None]) -> None:
        self._notes, self._write_note = notes, write_note
        self._off: set[Part] = set()
        self._untold: list[str] = []

    def is_off(self, part: Part) -> bool:
        """Whether this part is left off for the rest of the fit."""
        return part in self._off

    def leave_off(self, part: Part) -> None:
        """Leave this part off without a word: nothing failed, it has nothing to do."""
        self._off.add(part)

    @contextlib.contextmanager
    def guarded(self, doing: str, part: Part) -> Iterator[None]:
        """Catch what fails in the body, tell it once, note it on the run, and leave `part` off for this fit."""
        try:
            yield
        except Exception as error:
            self.failed(doing, part, error)

    def failed(self, doing: str, part: Part, error: Exception) -> None:
        """Do what `guarded` does about an error: for hooks at every step, where a context manager costs too much."""
        if part == "file" and isinstance(error, OSError):  # `Store` says in a sentence what became of the file
            self._tell(part, f"{doing} failed: {_gist(error)}. {GOES_ON}nothing more is written to it.")
            return
        note, consequence = f"{doing} failed: {type(error).__name__}: {_gist(error)}.", f"{GOES_ON}{part} is left off."
        if part != "observation":
            self._tell(part, f"{note} {consequence}")
        elif self._note(part, note):  # the user's own step comes next, and may fail for the same reason
            self._untold.append(f"{note} {consequence}")

    def give_up(self, reason: str) -> None:
        """Observe no step of this fit, since it can't be done; `reason` is told."""
        self._tell("observation", f"{reason}.")

    def step_is_done(self) -> None:
        """The training has gone on: warn of what failed before its step."""
        untold, self._untold = self._untold, []
        for note in untold:
            _warn(note)

    def _tell(self, part: Part, note: str) -> None:
        if self._note(part, note):
            _warn(note)

    def _note(self, part: Part, note: str) -> bool:
        """Leave the part off and keep the note; whether it is a new one."""
        if part in self._off:
            return False
        self._off.add(part)
        note = one_line(note)
        if note in self._notes:
            return False
        self._notes.append(note)
        if "file" not in self._off:
            with contextlib.suppress(OSError):  # the disk is full: the note is in memory
                self._write_note(note)
        return True


def _warn(note: str) -> None:
    warnings.warn(f"keras-diagnose: {one_line(note)}", RuntimeWarning, stacklevel=2)


def _gist(error: Exception) -> str:
    """What an error says in one line: its first, or what Keras and TensorFlow put below theirs, without colours.

    >>> _gist(ValueError("Graph execution error:\\n\\nDetected at a\\nids = 52 is not in [0, 50)\\n\\t [[{{node a}}]]"))
    'ids = 52 is not in [0, 50)'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "{{node" not in line]
    while len(lines) > 1 and lines[0].startswith("Exception encountered when calling"):  # Keras: in which layer
        del lines[0]
    first, last = (lines[0], lines[-1]) if lines else ("", "")
    told = last if first == "Graph execution error:" else first
    return re.sub(r"\x1b\[[0-9;]*m", "", told)[:300].rstrip(".")
