"""How a command ends: its exit code, and one line on stderr for what the user did wrong."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from hpo.errors import ConfigError, HpoError, UnknownNameError

EXIT_DONE = 0
EXIT_FOUND_SOMETHING = 1
EXIT_BAD_INPUT = 2
EXIT_NOTHING_COMPLETED = 3
EXIT_INTERRUPTED = 130


@contextmanager
def one_line_errors(spell: Callable[[str], str], debug: bool = False) -> Iterator[None]:
    """Turn a user's error into one line on stderr and exit code 2; a bug propagates.

    Args:
        spell: How a setting's key is given here: ``--startup-trials``, or ``STARTUP_TRIALS`` with make.
        debug: Show the traceback of a user's error too.
    """
    try:
        yield
    except (typer.Abort, KeyboardInterrupt):
        # What was running is taken up by the next run; os._exit leaves no thread to wait for.
        print("stopped", file=sys.stderr)
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)
    except Exception as error:
        line = _line(error, spell)
        if line is None or debug:
            raise
        print("hpo:", *(part.strip() for part in line.splitlines()), file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)


def _line(error: Any, spell: Callable[[str], str]) -> str | None:
    """What the user did wrong; None for a bug."""
    if isinstance(error, ConfigError) and error.key is not None:
        return f"{spell(error.key)}: {error.message}"
    if isinstance(error, HpoError):
        return str(error)
    if hasattr(error, "possibilities"):  # typer's error of an unknown flag
        flags = (param.opts + param.secondary_opts for param in error.ctx.command.get_params(error.ctx))
        return str(UnknownNameError("flag", error.option_name, (flag for two in flags for flag in two)))
    # Typer's own errors, of a missing argument for example, are of a class that it keeps to itself.
    return str(error.format_message()) if hasattr(error, "format_message") else None
