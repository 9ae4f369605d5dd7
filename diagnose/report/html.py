"""A diagnosis as one HTML page that needs nothing else: style and figures are in it, and it holds no script.

A Content-Security-Policy in the page forbids scripts and any request, so even a name that slipped through the escaping
could do nothing. What the templates show is gathered here; how it looks is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diagnose._version import __version__
from diagnose.counting import counted
from diagnose.headline import BY_ITSELF
from diagnose.quantities import QUANTITIES
from diagnose.report import words
from diagnose.report.figures import (
    ActivationPicture,
    activation_picture,
    cause_graph,
    class_figures,
    history_charts,
    layer_maps,
    pictured_sites,
    residual_charts,
    training_charts,
)
from diagnose.run import Run
from diagnose.store import MAGIC
from diagnose.verdict import Finding

if TYPE_CHECKING:
    from diagnose.diagnosis import Diagnosis

PICTURES = 4  # of activations on a page; more would bury the one that matters
TABLE_ROWS = 150  # of any table on the page; the run file and the JSON hold the rest


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause as the page shows it.

    consequences: (title, tone, severity, message) for each rule explained, the title with its places. Where another
    cause above explains the same, its message is "" there, and a long one is cut: the table of all findings has it
    whole. by_itself: the same for what its function would do anywhere.
    """

    finding: Finding
    tone: str
    consequences: tuple[tuple[str, str, str, str], ...]
    by_itself: tuple[tuple[str, str, str, str], ...]
    pictures: tuple[ActivationPicture, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words. words: how many columns, from the left, are no numbers; hidden: rows left out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    hidden: int


def write_html(diagnosis: Diagnosis, path: str | Path) -> Path:
    """Write the report to `path` and give it back. Raises OSError, saying what to do, where it cannot be written."""
    return write_page(render(diagnosis), path)


def write_page(page: str, path: str | Path) -> Path:
    """Write a page; a clear OSError where that is not possible."""
    path = Path(path).expanduser()
    if path.is_file():
        with path.open("rb") as there:
            if there.read(len(MAGIC)) == MAGIC:
                raise FileExistsError(f"{path} is a run file, which a page must not replace; pass another path.")
    try:
        path.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise type(error)(
            f"the page could not be written to {path}: {error.strerror or error}; pass another path."
        ) from error
    return path


def render(diagnosis: Diagnosis) -> str:
    """The report page as text."""
    with np.errstate(all="ignore"):  # a run may hold any number there is
        shown = view(diagnosis)
    return environment().get_template("report.html").render(shown)


@cache
def environment() -> Environment:
    """The templates, with everything that is put into them escaped."""
    env = Environment(
        loader=PackageLoader("diagnose.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "prose": prose,
        "number": words.number,
        "share": words.share,
        "title_of": words.title_of,
        "place": words.place,
        "titled": words.titled,
        "inside": words.inside,
        "counted": counted,
        "listed": words.listed,
        "short": short,
    }
    return env


def prose(text: str) -> Markup:
    """Text for the page, escaped, with what stands in backticks as code; a number and its % stay on one line.

    >>> str(prose("`x < 1` in <script>"))
    '<code>x &lt; 1</code> in &lt;script&gt;'
    """
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if is_code else Markup.escape(re.sub(r"(?<=\d) %", "\u00a0%", piece))
        for is_code, piece in words.code_spans(str(text))
    )


def short(where: str, root: str) -> str:
    """A place without the name of the model, which all places would repeat.

    >>> short("digits/dense/kernel", "digits"), short("digits", "digits")
    ('dense/kernel', 'digits')
    """
    return where.removeprefix(f"{root}/") if root else where


def _root(run: Run) -> str:
    """The model's name, where the paths of its layers begin with it; else ""."""
    name = str(run.meta.get("model", {}).get("name", ""))
    layers = run.meta.get("model", {}).get("layers", ())
    return name if name and any(str(layer.get("path", "")).startswith(f"{name}/") for layer in layers) else ""


def tone_of(diagnosis: Diagnosis) -> str:
    """The colour of the outcome: amber where the model learns and yet something should be changed."""
    return "warn" if diagnosis.outcome == "learning" and diagnosis.causes else words.TONES[diagnosis.outcome]


def causes_of(diagnosis: Diagnosis, pictures: int = PICTURES) -> tuple[Cause, ...]:
    """The causes, each with its consequences and the pictures of the activations it names; no picture twice."""
    run, drawn = diagnosis.run, dict.fromkeys(pictured_sites(diagnosis.run), False)
    follow = [*diagnosis.consequences_of, *[()] * len(diagnosis.causes)]
    causes: list[Cause] = []
    told: set[str] = set()  # messages that the page has shown already
    for finding, explained in zip(diagnosis.causes, follow, strict=False):
        told |= {finding.message, finding.message.partition(BY_ITSELF)[2]}
        follows, alone = (tuple(_told_once(part, told)) for part in words.by_itself(finding, explained))
        shown: tuple[ActivationPicture, ...] = ()
        for where in _sites_named(run, [finding, *explained], drawn):
            if sum(drawn.values()) < pictures and not shown and (picture := activation_picture(run, where)):
                drawn[where] = True
                shown = (_not_told(picture, told),)
        causes.append(Cause(finding, words.TONES[finding.severity], follows, alone, shown))
    return tuple(causes)


def _not_told(picture: ActivationPicture, told: set[str]) -> ActivationPicture:
    """The picture with what the page has not said yet of its function by itself."""
    fresh = tuple(message for message in picture.alone if message not in told)
    told.update(fresh)
    return replace(picture, alone=fresh)


def _told_once(explained: Iterable[Finding], told: set[str]) -> Iterator[tuple[str, str, str, str]]:
    for rule, severity, group in words.consequences(explained):
        message, title = group[0].message, words.titled(rule, (member.where for member in group))
        yield title, words.TONES[severity], severity, "" if message in told else _cut(message)
        told.add(message)


def _cut(text: str, most: int = 240) -> str:
    """A long text up to its last whole word within `most` letters."""
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def _sites_named(run: Run, findings: Iterable[Finding], drawn: Mapping[str, bool]) -> Iterator[str]:
    """Sites with a picture not drawn yet that a finding names, itself or by its layer."""
    for finding in findings:
        for where, done in drawn.items():
            layer = str(run.site(where).get("layer", where))
            if (
                not done
                and finding.where
                and (finding.where in (where, layer) or where.startswith((finding.where + "/", finding.where + "@")))
            ):
                yield where


def view(diagnosis: Diagnosis) -> dict[str, Any]:
    """All that the report's template shows."""
    run = diagnosis.run
    causes = causes_of(diagnosis)
    above = {picture.where for cause in causes for picture in cause.pictures}
    told = {message for cause in causes for picture in cause.pictures for message in picture.alone}
    told |= {finding.message for finding in diagnosis.findings if finding.severity != "note"}
    others = _other_pictures(run, above, told)
    maps, missing = layer_maps(run, {finding.where for finding in diagnosis.findings})
    return {
        "diagnosis": diagnosis,
        "version": __version__,
        "outcome": words.title_of_outcome(diagnosis.outcome),
        "tone": tone_of(diagnosis),
        "model": str(run.meta.get("model", {}).get("name", "")),
        "root": _root(run),
        "created": _date(str(run.meta.get("created", ""))),
        "observed": bool(run.observations or run.quantities or run.meta.get("audit")),
        "figures": tuple(key_figures(run)),
        "sections": (
            ("causes", "Causes"),
            ("activations", "Activations"),
            ("map", "Layer by step"),
            ("training", "Training and validation"),
            ("layers", "Layer by layer"),
            ("findings", "All findings"),
            ("unmeasured", "Not measured"),
            ("run", "This run"),
        ),
        "causes": causes,
        "nothing": words.no_cause(diagnosis),
        "graph": cause_graph(diagnosis.causes, diagnosis.consequences_of),
        "pictures": others,
        "pictured_above": bool(above),
        "unpictured": max(len(run.meta.get("sites", ())) - len(others) - len(above), 0),
        "maps": maps,
        "missing_maps": missing,
        "charts": training_charts(run),
        "history": history_charts(run),
        "classes": class_figures(run),
        "residuals": residual_charts(run),
        "tables": (_layers(run), _sites(run), _variables(run)),
        "first_batch": _first_batch(run),
        "findings": diagnosis.findings[:TABLE_ROWS],
        "hidden_findings": max(len(diagnosis.findings) - TABLE_ROWS, 0),
        "tones": words.TONES,
        "missed": words.reasons(entry for entry in diagnosis.not_measured if entry.applies)[:TABLE_ROWS],
        "idle": words.reasons(entry for entry in diagnosis.not_measured if not entry.applies)[:TABLE_ROWS],
        "facts": tuple(_settings(run)),
        "quantities": tuple(_quantities(run)),
    }


def _other_pictures(run: Run, above: set[str], told: set[str]) -> tuple[ActivationPicture, ...]:
    """Activations worth a picture that no cause shows: the user's own first, then hidden ones, in order.

    above: places drawn already; told: messages shown already.
    """
    sites = [where for where in pictured_sites(run) if where not in above and run.arrays("activation.curve", where)]
    sites.sort(key=lambda where: (not run.site(where).get("custom"), run.site(where).get("role", "hidden") != "hidden"))
    drawn = []
    for where in sites[: PICTURES - len(above)]:
        if picture := activation_picture(run, where):
            drawn.append(_not_told(picture, told))
    return tuple(drawn)


def key_figures(run: Run) -> Iterator[tuple[str, str]]:
    """The numbers at the head of the page: (name, value)."""
    for name, quantity in (
        ("skill, training", "skill.train"),
        ("skill, validation", "skill.validation"),
        ("loss, training", "loss.train"),
        ("loss, validation", "loss.validation"),
        ("loss of a constant answer", "loss.constant"),
    ):
        outputs = run.places(quantity)
        if len(outputs) == 1 and len(series := run.series(quantity, outputs[0])):
            yield name, words.number(_rounded(float(series.values[-1])))
    for name in ("val_accuracy", "accuracy"):
        if run.history.get(name):
            yield (
                ("accuracy, validation" if name == "val_accuracy" else "accuracy, training"),
                words.share(float(run.history[name][-1])),
            )
    if run.observations:
        yield "steps observed", _of(run.observations, run.meta.get("steps_seen"))
    if (finished := str(run.meta.get("finished", ""))) not in ("", "completed"):
        yield "fit ended by", _cut(finished, 60)
    if epochs := max((len(values) for values in run.history.values()), default=0):
        yield "epochs", words.number(epochs)
    if (parameters := run.meta.get("model", {}).get("parameters")) is not None:
        yield "parameters", words.number(parameters)


def _rounded(value: float) -> float:
    return round(value, 3) if abs(value) >= 0.01 else value


def _of(count: int, total: object) -> str:
    return f"{count:,} of {total:,}" if isinstance(total, int) else f"{count:,}"


def _date(created: str) -> str:
    """An ISO time as date and minute, in its own time zone."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", created)
    return f"{found[1]} {found[2]}" if found else created


def _layers(run: Run) -> Table:
    layers = run.meta.get("model", {}).get("layers", ())
    rows = (
        (
            short(str(layer.get("path", "")), _root(run)),
            str(layer.get("class", "")),
            "yes" if layer.get("trainable", True) else "no",
            words.number(layer.get("units")),
            words.number(len(layer.get("variables", ()))),
        )
        for layer in layers
    )
    return _table(
        "Layers, in the order of the calls", ("Layer", "Class", "Trained", "Units", "Variables"), rows, len(layers), 3
    )


def _first_batch(run: Run) -> Table:
    """What the model, asked with one batch before any training, answered: one row an output."""
    outputs = [output for output in run.meta.get("audit", {}).get("outputs", ()) if isinstance(output, Mapping)]

    def row(output: Mapping[str, Any]) -> tuple[str, ...]:
        prediction, labels, loss = (output.get(part) or {} for part in ("prediction", "labels", "loss"))
        rows = ", rows sum to 1" if prediction.get("distribution") else ""
        metrics = (f"{metric.get('name')} {_said(metric.get('value'))}" for metric in output.get("metrics") or ())
        return (
            short(str(output.get("where") or output.get("name", "")), _root(run)),
            f"{_range(prediction)}{rows}",
            f"{_range(labels)}, {labels.get('dtype', '')}" if labels.get("given") else "none",
            f"{_said(loss.get('name'))}, takes {_said(loss.get('takes'))}" if loss else "none",
            ", ".join(metrics) or "none",
            words.number(loss.get("value")),
            words.number(labels.get("distinct")),
        )

    columns = ("Output", "Predictions", "Labels", "Loss", "Metrics", "Loss of the batch", "Distinct labels")
    samples = run.meta.get("audit", {}).get("samples")
    size = f", {counted(samples, 'sample')}" if isinstance(samples, int) else ""
    return _table(f"The first batch, before any training{size}", columns, map(row, outputs), len(outputs), 5)


def _range(facts: Mapping[str, Any]) -> str:
    return f"{words.number(facts.get('min'))} to {words.number(facts.get('max'))}"


def _sites(run: Run) -> Table:
    root = _root(run)

    def latest(quantity: str, where: str, say: Any = words.number) -> str:
        series = run.series(quantity, where)
        return str(say(float(series.values[-1]))) if len(series) else words.number(None)

    def centre(prefix: str, where: str) -> str:
        mean = latest(f"{prefix}.mean", where)
        return mean if mean == words.number(None) else f"{mean} ± {latest(f'{prefix}.std', where)}"

    def total(quantity: str, where: str) -> str:
        series = run.series(quantity, where)
        return words.number(float(np.nansum(series.values))) if len(series) else words.number(None)

    known = {str(site["where"]): None for site in run.meta.get("sites", ())}
    for quantity in run.quantities:
        if quantity in QUANTITIES and QUANTITIES[quantity].where == "site":
            known |= dict.fromkeys(run.places(quantity))
    rows = (
        (
            short(where, root),
            str(run.site(where).get("function", "")) or words.number(None),
            str(run.site(where).get("role", "")) or words.number(None),
            latest("activation.saturated_share", where, words.share),
            latest("activation.falling_share", where, words.share),
            latest("activation.dead_share", where, words.share),
            latest("activation.gate_gain", where),
            centre("preactivation", where),
            centre("activation", where),
            total("activation.nonfinite", where),
        )
        for where in known
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


def _variables(run: Run) -> Table:
    root = _root(run)
    known: dict[str, None] = {}
    for quantity in run.quantities:
        if quantity in QUANTITIES and QUANTITIES[quantity].where == "variable":
            known |= dict.fromkeys(run.places(quantity))

    def row(where: str) -> tuple[str, ...]:
        def first_and_last(quantity: str) -> tuple[str, str]:
            values = run.series(quantity, where).values
            return (words.number(float(values[0])), words.number(float(values[-1]))) if len(values) else ("–", "–")

        ratios = run.series("update.ratio", where).finite().values
        return (
            short(where, root),
            *first_and_last("weight.rms"),
            first_and_last("weight.spectral_norm")[1],
            *first_and_last("gradient.rms"),
            words.number(float(np.median(ratios))) if len(ratios) else "–",
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


def _settings(run: Run) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Groups of (name, value) for everything known of the run besides its layers, which have tables of their own."""
    meta = run.meta
    model = {key: value for key, value in meta.get("model", {}).items() if key != "layers"}
    if model:
        yield "Model", tuple(_flat(model))
    names = ("loss", "metrics", "optimizer", "fit", "task", "monitor", "steps_seen", "finished", "created")
    settings = {name: meta[name] for name in names if name in meta}
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
        return words.number(value)
    if isinstance(value, list | tuple):
        return words.listed((_said(entry) for entry in value), 12) or "none"
    text = "none" if value in (None, {}, "") else str(value)
    return _cut(text, 400)


def _quantities(run: Run) -> Iterator[tuple[str, str, int, int, float, float]]:
    """(name, meaning, places, values, smallest, largest finite value) for each quantity measured."""
    for name in run.quantities:
        places = run.places(name)
        columns = [run.series(name, where).values for where in places]
        finite = [column[np.isfinite(column)] for column in columns]
        low = min((float(part.min()) for part in finite if part.size), default=float("nan"))
        high = max((float(part.max()) for part in finite if part.size), default=float("nan"))
        meaning = QUANTITIES[name].meaning if name in QUANTITIES else ""
        yield name, meaning, len(places), sum(len(column) for column in columns), low, high
