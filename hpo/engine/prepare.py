"""Opens the study of a config, or creates it, at one with its files on disk."""

import optuna

from hpo.engine.context import StudyContext
from hpo.errors import ConfigError
from hpo.search.tpe import TrialSeededTPESampler
from hpo.store.audit import Difference, compare, mend
from hpo.store.database import RDBStorage, Study, check_identity, check_same, study_names
from hpo.store.locks import FileLock
from hpo.store.view import ORIGIN, add_waiting
from hpo.study.config import build_config, read_study_file
from hpo.system.files import move_to_quarantine, remove_leftovers


def prepare_study(storage: RDBStorage, context: StudyContext) -> tuple[Study, list[Difference]]:
    """Open the study of a config, or create it with its forced configs queued in their order.

    Returns:
        The study, and what differed between its files and storage and has been mended.

    Raises:
        ConfigError: A study of that name exists, in storage or on disk, and differs in what makes it itself.
    """
    config, files = context.config, context.files
    with FileLock(files.claim_lock):
        if config.experiment not in study_names(storage):
            _check_stored_config(context)
        study = optuna.create_study(
            storage=storage,
            study_name=config.experiment,
            direction=config.objective.direction,
            sampler=TrialSeededTPESampler(config.study.seed, config.search.startup_trials),
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        check_identity(study, config.identity())
        forced = context.plan.forced
        remove_leftovers(files.folder)
        differences = compare(study, files)
        mend(study, files, differences, forced)
        queued = {trial.user_attrs.get(ORIGIN) for trial in study.get_trials(deepcopy=False)}
        for spec in forced:
            if spec.origin not in queued:
                add_waiting(study, spec.params, spec.origin)
    return study, differences


def _check_stored_config(context: StudyContext) -> None:
    """Trial files may be taken into a new storage only if they are of the same study."""
    files = context.files
    if not files.study_toml.exists():
        return
    try:
        stored = build_config({}, read_study_file(files.study_toml)).identity()
    except ConfigError:
        move_to_quarantine(files.quarantine, files.study_toml)
        return
    check_same(context.config.experiment, context.config.identity(), stored)
