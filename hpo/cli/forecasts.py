"""The commands that use what a search has found: forecasts, and a folder that forecasts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpo.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Out = Annotated[Path, typer.Option(help="Folder that everything is written to.")]
Trial = Annotated[
    int | None, typer.Option(min=0, help="Another trial that kept its weights; default: the best.")
]


def add_forecasts(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Examples: hpo predict my_study --to forecast.csv | hpo predict winner --data new.csv"
    )(predict)
    app.command(epilog="Example: hpo export my_study --to winner")(export)


def predict(
    target: Annotated[
        str, typer.Argument(metavar="EXPERIMENT|FOLDER", help="A study, or an exported folder.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="New rows; default: from the last row of the study's own data on.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The CSV file to write; default: print it.")] = None,
    trial: Trial = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="From every origin of --data, with truth and scores.")
    ] = False,
    out: Out = Path("outputs"),
) -> None:
    """Forecast with a study's best trial or an exported folder: CSV, in the units of the data."""
    from hpo.api.winner import files_at, forecaster_of, is_folder, load, own_rows

    if rolling and data is None:
        raise ConfigError(
            "needs --data: a study's own rows are those that the model was trained on", key="rolling"
        )
    if is_folder(target):
        if trial is not None:
            raise ConfigError("is for a study; an exported folder holds one trial alone", key="trial")
        forecaster = load(target)
        rows = forecaster.read(data)
    else:
        files = files_at(target, out)
        forecaster = forecaster_of(files, trial)
        rows = forecaster.read(data) if data is not None else own_rows(files, forecaster)
    for note in rows.notes:
        print(f"hpo: {_plain(note)}", file=sys.stderr)
    if rolling:
        frame, scores = forecaster.roll(rows)
        for name, value in scores.items():
            print(f"{name:24} {value:.6g}", file=sys.stderr)
        if not scores:
            print("hpo: no scores: the rows do not hold what came", file=sys.stderr)
    else:
        frame = forecaster.forecast(rows)
    _write(frame, to)


def export(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    to: Annotated[
        Path | None, typer.Option(help="The folder to write; default: export in the study's own folder.")
    ] = None,
    trial: Trial = None,
    example: Annotated[
        bool, typer.Option("--example/--no-example", help="Put the data's last rows into it, as example.csv.")
    ] = True,
    out: Out = Path("outputs"),
) -> None:
    """Write a study's best trial as a folder that forecasts without the study."""
    from hpo.api.winner import export as write
    from hpo.api.winner import files_at

    folder = write(files_at(experiment, out), trial, to, with_example=example)
    print(folder)
    if (folder / "example.csv").is_file():
        print(
            "hpo: example.csv holds the last rows of your data; --no-example leaves them out", file=sys.stderr
        )


def _write(frame: "pd.DataFrame", to: Path | None) -> None:
    for name in ("series", "column"):
        frame[name] = [_plain(str(text)) for text in frame[name]]
    text = frame.to_csv(index=False, lineterminator="\n")
    if to is None:
        sys.stdout.write(text)
        return
    from hpo.system.files import write_bytes

    try:
        write_bytes(to, text.encode())
    except OSError as error:
        raise ConfigError(f"cannot write {to} ({error.strerror})", key="to") from error


def _plain(text: str) -> str:
    """A text whose control characters are written out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
