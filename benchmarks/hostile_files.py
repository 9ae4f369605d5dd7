"""What a run file made to do harm can do: hundreds of changes to a good one, each read in a process of its own.

    python benchmarks/hostile_files.py [--seed 0] [--only WORDS]

Each changed file is read by `keras-diagnose report`, and by `load`, `examine` and all that shows a run: text, page,
JSON, notebook and tables.

Told is each one that ends in a traceback, takes over 10 s of the processor or never comes back, takes over 1 GB, gives
an exit code other than 0 or 1 with a report or 2 with one plain line, or lets a character through that steers a
terminal or is markup on the page. Ends with 1 if there is one. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import jinja2  # noqa: F401 - loaded once here, and not in each process
import pandas  # noqa: F401
from hostile import MARKUP, Change, changes, good_file

from diagnose import examine, load
from diagnose.cli import main
from diagnose.report import html, notebook, terminal  # noqa: F401

SECONDS = 10  # of the processor
WAIT = 60.0  # seconds in all, for each of the two: other work on the machine may take most of them
MEMORY = 1_000_000_000  # bytes beyond what the process has at its start
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def commanded(path: Path) -> str:
    """What is wrong with `keras-diagnose report`; "" for nothing."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["report", str(path)])
        except SystemExit as done:
            code = int(done.code or 0)
    told = err.getvalue()
    if "failed by itself" in told:
        return f"fault: {told.strip()}"
    if STEERING.search(out.getvalue() + told):
        return "steering character in the terminal"
    if code in (0, 1) and out.getvalue().strip():
        return ""
    if code == 2 and len(told.splitlines()) == 1 and "Traceback" not in told and len(told) < 2_000:
        return ""
    return f"exit code {code} with {len(out.getvalue())} letters of report and the error {told[:200]!r}"


def shown(path: Path, directory: Path) -> str:
    """What is wrong with reading, judging and showing it from Python; "" for nothing."""
    try:
        run = load(path)
    except (OSError, ValueError) as error:
        return "" if len(str(error).splitlines()) == 1 and len(str(error)) < 2_000 else f"error in {error!s:.200}"
    diagnosis = examine(run)
    page = diagnosis.to_html(directory / "page.html").read_text(encoding="utf-8")
    texts = [str(diagnosis), page, diagnosis.to_json(), diagnosis._repr_html_()]
    for quantity in run.quantities[:50]:
        len(run.table(quantity))
    if any(MARKUP in text for text in (page, texts[3])):
        return "markup on the page"
    if any(STEERING.search(text) for text in texts):
        return "steering character in what is shown"
    failed = {entry.reason for entry in diagnosis.not_measured if "the rule itself failed" in entry.reason}
    return f"fault: {next(iter(failed)):.150}" if failed else ""


def tried(path: Path, directory: Path) -> str:
    """What is wrong with a file; "" for nothing."""
    doings: tuple[Callable[[], str], ...] = (
        lambda: commanded(path),
        lambda: shown(path, directory),
    )
    for doing in doings:
        began = time.process_time()
        try:
            if wrong := doing():
                return wrong
        except MemoryError:
            return f"memory: over {MEMORY / 1e9:.0f} GB"
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = next(
                (f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames) if "diagnose" in f.filename), ""
            )
            return f"traceback: {type(error).__name__}: {str(error)[:120]} ({place})"
        if (taken := time.process_time() - began) > SECONDS:
            return f"hang: {taken:.0f} s"
    return ""


def in_a_process(path: Path, directory: Path) -> tuple[str, float]:
    """What is wrong with a file as a process with limits finds it, and the processor seconds it took."""
    answer = directory / "answer"
    answer.write_text("")
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (3 * SECONDS, 3 * SECONDS + 1))
            answer.write_text(tried(path, directory) or "well")
        os._exit(0)
    end = time.monotonic() + 2 * WAIT
    while time.monotonic() < end:
        done, _, used = os.wait4(child, os.WNOHANG)
        if done:
            seconds = used.ru_utime + used.ru_stime
            told = answer.read_text() or "traceback: the process was ended (memory or time)"
            return ("" if told == "well" else told), seconds
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    _, _, used = os.wait4(child, 0)
    return "hang: never came back", used.ru_utime + used.ru_stime


def run_one(change: Change, good: Path, directory: Path) -> tuple[str, float]:
    path = directory / "run.sqlite"
    shutil.copy(good, path)
    change.make(path)
    return in_a_process(path, directory)


def main_program() -> int:
    parser = argparse.ArgumentParser(description="Read hundreds of run files made to do harm.")
    parser.add_argument("--seed", type=int, default=0, help="which values of the facts meet which replacement")
    parser.add_argument("--only", default="", help="changes whose kind or name holds these words")
    chosen = parser.parse_args()
    tally: Counter[str] = Counter()
    count = 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory:
        good = good_file(Path(directory) / "good.sqlite")
        for change in changes(chosen.seed):
            if chosen.only not in f"{change.kind}: {change.name}":
                continue
            count += 1
            with tempfile.TemporaryDirectory(dir=directory) as own:
                wrong, seconds = run_one(change, good, Path(own))
            if wrong or seconds > 5:
                print(f"{seconds:5.1f} s  {change.kind}: {change.name[:60]}: {wrong or 'well'}", flush=True)
            if wrong:
                tally[wrong.partition(":")[0].partition(" ")[0]] += 1
    print(f"{count} changes, {sum(tally.values())} went wrong: {dict(tally)}")
    return 1 if tally else 0


if __name__ == "__main__":
    sys.exit(main_program())
