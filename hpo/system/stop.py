"""The word to stop, as a signal handler can give it."""

import time

_LOOK_SECONDS = 0.05


class StoppedError(Exception):
    """The study was told to stop; what was under way goes on next time."""


class StopFlag:
    """Set once, looked at often; ``threading.Event`` without its lock.

    A handler may run while the thread it interrupts holds an Event's lock, or while an earlier handler does:
    setting the Event would then wait for ever.
    """

    def __init__(self) -> None:
        """Begin unset."""
        self._is_set = False

    def set(self) -> None:
        """Give the word."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether it was given."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is given, at most so long; whether it was."""
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_LOOK_SECONDS, left))
        return self._is_set
