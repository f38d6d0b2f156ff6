"""The command line: it parses, prints and sets the exit code."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.errors import HpoError

EXIT_DONE = 0
EXIT_BAD_INPUT = 2
EXIT_NOTHING_COMPLETED = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="hpo",
    help="Budget-aware hyperparameter search for forecasting models.",
    epilog="Example: hpo run --model psann --budget 2M",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option(help="Folder that everything is written to.")]
Storage = Annotated[str | None, typer.Option(help="Database URL; default sqlite:///OUT/studies.db.")]
Experiment = Annotated[str, typer.Option(help="Name of the study.")]


@app.callback()
def options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Budget-aware hyperparameter search for forecasting models."""
    ctx.obj = debug


@app.command(
    epilog="Examples: hpo run --model psann --budget 2M | hpo run --model mlp --budget 750k,2M --trials 40"
)
def run(
    study: Annotated[Path | None, typer.Option(help="Study file (.toml); flags win over it.")] = None,
    model: Annotated[str | None, typer.Option(help="Model family. [psann]")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Parameter budget: 750k, 2M, 20M, 1.5M, or a comma list. [2M]")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set, or a path to .csv or .parquet. [sp500]")] = None,
    target: Annotated[
        str | None, typer.Option(help="Columns to forecast, by commas, of a file. [the last one]")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Timestamp column of a file. [the first that holds timestamps]")
    ] = None,
    season: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Rows in a season. [found in the training part]")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task. [the data set's own]")] = None,
    horizon: Annotated[str | None, typer.Option(metavar="INTEGER", help="Rows ahead. [1]")] = None,
    context: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Rows of history in a window. [80]")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Rise in percent that counts. [1]")
    ] = None,
    features: Annotated[str | None, typer.Option(help="Feature tier. [a20]")] = None,
    split: Annotated[str | None, typer.Option(help="Split rule. [contiguous]")] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="At most so many training windows.")
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(metavar="INTEGER", help="Total number of trials. [30; 70 for several budgets]"),
    ] = None,
    startup_trials: Annotated[
        str | None,
        typer.Option(metavar="INTEGER", help="Trials, forced ones among them, before TPE takes over. [12]"),
    ] = None,
    objective: Annotated[str | None, typer.Option(help="What is minimised. [val_loss]")] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Stop trials worse than the median. [prune]")
    ] = None,
    prune_warmup: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Epochs before a trial may be pruned. [5]")
    ] = None,
    epochs: Annotated[str | None, typer.Option(metavar="INTEGER", help="Epochs at most. [50]")] = None,
    loss: Annotated[
        str | None, typer.Option(help="Training loss: bce, focal, mse, mae. [the task's own]")
    ] = None,
    focal_gamma: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Focusing parameter of the focal loss. [2]")
    ] = None,
    focal_alpha: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Positive class weight of the focal loss.")
    ] = None,
    patience: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Epochs without improvement before stopping. [10]")
    ] = None,
    min_delta: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Least improvement that counts. [0.001]")
    ] = None,
    clip_norm: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Gradients are clipped to this norm. [1]")
    ] = None,
    micro_batch: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Largest batch held in memory at once.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Seed of everything random. [0]")
    ] = None,
    workers: Annotated[str | None, typer.Option(metavar="INTEGER", help="Trials at a time. [1]")] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="CPU threads a trial. [all cores / workers]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda. [auto]")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the study. [<data>_<model>_h<horizon>_<budget>]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that everything is written to. [outputs]")] = None,
    storage: Annotated[str | None, typer.Option(help="Database URL. [sqlite:///OUT/studies.db]")] = None,
) -> None:
    """Run a study. The same command again goes on where it stopped; a higher --trials extends it."""
    # Numbers come as text: the config checks them, with the key, the value and what is valid.
    settings = {key: value for key, value in locals().items() if key != "study"}
    from hpo.config import build_config, read_study_file
    from hpo.study import naive_line, run_study

    config = build_config(settings, read_study_file(study) if study else None)
    outcome = run_study(config, sys.argv)
    print()
    print(f"{config.experiment}: {naive_line(outcome)}")
    if outcome.records:
        print(f"summary    {outcome.files.summary_md}")
    if outcome.best is not None:
        print(f"best trial {outcome.files.best()}")
    print(f"database   {outcome.storage_url}  (browse it: hpo dashboard --storage {outcome.storage_url})")
    if outcome.interrupted:
        print("stopped; the same command goes on from here")
        raise typer.Exit(EXIT_INTERRUPTED)
    if outcome.best is None:
        raise typer.Exit(EXIT_NOTHING_COMPLETED)


@app.command(epilog="Example: hpo summary --experiment sp500_psann_h1_2M --from-files")
def summary(
    experiment: Experiment,
    out: Out = Path("outputs"),
    storage: Storage = None,
    from_files: Annotated[
        bool, typer.Option("--from-files", help="Use the trial files alone, not the database.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary's JSON.")] = False,
) -> None:
    """Write an experiment's summary again, from the database or from its trial files alone."""
    from hpo.config import check_name, default_storage
    from hpo.files import ExperimentFiles, read_json
    from hpo.study import rebuild_summary

    name = check_name(experiment)
    path = rebuild_summary(name, out, storage or default_storage(out), from_files)
    if as_json:
        print(json.dumps(read_json(ExperimentFiles(out=out, experiment=name).summary_json), indent=1))
    else:
        print(path)


@app.command(epilog="Example: hpo dashboard --port 8080")
def dashboard(
    out: Out = Path("outputs"),
    storage: Storage = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 8080,
) -> None:
    """Browse all studies in optuna-dashboard, on 127.0.0.1."""
    from hpo.config import default_storage
    from hpo.dashboard import serve

    serve(storage or default_storage(out), port)


def main() -> None:
    """Run the command line; print one line for a user's error."""
    debug = "--debug" in sys.argv
    command = typer.main.get_command(app)
    try:
        code = command.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else EXIT_DONE)
    except (typer.Abort, KeyboardInterrupt):
        # What was running is taken up by the next run; os._exit leaves no thread to wait for.
        print("stopped", file=sys.stderr)
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)
    except HpoError as error:
        if debug:
            raise
        _fail(str(error))
    except Exception as error:
        usage = _usage_message(error)
        if usage is None or debug:
            raise
        _fail(usage)


def _fail(message: str) -> None:
    print(f"hpo: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)


def _usage_message(error: Any) -> str | None:
    """The one line of a parsing error; None if it is not one."""
    format_message = getattr(error, "format_message", None)
    return str(format_message()) if format_message is not None else None
