"""A diagnosis as one HTML page that needs nothing else: style and figures are in it, and it holds no script.

A Content-Security-Policy in the page forbids scripts and any request, so even a name that slipped through the escaping
could do nothing. What the templates show is gathered here; how it looks is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diagnose import wording
from diagnose._version import __version__
from diagnose.diagnosis.headline import BY_ITSELF
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.figures import ON, SCALE, Side, measure, value
from diagnose.outcome.references import best_reference
from diagnose.report import presentation
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
from diagnose.report.tables import (
    TABLE_ROWS,
    batch_losses,
    cut,
    first_batch_table,
    layers_table,
    quantities,
    root_of,
    settings,
    short,
    sites_table,
    variables_table,
)
from diagnose.run.file_format import MAGIC
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import Finding
from diagnose.wording import counted

PICTURES = 4  # of activations on a page; more would bury the one that matters


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


def write_html(diagnosis: DiagnosisRecord, path: str | Path) -> Path:
    """Write the report to `path` and return it. Raises OSError, saying what to do, where it cannot be written."""
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


def render(diagnosis: DiagnosisRecord) -> str:
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
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "prose": prose,
        "number": wording.number,
        "percent": wording.percent,
        "title_of": presentation.title_of,
        "place": wording.place,
        "titled": presentation.titled,
        "inside": presentation.inside,
        "code_of": presentation.code_of,
        "counted": counted,
        "listed": wording.listed,
        "short": short,
    }
    return env


def _shown(value: Any) -> Any:
    """What a template puts on the page, with what would turn its letters round written out; `prose` did it itself."""
    return wording.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def prose(text: str) -> Markup:
    """Text for the page, escaped, with what stands in backticks as code; a number and its % stay on one line.

    >>> str(prose("`x < 1` in <script>"))
    '<code>x &lt; 1</code> in &lt;script&gt;'
    """
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if is_code else Markup.escape(re.sub(r"(?<=\d) %", "\u00a0%", piece))
        for is_code, piece in presentation.code_spans(wording.printable(str(text)))
    )


def tone_of(diagnosis: DiagnosisRecord) -> str:
    """The colour of the outcome: amber where the model learns and yet something should be changed."""
    return "warn" if diagnosis.outcome == "learning" and diagnosis.causes else presentation.TONES[diagnosis.outcome]


def causes_of(diagnosis: DiagnosisRecord, pictures: int = PICTURES) -> tuple[Cause, ...]:
    """The causes, each with its consequences and the pictures of the activations it names; no picture twice."""
    run, left = diagnosis.run, pictures
    named = _sites_by_name(run)
    drawn: set[str] = set()
    follow = [*diagnosis.consequences_of, *[()] * len(diagnosis.causes)]
    causes: list[Cause] = []
    told: set[str] = set()  # messages that the page has shown already
    for finding, explained in zip(diagnosis.causes, follow, strict=False):
        told |= {finding.message, finding.message.partition(BY_ITSELF)[2]}
        follows, alone = (tuple(_told_once(part, told)) for part in presentation.by_itself(finding, explained))
        shown: tuple[ActivationPicture, ...] = ()
        for where in _in_order(named, [finding, *explained]) if left else ():
            if where not in drawn and (picture := activation_picture(run, where)):
                drawn.add(where)
                left -= 1
                shown = (_not_told(picture, told),)
                break
        causes.append(Cause(finding, presentation.TONES[finding.severity], follows, alone, shown))
    return tuple(causes)


def _not_told(picture: ActivationPicture, told: set[str]) -> ActivationPicture:
    """The picture with what the page has not said yet of its function by itself."""
    fresh = tuple(message for message in picture.alone if message not in told)
    told.update(fresh)
    return replace(picture, alone=fresh)


def _told_once(explained: Iterable[Finding], told: set[str]) -> Iterator[tuple[str, str, str, str]]:
    for rule, severity, group in presentation.consequences(explained):
        message, title = group[0].message, presentation.titled(rule, (member.where for member in group))
        yield title, presentation.TONES[severity], severity, "" if message in told else cut(message)
        told.add(message)


def _sites_by_name(run: Run) -> dict[str, list[str]]:
    """The sites with a picture by what a finding may name: the site, its layer, or what holds either."""
    layers = {site.where: site.layer for site in run.facts.sites}
    named: dict[str, list[str]] = {}
    for where in pictured_sites(run):
        holders = (where[: at.start()] for at in re.finditer("[/@]", where))
        for name in dict.fromkeys([where, layers.get(where, where), *holders]):
            named.setdefault(name, []).append(where)
    return named


def _in_order(named: Mapping[str, list[str]], findings: Iterable[Finding]) -> Iterator[str]:
    """The sites that these findings name."""
    for finding in findings:
        if finding.where:
            yield from named.get(finding.where, ())


def view(diagnosis: DiagnosisRecord) -> dict[str, Any]:
    """All that the report's template shows."""
    run = diagnosis.run
    causes = causes_of(diagnosis)
    above = {picture.where for cause in causes for picture in cause.pictures}
    told = {message for cause in causes for picture in cause.pictures for message in picture.alone}
    told |= {finding.message for finding in diagnosis.findings if finding.severity != "note"}
    others = _other_pictures(run, above, told)
    first_batch = first_batch_table(run)
    maps, missing = layer_maps(run, {finding.where for finding in diagnosis.findings})
    headline, reason = presentation.verdict(diagnosis)
    return {
        "diagnosis": diagnosis,
        "headline": headline,
        "reason": reason,
        "version": __version__,
        "outcome": presentation.title_of_outcome(diagnosis.outcome),
        "tone": tone_of(diagnosis),
        "model": run.facts.model.name,
        "root": root_of(run),
        "created": _date(run.facts.created),
        "observed": bool(run.observations or run.quantities or run.facts.audit),
        "figures": tuple(key_figures(run)),
        "sections": (
            ("causes", "Causes"),
            ("activations", "Activations"),
            ("map", "Layer by step"),
            ("training", "Training and validation"),
            *([("first-batch", "First batch")] if first_batch.rows else []),
            ("layers", "Layer by layer"),
            ("findings", "All findings"),
            ("unmeasured", "Not measured"),
            ("run", "This run"),
        ),
        "causes": causes,
        "code": presentation.code_of(diagnosis.causes[0]) if diagnosis.causes else [],
        "nothing": presentation.no_cause(diagnosis),
        "checks": presentation.checks(diagnosis),
        "graph": cause_graph(diagnosis.causes, diagnosis.consequences_of),
        "pictures": others,
        "pictured_above": bool(above),
        "unpictured": max(len(run.facts.sites) - len(others) - len(above), 0),
        "maps": maps,
        "missing_maps": missing,
        "charts": training_charts(run),
        "history": history_charts(run),
        "classes": class_figures(run),
        "residuals": residual_charts(run),
        "tables": (layers_table(run), sites_table(run), variables_table(run)),
        "first_batch": first_batch,
        "batch_losses": batch_losses(run),
        "findings": diagnosis.findings[:TABLE_ROWS],
        "hidden_findings": max(len(diagnosis.findings) - TABLE_ROWS, 0),
        "tones": presentation.TONES,
        "badges": diagnosis.badges,
        "missed": presentation.reasons(entry for entry in diagnosis.not_measured if entry.applies)[:TABLE_ROWS],
        "idle": presentation.reasons(entry for entry in diagnosis.not_measured if not entry.applies)[:TABLE_ROWS],
        "facts": tuple(settings(run)),
        "quantities": tuple(quantities(run)),
    }


def _other_pictures(run: Run, above: set[str], told: set[str]) -> tuple[ActivationPicture, ...]:
    """Activations worth a picture that no cause shows: the user's own first, then hidden ones, in order.

    above: places drawn already; told: messages shown already.
    """
    sites = [where for where in pictured_sites(run) if where not in above and run.arrays("activation.curve", where)]
    layout = Layout(run)
    sites.sort(key=lambda where: (not layout.site(where).custom, not layout.hidden(where)))
    drawn = []
    for where in sites[: PICTURES - len(above)]:
        if picture := activation_picture(run, where):
            drawn.append(_not_told(picture, told))
    return tuple(drawn)


def key_figures(run: Run) -> Iterator[tuple[str, str]]:
    """The numbers at the head of the page: (name, value)."""
    yield from _results(run)
    for name, quantity in (
        ("loss, training", "loss.train"),
        ("loss, validation", "loss.validation"),
        ("loss of the best constant prediction", "loss.constant"),
    ):
        outputs = run.places(quantity)
        if len(outputs) == 1 and len(series := run.series(quantity, outputs[0])):
            yield name, wording.number(_rounded(float(series.values[-1])))
    for name, words in (("val_accuracy", "validation"), ("accuracy", "training")):
        if run.history.get(name):
            yield f"accuracy, {words}, logged by Keras", wording.percent(float(run.history[name][-1]))
    if run.observations:
        yield "steps observed", _of(run.observations, run.facts.steps_seen)
    if run.facts.finished not in (None, "", "completed"):
        yield "fit ended by", cut(run.facts.finished, 60)
    if epochs := max((len(values) for values in run.history.values()), default=0):
        yield "epochs", wording.number(epochs)
    if run.facts.model.parameters is not None:
        yield "parameters", wording.number(run.facts.model.parameters)


def _results(run: Run) -> Iterator[tuple[str, str]]:
    """What a single output reached on held samples, in the number that a user knows; of several none stands for all."""
    sides: tuple[Side, ...] = ("train", "validation")
    outputs = list(dict.fromkeys(output for side in sides for output in run.places(f"skill.{side}")))
    if len(outputs) != 1:
        return
    output, known = outputs[0], measure(run, outputs[0])
    scale = wording.aside(SCALE) if known == "skill" else ""
    for side in sides:
        if len(series := run.series(f"skill.{side}", output)):
            yield f"{known}, held {ON[side]}{scale}", value(run, float(series.values[-1]), output, side)
    if best := best_reference(run, output):
        side = "validation" if run.facts.references[output].on == "validation" else "train"
        yield f"{known}, simple model ({best[0]})", value(run, best[1], output, side)


def _rounded(number: float) -> float:
    return round(number, 3) if abs(number) >= 0.01 else number


def _of(count: int, total: int | None) -> str:
    return f"{count:,}" if total is None else f"{count:,} of {total:,}"


def _date(created: str) -> str:
    """An ISO time as date and minute, in its own time zone."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", created)
    return f"{found[1]} {found[2]}" if found else created
