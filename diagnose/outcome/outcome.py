"""What the training achieved, against what a constant prediction would have achieved. Found before any rule.

The outcome also says whether harm shows (`Outcome.harm`): a finding about an activation, a gradient or the data is a
fault only where the training suffers, and the diagnosis lowers it to a note where it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from diagnose.outcome.figures import SCALE, Side, baseline, measure, one_of, reached, value
from diagnose.outcome.references import best_reference, nothing_carries_over, references_of
from diagnose.outcome.skills import (
    LOPSIDED,
    MEMORIZED_SHARE,
    Skills,
    asked_for_the_opposite,
    balanced_skill,
    data_losses,
    gap_noise,
    in_other_units,
    informed_by_the_loss,
    last_finite,
    last_of,
    loss_fell,
    majority_share,
    rising,
    skills_of,
    still_falling,
    updates_of,
)
from diagnose.run.meta import FitFacts
from diagnose.run.run import Run
from diagnose.wording import aside, counted

OutcomeName = Literal["diverged", "hollow-loss", "memorizing", "not-learning", "falling-short", "learning", "unknown"]

#: In the order in which they are asked; the first that holds is the outcome.
OUTCOMES: tuple[OutcomeName, ...] = (
    "diverged",
    "hollow-loss",
    "memorizing",
    "not-learning",
    "falling-short",
    "learning",
    "unknown",
)

#: How far the harm can be seen. "clear": a bad outcome. "partial": it learned, yet far less than everything. "none": it
#: learned well, or learns too well for a complaint. "untold": no yardstick says.
Harm = Literal["clear", "partial", "none", "untold"]

HOLLOW = 0.8  # arithmetic: with balanced classes, predictions that carry no information about the labels can't have a
# cross-entropy under the entropy; two classes of half-known identity give 0.7 and a skill of 0.1 besides
HOLLOW_REGRESSION = 0.1  # a guess: with heavy tails an absolute error can halve while R squared stays at 0
ZERO_LOSS = 1e-6  # exactly 0, or the 1.19e-7 = -ln(1 - 1e-7) of a clipped probability

MEMORIZED_LEAST = 0.5  # a guess: below half of all skill nothing worth the name was memorized

TOO_FEW_UPDATES = 20  # a guess: fewer than this tell nothing of any training
EARLY_UPDATES = 200  # measured: healthy small networks leave the baseline within 100 updates; benchmarks/calibration.md

GROWN = 10.0  # loss against its start and against the constant answer: arithmetic, no honest noise does that
GROWN_WITHOUT_BASELINE = 1e4  # a guess: the score of an adversary may grow a hundredfold without harm

DECENT = 0.8  # a guess: four fifths of what can be won; measured healthy runs end above it, benchmarks/calibration.md
DECENT_BY_LOSS = 1 - math.sqrt(1 - DECENT)  # arithmetic: of an absolute error, where the squared one leaves DECENT
STARTED = 100  # updates; arithmetic: at its default rate Adam can move each weight by 0.1 in so many
BARELY = 0.05  # a guess: of the skill, what the bias of the output reaches by itself on the way to the class shares
OTHERS = 3  # outputs told beside the worst one
HALF = 0.5  # a guess: of what a simple model reaches; who has less has lost most of what there is to win
FELL_BACK = 0.3  # a guess: losing this much of the best skill is harm, whatever is left


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was achieved.

    name: one of `OUTCOMES`; reason: one sentence with the numbers that say so.
    harm: how far harm can be seen; see `Harm`.
    train, validation: last skill of the worst output, None where it was not measured.
    rising: the skill on training samples was still growing at the end.
    reached: of each output simple models were asked, and the network is clearly under none of them.
    """

    name: OutcomeName
    reason: str
    harm: Harm = "untold"
    train: float | None = None
    validation: float | None = None
    rising: bool = False
    reached: bool = False


def outcome_of(run: Run, skills: Skills | None = None) -> Outcome:
    """What the training of this run achieved."""
    skills = skills_of(run) if skills is None else skills
    if not run.measured:  # logs may show that it broke; of how well it went they show nothing sure
        return _diverged(run, skills) or _unknown(run, skills)
    for asked in (_diverged, _hollow, _memorizing, _not_learning, _falling_short, _learning):
        if (outcome := asked(run, skills)) is not None:
            return outcome
    return _unknown(run, skills)


def why_unmeasured(run: Run) -> str:
    """Why nothing was measured in a run, as a clause; "" where that is not known, or something was measured.

    >>> run = Run()
    >>> run.notes.append("Keras runs on jax, and steps are observed on TensorFlow only.")
    >>> why_unmeasured(run)
    'Keras runs on jax, and steps are observed on TensorFlow only'
    """
    if run.measured:
        return ""
    if run.notes:
        return run.notes[0].rstrip(".")
    if run.facts.fit != FitFacts():
        seen = run.facts.steps_seen
        return f"none of {counted(seen, 'step')} was observed" if seen else "no training step was done yet"
    return ""


def _diverged(run: Run, skills: Skills) -> Outcome | None:
    broken = [where for where in run.places("weight.nonfinite") if run.series("weight.nonfinite", where).values[-1] > 0]
    worst = min(skills.train.values(), default=None)
    if broken:
        more = f" and {counted(len(broken) - 1, 'more variable')} hold" if len(broken) > 1 else " holds"
        return Outcome("diverged", f"`{broken[0]}`{more} NaN or infinity.", "clear", worst)
    if (checked := run.series("weight.finite").values).size and checked[-1] == 0:
        return Outcome("diverged", "a weight of the model is NaN or infinite.", "clear", worst)
    for name, values in (
        ("the loss of the last batch", run.series("batch.loss").values),
        ("the loss on training samples", run.series("loss.train").values),
        ("the loss that Keras logged", np.array(run.history.get("loss", ()), float)),
    ):
        if len(values) and not np.isfinite(values[-1]):
            return Outcome("diverged", f"{name} is {_plain(float(values[-1]))}.", "clear", worst)
    silent = [
        place
        for place in run.places("prediction.nonfinite")
        if run.series("prediction.nonfinite", place).values[-1] > 0
    ]
    if silent:
        count = int(run.series("prediction.nonfinite", silent[0]).values[-1])
        output = f" of output `{silent[0]}`" if silent[0] else ""
        reason = f"{count} of the last batch's predictions{output} are NaN or infinite."
        return Outcome("diverged", reason, "clear", worst)
    if skills.train and len(skills.stuck) < len(skills.train):
        return None
    return _exploded(run, worst)


def _exploded(run: Run, worst: float | None) -> Outcome | None:
    losses = run.series("batch.loss").finite().values
    if len(losses) < 6:
        return None
    start, end = float(np.median(losses[:3])), float(np.median(losses[-3:]))
    constant = last_finite(run, "loss.constant")
    bound = GROWN_WITHOUT_BASELINE * max(abs(start), 1.0)
    if constant is not None and constant > 0:
        bound = GROWN * max(abs(start), constant)
    if end <= bound:
        return None
    against = f" (best constant prediction: {constant:.3g})" if constant is not None else ""
    return Outcome("diverged", f"the loss grew from {start:.3g} to {end:.3g}{against}.", "clear", worst)


def _hollow(run: Run, skills: Skills) -> Outcome | None:
    if not skills.train:
        return None
    for where in skills.stuck if len(skills.train) > 1 else ():
        logged = last_of(run.history.get(f"{where}_loss", ()))
        if logged is not None and abs(logged) <= ZERO_LOSS:
            skill = skills.train[where]
            reason = f"the loss of output `{where}` is {logged:.3g} while {reached(run, skills, where)}"
            return Outcome("hollow-loss", f"{reason}{_beside(run, skills, where)}.", "clear", skill)
    if len(skills.stuck) < len(skills.train):
        return None
    batches = run.series("batch.loss").finite().values
    in_training = float(np.mean(batches[-5:])) if len(batches) else last_of(run.history.get("loss", ()))
    loss, constant = data_losses(run)
    if loss is None or (in_training is not None and abs(in_training) <= ZERO_LOSS):
        loss = in_training  # weights and masks act on it, and not on the held set
    if loss is None:
        return None
    where = skills.stuck[0]
    skill = skills.train[where]
    told = f"while {reached(run, skills, where)}{_beside(run, skills, where)}"
    if abs(loss) <= ZERO_LOSS:
        return Outcome("hollow-loss", f"the loss is {loss:.3g} {told}.", "clear", skill, _worst(skills.validation))
    if constant is None or constant <= 0:
        return None
    if loss < min(_hollow_bound(majority_share(run, where)) for where in skills.train) * constant:
        reason = f"the loss is {loss:.3g} (best constant prediction: {constant:.3g}) {told}."
        return Outcome("hollow-loss", reason, "clear", skill, _worst(skills.validation))
    return None


def _hollow_bound(share: float | None) -> float:
    """The share of the constant answer's loss under which a skill of 0 is a contradiction.

    With a majority over `LOPSIDED` the bound is Markov's: each wrong answer gave its class at most 1/2 and so cost ln
    2.
    """
    if share is None:
        return HOLLOW_REGRESSION
    if share < LOPSIDED:
        return HOLLOW
    rest = max(1.0 - share, 1e-9)
    entropy = -share * math.log(share) - rest * math.log(rest) if share < 1.0 else 1.0
    return min(rest * math.log(2.0) / entropy, HOLLOW)


def _memorizing(run: Run, skills: Skills) -> Outcome | None:
    for where, skill in skills.train.items():
        validation = skills.validation.get(where)
        if validation is None or in_other_units(run, where) is not None:
            continue
        if skill < MEMORIZED_LEAST and not nothing_carries_over(run, skills, where):
            continue
        if validation <= MEMORIZED_SHARE * skill and skill - validation > gap_noise(run, skill, validation, where):
            reason = f"{reached(run, skills, where)}{_beside(run, skills, where)}."
            return Outcome("memorizing", reason, "clear", skill, validation)
    return None


def _not_learning(run: Run, skills: Skills) -> Outcome | None:
    """One output at the baseline is enough; where others learn, harm shows in part, and one that rises may go on."""
    if _refused(run):
        return Outcome("not-learning", "the fit ended in its first step, in which no variable got a gradient.", "clear")
    updates = updates_of(run)
    stuck = [
        where for where in skills.stuck if balanced_skill(run, where) is None and not informed_by_the_loss(run, where)
    ]
    some_learn = len(skills.stuck) < len(skills.known)
    if some_learn:
        stuck = [where for where in stuck if where not in skills.series or not rising(run, skills.series[where])]
    if not stuck:
        return None
    if updates is not None and updates < TOO_FEW_UPDATES:
        return None
    if updates is not None and updates < EARLY_UPDATES and still_falling(run):
        return None
    where = stuck[0]
    skill, series = skills.known[where], skills.series.get(where)
    after = f"after {counted(updates, 'update')} " if updates is not None else ""
    best = float(series.values.max()) if series is not None and len(series) else skill
    had = value(run, best, where)
    fell = f"; it had been {had} before" if best - skill > FELL_BACK and best > skills.band(where) else ""
    reason = f"{after}{reached(run, skills, where)}{fell}{_beside(run, skills, where)}."
    harm: Harm = "partial" if some_learn else "clear"
    return Outcome("not-learning", reason, harm, skill, skills.validation.get(where))


def _refused(run: Run) -> bool:
    """Whether the first step was seen and never done, and had a loss and no gradient: Keras refuses to go on then."""
    trainable = run.facts.model.trainable_parameters or 0
    watched = "gradients" in run.facts.monitor.instruments
    begun = run.observations > 0 and run.facts.steps_seen == 0 and len(run.series("batch.loss").finite()) > 0
    return bool(begun and trainable and watched and not run.places("gradient.rms") and not run.facts.finished)


def _falling_short(run: Run, skills: Skills) -> Outcome | None:
    """Clearly under what a simple model reaches. Under half of it harm is clear; else it shows in part."""
    short = [each for each in references_of(run, skills) if each.short and each.skill > skills.band(each.output)]
    if not short:
        return None
    first = short[0]
    series = skills.series.get(first.output, run.series("skill.validation", first.output).finite())
    updates, still = updates_of(run), rising(run, series)
    early = updates is not None and (updates < TOO_FEW_UPDATES or (updates < EARLY_UPDATES and still_falling(run)))
    if early and (run.facts.finished != "completed" or first.own >= HALF * first.skill):
        return None  # it may go on; and where it has ended, it was on its way
    on = "validation samples" if first.validation else "training samples that it was not fitted to"
    here = "" if first.validation else " on samples that it was trained on"
    learned_from = counted(run.facts.references[first.output].learned_from, "sample")
    side: Side = "validation" if first.validation else "train"
    reason = (
        f"a simple model ({first.model}) fitted to {learned_from} reaches "
        f"{one_of(run, first.skill, first.output, side)} on {on}, and the network "
        f"{value(run, first.own, first.output, side)}{here}"
    )
    known = skills.known.get(first.output)
    beside = [baseline(run, first.output, side)]
    if first.validation and known is not None and skills.train:
        beside.insert(0, f"on training samples {value(run, known, first.output)}")
    reason += aside("; ".join(filter(None, beside)))
    harm: Harm = "clear" if first.own < HALF * first.skill else "partial"
    return Outcome(
        "falling-short",
        f"{reason}{_beside(run, skills, first.output)}.",
        harm,
        known,
        skills.validation.get(first.output),
        still,
    )


def decent(run: Run, where: str = "") -> float:
    """The skill from which on an output has learned well; of the first output where nothing is known of this one."""
    return DECENT_BY_LOSS if run.facts.task.of(where).by_loss else DECENT


def _learning(run: Run, skills: Skills) -> Outcome | None:
    known = skills.known
    if known and len(skills.stuck) < len(known):
        where = min(known, key=lambda name: known[name])
        skill, validation = known[where], skills.validation.get(where)
        beside = ""
        series = skills.series.get(where, run.series("skill.validation", where).finite())
        if best := best_reference(run, where):
            unseen = "" if run.facts.references[where].on == "validation" else " on samples that it was not fitted to"
            side: Side = "validation" if not unseen else "train"
            beside += f"; a simple model ({best[0]}) reaches {value(run, best[1], where, side)}{unseen}"
        if validation is not None and (rescaled := in_other_units(run, where)) is not None:
            beside += f" ({value(run, rescaled, where, 'validation')} on another scale)"
        still = rising(run, series)
        fell = len(series) > 0 and float(series.values.max()) - skill > FELL_BACK
        harm: Harm = "none" if skill >= decent(run, where) and not fell else "partial"
        reason = f"{reached(run, skills, where)}{beside}{_beside(run, skills, where)}."
        asked = references_of(run, skills)
        all_of_it = {each.output for each in asked} == known.keys() and not any(each.short for each in asked)
        return Outcome("learning", reason, harm, skill, validation, still, all_of_it)
    balanced = {where: balanced_skill(run, where) for where in known}
    if balanced and None not in balanced.values():
        where = min(balanced, key=lambda name: balanced[name] or 0.0)
        skill = balanced[where] or 0.0
        reason = (
            f"{reached(run, skills, where)}; with every class counting the same, the skill is {skill:.2f} ({SCALE})."
        )
        return Outcome("learning", reason, "none" if skill >= DECENT else "partial", skill, _worst(skills.validation))
    if not all(informed_by_the_loss(run, where) for where in known or ("",)):
        return None
    loss, constant = data_losses(run)
    reason = f"the loss on training samples is {loss:.3g} (best constant prediction: {constant:.3g})."
    return Outcome("learning", reason, "partial" if known else "none", _worst(known), _worst(skills.validation))


def _unknown(run: Run, skills: Skills) -> Outcome:
    updates = updates_of(run)
    if skills.known:
        where = min(skills.known, key=lambda name: skills.known[name])
        skill = skills.known[where]
        seen = f"after {counted(updates, 'update')}" if updates is not None else "so far"
        falling = " and the loss still falls" if still_falling(run) else ""
        reason = f"too early to tell: {seen} {reached(run, skills, where)}{falling}."
        started = updates is not None and updates >= STARTED and skill < BARELY
        return Outcome("unknown", reason, "untold" if started else "none", skill)
    losses = run.series("batch.loss").finite()
    if not len(losses):
        what = "only its configuration is known" if run.facts.audit else "nothing was measured"
        if not run.measured:
            return Outcome("unknown", f"{what}: {why}." if (why := why_unmeasured(run)) else f"{what}.")
        if run.observations:
            what = "neither a loss nor accuracy or R squared could be measured"
        if run.history and "loss" not in run.history:
            what = (
                f"the training step reports {_listed([*run.history])}, and no loss to compare with that of a "
                "constant prediction"
            )
        return Outcome("unknown", f"{what}.")
    why = run.facts.task.reason or "neither accuracy nor R squared was measured"
    if _alike(run):
        why = "all targets seen are alike, so neither accuracy nor R squared can be measured"
    if asked_for_the_opposite(run):
        why = (
            "the loss is least for other predictions than the targets, so neither accuracy nor R squared can "
            "be measured"
        )
    fell = loss_fell(losses)
    start, end = float(np.mean(losses.values[:3])), float(np.mean(losses.values[-3:]))
    reason = f"{str(why).rstrip('.')}; the loss went from {start:.3g} to {end:.3g}."
    early = updates is not None and updates < TOO_FEW_UPDATES
    return Outcome("unknown", reason, "none" if fell or early else "untold")


def _alike(run: Run) -> bool:
    """Whether the targets of each output are all one class or one number: also rows of zeros, which name no class."""
    task = run.facts.task
    outputs = list(task.outputs.values()) or [task.of("")] * bool(task.kind)
    return bool(outputs) and all(
        output.target_variance == 0 if output.kind == "regression" else output.majority_share == 1 for output in outputs
    )


def _beside(run: Run, skills: Skills, where: str) -> str:
    """What the other outputs reach, the worst first, as a clause; "" for a single output."""
    others = sorted((skill, each) for each, skill in skills.known.items() if each != where)
    side: Side = "train" if skills.train else "validation"
    told = [f"`{each}`: {measure(run, each)} {value(run, skill, each, side)}" for skill, each in others[:OTHERS]]
    more = [f"{len(others) - OTHERS} others have more"] if others[OTHERS:] else []
    return f"; {', '.join(told + more)}" if told else ""


def _worst(skills: dict[str, float]) -> float | None:
    return min(skills.values(), default=None)


def _listed(names: list[str]) -> str:
    """The first few of some names in a row."""
    return ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")


def _plain(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"
