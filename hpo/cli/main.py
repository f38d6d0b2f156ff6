"""The command line: it parses, prints and sets the exit code."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.cli.exits import (
    EXIT_DONE,
    EXIT_FOUND_SOMETHING,
    EXIT_INTERRUPTED,
    EXIT_NOTHING_COMPLETED,
    one_line_errors,
)
from hpo.cli.forecasts import Out, add_forecasts
from hpo.cli.options import Commands, flag_of, study_command

app = typer.Typer(
    name="hpo",
    cls=Commands,
    help="Budget-aware hyperparameter search for forecasting models.",
    epilog="Example: hpo run --model psann --budget 2M",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

data_app = typer.Typer(
    epilog="Examples: hpo data | hpo data check my.csv --target load --time date",
    rich_markup_mode="rich",
)
app.add_typer(data_app, name="data")

Storage = Annotated[
    str | None, typer.Option(help="Database URL; default: sqlite:/// and studies.db in the folder --out.")
]
Experiment = Annotated[str, typer.Option(help="Name of the study.")]
AnyExperiment = Annotated[str | None, typer.Option(help="Name of the study; default: all of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WATCH_SECONDS = 2.0


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from importlib.metadata import version

        print(f"hpo {version('budget-hpo')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """Budget-aware hyperparameter search for forecasting models."""


@study_command(
    app,
    epilog="Examples: hpo run --model psann --budget 2M | hpo run --model mlp --budget 750k,2M --trials 40 | "
    "hpo run --study studies/quickstart.toml",
)
def run(config: Any) -> None:
    """Run a study. The same command again goes on where it stopped; a higher --trials extends it."""
    from hpo.api.session import run_study
    from hpo.cli.console import make_display, show_answer, show_fetches, stop_on_signals

    show_fetches()
    with stop_on_signals() as stop, make_display() as display:
        study = run_study(config, sys.argv, listener=display, stop=stop)
    print()
    show_answer(study)
    if study.records:
        print(f"summary    {study.files.summary_md}")
    if study.best is not None:
        print(f"best trial {study.files.best()}")
    print(f"database   {config.storage_url}  (browse it: hpo dashboard --storage {config.storage_url})")
    if study.interrupted:
        print("stopped; the same command goes on from here")
        raise typer.Exit(EXIT_INTERRUPTED)
    if study.best is None:
        raise typer.Exit(EXIT_NOTHING_COMPLETED)


@study_command(app, epilog="Example: hpo plan --model patchtst --budget 2M")
def plan(config: Any, as_json: Json = False) -> None:
    """Show what a study would do: every forced config and the search space, sized and costed."""
    from hpo.api.session import plan_study
    from hpo.cli.console import show_fetches
    from hpo.cli.tables import show_preview

    show_fetches()
    preview = plan_study(config)
    if as_json:
        print(preview.model_dump_json(indent=1))
    else:
        show_preview(preview)


@app.command(epilog="Example: hpo status --watch")
def status(
    out: Out = Path("outputs"),
    storage: Storage = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show again every two seconds until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show where every study stands: done, pruned, failed, running, best so far, time left."""
    from hpo.cli.tables import show_status
    from hpo.report.status import read_status
    from hpo.study.config import default_storage

    url = storage or default_storage(out)
    while True:
        rows = read_status(url, out)
        if as_json:
            print(json.dumps([row.model_dump() for row in rows], indent=1))
        else:
            if watch:
                print("\033[2J\033[H", end="")
            show_status(rows)
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


@app.command(epilog="Example: hpo rerun outputs/sp500_psann_h1_2M/trials/trial_0007.json")
def rerun(
    record: Annotated[Path, typer.Argument(help="A trial's record.")],
    as_json: Json = False,
) -> None:
    """Train one trial again from its record, same seed: does it reproduce? Exit code 1 if not."""
    from hpo.cli.console import show_fetches
    from hpo.cli.tables import show_rerun
    from hpo.engine.rerun import rerun_trial

    show_fetches()
    result = rerun_trial(record)
    if as_json:
        answer = {
            "trial_number": result.record.trial_number,
            "reproduced": result.reproduced,
            "recorded": result.recorded,
            "again": result.again,
            "problems": result.problems,
        }
        print(json.dumps(answer, indent=1))
    else:
        show_rerun(result)
    if not result.reproduced:
        raise typer.Exit(EXIT_FOUND_SOMETHING)


add_forecasts(app)


@app.command(epilog="Example: hpo models --context 96 --channels 7")
def models(
    context: Annotated[int, typer.Option(min=1, help="Rows of history, for the sizes.")] = 80,
    channels: Annotated[int, typer.Option(min=1, help="Columns of a row, for the sizes.")] = 26,
    as_json: Json = False,
) -> None:
    """List the model families, and the sizes they can have on an input."""
    from hpo.cli.tables import show_models
    from hpo.models.base import ForecastShape
    from hpo.search.plan import size_range
    from hpo.study.catalogue import list_families

    families = list_families()
    shape = ForecastShape(context_length=context, n_channels=channels, n_outputs=1)
    sizes = {family.name: size_range(family, shape) for family in families}
    if as_json:
        rows = [
            {
                "name": f.name,
                "title": f.title,
                "source": f.source,
                "sizes": sizes[f.name],
                "space": list(f.space),
            }
            for f in families
        ]
        print(json.dumps(rows, indent=1))
    else:
        show_models(families, sizes, f"{context} x {channels}")


@data_app.callback(invoke_without_command=True)
def data(ctx: typer.Context, as_json: Json = False) -> None:
    """List the data sets; `hpo data check FILE` explains your own file."""
    if ctx.invoked_subcommand is not None:
        return
    from hpo.cli.tables import show_datasets
    from hpo.study.catalogue import is_here, list_datasets

    specs = [(spec, is_here(spec)) for spec in list_datasets()]
    if as_json:
        keys = ("name", "title", "n_rows", "frequency", "target", "licence", "source", "channels", "splits")
        rows = [{**{key: getattr(spec, key) for key in keys}, "here": here} for spec, here in specs]
        print(json.dumps(rows, indent=1))
    else:
        show_datasets(specs)


@study_command(
    data_app,
    takes=lambda setting: setting.of_a_file or setting.key in ("target", "season", "groups"),
    epilog="Example: hpo data check my.csv --target load --time date",
)
def check(
    given: dict[str, Any],
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    as_json: Json = False,
) -> None:
    """Explain a file of your own: rows, step, gaps, ranges, what would be forecast. Nothing is written."""
    from hpo.cli.tables import show_report
    from hpo.study.catalogue import check_file

    report = check_file(file, given)
    if as_json:
        print(json.dumps(asdict(report), indent=1))
    else:
        show_report(report)


@app.command(epilog="Example: hpo summary --experiment sp500_psann_h1_2M --from-files")
def summary(
    experiment: Experiment,
    out: Out = Path("outputs"),
    storage: Storage = None,
    from_files: Annotated[
        bool, typer.Option("--from-files", help="Use the trial files alone, not the database.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write an experiment's summary again, from the database or from its trial files alone."""
    from hpo.report.summary.rebuild import rebuild_summary
    from hpo.store.layout import ExperimentFiles
    from hpo.study.config import check_name, default_storage
    from hpo.system.files import read_json

    name = check_name(experiment)
    path = rebuild_summary(name, out, storage or default_storage(out), from_files)
    if as_json:
        print(json.dumps(read_json(ExperimentFiles(out=out, experiment=name).summary_json), indent=1))
    else:
        print(path)


@app.command(epilog="Example: hpo rebuild --out outputs")
def rebuild(
    experiment: AnyExperiment = None,
    out: Out = Path("outputs"),
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Restore the database from trial files and the other way round. Exit code 1 if some disagree."""
    from hpo.cli.tables import show_differences
    from hpo.engine.rebuild import rebuild as bring_together
    from hpo.study.config import default_storage

    found = bring_together(out, storage or default_storage(out), experiment)
    show_differences(found, mended=True, as_json=as_json)
    if any(difference.stays for differences in found.values() for difference in differences):
        raise typer.Exit(EXIT_FOUND_SOMETHING)


@app.command(epilog="Example: hpo audit --experiment sp500_psann_h1_2M")
def audit(
    experiment: AnyExperiment = None,
    out: Out = Path("outputs"),
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Hold trial files and database against each other; nothing is changed. Exit code 1 if they differ."""
    from hpo.cli.tables import show_differences
    from hpo.engine.rebuild import audit as hold_against
    from hpo.study.config import default_storage

    found = hold_against(out, storage or default_storage(out), experiment)
    show_differences(found, mended=False, as_json=as_json)
    if any(found.values()):
        raise typer.Exit(EXIT_FOUND_SOMETHING)


@app.command(epilog="Example: hpo dashboard --port 8080")
def dashboard(
    out: Out = Path("outputs"),
    storage: Storage = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 8080,
) -> None:
    """Browse all studies in optuna-dashboard, on 127.0.0.1."""
    from hpo.report.dashboard import serve
    from hpo.study.config import default_storage

    serve(storage or default_storage(out), port)


def main(spell: Callable[[str], str] = flag_of) -> None:
    """Run the command line of this process and leave it.

    Args:
        spell: How a setting's key is given here.
    """
    arguments = sys.argv[1:] or ["--help"]
    with one_line_errors(spell, debug="--debug" in arguments):
        code = typer.main.get_command(app).main(arguments, prog_name="hpo", standalone_mode=False)
    sys.exit(code if isinstance(code, int) else EXIT_DONE)
