"""What simple models reach on the samples that are held anyway: what a training should reach at least.

Each is fitted on the held training samples and scored on the held validation samples; without these, on training
samples by cross-validation. All is fixed: samples, features, random states. Work is bounded by rows times columns,
never by a clock: at most 1,024 samples of about 600 columns, and of 4,096 to choose from.

Inputs are seen as numbers, standardized: as they are where they have few columns; images and sequences pooled, with a
few summaries; of long vectors those columns that tell the targets apart best. Whole numbers of one axis are seen as
tokens, too: how often each of the commonest occurs.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diagnose.outcome.scores import skill
from diagnose.outcome.task import Task, class_ids

Inputs = Mapping[str, Sequence[np.ndarray]]

LEAST = 50  # samples to learn from, and to be scored on; arithmetic: an accuracy of 0.8 on so many is off by 0.06
# What follows bounds the work, and decides about no verdict but by how good these models are.
COLUMNS = 256  # of an input as numbers
MOST_COLUMNS = 1 << 12  # of which `COLUMNS` are chosen; of more, evenly spaced ones
TOKENS = 256  # the commonest, of an input of whole numbers
SUMMARIZED = 16  # channels or features that get summaries of their own
MOST_TARGETS = 16  # numbers to be predicted for one sample
MOST_CLASSES = 100  # of more a thousand samples hold a few each
FOREST_CLASSES = 30  # a tree's work grows with the number of classes: seconds for a hundred
FOLDS = 3
TREES = 30
NEIGHBOURS = 5


@dataclass
class References:
    """Skill by model, of one output; or why none applies.

    on: "validation", or "training" where cross-validation stands in. learned_from, samples: how many each model
    learned from, and was scored on.
    """

    skills: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    on: str = "validation"
    learned_from: int = 0
    samples: int = 0


@dataclass
class HeldArrays:
    """Inputs of held samples by name, batch by batch, and the targets of one output, (samples, ...).

    score: gives the skill of predictions for these samples, as the network's own is told.
    """

    inputs: Inputs
    targets: np.ndarray
    score: Callable[[np.ndarray], float]


def reference_skills(task: Task, train: HeldArrays, validation: HeldArrays | None) -> References:
    """What simple models reach at a task, in the skill that the network is told by."""
    if reason := _why_not(task, train, validation):
        return References(reason=reason)
    told = References(on="training" if validation is None else "validation")
    wanted, side = _answers(task, train.targets), validation or train
    told.learned_from = len(wanted)
    for seen_as, learned, asked in _views(train, validation):
        for name, model in _models(task, seen_as):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of classes that are rare, of columns that are alike
                told_of = _predicted(_pipeline(task, model, learned.shape[1]), learned, wanted, asked)
            if task.kind == "categorical":
                told_of = np.eye(task.classes)[told_of]
            predicted = told_of.astype(np.float64).reshape(_like(task, side.targets))
            # A cut of the network's own, of a distance, is none of these models'.
            plain = task.kind == "binary" and task.cut is not None
            reached = skill(Task("binary", 2), side.targets, predicted) if plain else side.score(predicted)
            if np.isfinite(reached):
                told.skills[name], told.samples = reached, len(side.targets)
    if not told.skills:
        told.reason = "no simple model could be scored on the held samples"
    return told


def _why_not(task: Task, train: HeldArrays, validation: HeldArrays | None) -> str:
    sides = [train] if validation is None else [train, validation]
    if task.kind == "unknown":
        return f"what is to be predicted is not known: {task.reason}"
    if not train.inputs:
        return "the inputs are no numbers"
    if min(len(side.targets) for side in sides) < LEAST:
        return f"fewer than {LEAST} samples are held"
    for side in sides:
        if any(sum(map(len, batches)) != len(side.targets) for batches in side.inputs.values()):
            return "inputs and targets do not pair up"
        shapes = [{batch.shape[1:] for batch in batches} for batches in side.inputs.values()]
        if any(len(each) > 1 for each in shapes):
            return "the inputs differ in their shape"
        if not all(np.isfinite(batch).all() for batches in side.inputs.values() for batch in batches):
            return "some inputs are NaN or infinite"
        if not np.isfinite(side.targets).all():
            return "some targets are NaN or infinite"
        if _count(task, side.targets) != len(side.targets):
            return "one sample has more than one label"
    columns = sum(int(np.prod(batches[0].shape[1:])) for batches in train.inputs.values())
    answers = train.targets.size // len(train.targets)
    if task.kind != "regression":
        labels = len(np.unique(_answers(task, train.targets), axis=0))
        if task.kind == "categorical" and labels > MOST_CLASSES:
            return f"{labels} classes are met among {len(train.targets)} held samples"
        if task.kind == "multilabel" and task.classes > MOST_CLASSES:
            return f"each sample has {task.classes} labels"
        return "" if labels > 1 else "all held samples have one label"
    if answers > MOST_TARGETS:
        return f"{answers} numbers are to be predicted for each sample"
    return "the targets are as many numbers as the inputs" if answers > 1 and 2 * answers >= columns else ""


def _count(task: Task, targets: np.ndarray) -> int:
    """How many answers the targets are: of classes one a sample is asked for, of numbers any."""
    if task.kind == "categorical":
        ids = class_ids(task, targets)
        return len(ids) if ids.min(initial=0) >= 0 else -1
    return targets.size if task.kind == "binary" else len(targets)


def _answers(task: Task, targets: np.ndarray) -> np.ndarray:
    """What the models learn: class numbers (samples,), labels or numbers (samples, columns)."""
    if task.kind == "categorical":
        return class_ids(task, targets)
    if task.kind == "binary":
        return (targets.reshape(-1) > 0.5).astype(np.int64)
    rows = targets.reshape(len(targets), -1)
    return (rows > 0.5).astype(np.int64) if task.kind == "multilabel" else rows.astype(np.float64)


def _like(task: Task, targets: np.ndarray) -> tuple[int, ...]:
    """The shape of predictions for such targets."""
    return (len(targets), task.classes) if task.kind == "categorical" else targets.shape


# -- models ------------------------------------------------------------------------------------------------------------


def _models(task: Task, seen_as: str) -> Iterator[tuple[str, Any]]:
    """Name and model, not fitted, of each that is asked of inputs seen in this way."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    if task.kind == "regression":
        models: dict[str, Any] = {
            "linear model": Ridge(alpha=1.0),
            "nearest neighbours": KNeighborsRegressor(NEIGHBOURS),
            # A third of the columns for each split: Hastie et al., The Elements of Statistical Learning, section 15.3.
            "random forest": RandomForestRegressor(TREES, max_features=1 / 3, random_state=0),
        }
    else:
        models = {
            "linear model": RidgeClassifier(alpha=1.0),
            "nearest neighbours": KNeighborsClassifier(NEIGHBOURS),
            "random forest": RandomForestClassifier(TREES, random_state=0),
        }
    if task.kind != "regression" and task.classes > FOREST_CLASSES:
        del models["random forest"]
    if seen_as == "tokens":
        yield from ((f"{name} of tokens", models[name]) for name in ("linear model", "random forest") if name in models)
    else:
        yield from models.items()


def _pipeline(task: Task, model: Any, columns: int) -> Any:
    """The model behind standardized columns, of which the telling ones are chosen where there are many."""
    from sklearn.feature_selection import SelectKBest
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = [SelectKBest(functools.partial(_tells, task), k=COLUMNS)] if columns > COLUMNS + TOKENS else []
    return make_pipeline(StandardScaler(), *chosen, model)


def _tells(task: Task, x: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How well each column alone tells that of the targets which it tells best (an F statistic)."""
    from sklearn.feature_selection import f_classif, f_regression

    test = f_regression if task.kind == "regression" else f_classif
    scores = np.stack([test(x, column)[0] for column in wanted.reshape(len(wanted), -1).T])
    found: np.ndarray = np.nan_to_num(scores, nan=0.0).max(axis=0)
    return found


def _predicted(pipeline: Any, x: np.ndarray, wanted: np.ndarray, asked: np.ndarray | None) -> np.ndarray:
    """What the model says of the rows `asked`; without these of its own rows, each left out of a fit in its turn."""
    from sklearn.model_selection import KFold, cross_val_predict

    wanted = wanted[:, 0] if wanted.ndim > 1 and wanted.shape[1] == 1 else wanted
    if asked is None:
        folds = KFold(FOLDS, shuffle=True, random_state=0)
        return np.asarray(cross_val_predict(pipeline, x, wanted, cv=folds))
    return np.asarray(pipeline.fit(x, wanted).predict(asked))


# -- features ----------------------------------------------------------------------------------------------------------


def _views(train: HeldArrays, validation: HeldArrays | None) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """How the inputs may be seen: "numbers" or "tokens", with the columns of the one set and of the other."""
    names = list(train.inputs)
    tokens = [name for name in names if _may_be_tokens(train.inputs[name])]
    commonest = {name: _commonest(train.inputs[name]) for name in tokens}

    def numbers_of(side: HeldArrays) -> np.ndarray:
        return np.concatenate([_in_batches(_as_numbers, side.inputs[name]) for name in names], axis=1)

    def tokens_of(side: HeldArrays) -> np.ndarray:
        seen_as = {name: functools.partial(_as_tokens, tokens=commonest[name]) for name in tokens}
        columns = [_in_batches(seen_as.get(name, _as_numbers), side.inputs[name]) for name in names]
        return np.concatenate(columns, axis=1)

    for seen_as, columns_of in (("numbers", numbers_of), *([("tokens", tokens_of)] if tokens else [])):
        yield seen_as, columns_of(train), None if validation is None else columns_of(validation)


def _in_batches(columns_of: Callable[[np.ndarray], np.ndarray], batches: Sequence[np.ndarray]) -> np.ndarray:
    """The columns of all samples, made batch by batch: what they are made of may be large."""
    return np.concatenate([columns_of(batch) for batch in batches])


def _may_be_tokens(batches: Sequence[np.ndarray]) -> bool:
    return batches[0].dtype.kind in "iu" and batches[0].ndim <= 2


def _commonest(batches: Sequence[np.ndarray]) -> np.ndarray:
    tokens, counts = np.unique(np.concatenate([batch.reshape(-1) for batch in batches]), return_counts=True)
    found: np.ndarray = tokens[np.argsort(-counts, kind="stable")[:TOKENS]]
    return found


def _as_tokens(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """How often each token is in each row, (rows, tokens), as log(1 + count): twice is not twice as telling."""
    flat = rows.reshape(len(rows), -1)
    order = np.argsort(tokens)
    place = np.searchsorted(tokens, flat, sorter=order).clip(0, len(tokens) - 1)
    at = order[place]
    known = tokens[at] == flat
    places = np.nonzero(known)[0] * len(tokens) + at[known]
    counts = np.bincount(places, minlength=len(rows) * len(tokens)).reshape(len(rows), len(tokens))
    return np.log1p(counts).astype(np.float32)


def _as_numbers(rows: np.ndarray) -> np.ndarray:
    """The rows as columns of numbers, (rows, columns), of which there are at most `MOST_COLUMNS`."""
    if rows.ndim <= 2:
        flat = rows.reshape(len(rows), -1)
        return flat[:, :: -(-flat.shape[1] // MOST_COLUMNS)].astype(np.float32)
    while rows[0].size > MOST_COLUMNS:  # of so many neighbours each second tells as much
        longest = int(np.argmax(rows.shape[1:]))
        rows = rows[(slice(None),) * (1 + longest) + (slice(None, None, 2),)]
    rows = rows.astype(np.float32)
    axes = tuple(range(1, rows.ndim - 1))
    summaries = []
    if rows.shape[-1] <= SUMMARIZED:
        last = rows.reshape(len(rows), -1, rows.shape[-1])[:, -1]
        summaries = [rows.mean(axes), rows.std(axes), rows.min(axes), rows.max(axes), last]
    while rows[0].size > COLUMNS:
        axis = 1 + int(np.argmax(rows.shape[1:]))  # the longest; halved by the means of neighbours
        even = rows.shape[axis] // 2 * 2
        rows = rows.swapaxes(axis, -1)[..., :even].swapaxes(axis, -1)
        halves = (*rows.shape[:axis], even // 2, 2, *rows.shape[axis + 1 :])
        rows = rows.reshape(halves).mean(axis=axis + 1)
    return np.concatenate([rows.reshape(len(rows), -1), *summaries], axis=1)
