"""What is known of a run besides its measurements, as records; `Run.meta` shows them as a dictionary.

`callbacks` fills them, the rules and the report read them, and `store` keeps them as JSON, one entry a field of
`Facts`. A record that holds nothing (its default) is left out there, so that a run made by hand for a test stays short,
and a run file of an older version reads as one of which less is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from diagnose.run.audit import AuditFacts
from diagnose.run.records import from_plain, kept, to_plain

#: What an activation site is for. "output": its value is a prediction; "gate": it multiplies something that depends on
#: the data; "mixing": its function mixes its inputs, as a softmax does; "recurrent": a recurrent layer applies it in
#: its loop, and what is read is the layer's output; "hidden": none of these.
Role = Literal["hidden", "output", "gate", "mixing", "recurrent"]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer, in the order of the calls.

    path: Keras path. order: its place. variables: paths. fan_in: entries of its kernel that make one unit, None without
    a kernel that multiplies. units: also of filters. rate: of dropout. momentum: of moving statistics. constraint:
    class of the kernel's, "" for none. loose: names of trainable variables that it reads and no layer owns. inbound:
    paths of the layers that feed it, None where that is not known (subclassed models). within: path of the outermost
    layer that holds it, as a recurrent layer does its cell; None where none does.
    """

    path: str
    class_name: str = kept("", key="class")
    order: int = 0
    variables: tuple[str, ...] = ()
    fan_in: int | None = kept(None, optional=True)
    trainable: bool = True
    units: int | float | None = None
    rate: float | None = None
    momentum: float | None = None
    constraint: str = ""
    loose: tuple[str, ...] = ()
    inbound: tuple[str, ...] | None = kept(None, optional=True)
    within: str | None = kept(None, optional=True)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model. precision: its dtype policy. left_out: paths of trainable variables that the optimizer was built
    without. still_trained: paths of those it was built for, and that are not trainable any more. parameters,
    trainable_parameters: None where it was not built yet."""

    name: str = ""
    class_name: str = kept("", key="class")
    precision: str = ""
    parameters: int | None = None
    trainable_parameters: int | None = None
    left_out: tuple[str, ...] = ()
    still_trained: tuple[str, ...] = ()
    layers: tuple[LayerFacts, ...] = kept((), most=10_000)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """One activation function at one place, in the order of the calls.

    where: what the user reads. layer: path. function: its name. elementwise: None where that could not be told.
    custom: not one of Keras' own. into_kernels: what leaves it gets to kernels and to nothing else, at most scaled and
    shifted; None where nobody looked. dtype: of its output.
    """

    where: str
    layer: str = ""
    function: str = ""
    role: Role = "hidden"
    elementwise: bool | None = None
    units: int | None = None
    order: int = 0
    dtype: str = ""
    custom: bool = False
    into_kernels: bool | None = None


@dataclass(frozen=True, slots=True)
class LossName:
    """What the compiled loss is called: a name, or names in the structure the user gave them in."""

    name: Any = None


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """The optimizer, without a loss-scaling wrapper; what it does not have is None.

    learning_rate: None where a schedule could not tell it yet.
    """

    class_name: str = kept("", key="class")
    loss_scaling: bool = False
    clipnorm: float | None = kept(None, optional=True)
    global_clipnorm: float | None = kept(None, optional=True)
    clipvalue: float | None = kept(None, optional=True)
    weight_decay: float | bool | None = kept(None, optional=True)
    momentum: float | None = kept(None, optional=True)
    use_ema: bool | None = kept(None, optional=True)
    gradient_accumulation_steps: int | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True)
class FitFacts:
    """What `fit` planned: epochs, and steps in each, None where that is not known."""

    epochs: int | None = None
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class MonitorFacts:
    """The arguments of the monitors, those of several joined. ignore: names of rules that judge nothing of this run."""

    overhead: float | None = None
    every: int | None = None
    instruments: tuple[str, ...] = ()
    ignore: tuple[str, ...] | None = kept(None, optional=True)


@dataclass(frozen=True, slots=True)
class OutputTask:
    """What one output is asked for, as its targets and predictions tell.

    kind: "categorical", "binary", "multilabel", "regression" or "unknown", for which `reason` says why. classes: their
    number. majority_share: of the labels seen, NaN or None where there are no classes. target_mean, target_variance:
    None for what is no number. by_loss: its skill is told in the coin of its loss, which is no squared error.
    """

    kind: str = ""
    classes: int | None = None
    reason: str = ""
    majority_share: float | None = None
    target_mean: float | None = None
    target_variance: float | None = None
    by_loss: bool | None = kept(None, optional=True)


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The task of the first output, those of all by output ("" for a single one), and how many samples are held.

    kind: "" where nobody looked; see `OutputTask` for the rest.
    """

    kind: str = ""
    classes: int | None = None
    reason: str = ""
    majority_share: float | None = None
    target_mean: float | None = None
    target_variance: float | None = None
    by_loss: bool | None = kept(None, optional=True)
    outputs: dict[str, OutputTask] = field(default_factory=dict)
    held_samples: int | None = None
    held_validation_samples: int | None = None

    def of(self, output: str) -> OutputTask:
        """The task of one output; that of the first where nothing is known of this one."""
        first = OutputTask(
            self.kind,
            self.classes,
            self.reason,
            self.majority_share,
            self.target_mean,
            self.target_variance,
            self.by_loss,
        )
        return self.outputs.get(output, first)


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """What simple models were asked for one output; their skill is the quantity `skill.reference`.

    models: their names. on: "validation", or "training" where cross-validation stood in for validation data.
    learned_from, samples: how many each learned from, and was scored on. reason: why none applied, "" where one did.
    """

    models: tuple[str, ...] = kept((), most=20)
    on: str = ""
    learned_from: int = 0
    samples: int = 0
    reason: str = ""


def reference_place(output: str, model: str) -> str:
    """Where `skill.reference` of this model stands; output: "" for a single one."""
    return f"{output}: {model}" if output else model


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a run besides its measurements.

    created: ISO time. versions: by package. inside: function name -> paths of the layers in whose loops it runs, where
    no site can be read. metrics: names. steps_seen: None where nobody counted. finished: "" while running, "completed",
    or how it ended ("ValueError: ...", "interrupted"); None for what is no fit. audit: None where no batch was audited.
    references: by output, what simple models were asked; {} where nobody asked them.
    unmeasured: place -> why its activation site can't be read. profiles: site function name -> its profile in the plain
    form of `FunctionProfile.to_dict`.
    """

    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    model: ModelFacts = ModelFacts()
    loss: LossName = LossName()
    metrics: tuple[Any, ...] = ()
    optimizer: OptimizerFacts = OptimizerFacts()
    fit: FitFacts = FitFacts()
    monitor: MonitorFacts = MonitorFacts()
    finished: str | None = None
    steps_seen: int | None = None
    sites: tuple[SiteFacts, ...] = kept((), most=10_000)
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unmeasured: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    audit: AuditFacts | None = None
    task: TaskFacts = field(default_factory=TaskFacts)
    references: dict[str, ReferenceFacts] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain types, without the records that hold nothing."""
        return {
            each.name: to_plain(value, finite=False)
            for each in fields(self)
            if (value := getattr(self, each.name)) != _default(each) or isinstance(value, tuple | dict)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, strict: bool = True) -> Facts:
        """The facts that `to_dict` made `data` of.

        strict: whether a key that no record knows is an error, as it is in a test; a file of a newer version may hold
        some. Raises ValueError, naming the field, for a value of another type, and for such a key.
        """
        return from_plain(cls, data, strict=strict)


def _default(each: Any) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()
