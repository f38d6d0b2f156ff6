"""The flags of a study, one a key, shared by all commands that take a study."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer


def study_options(
    study: Annotated[Path | None, typer.Option(help="Study file (.toml); flags win over it.")] = None,
    model: Annotated[str | None, typer.Option(help="Model family. [psann]")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Parameter budget: 750k, 2M, 20M, 1.5M, or a comma list. [2M]")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set, or a path to .csv or .parquet. [sp500]")] = None,
    target: Annotated[
        str | None, typer.Option(help="Columns to forecast, by commas. [a file's last; the data set's own]")
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
    split: Annotated[str | None, typer.Option(help="Split rule. [the data set's own]")] = None,
    folds: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Folds of a walk-forward split. [5]")
    ] = None,
    fold: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="One of them alone, from 0. [all]")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Stations, stores, heats or subjects, by commas, or all.")
    ] = None,
    data_seed: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Seed of synthetic data. [0]")
    ] = None,
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
    objective: Annotated[
        str | None,
        typer.Option(help="val_loss, or a metric such as auc. [val_loss]"),
    ] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Stop trials worse than the median. [prune]")
    ] = None,
    prune_warmup: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Epochs before a trial may be pruned. [5]")
    ] = None,
    epochs: Annotated[str | None, typer.Option(metavar="INTEGER", help="Epochs at most. [50]")] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="Training loss: bce, focal, cross_entropy, mse, mae, huber, gaussian_nll or "
            "gaussian_nll_full. [the task's own]"
        ),
    ] = None,
    focal_gamma: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Focusing parameter of the focal loss. [2]")
    ] = None,
    focal_alpha: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Positive class weight of the focal loss.")
    ] = None,
    huber_delta: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Where Huber's loss turns linear, scaled. [1]")
    ] = None,
    positive_weight: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="What a positive counts in bce. [1]")
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
    precision: Annotated[
        str | None,
        typer.Option(help="auto, bf16 (slow where the processor does not multiply in it) or fp32. [auto]"),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Seed of everything random. [0]")
    ] = None,
    workers: Annotated[str | None, typer.Option(metavar="INTEGER", help="Trials at a time. [1]")] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="CPU threads a trial. [all cores / workers]")
    ] = None,
    checkpoint_seconds: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Least time between a trial's checkpoints. [30]")
    ] = None,
    trial_timeout_seconds: Annotated[
        str | None, typer.Option(metavar="FLOAT", help="Time limit of a trial's training.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda. [auto]")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the study. [<data>_<model>_h<horizon>_<budget>]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that everything is written to. [outputs]")] = None,
    storage: Annotated[str | None, typer.Option(help="Database URL. [sqlite:///OUT/studies.db]")] = None,
) -> None:
    """The settings of a study, one flag a key: the signature that :func:`takes_study` hands to commands.

    Numbers come as text: the config checks them, with the key, the value and what is valid.
    """


def takes_study(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the settings of a study beside its own options; it gets them as a config."""
    own = inspect.signature(command).parameters
    shared = inspect.signature(study_options).parameters

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        from hpo.study.config import build_config, read_study_file

        settings = {name: given[name] for name in shared if name != "study"}
        file = read_study_file(given["study"]) if given["study"] else None
        command(build_config(settings, file), **{name: given[name] for name in given if name not in shared})

    parameters = [*shared.values(), *(p for name, p in own.items() if name != "config")]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return wrapper
