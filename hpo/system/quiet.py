"""A library's log lines held back for a moment, and only those of the thread that asks for it."""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator


class _Quiet(logging.Filter):
    """Holds back what some threads log of a library below a warning."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.threads: Counter[int] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is shown."""
        is_held_back = record.levelno < logging.WARNING and super().filter(record)
        return not (is_held_back and self.threads[threading.get_ident()])


_mutex = threading.Lock()
_quiet: dict[str, _Quiet] = {}


@contextlib.contextmanager
def quiet(name: str) -> Iterator[None]:
    """Let through warnings of a library's loggers and nothing less, while this thread is in the context.

    Levels stay as they are, and so does what other threads log: a host may use the library itself. The
    handlers have a filter for as long as any thread is in such a context.
    """
    here = threading.get_ident()
    with _mutex:
        held = _quiet.setdefault(name, _Quiet(name))
        held.threads[here] += 1
        for handler in _handlers(name):
            handler.addFilter(held)
    try:
        yield
    finally:
        with _mutex:
            held.threads[here] -= 1
            if not held.threads.total():
                for handler in _handlers(name):
                    handler.removeFilter(held)


def _handlers(name: str) -> Iterator[logging.Handler]:
    """Those that a line of the library comes to."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None
