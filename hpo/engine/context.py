"""What all trials of a study share: a config resolved, once, into its typed parts."""

from dataclasses import dataclass

from hpo.data.base import ForecastData
from hpo.scoring.losses import LossSettings
from hpo.scoring.references import References, compute_references
from hpo.scoring.task import Task
from hpo.scoring.tasks import choose_task
from hpo.search.plan import Plan, make_plan
from hpo.store.layout import ExperimentFiles
from hpo.store.manifest import code_version, stored_references
from hpo.study.catalogue import get_family, load_data, shape_of
from hpo.study.config import StudyConfig
from hpo.system.hardware import n_cores, precision_of, resolve_device
from hpo.trial.record import Code, DataSource, Part


def files_of(config: StudyConfig) -> ExperimentFiles:
    """Where a study's files are."""
    return ExperimentFiles(out=config.study.out, experiment=config.experiment)


@dataclass(frozen=True, kw_only=True)
class StudyContext:
    """What all trials of a study share.

    Attributes:
        config: The study's settings.
        plan: Its search space and forced configs.
        folds: Its data, split and scaled; several where the split walks forward.
        task: What is forecast.
        device: Resolved: "cpu" or "cuda".
        references: The reference forecasts and their validation metrics.
        code: The code that runs.
        parts: The split of each fold, for the records.
    """

    config: StudyConfig
    plan: Plan
    folds: tuple[ForecastData, ...]
    task: Task
    device: str
    references: References
    code: Code
    parts: tuple[dict[str, Part], ...]

    @property
    def data(self) -> ForecastData:
        """The data of the last fold, which trains on most rows; of most studies the only one."""
        return self.folds[-1]

    @property
    def files(self) -> ExperimentFiles:
        """Where the study's files are."""
        return files_of(self.config)

    @property
    def source(self) -> DataSource:
        """Which data the trials see."""
        return DataSource(name=self.data.name, sha256=self.data.table.sha256)

    @property
    def loss(self) -> LossSettings:
        """The training loss."""
        return loss_of(self.config, self.task)

    @property
    def precision(self) -> str:
        """What a new trial's layers multiply in: "bf16" or "fp32"."""
        wanted = self.config.training.precision
        return precision_of(self.device) if wanted == "auto" else wanted

    @property
    def threads(self) -> int:
        """CPU threads of a new trial."""
        return self.config.study.threads or max(1, n_cores() // self.config.study.workers)


def make_context(config: StudyConfig) -> StudyContext:
    """Resolve a config into what its trials share, with all checks and without writing.

    Raises:
        HpoError: A name is unknown, the data cannot be had, or a budget cannot be reached.
    """
    family = get_family(config.model.model)
    device = resolve_device(config.study.device)
    folds = load_data(config)
    data = folds[-1]
    task = choose_task(data.table.task, config.training.loss)
    loss = loss_of(config, task)
    task.loss(loss)
    covariance = task.covariance(loss, task.n_outputs(data))
    references = stored_references(files_of(config), folds, task) or compute_references(
        folds, task, config.objective, gaussian=covariance != "none"
    )
    return StudyContext(
        config=config,
        plan=make_plan(family, shape_of(data, task, covariance), config.budgets),
        folds=folds,
        task=task,
        device=device,
        references=references,
        code=code_version(),
        parts=tuple(split_parts(data) for data in folds),
    )


def loss_of(config: StudyConfig, task: Task) -> LossSettings:
    """The training loss of a study."""
    training = config.training
    return LossSettings(
        name=training.loss or task.default_loss,
        focal_gamma=training.focal_gamma,
        focal_alpha=training.focal_alpha,
        huber_delta=training.huber_delta,
        positive_weight=training.positive_weight,
    )


def split_parts(data: ForecastData) -> dict[str, Part]:
    """Rows, windows and dates of each part."""
    parts = {}
    for name, ends in (("train", data.splits.train), ("val", data.splits.val), ("test", data.splits.test)):
        ranges = data.splits.rows[name]
        parts[name] = Part(
            rows=sum(stop - start for start, stop in ranges),
            windows=len(ends),
            start=data.table.moment(ranges[0][0]),
            end=data.table.moment(ranges[-1][1] - 1),
        )
    return parts
