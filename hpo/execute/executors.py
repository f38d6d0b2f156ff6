"""The catalogue of executors: one line each."""

from collections.abc import Callable

from hpo.execute.executor import Executor
from hpo.execute.local import LocalExecutor

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
}
