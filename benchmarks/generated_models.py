"""Whether a watched training is the same training, on hundreds of models and options put together by chance.

    python benchmarks/generated_models.py [--seeds 0:200] [--jobs 1] [--smaller] [--plain NAME=OPTION ...] [--all]

Each seed is a small training (`tests/generated`), trained bare and watched in one process under the same fresh seeds.
Compared bit for bit: all variables, the history, predictions, what the global random states give next, and what Python
the model is made of. A training that is not the same when it is trained bare twice is told and left out. A line for
each seed that differs, or in which something of the monitor's failed; the count at the end also says how many trainings
could not be observed, and why. Ends with 1 if one differs or failed.

With --smaller each fault is tried with its choices made plain one by one, and told again by what is left. With --plain
a choice is forced for all seeds, say "mode=eager". With --all there is a line for each seed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import tensorflow as tf
from generated import Compared, compared, smaller

FAULTS = ("differs", "failed", "crashed")
tf.get_logger().setLevel("ERROR")  # it advises against tracing many functions, which is what this does


def tried(seed: int, forced: dict[str, str], reduce: bool) -> list[Compared]:
    """What became of a seed, and of the smallest training with the same fault if it is to be found."""
    try:
        found = compared(seed, forced)
        return [found, smaller(found)] if reduce and found.outcome in FAULTS else [found]
    except Exception:
        told = traceback.format_exc().strip().splitlines()
        return [Compared(seed, "crashed", tuple(told[-3:]), {}, {}, 0, ())]


def all_tried(seeds: range, forced: dict[str, str], reduce: bool, jobs: int) -> Iterator[list[Compared]]:
    """In the order of the seeds; in processes of their own if there are several jobs."""
    if jobs == 1:
        yield from (tried(seed, forced, reduce) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=25) as pool:
        futures = [pool.submit(tried, seed, forced, reduce) for seed in seeds]
        yield from (future.result() for future in futures)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train generated models bare and watched, and compare.")
    parser.add_argument("--seeds", default="0:200", help="FROM:TO, the last one left out")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--smaller", action="store_true", help="look for the smallest training with the same fault")
    parser.add_argument("--plain", nargs="*", default=[], metavar="NAME=OPTION", help="choices forced for all seeds")
    parser.add_argument("--all", action="store_true", help="a line for each seed, also for those that are well")
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    gc.collect()
    gc.freeze()  # `clear_session` collects garbage, and need not look each time at all that TensorFlow loaded
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for found in all_tried(seeds, dict(each.split("=", 1) for each in chosen.plain), chosen.smaller, chosen.jobs):
        outcomes[found[0].outcome] += 1
        reasons.update(found[0].reasons)
        if chosen.all or found[0].outcome in (*FAULTS, "unrepeatable"):
            print(*found, sep="\n  smaller: ", flush=True)
    print(f"{len(seeds)} trainings: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    for reason, count in reasons.most_common():
        print(f"  {count} not observed: {reason}")
    return 1 if any(outcomes[fault] for fault in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
