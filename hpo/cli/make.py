"""What make calls: ``python -m hpo.cli.make run MODEL=mlp TRIALS=40`` is ``hpo run --model mlp --trials 40``.

The Makefile forwards every variable of its command line and knows none of them: a variable is a flag of the
command in capitals. ARGS holds more arguments, as a shell reads them; DRY_RUN=1 turns ``run`` into ``plan``.
"""

import shlex
import sys
from collections.abc import Iterable
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from hpo.cli.exits import one_line_errors
from hpo.cli.main import app
from hpo.cli.main import main as run_command_line
from hpo.errors import ConfigError, UnknownNameError

TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def arguments_of(command: str, words: Iterable[str]) -> list[str]:
    """The arguments of ``hpo`` for a command and make's words NAME=value.

    Raises:
        ConfigError: A variable is no flag of the command, or its value is not one.
    """
    values = dict(word.split("=", 1) for word in words)
    more = _split(values.pop("ARGS", ""))
    dry_run = ["DRY_RUN"] if command == "run" else []
    if any(_truth(name, values.pop(name, "0")) for name in dry_run):
        command = "plan"
    flags = _flags(command)
    for name in values:
        if name not in flags:
            raise UnknownNameError("make variable", name, [*flags, "ARGS", *dry_run])
    given = [argument for name, value in values.items() for argument in _argument(name, value, flags[name])]
    return [command, *given, *more]


def variable_of(key: str) -> str:
    """The variable of a setting."""
    return key.upper()


def _flags(command: str) -> dict[str, Any]:
    """The command's flags, as typer knows them, by the names of their variables."""
    group = cast(TyperGroup, typer.main.get_command(app))
    parent = group.make_context("hpo", [], resilient_parsing=True)
    listed = cast(TyperCommand, group.get_command(parent, command))
    whole = listed.make_context(command, [], parent=parent, resilient_parsing=True).command
    flags = [param for param in whole.params if param.param_type_name == "option"]
    return {variable_of(flag.opts[0].lstrip("-").replace("-", "_")): flag for flag in flags}


def _argument(name: str, value: str, flag: Any) -> list[str]:
    if not flag.is_flag:
        return [f"{flag.opts[0]}={value}"]
    on_or_off: list[str] = flag.opts if _truth(name, value) else flag.secondary_opts
    return on_or_off[:1]


def _truth(name: str, value: str) -> bool:
    try:
        return TRUTH[value.lower()]
    except KeyError:
        raise ConfigError(f"{name}: must be 1 or 0, true or false, yes or no, got {value!r}") from None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"ARGS: cannot be read as a shell would ({error}), got {text!r}") from error


def main() -> None:
    """Turn make's words into the arguments of ``hpo`` and run it."""
    with one_line_errors(variable_of):
        sys.argv = ["hpo", *arguments_of(sys.argv[1], sys.argv[2:])]
    run_command_line(variable_of)


if __name__ == "__main__":
    main()
