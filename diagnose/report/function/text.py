"""A profile as terminal text: the findings first, then the facts as a table."""

from __future__ import annotations

import textwrap

from diagnose.activation.facts import Numerics, Propagation, Shape
from diagnose.diagnosis.judged_function import JudgedFunction
from diagnose.verdict import NotMeasured
from diagnose.wording import counted, printable

WIDTH = 100


def to_text(profile: JudgedFunction) -> str:
    """Headline, findings, facts, and what could not be measured."""
    lines = [headline(profile), ""]
    for finding in profile.findings:
        lines += textwrap.wrap(
            f"[{finding.severity}] {finding.rule}: {finding.message}",
            WIDTH,
            subsequent_indent="    ",
            initial_indent="  ",
        )
        if finding.severity != "note":
            lines += textwrap.wrap(f"do: {finding.remedy}", WIDTH, initial_indent="    ", subsequent_indent="    ")
            lines += textwrap.wrap(
                f"wrong if: {finding.refute}", WIDTH, initial_indent="    ", subsequent_indent="    "
            )
    lines += [""] if profile.findings else []
    table = facts_table(profile)
    width = max(len(name) for name, _ in table)
    for name, value in table:
        first, *rest = textwrap.wrap(value, WIDTH - width - 4) or [""]
        lines.append(f"  {name:<{width}}  {first}")
        lines += [" " * (width + 4) + more for more in rest]
    for reason, rules in reasons(profile.not_measured).items():
        lines += textwrap.wrap(
            f"not measured: {', '.join(rules)} ({reason})", WIDTH, initial_indent="  ", subsequent_indent="    "
        )
    return printable("\n".join(lines))


def headline(profile: JudgedFunction) -> str:
    """One line: what it is, and whether it is sound."""
    grave = [finding for finding in profile.findings if finding.severity != "note"]
    count = f"{counted(len(grave), 'finding')}: {', '.join(finding.rule for finding in grave)}"
    return f"{profile.name} in {profile.dtype}: {count if grave else 'sound'}"


def reasons(verdicts: tuple[NotMeasured, ...]) -> dict[str, list[str]]:
    """The rules that could not look, by reason."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.reason, []).append(verdict.rule)
    return found


def facts_table(profile: JudgedFunction) -> list[tuple[str, str]]:
    """The facts in words, for all views."""
    rows: list[tuple[str, str]] = []
    if profile.shape is not None:
        rows += _shape_rows(profile.shape)
    if profile.mixing is not None:
        mixing = profile.mixing
        mixes = [
            name
            for name, on in (("the batch", mixing.batch), ("units", mixing.units), ("places", mixing.positions))
            if on
        ]
        words = "element by element" if mixing.elementwise else f"mixes over {' and '.join(mixes) or 'nothing'}"
        words += f" (keeps the {mixing.normalizes})" if mixing.normalizes else ""
        words += "" if mixing.keeps_shape else f", {profile.calls.shape} becomes {mixing.output_shape}"
        words += f", differs by place (by up to {mixing.spread:.2g} of its rms)" if mixing.by_position else ""
        rows.append(("works", words))
    if profile.numerics:
        rows.append(("finite for", "; ".join(_numerics_words(numerics) for numerics in profile.numerics)))
    if profile.gradient is not None and profile.gradient.compared:
        check = profile.gradient
        off = f"off by {check.worst:.1e} of the largest slope at most" if check.worst else "agrees except for rounding"
        rows.append(("gradient check", f"{off}, at {counted(check.compared, 'place')}"))
    if profile.propagation is not None:
        rows += _depth_rows(profile.propagation)
    rows.append(("repeatable", {None: "not known", True: "yes", False: "no"}[profile.calls.repeatable]))
    if profile.captured:
        rows.append(("reads", ", ".join(variable.name for variable in profile.captured)))
    if profile.saving is not None:
        rows.append(("can be loaded", "yes" if profile.saving.loads else f"not by itself: {profile.saving.told}"))
    if profile.cost is not None:
        rows.append(("cost", f"{profile.cost.relative:.1f} times relu"))
    rows.append(("examined in", f"{profile.seconds:.2f} s, curve in {profile.calls.precision}"))
    return rows


def slope(value: float, shape: Shape) -> float:
    """A slope as it is told: 0 where it is rounding beside the largest."""
    return 0.0 if abs(value) < 1e-9 * shape.largest_slope else value


def _shape_rows(shape: Shape) -> list[tuple[str, str]]:
    nearest = sorted(sorted(shape.turns, key=lambda turn: abs(turn.z))[:6], key=lambda turn: turn.z)
    turns = ", ".join(f"{turn.z:.4g}" for turn in nearest) + (" ..." if shape.turn_count > 6 else "")
    flats = ", ".join(f"{flat} ({flat.mass:.0%})" for flat in shape.flats if flat.mass > 0.0005)[:200]
    breaks = [f"kink at {kink.z:.4g}" for kink in shape.kinks[:4]] + [
        f"jump at {jump.z:.4g}" for jump in shape.jumps[:4]
    ]
    breaks += [f"vertical at {z:.4g}" for z in shape.singular[:4]]
    return [
        ("range", f"{shape.low:.4g} to {shape.high:.4g}; f(0) = {shape.value_at_zero:.4g}"),
        (
            "slope",
            f"grows without bound towards z = {shape.vertical[0]:.4g}"
            if shape.vertical
            else f"{slope(shape.lowest_slope, shape):.4g} to {slope(shape.highest_slope, shape):.4g}; largest "
            f"{shape.largest_slope:.4g} at z = {shape.steepest:.3g}",
        ),
        ("Lipschitz", f"{shape.lipschitz:.4g}"),
        ("monotone", shape.monotone + (f"; turns at {turns}" if shape.turn_count else "")),
        ("flat", flats or "nowhere that standard normal inputs reach"),
        ("breaks", ", ".join(breaks) or "none"),
        (
            "standard normal input",
            f"mean {shape.mean if abs(shape.mean) > 1e-12 else 0.0:.3g}, standard deviation {shape.std:.3g}, E f^2 = "
            f"{shape.second_moment:.3g}",
        ),
    ]


def _numerics_words(numerics: Numerics) -> str:
    bound = numerics.finite_within
    where = (
        "all numbers" if bound == float("inf") else f"|z| < {bound:.5g}" if bound > 0 else "z other than 0, at least"
    )
    return f"{where} in {numerics.dtype}"


def _depth_rows(found: Propagation) -> list[tuple[str, str]]:
    rows = []
    for depth in found.depths:
        points = ", ".join(f"{point.q:.3g}" for point in depth.points)
        correlation = f", correlations over {depth.correlation_layers:.3g}" if depth.correlation_layers < 1e6 else ""
        rows.append(
            (
                depth.initializer,
                f"chi {depth.chi:.3g}, fixed point {points or depth.fixed}; signal lasts "
                f"{_layers(depth.signal_layers)}, "
                f"gradient {_layers(depth.gradient_layers)}{correlation}",
            )
        )
    if found.suits:
        rows.append(("suits best", found.suits))
    return rows


def _layers(count: int) -> str:
    return "over 1000 layers" if count >= 1000 else counted(count, "layer")
