"""Every setting of a study, each described once: a field gives its type, limits, default and help.

What follows from the fields: the keys of a study file (a class is a table), the flags of ``hpo run`` and
``hpo plan`` (a class is a panel), the variables of make, the tables of docs/commands.md, and the study's
identity. A setting belongs to the identity unless its field is marked :data:`FREE`. Where a default depends
on other things it is None, and the description says what it then is.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from hpo.scoring.objective import VAL_LOSS, make_objective
from hpo.scoring.tasks import LOSSES
from hpo.study.section import FREE, Section
from hpo.system.counts import format_budget, parse_budgets

NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")

if TYPE_CHECKING:  # a checker of types reads no catalogue
    Loss = str
else:
    Loss = Literal[LOSSES]


class ModelSection(Section):
    """Which family of models."""

    model: str = Field("psann", description="a model family; `hpo models` lists them")


class BudgetSection(Section):
    """How many parameters a model may have."""

    budget: str = Field(
        "2M", description="number of parameters: 750k, 2M, 20M, 200M, any other such as 1.5M, or a comma list"
    )

    @field_validator("budget", mode="before")
    @classmethod
    def _budgets(cls, value: Any) -> str:
        return ",".join(format_budget(budget) for budget in parse_budgets(str(value)))


class TrainingSection(Section):
    """How a model is trained, beyond what is searched."""

    epochs: int = Field(50, ge=1, le=100_000, description="epochs at most")
    loss: Loss | None = Field(
        None,
        description="what trains: bce and focal for binary tasks, cross_entropy for multi-class ones, the "
        "others for regression; default: the task's own",
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing parameter of the focal loss")
    focal_alpha: float | None = Field(
        None, gt=0, lt=1, description="weight of the positive class in the focal loss; default: none"
    )
    huber_delta: float = Field(
        1.0, gt=0, description="where Huber's loss turns from squares to absolute values, in scaled units"
    )
    positive_weight: float = Field(
        1.0, gt=0, le=1e6, description="what a positive counts in the loss bce, a negative being 1"
    )
    patience: int = Field(10, ge=1, description="epochs without improvement before a trial stops early")
    min_delta: float = Field(
        0.001,
        ge=0,
        description="the least improvement that counts, as a share of what the best naive forecast's score "
        "lacks to a perfect one",
    )
    clip_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="largest batch held in memory at once; gradients accumulate to the batch size; default: "
        "the whole batch",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        description="what layers multiply in; auto: bf16 where the processor does (elsewhere it is slow), "
        "else fp32",
    )


class SearchSection(Section):
    """How the space is searched."""

    trials: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="total number of trials, forced ones among them; default: 30, or 70 for several budgets",
        json_schema_extra=FREE,
    )
    startup_trials: int = Field(
        12, ge=0, description="trials, forced ones among them, before TPE takes over from random sampling"
    )
    sampler: str = Field(
        "tpe", description="what draws the trials after the start-up ones: tpe, or random to compare with"
    )
    objective: str = Field(
        VAL_LOSS,
        description="what the search goes by on the validation part: val_loss, the task's proper score, or "
        "one of its metrics, such as auc",
    )
    prune: bool = Field(
        True, description="stop trials that are worse than the median of their budget; never forced ones"
    )
    prune_warmup: int = Field(5, ge=1, description="epochs before a trial may be pruned")

    @field_validator("objective")
    @classmethod
    def _known(cls, value: str) -> str:
        return make_objective(value).name


class StudySection(Section):
    """Where the study is kept and on what it runs."""

    experiment: str | None = Field(
        None,
        description="name of the study; default: data, model, horizon and budget, joined by _",
        json_schema_extra=FREE,
    )
    out: Path = Field(
        Path("outputs"), description="folder that everything is written to", json_schema_extra=FREE
    )
    storage: str | None = Field(
        None,
        description="database URL; default: sqlite:/// and studies.db in the folder out",
        json_schema_extra=FREE,
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of sampling, initial weights and data order")
    executor: str = Field(
        "local", description="what trains the trials: local, a process each", json_schema_extra=FREE
    )
    workers: int = Field(1, ge=1, le=64, description="trials at a time", json_schema_extra=FREE)
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train", json_schema_extra=FREE
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="CPU threads of a trial; default: all cores / workers",
        json_schema_extra=FREE,
    )
    checkpoint_seconds: float = Field(
        30.0,
        ge=0,
        description="least time between two checkpoints of a running trial; they take at most 3 % of the "
        "time",
        json_schema_extra=FREE,
    )
    keep: int = Field(
        5,
        ge=1,
        le=1000,
        description="so many of the best trials keep their weights, to forecast with",
        json_schema_extra=FREE,
    )
    trial_timeout_seconds: float | None = Field(
        None,
        gt=0,
        description="a trial that trained so long is pruned; its best epoch counts; default: no limit",
        json_schema_extra=FREE,
    )

    @field_validator("experiment")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and (not NAME_PATTERN.fullmatch(value) or value.strip(".") == ""):
            raise ValueError(
                "must be letters, digits, '.', '_' and '-', at most 128 of them, and not only dots"
            )
        return value
