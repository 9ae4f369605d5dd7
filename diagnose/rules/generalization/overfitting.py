"""Overfitting: the model predicts its training samples much better than others.

Sees: `skill.train` and `skill.validation`, both in inference mode with the weights of that moment, and
`loss.validation`.

Harm: what was learned beyond the best epoch holds for the training samples only.

Fires: a gap of skill over GAP that grew since the start, or a validation loss over its best by RISE. A note where the
gap is under GAP (then only the certainty is too high, the predicted classes are no worse); or under GRAVE while the
validation loss has not risen, unless validation is under what is decent and gained nothing over the last third of the
training: few samples leave such a gap without any overfitting. A note, too, where at least half is left and that is far
beyond what simple models reach.

Rests: a gap within the noise of the held set; where no skill was gained on the training samples.

Remedy: stop at the best epoch (`EarlyStopping(restore_best_weights=True)`), weight decay, dropout, augmentation, more
data, a smaller model.

Refute: the gap stays when validation samples are exchanged for training samples: then the two sets differ.

Source: Prechelt (1998), "Early stopping, but when?"; Keras' own log compares a running mean in training mode with an
end value and overstates or hides the gap.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import subject, value
from diagnose.outcome.outcome import MEMORIZED_LEAST, decent
from diagnose.outcome.references import best_reference
from diagnose.outcome.skills import MEMORIZED_SHARE, gap_noise
from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import dropped
from diagnose.rules.evidence.fair_gap import gap_of, outputs_of
from diagnose.rules.rule import Rule
from diagnose.run.meta import ReferenceFacts
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Severity, Verdict
from diagnose.wording import percent, sentence

GAP = 0.15  # measured: 0.03 in the median of healthy runs; benchmarks/calibration.md
RISE = 0.2  # a guess: Prechelt's GL criterion at 20 %
GRAVE = 0.4  # a guess; or where at most half of what was won is left
FAR_BEYOND = 0.3  # a guess: of all skill, over what simple models reach
MORE = 0.1  # a guess: of all skill; simple models that reach no more beyond the network say that there is little more
GAINED = 0.02  # a guess: of all skill; less in a third of a training is nothing
EVALUATIONS = 6  # a guess: of fewer none tells whether validation stands still


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by its fair gap, then the validation loss."""
    run = case.run
    outputs = outputs_of(run)
    if not outputs:
        yield NotMeasured("", "the metrics were not measured on both training and validation samples")
        return
    skills = case.skills
    for where in outputs:
        band = skills.band(where)
        train, validation, gap = gap_of(run, where)
        if not len(gap) or gap.steps[-1] == 0:
            yield NotMeasured(where, "the metrics were not measured after any training")
            continue
        now = float(np.median(gap.values[-3:])) if len(gap) >= 6 else float(gap.values[-1])
        start = float(gap.values[0]) if gap.steps[0] == 0 else 0.0  # untrained, there is no gap
        grew = now > start + GAP / 2
        best = _best(run, validation)
        risen = _risen(run)
        noise = gap_noise(run, float(train.values[-1]), float(validation.values[-1]), where)
        if now > max(GAP, noise) and grew and train.values[-1] > band:
            yield _finding(case, where, train, validation, gap, now, best, risen)
        elif risen > RISE and len(outputs) == 1 and now > 0.02 and train.values[-1] > band:
            yield _overdone(where, now, risen, best)
        else:
            yield Healthy(where)


def _finding(
    case: Case, where: str, train: Series, validation: Series, gap: Series, now: float, best: int, risen: float
) -> Finding:
    good, known = decent(case.run, where), best_reference(case.run, where)
    here = case.facts.references.get(where, ReferenceFacts()).on == "validation"
    beyond = float(validation.values[-1]) - known[1] if known is not None and here else 0.0
    little = known is not None and here and known[1] < good and abs(beyond) <= MORE
    wide = np.flatnonzero(gap.values <= GAP)
    since = int(gap.steps[min(int(wide[-1]) + 1, len(gap) - 1)]) if len(wide) else int(gap.steps[0])
    return Finding(
        where,
        f"{sentence(subject(case.run, where))} is {value(case.run, train.values[-1], where)} on training samples and "
        f"{value(case.run, validation.values[-1], where, 'validation')} on validation samples; it was best there "
        f"at evaluation {best + 1} of {len(gap)}."
        + (
            f" Simple models are no better ({known[0]}: {value(case.run, known[1], where, 'validation')})."
            if little and known
            else ""
        ),
        severity=_severity(now, train, validation, risen, good, far_beyond=beyond > FAR_BEYOND),
        blames=("data", "regularization", "epochs") if little else ("regularization", "epochs", "data"),
        since=since,
        evidence={
            "gap": now,
            "skill on training samples": float(train.values[-1]),
            "skill on validation samples": float(validation.values[-1]),
            "best evaluation": float(best + 1),
            "rise of validation loss": risen,
        },
        remedy=("Look for noise in inputs and labels: these data may not allow better predictions. " if little else "")
        + f"{'Add' if risen <= RISE else 'Add EarlyStopping(restore_best_weights=True),'} "
        "weight decay or dropout, or more (augmented) data.",
        remedies=_held_back(case.run, risen),
        refute="The gap stays when validation and training samples are exchanged: then the two sets differ.",
        confidence=0.75 if train.values[-1] >= good else 0.5,  # first what keeps it from learning, then this
    )


def _held_back(run: Run, risen: float) -> tuple[Remedy, ...]:
    """What keeps a network from learning samples by heart; stopping comes first where the validation loss has risen."""
    patience = max(len(run.history.get("loss", ())) // 10, 3)
    stopping, decay = remedy("early-stopping", value=patience), remedy("weight-decay", value=0.01)
    return (*((stopping, decay) if risen > RISE else (decay, stopping)), *dropped(run))


def _severity(
    gap: float, train: Series, validation: Series, risen: float, good: float, *, far_beyond: bool
) -> Severity:
    known = float(train.values[-1])
    lost = gap > GRAVE or (known >= MEMORIZED_LEAST and validation.values[-1] <= MEMORIZED_SHARE * known)
    if lost and (risen > RISE or validation.values[-1] < good):
        return "critical"
    if far_beyond:  # what the gap leaves is more than anyone else reaches
        return "note"
    early = validation.values[validation.steps < 2 / 3 * validation.steps[-1]]
    gained = float(validation.values.max() - early.max(initial=-np.inf))
    stands_still = len(validation) >= EVALUATIONS and gained <= GAINED and validation.values[-1] < good
    return "warning" if risen > RISE or stands_still else "note"


def _overdone(where: str, gap: float, risen: float, best: int) -> Finding:
    return Finding(
        where,
        f"The validation loss is {percent(risen)} over its best (evaluation {best + 1}) while the share of "
        "correct predictions stays the same: the model becomes too certain.",
        severity="note",
        blames=("epochs", "regularization"),
        evidence={"gap": gap, "rise of validation loss": risen},
        remedy="Add EarlyStopping(restore_best_weights=True) if the probabilities matter.",
        remedies=(remedy("early-stopping", value=3),),
        refute="The validation loss falls again.",
        confidence=0.6,
    )


def _best(run: Run, validation: Series) -> int:
    """Index of the evaluation with the least validation loss, or with the best skill where no loss was measured."""
    losses = run.series("loss.validation")
    if len(losses) == len(validation) and np.isfinite(losses.values).any():
        return int(np.nanargmin(np.where(np.isfinite(losses.values), losses.values, np.nan)))
    return int(np.argmax(validation.values))


def _risen(run: Run) -> float:
    """How far the validation loss is over its best, relative to it; 0 for losses that are not positive."""
    losses = run.series("loss.validation").finite().values
    if len(losses) < 3 or losses.min() <= 0:
        return 0.0
    end = float(np.median(losses[-3:])) if len(losses) >= 6 else float(losses[-1])
    return max(end / float(losses.min()) - 1.0, 0.0)


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
    explains=(),
    shows_harm=True,  # the gap is itself a figure of the outcome
)
