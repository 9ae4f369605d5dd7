"""Whether Keras' own tests pass as before when each `fit` in them is watched.

    python benchmarks/compat.py PATH [--tests FILE ...] [--select WORDS]

PATH is a checkout of Keras' sources, of the version that is installed:

    git clone --branch v$(python -c "import keras; print(keras.__version__)") https://github.com/keras-team/keras PATH

Its tests of trainers, callbacks and models are run with pytest on the checkout's own `keras`, once bare and once with a
`TrainingMonitor` in every fit. Told is each test that passes bare and fails watched, and how many fits were observed,
or why not. Ends with 1 if there is such a test but those of `EXPECTED`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = (
    "keras/src/trainers/trainer_test.py",
    "keras/src/trainers/compile_utils_test.py",
    "keras/src/trainers/epoch_iterator_test.py",
    "keras/src/callbacks",
    "keras/src/models",
)
#: Tests that see the monitor by what they test: a part of their name, and why.
EXPECTED = {
    "::test_retracing": "it counts traces of a train step, ours too: code in a module of Keras' own is not put back",
}


def run(checkout: Path, tests: list[str], select: str, *, watched: bool) -> dict[str, Any]:
    """What became of the tests and fits, as `every_fit_watched` tells it. Raises RuntimeError if pytest can't run."""
    paths = [str(checkout), str(HERE.parent), str(HERE)]
    settings = {"PYTHONPATH": os.pathsep.join(paths), "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [sys.executable, "-m", "pytest", "-p", "every_fit_watched", "-p", "no:cacheprovider", "-q"]
        command += ["--continue-on-collection-errors"]
        command += ["--told", str(told), "--watched"] if watched else ["--told", str(told)]
        command += ["-k", select] if select else []
        done = subprocess.run([*command, *tests], cwd=checkout, env={**os.environ, **settings}, capture_output=True)
        if not told.exists():
            raise RuntimeError((done.stdout + done.stderr).decode(errors="replace")[-2000:])
        return json.loads(told.read_text())


def counts(told: dict[str, Any]) -> str:
    outcomes = [outcome for outcome, _ in told["tests"].values()]
    return ", ".join(f"{outcomes.count(each)} {each}" for each in ("passed", "failed", "skipped", "not read"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run Keras' own tests bare and watched.")
    parser.add_argument("checkout", type=Path, metavar="PATH", help="Keras' sources")
    parser.add_argument("--tests", nargs="*", default=list(TESTS), metavar="FILE", help="of the checkout")
    parser.add_argument("--select", default="", metavar="WORDS", help="as -k of pytest")
    chosen = parser.parse_args()
    checkout = chosen.checkout.resolve()
    found = re.search(r'__version__ = "(.+)"', (checkout / "keras/src/version.py").read_text())
    if found is None or found[1] != version("keras"):
        print(f"The checkout is Keras {found[1] if found else '?'}; {version('keras')} is installed.")
    bare = run(checkout, chosen.tests, chosen.select, watched=False)
    print(f"bare:    {counts(bare)}", flush=True)
    broken = Counter(tuple(told) for told in bare["tests"].values() if told[0] in ("failed", "not read"))
    for (outcome, message), count in broken.most_common():
        print(f"  {count} {outcome}: {message}", flush=True)
    watched = run(checkout, chosen.tests, chosen.select, watched=True)
    print(f"watched: {counts(watched)}")
    print(f"{watched['begun']} fits watched ({watched['fits']} called), {watched['observed']} of them observed")
    for note, count in watched["notes"]:
        print(f"  {count} times: {note}")
    unexpected = 0
    for name, (outcome, message) in watched["tests"].items():
        if outcome == "passed" or bare["tests"].get(name, [""])[0] != "passed":
            continue
        why = next((why for part, why in EXPECTED.items() if part in name), "")
        unexpected += not why
        print(f"passes bare, {outcome} watched: {name}: {message}{f' (expected: {why})' if why else ''}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
