"""Makes the pages of this folder from the code, so that they can't say anything else than the code does.

python docs/make.py                writes quantities.md, remedies.md and rules.md
python docs/make.py --activations  also activations.md and activations.svg, which takes a minute
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diagnose.outcome.figures import SCALE
from diagnose.remedy import remedy
from diagnose.remedy_kinds import KINDS
from diagnose.rules.catalogue import ALL_RULES
from diagnose.rules.rule import PARTS, STORY_PARTS
from diagnose.run.quantities import ARRAYS, QUANTITIES

HERE = Path(__file__).parent


def quantities_page() -> str:
    """The table of quantities."""
    rows = [
        f"| `{name}` | {_cell(q.meaning)} | {q.unit} | [{q.low:g}, {q.high:g}] | {q.where} |"
        for name, q in QUANTITIES.items()
    ]
    return "\n".join(
        [
            "# Quantities",
            "",
            "What a run can hold, made from `diagnose/run/quantities.py`. `run.table(name)` gives one as a "
            f"pandas table. Skill is accuracy or R squared on one scale: {SCALE}.",
            "",
            "| Quantity | Meaning | Unit | Range | `where` is a |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "## Arrays",
            "",
            "Small arrays beside the numbers, by step: `run.arrays(name, where)`.",
            "",
            "| Array | Shape | Meaning | `where` is a |",
            "|---|---|---|---|",
            *(
                f"| `{name}` | {shape} | {_cell(meaning)} | {where} |"
                for name, (shape, meaning, where) in ARRAYS.items()
            ),
            "",
        ]
    )


def rules_page() -> str:
    """The catalogue of rules, by part."""
    lines = [
        "# Rules",
        "",
        f"All {len(ALL_RULES)} rules, made from their docstrings. `keras-diagnose rules NAME` shows one.",
        f"Skill is accuracy or R squared on one scale: {SCALE}.",
    ]
    for part, title in PARTS.items():
        lines += ["", f"## {title}"]
        for rule in ALL_RULES:
            if rule.part == part:
                heading, _, text = rule.story.partition("\n\n")
                lines += ["", f"### `{rule.name}`", "", heading.replace("\n", " "), "", _paragraphs(text)]
    return "\n".join([*lines, ""])


def remedies_page() -> str:
    """The kinds of remedies that a machine can apply, each with an example."""
    rows = []
    for kind, row in KINDS.items():
        if row.automatic and kind != "together":
            made = remedy(kind, "dense_1" if row.at_layer else "", row.example)
            value = "" if row.example is None else f"={json.dumps(row.example)}"
            named = f"{kind}{value}{'@dense_1' if row.at_layer else ''}"
            rows.append(f"| `{named}` | {_cell(made.text)} | `{_cell(made.code.replace(chr(10), '; '))}` |")
    return "\n".join(
        [
            "# Remedies",
            "",
            "What `prove` can change in a program, made from `diagnose/remedy_kinds.py`: as `--remedy` takes it, or as",
            "`diagnose.remedy.remedy(kind, layer, value)` makes it, as a sentence, and as the code to paste.",
            "",
            "| `--remedy` | What it changes | Code |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def activations_page() -> str:
    """The computed table of activations, with its figure beside it."""
    from diagnose import compare_activations

    table = compare_activations()
    table.figure().savefig(HERE / "activations.svg")
    return "\n".join(
        [
            "# Activations",
            "",
            "The activations of Keras, computed by `diagnose.compare_activations()`; nothing here is typed in.",
            "",
            "![The activations and their slopes](activations.svg)",
            "",
            table.markdown(),
            "",
        ]
    )


def _paragraphs(text: str) -> str:
    """Each "Sees: ..." as an item of its own, its name in bold; other paragraphs as they are."""
    blocks: list[str] = []
    for line in text.splitlines():
        head, colon, rest = line.partition(": ")
        if colon and head in STORY_PARTS:
            blocks.append(f"- **{head}**: {rest}")
        elif not line.strip():
            blocks.append("")
        elif blocks and blocks[-1]:
            blocks[-1] += " " + line.strip()
        else:
            blocks.append(line)
    return "\n".join(block for block in blocks if block)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activations", action="store_true", help="also the table of activations")
    pages = {"quantities.md": quantities_page, "remedies.md": remedies_page, "rules.md": rules_page}
    if parser.parse_args().activations:
        pages["activations.md"] = activations_page
    for name, page in pages.items():
        HERE.joinpath(name).write_text(page())


if __name__ == "__main__":
    main()
