"""How far a training has come: its skill and the noise of it, its losses beside those of a constant answer, its trend.

Skill is the yardstick: 0 is what the best constant answer gets (the commonest class, the mean), 1 is perfect. It is
read in inference mode on a held set where that was measured; else from the accuracy of the observed batches, else from
the accuracy that Keras logged. A skill near 0 is judged against the noise of the sample it was measured on, so a small
held set is not called hopeless by chance, and a large one not lucky.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from diagnose.run.run import Run, Series

BAND_ERRORS = 2.0  # arithmetic: about 95 % of the samples of a skill of 0 fall within two standard errors
GAP_ERRORS = 3.0  # arithmetic: a difference beyond three standard errors is chance one time in 400
BAND_LEAST = 0.05  # a guess: five points of skill over the commonest class help nobody, however many samples say so
BAND_REGRESSION = 0.02  # a guess: R squared is squared, so 0.02 is a correlation of 0.14
BAND_MOST = 0.20  # a guess: at a fifth of what can be won, a training has learned something, however small the held set
HELD_SAMPLES = 200  # a guess, used only where the size of the held set is not known; errs towards a wide band
LOPSIDED = 0.7  # from this majority share on a loss may fall honestly while the accuracy stays at the majority's
PENALTY = 0.1  # a guess: a smaller part changes no verdict
MEMORIZED_SHARE = 0.5  # a guess: less than half of the skill carries over to validation
STILL_FALLING = 0.02  # a guess: two percent of the loss between the middle and the last third of a run
LOGGED = 4  # arithmetic: three differences, of which a mean and a scatter can be had
REGAINED = 0.3  # a guess; where as much of what is predicted is chance as in the targets, a line wins 0.25 of R squared
BY_HALF = 0.5  # a guess: half of what is to be explained
RISING = 0.05  # a guess: a skill that gained this much in the last third of its evaluations is under way


@dataclass(frozen=True, slots=True)
class Skills:
    """Skill on training and validation samples, by output.

    train, validation: last finite skill by output name ("" for a single output).
    series: the skill on training samples over time, by output; `source`: where it was read, in words.
    bands: by output, half width of what counts as "at the baseline" (skill).
    """

    train: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    source: str = ""
    bands: dict[str, float] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, float]:
        """The skill by output: on training samples, on validation samples where only these tell."""
        return self.train or self.validation

    @property
    def stuck(self) -> list[str]:
        """Outputs whose skill can't be told from that of a constant answer, the worst first."""
        return sorted((where for where in self.known if self.at_baseline(where)), key=lambda where: self.known[where])

    def band(self, where: str) -> float:
        """The band of an output."""
        return self.bands.get(where, BAND_MOST)

    def at_baseline(self, where: str) -> bool:
        """Whether an output's skill is known and can't be told from that of a constant answer."""
        return where in self.known and self.known[where] <= self.band(where)


def noise_band(majority_share: float | None, samples: int | None) -> float:
    """Half width of the skills that can't be told from 0.

    An accuracy p on n samples has the standard error sqrt(p (1 - p) / n); skill divides it by 1 - p. For R squared,
    where `majority_share` is None, the band of a correlation of 0 is used: R squared of about 4 / n, far under the
    least band.

    >>> noise_band(0.5, 10_000)
    0.05
    >>> noise_band(0.5, 400)
    0.1
    """
    if majority_share is None:
        return BAND_REGRESSION
    rest = max(1.0 - majority_share, 1e-9)
    error = math.sqrt(majority_share / (rest * max(samples or HELD_SAMPLES, 1)))
    return min(max(BAND_ERRORS * error, BAND_LEAST), BAND_MOST)


def gap_noise(run: Run, train: float, validation: float, where: str = "", samples: int | None = None) -> float:
    """How far two skills of the same size can lie apart by chance: three standard errors of their difference.

    samples: on which both were measured; else as many as are held of training and of validation.

    An error rate e on n samples has the standard error sqrt(e (1 - e) / n), and skill divides it by the share that is
    not the commonest class's; R squared has about 2 R (1 - R squared) / sqrt(n).

    >>> run = Run({"task": {"majority_share": 0.5, "held_samples": 400, "held_validation_samples": 400}})
    >>> round(gap_noise(run, 1.0, 0.5), 2)  # a quarter of the validation answers is wrong: 3 * 2 sqrt(0.1875 / 400)
    0.13
    """
    task, share = run.facts.task, majority_share(run, where)
    variance = 0.0
    for skill, held in ((train, samples or task.held_samples), (validation, samples or task.held_validation_samples)):
        count = max(held or HELD_SAMPLES, 1)
        kept = min(max(skill, 0.0), 1.0)
        if share is None:
            variance += 4 * kept * (1 - kept) ** 2 / count
        elif share < 1.0:
            wrong = (1 - kept) * (1 - share)
            variance += wrong * (1 - wrong) / count / (1 - share) ** 2
    return GAP_ERRORS * math.sqrt(variance)


def skills_of(run: Run) -> Skills:
    """The skills of this run from the best source there is; empty where nothing tells."""
    samples = run.facts.task.held_samples
    train, validation = _last_trained(run, "skill.train"), _last_trained(run, "skill.validation")
    if train or validation:
        series = {where: run.series("skill.train", where).finite() for where in train}
        bands = {where: noise_band(majority_share(run, where), samples) for where in {**train, **validation}}
        loss, constant = data_losses(run)
        if loss is not None and constant is not None and loss >= constant:  # what R squared shows was not asked for
            bands = {where: max(band, BAND_LEAST) for where, band in bands.items()}
        return Skills(train, validation, series, "on samples held for it, in inference mode", bands)
    return _skills_of_batches(run) or _skills_of_history(run) or Skills()


def majority_share(run: Run, where: str = "") -> float | None:
    """Share of the commonest class among the labels seen; None where the task has no classes, or nobody counted.

    where: the output; that of the whole model is taken where nothing is known of this one.
    """
    task = run.facts.task.of(where)
    share = None if task.kind == "regression" else task.majority_share
    return None if share is None or math.isnan(share) else share


def updates_of(run: Run) -> int | None:
    """Optimizer updates so far; where they were last counted before the end, gone on at the same pace to the steps
    seen.

    None where neither updates nor steps are known.
    """
    observed = run.observed_steps
    steps = run.facts.steps_seen or int(observed[-1] + 1 if len(observed) else 0)
    updates = run.series("optimizer.updates").finite()
    if len(updates) and updates.values[-1] > updates.values[0]:
        pace = (updates.values[-1] - updates.values[0]) / max(updates.steps[-1] - updates.steps[0], 1)
        return int(updates.values[-1] + pace * max(steps - updates.steps[-1], 0))
    return steps or None


def in_other_units(run: Run, where: str) -> float | None:
    """Skill on validation samples if the predictions were put on another scale, where that brings it back; else None.

    From under `MEMORIZED_SHARE` of the skill on training samples to over it: then what was learned holds for others, in
    other units.
    """
    names = ("skill.train", "skill.validation", "skill.validation_rescaled")
    train, plain, rescaled = (last_finite(run, name, where) for name in names)
    if train is None or plain is None or rescaled is None:
        return None
    enough = MEMORIZED_SHARE * train
    return rescaled if rescaled > enough > max(plain, 0.0) and rescaled - plain > REGAINED else None


def balanced_skill(run: Run, where: str) -> float | None:
    """Skill if every class counted the same, where one class hides it: weights on the rare ones cost accuracy.

    None where it is at its baseline, was not measured, or no class is that common.
    """
    skill, share = last_finite(run, "skill.balanced", where), majority_share(run, where)
    return skill if skill is not None and skill > BAND_MOST and share is not None and share >= LOPSIDED else None


def asked_for_the_opposite(run: Run) -> set[str]:
    """Outputs of which the loss wants other predictions than the targets, so that no skill can be read: a distance, or
    the targets in other units, which the loss itself brings them to.
    """
    outputs = run.facts.audit.outputs if run.facts.audit else ()
    names = {output.name for output in outputs if output.loss and output.loss.opposite}
    opposite = {""} if names and len(outputs) == 1 else names
    return opposite | {where for where in run.places("skill.validation_rescaled") if _rescaled_by_the_loss(run, where)}


def _rescaled_by_the_loss(run: Run, where: str) -> bool:
    """Whether neither training nor validation samples are answered as they stand, both are but for a line, and the loss
    is well under that of a constant answer."""
    names = ("skill.train", "skill.validation", "skill.validation_rescaled")
    train, plain, rescaled = (last_finite(run, name, where) for name in names)
    loss, constant = data_losses(run)
    if train is None or plain is None or rescaled is None or loss is None or constant is None:
        return False
    return max(train, plain) < 0 and rescaled > REGAINED and 0 <= loss < BY_HALF * constant


def informed_by_the_loss(run: Run, where: str) -> bool:
    """Whether the loss alone says that something was learned: where skill isn't measured, or one class hides it.

    The loss is that of all outputs together: of several, another one may have brought it down.
    """
    loss, constant = data_losses(run)
    if loss is None or constant is None or constant <= 0 or loss >= 0.9 * constant:
        return False
    share = majority_share(run, where)
    places = {*run.places("skill.train"), *run.places("skill.validation")} - asked_for_the_opposite(run)
    measured = bool(places)
    return not measured or (share is not None and share >= LOPSIDED)


def loss_fell(losses: Series) -> bool:
    """Whether the losses of single batches fell, by a tenth and beyond their noise, from the first fifth to the last.

    >>> loss_fell(Series(np.arange(10), np.linspace(2.0, 1.0, 10)))
    True
    """
    count = max(len(losses) // 5, 1)
    first, last = losses.values[:count], losses.values[-count:]
    return len(losses) >= 2 and float(first.mean() - last.mean()) > max(
        0.1 * abs(float(first.mean())), _error(first, last)
    )


def still_falling(run: Run) -> bool:
    """Whether the loss falls at the end, beyond its noise, and to less than it was at the start.

    By the epochs Keras logged, where there are `LOGGED` or more; else from the middle third of the observed steps to
    the last.
    """
    logged = np.array(run.history.get("loss", ()), float)
    if len(logged) >= LOGGED and np.isfinite(logged).all():
        falls = -np.diff(logged[-LOGGED:])
        return bool(
            falls.mean() > max(STILL_FALLING * abs(float(logged[-1])) / 2, falls.std()) and logged[-1] < logged[0]
        )
    losses = run.series("batch.loss").finite()
    if len(losses) < 9:
        return False
    span = losses.steps[-1] - losses.steps[0]
    first, second = losses.steps[0] + span / 3, losses.steps[0] + 2 * span / 3
    middle = losses.values[(losses.steps >= first) & (losses.steps < second)]
    last = losses.values[losses.steps >= second]
    if len(middle) < 3 or len(last) < 3:
        third = len(losses) // 3
        middle, last = losses.values[third : 2 * third], losses.values[-third:]
    drop = float(middle.mean() - last.mean())
    lower = float(last.mean()) < float(losses.values[0])
    return lower and drop > max(STILL_FALLING * abs(float(middle.mean())), _error(middle, last))


def data_losses(run: Run) -> tuple[float | None, float | None]:
    """Last loss on the training samples, and that of the best constant answer; the latter None where it can't be
    compared.

    With a penalty on the weights of over `PENALTY` of the loss it can't: the two were measured at different weights.
    """
    loss, constant = last_finite(run, "loss.train"), last_finite(run, "loss.constant")
    penalty, batch = run.series("batch.regularization").finite(), run.series("batch.loss").finite()
    if len(penalty) and len(batch) and penalty.values.max() > PENALTY * abs(float(np.median(batch.values))):
        return loss, None
    return loss, constant


def last_finite(run: Run, quantity: str, where: str = "") -> float | None:
    """The last finite value of a quantity, None where there is none."""
    values = run.series(quantity, where).finite().values
    return float(values[-1]) if len(values) else None


def last_of(values: object) -> float | None:
    """The last of some numbers, None of none, or of something that is no number."""
    numbers = list(values) if isinstance(values, (list, tuple)) else []
    return _number(numbers[-1]) if numbers else None


def _last_trained(run: Run, quantity: str) -> dict[str, float]:
    """Last finite value by place, where any was taken after step 0: the one before training says nothing of it.

    An output that no loss asks for, beside others that one does, is left out: it is not meant to learn.
    """
    asked = {
        output.name: bool(output.loss and output.loss.weight)
        for output in (run.facts.audit.outputs if run.facts.audit else ())
    }
    found, opposite = {}, asked_for_the_opposite(run)
    for where in run.places(quantity):
        if where in opposite or (any(asked.values()) and not asked.get(where, True)):
            continue
        series = run.series(quantity, where).finite()
        if len(series) and (series.steps[-1] > 0 or len(series) > 1):
            found[where] = float(series.values[-1])
    return found


def _skills_of_batches(run: Run) -> Skills | None:
    train, series, bands, samples = {}, {}, {}, _number(last_finite(run, "batch.size")) or 32.0
    for where, share in _shares(run, run.places("batch.accuracy")).items():
        accuracy = run.series("batch.accuracy", where).finite()
        if len(accuracy) >= 5:
            skill = (accuracy.values - share) / (1.0 - share)
            train[where], series[where] = float(skill[-5:].mean()), Series(accuracy.steps, skill)
            bands[where] = noise_band(share, int(5 * samples))
    if not train:
        return None
    return Skills(train, _validation_of_history(run), series, "on the last 5 observed batches", bands)


def _skills_of_history(run: Run) -> Skills | None:
    train, series, bands = {}, {}, {}
    for where, share in _shares(run, run.facts.task.outputs or ("",)).items():
        epochs = _logged_accuracy(run, where, "")
        if epochs is None:
            continue
        skill = (epochs - share) / (1.0 - share)
        train[where], bands[where] = float(skill[-1]), noise_band(share, None)
        series[where] = Series(np.arange(len(epochs), dtype=np.int64), skill).finite()
    return Skills(train, _validation_of_history(run), series, "as Keras logged it", bands) if train else None


def _validation_of_history(run: Run) -> dict[str, float]:
    found = {}
    for where, share in _shares(run, run.facts.task.outputs or ("",)).items():
        if (epochs := _logged_accuracy(run, where, "val_")) is not None:
            found[where] = float((epochs[-1] - share) / (1.0 - share))
    return found


def _shares(run: Run, places: Iterable[str]) -> dict[str, float]:
    """The majority share by output, of those of which it is known and leaves something to win."""
    opposite = asked_for_the_opposite(run)
    shares = {where: majority_share(run, where) for where in places if where not in opposite}
    return {where: share for where, share in shares.items() if share is not None and share < 1.0}


def _logged_accuracy(run: Run, where: str, prefix: str) -> np.ndarray | None:
    """The accuracy of an output that Keras logged, by epoch; None where its last one is no number.

    prefix: "val_", or "" for that of the training.
    """
    start = f"{prefix}{where}_" if where else prefix
    names = [name for name in run.history if name.endswith("accuracy") and name.startswith(start)]
    name = next((name for name in names if name.startswith("val_") == bool(prefix)), None)
    epochs = np.array(run.history[name], float) if name else np.empty(0)
    return epochs if len(epochs) and np.isfinite(epochs[-1]) else None


def rising(run: Run, skill: Series) -> bool:
    """Whether the skill still grew at the end; by the loss, where too few evaluations were made to tell."""
    if len(skill) < 4:
        return still_falling(run)
    back = len(skill) // 3
    return float(skill.values[-1] - skill.values[-1 - back]) > RISING


def _error(first: np.ndarray, second: np.ndarray) -> float:
    """Twice the standard error of the difference of two means."""
    return 2.0 * math.sqrt(first.var() / len(first) + second.var() / len(second))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else None
