"""How the diagnosis does on programs written by someone who had not read the rules.

    python benchmarks/fresh.py [--inline] [--only NAME ...]

`fresh_programs/` holds 44 sick programs (`s...`) and 30 healthy ones (`h...`), as they were written;
`fresh_programs_inline/` 12 and 14, whose activations are written in a `call` or between layers. Each says in
`TRUTH` what is wrong with it and what cures it, and trains in `train(callbacks)`; the sick ones also cured. Printed
are, for each, its outcome, its causes, and beside them the truth: whether a cause says the same is for a reader to
judge. Counted are the sick ones whose first cause blames what `TRUTH` blames, and the healthy ones with a cause.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import warnings
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from diagnose import Diagnosis
from diagnose.callbacks import TrainingMonitor

HERE = Path(__file__).parent


def loaded(path: Path) -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def diagnosed(program: ModuleType) -> Diagnosis:
    """The diagnosis of its training."""
    keras.backend.clear_session()
    keras.config.set_dtype_policy("float32")
    monitor = TrainingMonitor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program.train([monitor])
        except Exception as error:  # a training that breaks is diagnosed all the same
            print(f"  raised {type(error).__name__}: {error}")
    return monitor.diagnosis


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names, or how they begin")
    parser.add_argument("--inline", action="store_true", help="those whose activations are written inline")
    arguments = parser.parse_args()
    only = tuple(arguments.only)
    programs = HERE / ("fresh_programs_inline" if arguments.inline else "fresh_programs")
    sick = blamed = silent = healthy = accused = 0
    for path in sorted(programs.glob("*.py")):
        if only and not path.stem.startswith(only):
            continue
        program = loaded(path)
        diagnosis, truth = diagnosed(program), program.TRUTH
        causes = diagnosis.causes
        print(f"{path.stem}: {diagnosis.outcome}", flush=True)
        for cause in causes[:3]:
            print(f"  {cause.rule} at {cause.where or 'the whole model'} ({', '.join(cause.blames)})")
        if truth["sick"]:
            print(f"  truth: {truth['cause']} ({truth['blames']})")
            sick += 1
            silent += not causes
            blamed += bool(causes) and truth["blames"] in causes[0].blames
        else:
            healthy += 1
            accused += bool(causes)
    print(f"{sick} sick: the first cause blames the right thing in {blamed}, no cause in {silent}")
    print(f"{healthy} healthy: a cause in {accused}")


if __name__ == "__main__":
    main()
