"""The tables of the report page: what is known of a run, as rows of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from diagnose import wording
from diagnose.run.audit import LabelFacts, OutputFacts, PredictionFacts
from diagnose.run.meta import SiteFacts
from diagnose.run.quantities import QUANTITIES
from diagnose.run.run import Run
from diagnose.wording import counted

OUTPUTS = 6  # columns of the first batch's table
MANY = 1000  # distinct labels, from which on the audit does not count them

#: How each accuracy of the audit decides (`callbacks.auditing.metric_nature.accuracies`), in words.
ACCURACIES = {
    "argmax": "the largest entry is the class",
    "half": "an entry over 0.5 means 1",
    "zero": "an entry over 0 means 1",
    "sign": "the sign is the label",
    "exact": "equal to the label",
    "first": "class 0 always counts as correct",
}

TABLE_ROWS = 150  # of any table on the page; the run file and the JSON hold the rest


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words. words: how many columns, from the left, are no numbers; hidden: rows left out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    hidden: int


def short(where: str, root: str) -> str:
    """A place without the name of the model, which all places would repeat.

    >>> short("digits/dense/kernel", "digits"), short("digits", "digits")
    ('dense/kernel', 'digits')
    """
    return where.removeprefix(f"{root}/") if root else where


def root_of(run: Run) -> str:
    """The model's name, where the paths of its layers begin with it; else ""."""
    name = run.facts.model.name
    return name if name and any(layer.path.startswith(f"{name}/") for layer in run.facts.model.layers) else ""


def cut(text: str, most: int = 240) -> str:
    """A long text up to its last whole word within `most` letters."""
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def layers_table(run: Run) -> Table:
    """The layers as the model describes them."""
    layers, root = run.facts.model.layers, root_of(run)
    rows = (
        (
            short(layer.path, root),
            layer.class_name,
            "yes" if layer.trainable else "no",
            wording.number(layer.units),
            wording.number(len(layer.variables)),
        )
        for layer in layers
    )
    return _table(
        "Layers, in the order of the calls", ("Layer", "Class", "Trained", "Units", "Variables"), rows, len(layers), 3
    )


def first_batch_table(run: Run) -> Table:
    """What the model, asked with one batch before any training, answered: one column an output."""
    audit = run.facts.audit
    outputs = audit.outputs if audit else ()
    facts = [dict(_batch_facts(output)) for output in outputs[:OUTPUTS]]
    names = dict.fromkeys(name for known in facts for name in known)
    rows = [(name, *(known.get(name, wording.number(None)) for known in facts)) for name in names]
    places = (short(output.where or output.name, root_of(run)) for output in outputs[:OUTPUTS])
    size = f", {counted(audit.samples, 'sample')}" if audit and audit.samples else ""
    title = f"The first batch, before any training{size}"
    return Table(title, ("", *places), tuple(rows), len(facts) + 1, max(len(outputs) - OUTPUTS, 0))


def _batch_facts(output: OutputFacts) -> Iterator[tuple[str, str]]:
    """(name, value) of what the audit saw of one output: predictions, labels, loss, metrics and accuracies."""
    prediction, labels, loss = output.prediction, output.labels, output.loss
    if prediction != PredictionFacts():  # it was predicted
        yield "predictions, shape of one", str(output.shape)
        yield "predictions, range", _range(prediction)
        if prediction.row_sum is not None:
            each = "each" if prediction.distribution else "on average"
            yield "predictions, sum of a row", f"{wording.number(prediction.row_sum)} {each}"
        if prediction.finite < 1:
            yield "predictions that are finite", wording.percent(prediction.finite)
    if labels.given:
        yield "labels, shape of one", str(labels.shape)
        yield "labels, type", _said(labels.dtype)
        yield "labels, range", _range(labels)
        more = " or more" if labels.distinct == MANY else ""
        yield "labels, distinct values", f"{wording.number(labels.distinct)}{more}"
    else:
        yield "labels", f"no numbers: {labels.dtype}" if labels.dtype else "none"
    if loss:
        takes = f"takes {_said(loss.takes)}" if loss.takes != "nothing" else "whatever is predicted"
        yield "loss", f"{_said(loss.name)}, {takes}"
        yield "loss of the batch", wording.number(loss.value)
    else:
        yield "loss", "none"
    for metric in output.metrics:
        yield f"metric {metric.name}", wording.number(metric.value)
    for way, value in output.accuracies.items():
        yield f"accuracy, {ACCURACIES.get(way, way)}", wording.percent(value)


def batch_losses(run: Run) -> str:
    """The loss of the first batch as a whole, and what the first observed step reported, in sentences."""
    own = run.facts.audit.loss.value if run.facts.audit else None
    told = [] if own is None else [f"The model's own compute_loss is {wording.number(own)} for it in inference mode."]
    trained, reported = run.series("batch.loss").finite(), run.series("batch.loss_reported").finite()
    if len(trained) and len(reported) and trained.steps[0] == reported.steps[0]:
        theirs, ours = (wording.number(float(series.values[0])) for series in (reported, trained))
        step = f"{reported.steps[0]:,}"
        told.append(f"In training mode, step {step} reports a loss of {theirs}; recomputed it is {ours}.")
    return " ".join(told)


def _range(facts: PredictionFacts | LabelFacts) -> str:
    return f"{wording.number(facts.min)} to {wording.number(facts.max)}"


def sites_table(run: Run) -> Table:
    """What was measured at each activation, at the latest observation."""
    root = root_of(run)

    def latest(quantity: str, where: str, say: Any = wording.number) -> str:
        series = run.series(quantity, where)
        return str(say(float(series.values[-1]))) if len(series) else wording.number(None)

    def centre(prefix: str, where: str) -> str:
        mean = latest(f"{prefix}.mean", where)
        return mean if mean == wording.number(None) else f"{mean} ± {latest(f'{prefix}.std', where)}"

    def total(quantity: str, where: str) -> str:
        series = run.series(quantity, where)
        return wording.number(float(np.nansum(series.values))) if len(series) else wording.number(None)

    known: dict[str, SiteFacts | None] = {site.where: site for site in run.facts.sites}
    for quantity in run.quantities:
        if quantity in QUANTITIES and QUANTITIES[quantity].where == "site":
            known |= {where: None for where in run.places(quantity) if where not in known}
    rows = (
        (
            short(where, root),
            site.function if site and site.function else wording.number(None),
            site.role if site else wording.number(None),
            latest("activation.saturated_share", where, wording.percent),
            latest("activation.falling_share", where, wording.percent),
            latest("activation.dead_share", where, wording.percent),
            latest("activation.gate_gain", where),
            centre("preactivation", where),
            centre("activation", where),
            total("activation.nonfinite", where),
        )
        for where, site in known.items()
    )
    columns = (
        "Activation at",
        "Function",
        "Role",
        "Saturated",
        "Falling",
        "Dead units",
        "Gate gain",
        "z, mean ± std",
        "a, mean ± std",
        "Not finite",
    )
    return _table(
        "Activations, at the latest observation (not finite: entries in all observations)", columns, rows, len(known), 3
    )


def variables_table(run: Run) -> Table:
    """Size, gradient and updates of each variable, first and latest."""
    root = root_of(run)
    known: dict[str, None] = {}
    for quantity in run.quantities:
        if quantity in QUANTITIES and QUANTITIES[quantity].where == "variable":
            known |= dict.fromkeys(run.places(quantity))

    def row(where: str) -> tuple[str, ...]:
        def first_and_last(quantity: str) -> tuple[str, str]:
            values = run.series(quantity, where).values
            return (wording.number(float(values[0])), wording.number(float(values[-1]))) if len(values) else ("–", "–")

        ratios = run.series("update.ratio", where).finite().values
        return (
            short(where, root),
            *first_and_last("weight.rms"),
            first_and_last("weight.spectral_norm")[1],
            *first_and_last("gradient.rms"),
            wording.number(float(np.median(ratios))) if len(ratios) else "–",
        )

    columns = (
        "Variable",
        "Weight rms, first",
        "latest",
        "Spectral norm",
        "Gradient rms, first",
        "latest",
        "Update ratio, median",
    )
    return _table("Variables", columns, (row(where) for where in known), len(known), 1)


def _table(title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]], count: int, text: int) -> Table:
    shown = tuple(islice(rows, TABLE_ROWS))
    return Table(title, tuple(columns), shown, text, max(count - len(shown), 0))


def settings(run: Run) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Groups of (name, value) for everything known of the run besides its layers, which have tables of their own."""
    meta = run.meta  # shown as it is, whatever it holds
    model = {key: value for key, value in meta.get("model", {}).items() if key != "layers"}
    if model:
        yield "Model", tuple(_flat(model))
    names = ("loss", "metrics", "optimizer", "fit", "task", "monitor", "steps_seen", "finished", "created")
    settings = {name: meta[name] for name in names if meta.get(name) not in (None, [])}
    if settings:
        yield "Settings", tuple(_flat(settings))
    if meta.get("versions"):
        yield "Versions", tuple(_flat(meta["versions"]))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as (dotted name, value) lines."""
    if isinstance(value, Mapping) and value:
        for key, entry in value.items():
            yield from _flat(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value):
        for index, entry in enumerate(value):
            yield from _flat(entry, f"{name}[{index}]")
    else:
        yield name, _said(value)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return wording.number(value)
    if isinstance(value, list | tuple):
        return wording.listed((_said(entry) for entry in value), 12) or "none"
    text = "none" if value in (None, {}, "") else str(value)
    return cut(text, 400)


def quantities(run: Run) -> Iterator[tuple[str, str, int, int, float, float]]:
    """(name, meaning, places, values, smallest, largest finite value) for each quantity measured."""
    for name in run.quantities:
        places = run.places(name)
        columns = [run.series(name, where).values for where in places]
        finite = [column[np.isfinite(column)] for column in columns]
        low = min((float(part.min()) for part in finite if part.size), default=float("nan"))
        high = max((float(part.max()) for part in finite if part.size), default=float("nan"))
        meaning = QUANTITIES[name].meaning if name in QUANTITIES else ""
        yield name, meaning, len(places), sum(len(column) for column in columns), low, high
