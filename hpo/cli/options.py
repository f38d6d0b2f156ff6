"""The flags of commands that take a study's settings, made from the settings' fields."""

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from hpo.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from hpo.study.config import Setting, StudyConfig

_TAKES_WIDTH = 20
"""Characters of the column that says what a flag takes, so that 80 are enough for the longest flag."""

_StudyFile = Annotated[Path | None, typer.Option(help="Study file (.toml); flags win over it.")]


class Commands(TyperGroup):
    """The list of commands: plain text, because rich takes a while and the list must come at once."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "rich_markup_mode": None})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for; an unknown one is refused with the nearest name."""
        if not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise UnknownNameError("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def study_command(
    app: typer.Typer, takes: Callable[["Setting"], bool] = lambda _: True, **texts: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a command that takes settings of a study beside its own options.

    A command with a parameter ``config`` gets them as one; one with ``given`` gets those that were given.

    The list of commands must come at once, so the settings, which import pydantic, are read only when the
    command is chosen.

    Args:
        app: Where it is added.
        takes: Whether it takes a setting.
        **texts: What ``app.command`` takes, such as the epilog.
    """

    def register(command: Callable[..., None]) -> Callable[..., None]:
        class StudyCommand(TyperCommand):
            def make_context(
                self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
            ) -> Any:
                whole = typer.Typer(add_completion=False, rich_markup_mode="rich")
                whole.command(**texts)(_with_settings(command, takes))
                return typer.main.get_command(whole).make_context(info_name, args, parent, **extra)

        app.command(command.__name__, cls=StudyCommand, help=command.__doc__, **texts)(lambda: None)
        return command

    return register


def flag_of(key: str) -> str:
    """The flag of a setting."""
    return f"--{key.replace('_', '-')}"


def _with_settings(command: Callable[..., None], takes: Callable[["Setting"], bool]) -> Callable[..., None]:
    """The command as typer sees it: every setting that it takes is a parameter."""
    from hpo.study.config import settings

    taken = {key: setting for key, setting in settings().items() if takes(setting)}
    names = inspect.signature(command).parameters

    def run(ctx: typer.Context, study: Path | None = None, **values: Any) -> None:
        given = {key: values.pop(key) for key in taken}
        typed = {key: value for key, value in given.items() if _is_typed(ctx, key)}
        if "config" in names:
            command(config=_make_config(typed, study), **values)
        else:
            command(given=typed, **values)

    own = [p for name, p in names.items() if name not in ("config", "given")]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    file = inspect.Parameter("study", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_StudyFile)
    files = [file] if "config" in names else []
    parameters = [context, *files, *own, *(_parameter(setting) for setting in taken.values())]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _parameter(setting: "Setting") -> inspect.Parameter:
    """The flag of a setting. Its value stays text: the config checks it, and says key, value and rule."""
    flag, panel = flag_of(setting.key), f"{setting.table.capitalize()}: {setting.panel.lower()}"
    default: object = setting.default
    annotation: type = str if default is not None else str | None  # type: ignore[assignment]
    if setting.kind is bool:
        flag, default, annotation = f"{flag}/{flag_of('no_' + setting.key)}", default == "True", bool
    text = f"{setting.description[:1].upper()}{setting.description[1:]}."
    takes = textwrap.fill(setting.takes, _TAKES_WIDTH, break_long_words=False)
    option = typer.Option(flag, help=text, metavar=takes, rich_help_panel=panel)
    return inspect.Parameter(
        setting.key,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[annotation, option],
    )


def _is_typed(ctx: typer.Context, key: str) -> bool:
    source = ctx.get_parameter_source(key)
    return source is not None and source.name == "COMMANDLINE"


def _make_config(typed: dict[str, Any], path: Path | None) -> "StudyConfig":
    """Build the config; an error in the study file names the file."""
    from hpo.study.config import build_config, read_study_file

    try:
        return build_config(typed, read_study_file(path) if path else None)
    except ConfigError as error:
        if path is None or error.key is None or error.key in typed:
            raise
        raise ConfigError(f"{path}: {error}") from error
