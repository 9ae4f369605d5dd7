"""How much of what harms a training is told, measured by mutation: healthy programs with one choice changed.

    python benchmarks/mutants.py [--programs N] [--operators WORD ...] [--seeds N] [--watched N] [--keep FOLDER]
                                 [--slice I N] [--seconds S] [--judge-only] [--page FILE]

Programs are those of `mutated_programs.py`, changes those of `mutation.py`. Each mutant is trained bare with the same
seeds as its program; `mutation_harm.py` decides from the skills on held-out samples, without the diagnosis, whether it
is harmful. Then the training of the middling seed is repeated under the monitor and judged. With `--keep` skills and
run files are kept in a folder and read again the next time, so that a benchmark that was stopped goes on, and new rules
judge old runs; what belongs to a program or a mutant that was changed since is trained anew.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from diagnosis import skill
from mutants_page import Judged, page, told
from mutated_programs import HEALTHY, Program, data_of, model_of
from mutation import mutants
from mutation_harm import difference
from trainings import Data

from diagnose import examine, load
from diagnose.callbacks import TrainingMonitor

LEAST = 0.3  # skill of a program that may be called healthy; diabetes and the like are left out by it
STEPS = 64  # of a bare training in one call


@dataclass
class Kept:
    """What is known of one program or mutant; `file` holds all but itself.

    skills: on held-out samples, by seed. watched: seeds with a run file beside `file`. failed: why it does not train.
    """

    file: Path
    program: Program
    skills: dict[int, float] = field(default_factory=dict)
    watched: list[int] = field(default_factory=list)
    failed: str = ""

    def run_file(self, seed: int) -> Path:
        return self.file.with_name(f"{self.file.stem}-{seed}.sqlite")

    def write(self) -> None:
        state = [
            repr(self.program),
            {str(seed): value for seed, value in self.skills.items()},
            self.watched,
            self.failed,
        ]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(state), encoding="utf-8")

    def middling(self, count: int) -> list[int]:
        """So many seeds, those of the most typical skill first."""
        order = sorted(self.skills, key=lambda seed: np.nan_to_num(self.skills[seed], nan=-1.0))
        centre = (len(order) - 1) / 2
        return sorted(order, key=lambda seed: abs(order.index(seed) - centre))[:count]


def kept(folder: Path, program: Program, name: str) -> Kept:
    """What is kept of it, or nothing yet."""
    words = ["".join(c if c.isalnum() else "-" for c in each) for each in (program.name, name)]
    file = folder / words[0] / f"{words[1]}.json"
    if file.exists():
        text, skills, watched, failed = json.loads(file.read_text(encoding="utf-8"))
        if text == repr(program):
            return Kept(file, program, {int(seed): value for seed, value in skills.items()}, watched, failed)
    return Kept(file, program)


class Trainings:
    """Trains, and keeps for each structure the model that was compiled first: tracing is half of what a training costs.

    Bare and watched trainings have models of their own. Each training starts from the variables of a model that was
    made for its seed, so that it is the training of that new model, bit for bit.
    """

    def __init__(self) -> None:
        self.compiled: dict[Any, keras.Model] = {}

    def model(self, program: Program, data: Data, watched: bool) -> keras.Model:
        keras.utils.clear_session(free_memory=False)  # names of layers count from 1 again
        made = model_of(program, data)
        made.optimizer.build(made.trainable_variables)
        key = replace(program, name="", spoils=(), rate=None, epochs=0, batch_size=0)
        if not watched:  # a monitor reads how kernels begin; a bare training only begins with them
            key = replace(key, initializer="", bias=None if program.bias is None else "")
        model = self.compiled.setdefault((watched, key), made)
        if model is made and not watched:  # the same steps, fewer calls: half the time of so small a network
            model.compile(model.optimizer, model.loss, steps_per_execution=STEPS)
        model.optimizer.learning_rate = float(made.optimizer.learning_rate)
        for old, new in ((model.variables, made.variables), (model.optimizer.variables, made.optimizer.variables)):
            for variable, value in zip(old, new, strict=True):
                variable.assign(value)
        return model

    def skill(self, program: Program, seed: int, path: Path | None = None) -> float:
        """Train with a seed, under the monitor if there is a path, and measure on held-out samples."""
        data = data_of(program, seed)
        keras.utils.set_random_seed(seed)
        model = self.model(program, data, path is not None)
        settings: dict[str, Any] = {}
        if path is not None:
            path.unlink(missing_ok=True)
            settings = {"validation_data": (data.x_validation, data.y_validation), "callbacks": [TrainingMonitor(path)]}
        keras.utils.set_random_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(data.x, data.y, program.batch_size, program.epochs, verbose=0, **settings)
            predictions = np.asarray(model(data.x_validation, training=False))
            return skill(data, predictions, data.y_validation)


def seen(found: Kept, trainings: Trainings, seeds: int, watched: int) -> Kept:
    """Train what is missing."""
    for seed in range(1, seeds + 1):
        if not found.failed and seed not in found.skills:
            try:
                found.skills[seed] = trainings.skill(found.program, seed)
            except Exception as error:  # Keras refuses it, and tells so itself
                lines = [line for line in str(error).splitlines() if line.strip()] or [""]
                telling = next((line for line in lines if "shapes" in line), lines[0])
                found.failed = f"{type(error).__name__}: {telling.strip()[:200]}"
            found.write()
    if not found.failed:
        for seed in found.middling(watched):
            if seed not in found.watched:
                again = trainings.skill(found.program, seed, found.run_file(seed))
                if not np.isclose(again, found.skills[seed], atol=0.02, equal_nan=True):
                    print(
                        f"  watched, {found.file.stem} has skill {again:.3f}, bare {found.skills[seed]:.3f}", flush=True
                    )
                found.watched.append(seed)
                found.write()
    return found


def judged(found: Kept, program: Kept, name: str, kinds: frozenset[str], seeds: int, watched: int) -> list[Judged]:
    """The verdicts on the watched trainings of a mutant, or, if it is the same, of the program."""
    wanted = range(1, seeds + 1)
    if found.failed or any(seed not in found.skills or seed not in program.skills for seed in wanted):
        return []
    apart = difference([program.skills[s] for s in wanted], [found.skills[s] for s in wanted])
    skills = tuple(found.skills[seed] for seed in wanted)
    runs = [found.run_file(seed) for seed in found.middling(watched) if seed in found.watched]
    return [Judged(program.program.name, name, kinds, skills, apart, examine(load(run))) for run in runs]


def main() -> None:
    """Train, judge, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=None, help="at most so many")
    parser.add_argument("--operators", nargs="*", default=[], metavar="WORD", help="words of their names")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--watched", type=int, default=1, help="trainings of a mutant that are watched")
    parser.add_argument("--keep", type=Path, default=None, help="folder for skills and runs")
    parser.add_argument("--seconds", type=float, default=None, help="begin no new mutant after this time")
    parser.add_argument("--judge-only", action="store_true", help="judge what was kept, train nothing")
    parser.add_argument("--slice", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="every N-th from I on")
    parser.add_argument("--page", type=Path, default=None)
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp())
    gc.collect()
    gc.freeze()  # Keras and the monitor collect garbage, and need not look each time at all that TensorFlow loaded
    began, results, refused = time.perf_counter(), [], []
    first, every = chosen.slice
    for number, program in enumerate(HEALTHY[: chosen.programs]):
        trainings = Trainings()
        healthy = kept(folder, program, "unchanged")
        todo = [("unchanged", frozenset[str](), program)]
        part = mutants(program)[(first + number) % every :: every]  # other operators for the next program
        todo += [(operator.name, operator.kinds, mutant) for operator, mutant in part]
        for name, kinds, mutant in todo:
            if name != "unchanged" and chosen.operators and not any(word in name for word in chosen.operators):
                continue
            found = healthy if mutant is program else kept(folder, mutant, name)
            if not chosen.judge_only and not (chosen.seconds and time.perf_counter() - began > chosen.seconds):
                found = seen(found, trainings, chosen.seeds, chosen.watched)
            if found.failed:
                refused.append(f"{program.name}, {name}: {found.failed}")
            verdicts = judged(found, healthy, name, kinds, chosen.seeds, chosen.watched)
            if mutant is program and verdicts and np.mean(verdicts[0].skills) < LEAST:
                print(f"{program.name} is no healthy program: skill {np.mean(verdicts[0].skills):.2f}", flush=True)
                break
            results += verdicts
            for each in verdicts:
                print(told(each), flush=True)
    text = page(results, refused, chosen.seeds)
    print(text)
    if chosen.page is not None:
        chosen.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
