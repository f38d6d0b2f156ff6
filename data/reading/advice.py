"""Ways out that run as they are printed."""

import csv
import io
import shlex
from collections.abc import Mapping, Sequence


def join_names(names: Sequence[str]) -> str:
    """Names by commas, as a line of CSV: one with a comma or a quote in it is quoted."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def quote_flag(value: str) -> str:
    """A flag's value for the shell."""
    return shlex.quote(value)


def make_line(target: str, variables: Mapping[str, str]) -> str:
    """A command of make with its variables, quoted for the shell; the Makefile forwards them unexpanded."""
    pairs = (shlex.quote(f"{name}={value}") for name, value in variables.items())
    return " ".join(["make", target, *pairs])
