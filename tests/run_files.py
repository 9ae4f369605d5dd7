"""Run files as a monitor leaves them, of runs that were made by hand."""

from __future__ import annotations

from pathlib import Path

from diagnose.run.run import Measurement, Run
from diagnose.run.store import Store


def written(run: Run, path: Path) -> Store:
    """The run as the monitor would write it, all at once."""
    store = Store.create(path)
    store.set_meta(run.meta)
    store.set_history(run.history)
    for note in run.notes:
        store.add_note(note)
    for step in run.observed_steps:
        store.write(int(step), [])
    for quantity in run.quantities:
        for where in run.places(quantity):
            series = run.series(quantity, where)
            rows = zip(series.steps.tolist(), series.values.tolist(), strict=True)
            store.write(None, [Measurement(quantity, where, step, value) for step, value in rows])
    store.write(None, [], run.all_arrays())
    return store
