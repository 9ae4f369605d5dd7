"""How often what the diagnosis advises cures: `prove` over the sick trainings of the tests.

    python benchmarks/repair.py [--only WORDS] [--part K/N] [--seeds N] [--budget N] [--keep FILE]
    python benchmarks/repair.py --healthy | --random [...]
    python benchmarks/repair.py --page FILE [--keep FILE]

Each sick twin of `tests/test_twins.py` is built on several seeds, its causes are found, and their remedies are tried;
nothing here knows the twin's own cure. Counted is, for the rule of the first cause, what its first remedy that a
machine can apply does, and whether any remedy within the budget cures. With `--healthy` six changes are forced on sound
trainings, as if they had shown a fault: none of them may be called a cure. With `--random` what is tried is drawn
instead of advised: rate, optimizer, initializer and activation at once, with as many trainings. Results are appended to
a file, a line a training, so that parts may run side by side, and a page is made of all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_twins import SOUND, TWINS, YES_OR_NO
from trainings import Training, made, wine

from diagnose import Finding
from diagnose.api import Proof
from diagnose.callbacks import prove
from diagnose.callbacks.proving.trial import Job, train
from diagnose.diagnosis.proof import judged
from diagnose.remedy import Remedy, remedy, together

HEALTHY = {"clusters": SOUND, "circles": YES_OR_NO, "wine": Training(wine, epochs=8, batch_size=8)}
FORCED = (
    remedy("learning-rate", value=0.001),
    remedy("learning-rate", value=0.03),
    remedy("standardize-inputs"),
    remedy("clipnorm", value=1.0),
    remedy("initializer", value="he_normal"),
    remedy("normalize-activation-input", "hidden_1"),
)


class Inline(Executor):
    """Runs each job at once in this process: a process of its own for each would take most of the time."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Builder:
    """The program of a training, for each seed."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def __call__(self, seed: int) -> tuple[Any, dict[str, Any]]:
        training = replace(self.training, seed=seed + 1)
        model, data, _ = made(training)
        held = {"validation_data": (data.x_validation, data.y_validation)}
        if training.batches is not None:
            return model, {"x": training.batches(data), "epochs": training.epochs, **held, **training.fit}
        whole = {"x": data.x, "y": data.y, "batch_size": training.batch_size, "epochs": training.epochs}
        return model, {**whole, **held, **training.fit}


def told(name: str, proof: Proof) -> dict[str, Any]:
    """One line of the results."""
    first = next((cause for cause in proof.examined.causes), None)
    mine = [each for each in proof.verdicts if first and each.rule == first.rule]
    advised = [remedy.text for remedy in first.remedies if remedy.automatic] if first else []
    leading = next((each for text in advised[:1] for each in mine if _is(each.remedy, text)), None)
    return {
        "training": name,
        "reproduced": proof.fault_reproduced,
        "rule": first.rule if first else "",
        "automatic": bool(advised) or bool(proof.verdicts),
        "first": leading.verdict if leading else ("none" if not advised else "not tried"),
        "first remedy": advised[0] if advised else "",
        "best": proof.verdicts[0].verdict if proof.verdicts else "none",
        "best remedy": proof.verdicts[0].remedy.text if proof.verdicts else "",
        "fits": len(proof.tried),
        "all": [[each.rule, each.remedy.text, each.verdict, each.before, each.after] for each in proof.verdicts],
    }


def _is(remedy: Remedy, text: str) -> bool:
    """Whether this is the remedy of that text, alone or at all places that need it."""
    return remedy.text == text or text in [part.text for part in remedy.parts]


def forced(name: str, training: Training, seeds: int) -> Iterator[dict[str, Any]]:
    """What is said of changes that a sound training does not need."""
    build = cloudpickle.dumps(Builder(training))
    as_if = Finding("", "nothing", rule="as-if", blames=("activation",))
    unchanged = [replace(train(Job(build, seed))[0], warned=("as-if",)) for seed in range(seeds)]
    for change in FORCED:
        tried = [train(Job(build, seed, change))[0] for seed in range(seeds)]
        found = judged(change, as_if, unchanged, tried)
        yield {"training": name, "remedy": change.text, "verdict": found.verdict, "reason": found.reason}


def drawn(training: Training, count: int, seed: int) -> list[Remedy]:
    """So many random choices of rate, optimizer, initializer and activation of all hidden layers of a dense stack."""
    rng = np.random.default_rng(seed)
    hidden = [f"hidden_{depth}" for depth in range(1, training.depth + 1)] if training.network is None else []
    found = []
    for _ in range(count):
        rate = float(f"{10 ** rng.uniform(-4, -1):.2g}")
        activation = str(rng.choice(["relu", "tanh", "elu", "selu"]))
        found.append(
            together(
                [
                    remedy("optimizer", value={"class_name": str(rng.choice(CLASSES)), "learning_rate": rate}),
                    remedy("initializer", value=str(rng.choice(["glorot_uniform", "he_normal", "lecun_normal"]))),
                    *(remedy("replace-activation", where, activation) for where in hidden),
                ]
            )
        )
    return found


def page(lines: list[dict[str, Any]]) -> str:
    """The results as a page: in all, and rule by rule. Of a training that was tried again the last result counts."""
    lines = [*{(line["training"], line.get("remedy"), line.get("random")): line for line in lines}.values()]
    luck = {line["training"]: line for line in lines if line.get("random")}
    sick = [line for line in lines if line.get("reproduced") and not line.get("random")]
    tried = [line for line in sick if line["automatic"]]
    made_up = [line for line in lines if "verdict" in line]
    rules: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in tried:
        rules[line["rule"]].append(line)
    rows = [
        f"| {rule} | {len(group)} | "
        + " | ".join(str(sum(line["first"] == verdict for line in group)) for verdict in COLUMNS)
        + f" | {sum(line['best'] == 'cures' for line in group)} |"
        for rule, group in sorted(rules.items())
    ]
    paired = [line for line in tried if line["training"] in luck]
    first, some = (sum(line[which] == "cures" for line in tried) for which in ("first", "best"))
    return "\n".join(
        [
            "# How often the advice cures",
            "",
            "Made by `benchmarks/repair.py`, which says how. These trainings are those that rules were made with.",
            "",
            f"- sick trainings that showed their fault: {len(sick)}; "
            f"with a remedy that a machine can apply: {len(tried)}",
            f"- the first remedy of the first cause cures: {first} of {len(tried)}",
            f"- some remedy within the budget cures: {some} of {len(tried)}",
            *(
                [
                    f"- of {len(paired)} of these, searched at random too, with 8 trainings each: some choice "
                    f"cures {sum(luck[line['training']]['best'] == 'cures' for line in paired)}, advice "
                    f"{sum(line['best'] == 'cures' for line in paired)}",
                ]
                if paired
                else []
            ),
            f"- changes forced on sound trainings: {len(made_up)}, called a cure: "
            f"{sum(line['verdict'] == 'cures' for line in made_up)}",
            "",
            f"| first cause | trainings | {' | '.join(COLUMNS)} | some remedy cures |",
            f"|---|{'---|' * (len(COLUMNS) + 2)}",
            *rows,
            "",
        ]
    )


CLASSES = ["Adam", "SGD", "RMSprop"]
COLUMNS = ("cures", "helps", "no effect", "harms", "undecided", "failed", "none", "not tried")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--budget", type=int, default=8)
    parser.add_argument("--healthy", action="store_true")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--keep", type=Path, default=Path("repair.jsonl"))
    parser.add_argument("--page", type=Path)
    wanted = parser.parse_args()
    part, parts = map(int, wanted.part.split("/"))
    names = [name for name in TWINS if wanted.only in name][part - 1 :: parts] if not wanted.page else []
    warnings.simplefilter("ignore")
    for name in names if not wanted.healthy else ():
        try:
            proof = prove(
                Builder(TWINS[name].sick),
                seeds=wanted.seeds,
                budget=wanted.budget,
                remedies=drawn(TWINS[name].sick, wanted.budget, 1) if wanted.random else None,
                executor=Inline(),
                progress=False,
            )
        except (ValueError, TypeError, RuntimeError) as error:
            line = {"training": name, "error": str(error).splitlines()[0]}
        else:
            line = told(name, proof) | ({"random": True} if wanted.random else {})
        _keep(wanted.keep, line)
    for name, training in HEALTHY.items() if wanted.healthy else ():
        for line in forced(name, training, wanted.seeds):
            _keep(wanted.keep, line)
    if wanted.page:
        wanted.page.write_text(page([json.loads(line) for line in wanted.keep.read_text().splitlines()]))


def _keep(file: Path, line: dict[str, Any]) -> None:
    with file.open("a") as kept:
        print(json.dumps(line), file=kept, flush=True)
    print({name: value for name, value in line.items() if name != "all"}, flush=True)


if __name__ == "__main__":
    main()
