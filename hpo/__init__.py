"""Budget-aware hyperparameter search for forecasting models.

``hpo.run`` runs a study, ``hpo.plan`` says what it would do, ``hpo.open`` opens one that is there,
``hpo.load`` a forecaster that one was exported to; docs/python.md has the rest. A name is imported when it is
first used.

``hpo.models``, ``hpo.data`` and ``hpo.studies`` are the top-level folders ``models/``, ``data/`` and
``studies/`` of a checkout: names too common to install on their own. An installed wheel carries them
inside this package; from an uninstalled checkout the hook below finds them beside it.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api import load as load
    from hpo.api import open as open
    from hpo.api import plan as plan
    from hpo.api import run as run
    from hpo.api.study import Study as Study
    from hpo.api.winner import BestTrial as BestTrial
    from hpo.engine.listener import EpochEnded as EpochEnded
    from hpo.engine.listener import Listener as Listener
    from hpo.engine.listener import Said as Said
    from hpo.engine.listener import StudyEnded as StudyEnded
    from hpo.engine.listener import StudyEvent as StudyEvent
    from hpo.engine.listener import StudyStarted as StudyStarted
    from hpo.engine.listener import TrialEnded as TrialEnded
    from hpo.engine.listener import TrialStarted as TrialStarted
    from hpo.errors import BudgetError as BudgetError
    from hpo.errors import ConfigError as ConfigError
    from hpo.errors import DatasetError as DatasetError
    from hpo.errors import HpoError as HpoError
    from hpo.errors import StorageError as StorageError
    from hpo.errors import UnknownNameError as UnknownNameError
    from hpo.learn.forecaster import Forecaster as Forecaster
    from hpo.report.preview import Preview as Preview
    from hpo.system.stop import StopFlag as StopFlag
    from hpo.trial.record import TrialRecord as TrialRecord

_EVENTS = ("StudyEvent", "StudyStarted", "Said", "TrialStarted", "EpochEnded", "TrialEnded", "StudyEnded")
_ERRORS = ("HpoError", "ConfigError", "UnknownNameError", "BudgetError", "DatasetError", "StorageError")
_HOME = {
    **dict.fromkeys(("run", "plan", "open", "load"), "hpo.api"),
    "Study": "hpo.api.study",
    "BestTrial": "hpo.api.winner",
    "Forecaster": "hpo.learn.forecaster",
    "Preview": "hpo.report.preview",
    **dict.fromkeys(("Listener", *_EVENTS), "hpo.engine.listener"),
    **dict.fromkeys(_ERRORS, "hpo.errors"),
    "StopFlag": "hpo.system.stop",
    "TrialRecord": "hpo.trial.record",
}
"""Every public name, and the module that it is imported from."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


if not (Path(__file__).parent / "models").is_dir():
    __path__.append(str(Path(__file__).parent.parent))
