"""The catalogue of executors: one line each."""

from collections.abc import Callable

from hpo.errors import UnknownNameError
from hpo.execute.executor import Executor
from hpo.execute.local import LocalExecutor

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
}


def make_executor(name: str) -> Executor:
    """The executor of that name.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    return EXECUTORS[name]()
