"""Building and trying models in a process that is somebody else's, too."""

import contextlib
import threading
import warnings
from collections.abc import Iterator

import torch

_ONE = threading.RLock()


@contextlib.contextmanager
def undisturbed(*ignored: type[Warning]) -> Iterator[None]:
    """Give the process's random numbers and its warning filters back as they were.

    One thread at a time: each would take what another has changed for what was there before.

    Args:
        *ignored: Warnings not to be shown meanwhile.
    """
    with _ONE, torch.random.fork_rng(devices=[]), contextlib.ExitStack() as filters:
        if ignored:
            filters.enter_context(warnings.catch_warnings())
        for category in ignored:
            warnings.simplefilter("ignore", category)
        yield
