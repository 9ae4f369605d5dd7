"""Where the thresholds of the rules come from: small trainings, sick and healthy, and what was measured on them.

    python benchmarks/calibration.py [--seeds 1 2] [--only NAME ...] [--page benchmarks/calibration.md] [--keep FOLDER]

For each training: its outcome, its causes, and the figures that the rules compare with their thresholds (the median of
the last five observations, the worst place of the model). The page keeps the extremes over the healthy trainings beside
those of the sick ones. Each training takes seconds; all of them with one seed about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from calibration_trainings import HEALTHY, SICK, Training

from diagnose import Diagnosis, Run, examine, load
from diagnose.callbacks import TrainingMonitor
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.fair_gap import gap_of, outputs_of
from diagnose.rules.evidence.gradients import ratio_of
from diagnose.rules.evidence.persistence import recent
from diagnose.rules.evidence.updates import typical_ratio
from diagnose.run.layout import Layout


def train(case: Training, seed: int, path: Path | None) -> Run:
    """One training, watched with the default settings; read again if its run file was kept in `path`."""
    if path is not None and path.exists() and (kept := load(path)).facts.finished == "completed":
        return kept
    keras.utils.set_random_seed(seed)
    keras.backend.clear_session()
    data, model = case.data(np.random.default_rng(seed)), case.model()
    classes = case.loss in ("sparse_categorical_crossentropy", "binary_crossentropy")
    model.compile(case.optimizer(), case.loss, metrics=list(case.metrics) if classes else None)
    monitor = TrainingMonitor(path)
    model.fit(
        data.x,
        data.y,
        validation_data=data.validation,
        epochs=case.epochs,
        batch_size=case.batch_size,
        verbose=0,
        callbacks=[monitor],
    )
    return monitor.run


def figures(run: Run) -> dict[str, float]:
    """What the rules compare with their thresholds: the worst place, the median of the last observations."""
    layout = Layout(run)

    def worst(quantity: str, pick: Callable[[list[float]], float]) -> float:
        values = [
            recent(run.series(quantity, where).finite()) for where in run.places(quantity) if layout.hidden(where)
        ]
        known = [value for value in values if np.isfinite(value)]
        return pick(known) if known else float("nan")

    case = Case.of(run)
    names = case.kernels
    ratio = recent(ratio_of(run, names[0], names[-1])) if len(names) > 1 else float("nan")
    updates = typical_ratio(case)
    gaps = [gap_of(run, where)[2].values for where in outputs_of(run)]
    skills = [run.series("skill.train", where).finite().values for where in run.places("skill.train")]
    starts = [
        run.series("preactivation.std", where).finite().values
        for where in run.places("preactivation.std")
        if layout.hidden(where)
    ]
    return {
        "skill": min((float(values[-1]) for values in skills if len(values)), default=float("nan")),
        "saturated share": worst("activation.saturated_share", max),
        "dead share": worst("activation.dead_share", max),
        "falling share": worst("activation.falling_share", max),
        "least gate gain": worst("activation.gate_gain", min),
        "largest gate gain": worst("activation.gate_gain", max),
        "least spread": worst("activation.spread", min),
        "gradient, first over last": ratio,
        "update ratio": recent(updates),
        "first updates": float(updates.values[:5].sum()) if len(updates) else float("nan"),
        "least std of z at first": min((float(values[0]) for values in starts if len(values)), default=float("nan")),
        "largest std of z at first": max((float(values[0]) for values in starts if len(values)), default=float("nan")),
        "gap": max((float(values[-1]) for values in gaps if len(values)), default=float("nan")),
    }


def right(case: Training, diagnosis: Diagnosis) -> bool:
    """Whether the diagnosis is as expected."""
    if not case.expected:
        return not diagnosis.causes
    return bool(diagnosis.causes) and diagnosis.causes[0].rule in case.expected


def page(results: list[tuple[Training, int, Diagnosis, dict[str, float]]]) -> str:
    """The measured figures as Markdown: extremes over healthy and sick trainings, then every training."""
    healthy = [numbers for case, _, _, numbers in results if not case.expected]
    sick = [numbers for case, _, _, numbers in results if case.expected]
    names = list(results[0][3])
    lines = [
        "# Calibration of the rules",
        "",
        f"Measured by `benchmarks/calibration.py` on {len(healthy)} healthy and "
        f"{len(sick)} sick trainings: small networks on "
        "scikit-learn's digits, moons, Friedman's regression and synthetic data, "
        "with the default settings of the monitor. "
        "Each figure is the worst place of the model, the median of the last five observations.",
        "",
        "The thresholds were set with these trainings in sight, so the verdicts "
        "below show that they fit, not how often "
        "the diagnosis is right elsewhere: that is measured by `benchmarks/diagnosis.py` on trainings held back.",
        "",
        "| figure | healthy: least | median | most | sick: least | median | most |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        cells = []
        for group in (healthy, sick):
            values = np.array([numbers[name] for numbers in group])
            values = values[np.isfinite(values)]
            cells += (
                [f"{v:.3g}" for v in (values.min(), np.median(values), values.max())] if len(values) else ["", "", ""]
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| training | seed | outcome | causes | as expected |", "|---|---|---|---|---|"]
    for case, seed, diagnosis, _ in results:
        causes = ", ".join(dict.fromkeys(cause.rule for cause in diagnosis.causes)) or "none"
        lines.append(
            f"| {case.name} | {seed} | {diagnosis.outcome} | {causes} | {'yes' if right(case, diagnosis) else 'no'} |"
        )
    alarms = sum(bool(d.causes) for case, _, d, _ in results if not case.expected)
    hits = sum(right(case, d) for case, _, d, _ in results if case.expected)
    lines += [
        "",
        f"Healthy trainings with a cause: {alarms} of {len(healthy)}. Sick ones with "
        f"an expected first cause: {hits} of {len(sick)}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Train, judge, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="*", default=None, help="names, or parts of names, of the trainings to run")
    parser.add_argument("--page", type=Path, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="folder for the runs")
    parser.add_argument("--again", action="store_true", help="only runs that were kept: judge them, train nothing")
    parser.add_argument("--sick", action="store_true", help="only the sick ones")
    parser.add_argument("--notes", action="store_true", help="print notes and what was not measured, too")
    arguments = parser.parse_args()
    results = []
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    for case in (*SICK, *(() if arguments.sick else HEALTHY)):
        if arguments.only and not any(part in case.name for part in arguments.only):
            continue
        for seed in arguments.seeds:
            began = time.perf_counter()
            name = re.sub(r"[^a-z0-9]+", "-", case.name) + f"-{seed}.sqlite"
            path = None if arguments.keep is None else arguments.keep / name
            if arguments.again and (path is None or not path.exists()):
                continue
            run = train(case, seed, path)
            diagnosis, numbers = examine(run), figures(run)
            results.append((case, seed, diagnosis, numbers))
            seconds = time.perf_counter() - began
            verdict = "ok   " if right(case, diagnosis) else "WRONG"
            print(
                f"{verdict} {case.name} [{seed}] {run.observations} seen, {seconds:.1f} s: "
                f"{diagnosis.outcome}: {diagnosis.outcome_reason}"
            )
            print("      " + ", ".join(f"{name} {value:.2g}" for name, value in numbers.items()))
            for finding in diagnosis.findings:
                if finding.severity != "note" or arguments.notes or verdict == "WRONG":
                    cause = "cause" if finding in diagnosis.causes else ""
                    print(
                        f"      {finding.severity:8} {finding.rule} at {finding.where!r} since "
                        f"{finding.since}: {finding.message} {cause}"
                    )
            if arguments.notes or verdict == "WRONG":
                for missing in diagnosis.not_measured:
                    print(f"      not measured {missing.rule} {missing.where}: {missing.reason}")
            print("", end="", flush=True)
    print(page(results).rpartition("\n\n")[2] if results else "nothing ran")
    if arguments.page is not None:
        arguments.page.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
