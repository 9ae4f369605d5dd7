"""What becomes of a job in another process; apart from the tests, so that such a process has nothing else to load."""

from __future__ import annotations

import os
import time

DEADLY, SLOW = 13, 7


def fate(job: int) -> str:
    """Says that the job was done; one kills its process, one takes a moment."""
    if job == DEADLY:
        os._exit(1)
    if job == SLOW:
        time.sleep(0.2)
    return f"job {job} done"
