"""Whether the same fit gets the same verdict on an idle machine and on a busy one.

    python benchmarks/same_verdict.py [--pairs N] [--busy PROCESSES]

Trainings of `calibration_trainings.py`, sick and healthy by turns, are each made twice with one seed: by themselves,
and while processes that never rest take the machine's cores. Told for each pair are both first causes, whether all that
rules judge is equal number by number, and how many observations the budget allowed beyond those that are judged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, islice

from calibration import train
from calibration_trainings import HEALTHY, SICK, Training

from diagnose import Run, examine


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes take cores while the body runs."""
    workers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def judged(run: Run) -> dict[tuple[str, str], bytes]:
    """All that rules judge; the check of weights is left out, which is made as often as the budget allows."""
    planned = run.as_planned()
    return {
        (quantity, where): planned.series(quantity, where).steps.tobytes()
        + planned.series(quantity, where).values.tobytes()
        for quantity in planned.quantities
        for where in planned.places(quantity)
        if quantity != "weight.finite"
    }


def compare(case: Training, processes: int) -> tuple[bool, bool, str]:
    """Whether outcome and causes are the same, whether the numbers are, and a line that says so."""
    idle = train(case, 1, None)
    with busy(processes):
        loaded = train(case, 1, None)
    one, other = examine(idle), examine(loaded)
    causes = [[finding.rule for finding in diagnosis.causes] for diagnosis in (one, other)]
    same = one.outcome == other.outcome and causes[0] == causes[1]
    equal = judged(idle) == judged(loaded)
    beyond = [run.observations - run.as_planned().observations for run in (idle, loaded)]
    told = (causes[0] or ["none"])[0] if same else f"{causes[0]} and {causes[1]}"
    return same, equal, f"{case.name}: {told}; numbers {'equal' if equal else 'differ'}; beyond the plan {beyond}"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--busy", type=int, default=2 * (os.cpu_count() or 1))
    asked = parser.parse_args()
    cases = islice(chain.from_iterable(zip(SICK, HEALTHY, strict=False)), asked.pairs)
    found = []
    for case in cases:
        same, equal, line = compare(case, asked.busy)
        found.append((same, equal))
        print(line, flush=True)
    alike, equal = (sum(column) for column in zip(*found, strict=True))
    print(f"verdict alike in {alike} of {len(found)}, numbers equal in {equal}")


if __name__ == "__main__":
    main()
