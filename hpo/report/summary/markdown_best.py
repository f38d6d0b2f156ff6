"""The best trial on the page: its scores, its config, the references beside it, its confusion matrix."""

from collections.abc import Sequence
from typing import Any

import tomli_w

import hpo.report.formats as fmt
from hpo.report.summary.markup import cell, code, table
from hpo.report.summary.schema import Best, Summary
from hpo.scoring.tasks import METRICS
from hpo.trial.record import ClassCounts


def best_section(summary: Summary) -> list[str]:
    """Where it came from, its scores on both parts and its config."""
    best = summary.best
    if best is None:
        return ["## Best trial", "None completed."]
    t = best.training
    record = code(f"trials/trial_{best.trial_number:04d}.json")
    epochs = f"best in epoch {cell(t.best_epoch)}" if not best.folds else f"over {len(best.folds)} folds"
    lead = (
        f"Trial {best.trial_number}, from {code(best.origin)}: {fmt.plural(t.epochs_run, 'epoch')} "
        f"({t.stopped_because or 'no reason recorded'}), {epochs}, "
        f"{fmt.duration(best.duration_seconds)}. Its record is {record}."
    )
    if best.flags:
        lead += f" Flags: {', '.join(code(flag) for flag in best.flags)}."
    parts = ["## Best trial", lead]
    if best.metrics:
        names = list(dict.fromkeys([*best.metrics.val, *best.metrics.train]))
        rows = [
            [
                _metric(name),
                fmt.score(best.metrics.train.get(name)),
                fmt.score(best.metrics.val.get(name)),
                _interval(best, name),
            ]
            for name in _objective_first(names, summary.overview.score)
        ]
        parts.append(table(["Metric", "Training", "Validation", "95 % interval"], rows, "lrrr"))
        parts.append(_interval_note(best))
    return [*parts, *_folds(best), "Its config:", f"```toml\n{_config(best)}```"]


def _folds(best: Best) -> list[str]:
    """The score on each fold of a walk-forward split."""
    if not best.folds:
        return []
    rows = [
        [
            str(fold.fold),
            fmt.plural(fold.split["train"].windows, "window"),
            fmt.dates(fold.split["val"].start, fold.split["val"].end),
            fmt.score(fold.value),
            fmt.score(fold.naive),
            cell(fold.best_epoch),
        ]
        for fold in best.folds
    ]
    header = ["Fold", "Trained on", "Validated on", "Score", best.reference, "Best epoch"]
    spread = (
        f" with a standard deviation of {fmt.score(best.value_std)} between them" if best.value_std else ""
    )
    note = (
        f"Walk-forward: each fold trains on rows before its validation part. The objective is the mean "
        f"over the folds, {fmt.score(best.value)}{spread}; metrics above are means, too."
    )
    return [note, table(header, rows, "rrlrrr")]


def references_section(summary: Summary) -> list[str]:
    """The best trial and the simple forecasts in one table."""
    best = summary.best
    val = best.metrics.val if best and best.metrics else {}
    names = list(dict.fromkeys([*val, *(name for row in summary.references for name in row.metrics)]))
    names = _objective_first(names, summary.overview.score)
    rows: list[list[str]] = []
    if best is not None:
        scores = [fmt.score(val.get(name)) for name in names]
        rows.append([f"**trial {best.trial_number}**", *scores, fmt.NOTHING])
    for row in summary.references:
        skill = fmt.percent(row.skill_of_best, plus=True)
        rows.append([row.name, *(fmt.score(row.metrics.get(name)) for name in names), skill])
    formula = "1 - its score / theirs"
    if summary.overview.objective.direction == "maximize":
        formula = "(its score - theirs) / (1 - theirs)"
    note = (
        "Simple forecasts on the same validation windows. Skill of the best trial over each is "
        f"{formula}: 100 % is perfect, 0 % no better, below 0 % worse."
    )
    header = ["Forecast", *(_metric(name) for name in names), "Skill of the best trial"]
    return ["## References to beat", table(header, rows, "l" + "r" * (len(header) - 1)), note]


def confusion_section(summary: Summary) -> list[str]:
    """Counts and rates of a binary task, counts of a multi-class one; nothing for a regression."""
    if summary.best is not None and summary.best.class_counts is not None:
        return _class_section(summary.best.class_counts, _counted_on(summary.best))
    c = summary.best.confusion if summary.best else None
    if summary.best is None or c is None:
        return []
    counts = [
        ["actually no", f"{c.true_negative:,}", f"{c.false_positive:,}"],
        ["actually yes", f"{c.false_negative:,}", f"{c.true_positive:,}"],
    ]
    rates = [
        [
            fmt.percent(rate)
            for rate in (c.precision, c.recall, c.f1, c.accuracy, c.majority_accuracy, c.base_rate)
        ]
    ]
    header = ["Precision", "Recall", "F1", "Accuracy", "Always the frequent class", "Base rate of yes"]
    parts = [
        "## Confusion matrix",
        f"Of the best trial on {_counted_on(summary.best)}, at probability 0.5.",
        table(["", "predicted no", "predicted yes"], counts, "lrr"),
        table(header, rates, "r" * len(header)),
    ]
    if summary.overview.score == "log_loss" and c.hindsight_log_loss is not None:
        parts.append(f"The best constant forecast in hindsight scores {fmt.score(c.hindsight_log_loss)}.")
    if c.precision is None:
        parts.append("Nothing was predicted yes, so precision is not defined.")
    return parts


def _counted_on(best: Best) -> str:
    """The rows that a confusion matrix counts."""
    return "the validation parts of all folds" if best.folds else "the validation part"


def _class_section(counts: ClassCounts, counted_on: str) -> list[str]:
    """How often each class was taken for each other, and how often it was found."""
    rows = []
    for i, (name, row) in enumerate(zip(counts.class_names, counts.counts, strict=True)):
        found = fmt.percent(row[i] / sum(row)) if sum(row) else fmt.NOTHING
        rows.append([f"actually {name}", *(f"{count:,}" for count in row), found])
    header = ["", *(f"predicted {name}" for name in counts.class_names), "Recall"]
    return [
        "## Confusion matrix",
        f"Of the best trial on {counted_on}; the likeliest class is the predicted one.",
        table(header, rows, "l" + "r" * (len(header) - 1)),
    ]


def _interval(best: Best, name: str) -> str:
    interval = best.intervals.get(name)
    return f"{fmt.score(interval.low)} to {fmt.score(interval.high)}" if interval else fmt.NOTHING


def _interval_note(best: Best) -> str:
    none = "The records hold no loss per window, so a mean of losses and the skill have no interval."
    if not best.intervals:
        return none
    return (
        "Intervals are for the validation part (Wilson for proportions, Hanley and McNeil for AUC). They "
        "take windows as independent and forget that this trial was chosen as the best: the truth is wider. "
        f"{none}"
    )


def _config(best: Best) -> str:
    """The config as TOML, which has no null: a setting without a value is left out."""
    t = best.training
    tables: dict[str, dict[str, Any]] = {
        "model": {"family": best.architecture.family, **best.architecture.config},
        "training": {
            "learning_rate": t.learning_rate,
            "weight_decay": t.weight_decay,
            "batch_size": t.batch_size,
            "micro_batch": t.micro_batch,
            "loss": t.loss,
            "epochs": t.epochs_planned,
            "precision": t.precision,
            "threads": t.threads,
            "seed": best.seed,
        },
    }
    return tomli_w.dumps({name: {k: v for k, v in t.items() if v is not None} for name, t in tables.items()})


def _metric(name: str) -> str:
    """A metric's name with an arrow towards the better."""
    metric = METRICS.get(name)
    arrow = {"lower": " ↓", "higher": " ↑"}.get(metric.better or "", "") if metric else ""
    return name + arrow


def _objective_first(names: Sequence[str], score: str | None) -> list[str]:
    return sorted(names, key=lambda name: name != score)
