"""The summary as a page for people, in GitHub's Markdown."""

from collections.abc import Sequence
from pathlib import Path

import hpo.report.formats as fmt
from hpo.report.columns import TRIALS
from hpo.report.summary.markdown_best import best_section, confusion_section, references_section
from hpo.report.summary.markup import code, listing, picture, shorten, table, text
from hpo.report.summary.schema import Group, Summary
from hpo.system.counts import format_budget
from hpo.trial.record import Code, Part

MAX_ROWS = 200
"""Longer tables of trials are cut; the JSON has all rows."""


def render(summary: Summary, plots: Sequence[Path]) -> str:
    """Write the page.

    Args:
        summary: What to show.
        plots: The pictures that were drawn, in the folder ``plots`` beside the page.
    """
    drawn = {path.stem: path.name for path in plots}
    parts = [
        f"# {summary.overview.experiment}",
        _answer(summary),
        *picture(drawn, "optimisation_history", "Score of each trial in the order of the search"),
        *_overview(summary),
        *best_section(summary),
        *picture(drawn, "learning_curves", "Training and validation loss of the best trials by epoch"),
        *references_section(summary),
        *_findings(summary),
        *_shape(summary),
        *picture(drawn, "loss_by_shape", "Score against depth and against width"),
        *_origins(summary),
        *_sensitivity(summary),
        *picture(drawn, "sensitivity", "Importance and rank correlation of each parameter"),
        *_distribution(summary),
        *confusion_section(summary),
        *_problems(summary),
        *_trials(summary),
        *_next_steps(summary),
    ]
    return "\n\n".join(parts) + "\n"


def _answer(summary: Summary) -> str:
    """The answer, its first sentence in bold."""
    first, dot, rest = text(summary.answer).partition(". ")
    return f"**{first}{dot.strip()}** {rest}".strip()


def _overview(summary: Summary) -> list[str]:
    o = summary.overview
    direction = "lower is better" if o.objective.direction == "minimize" else "higher is better"
    score = f"{o.score} " if o.score not in (None, o.objective.name) else ""
    score = f" ({score}on the validation part, {direction})"
    counts = ", ".join(f"{n} {state.in_words}" for state, n in o.states.items())
    ran = f"{o.first_start:%Y-%m-%d %H:%M} to {o.last_end:%Y-%m-%d %H:%M} UTC" if o.last_end else None
    total = (
        f"{fmt.duration(o.total_seconds)} over all trials, {fmt.duration(o.median_seconds)} a trial (median)"
    )
    parts = {"train": "Training part", "val": "Validation part", "test": "Test part (not used here)"}
    if summary.best and summary.best.folds:
        parts |= {"train": "Training part of the last fold", "val": "Validation part of the last fold"}
    rows: list[tuple[str, object]] = [
        ("Data", "; ".join(f"{source.name}, sha256 {code(source.sha256[:12])}" for source in o.data)),
        *((parts.get(name, name), _part(part)) for name, part in o.split.items()),
        ("Objective", o.objective.name + score),
        ("Model", ", ".join(o.families)),
        ("Parameter budget", ", ".join(format_budget(budget) for budget in o.budgets)),
        ("Trials", f"{o.trials:,}: {counts}"),
        ("Origins", ", ".join(f"{n} {origin}" for origin, n in o.origins.items())),
        ("Training time", total),
        ("Ran", ran),
        ("Device", ", ".join(o.devices)),
        ("Code", "; ".join(_code_version(code) for code in o.code)),
    ]
    return ["## Overview", table(["What", ""], rows, "ll")]


def _part(part: Part) -> str:
    return f"{fmt.plural(part.windows, 'window')}, {fmt.dates(part.start, part.end)}"


def _code_version(code: Code) -> str:
    commit = f", commit {code.commit[:10]}" if code.commit else ""
    return f"budget-hpo {code.version}{commit}{' with changes' if code.dirty else ''}"


def _findings(summary: Summary) -> list[str]:
    bullets = "\n".join(f"- {text(finding.text)}" for finding in summary.findings)
    return ["## What the numbers say", bullets] if bullets else []


def _shape(summary: Summary) -> list[str]:
    parts = ["## Depth, width and budget"]
    parts += ["By depth (`n_layers`):", _groups(summary, summary.by_depth, "Layers")]
    parts += ["By width (`d_model`):", _groups(summary, summary.by_width, "Width")]
    if len(summary.by_budget) > 1:
        parts += ["By parameter budget:", _groups(summary, summary.by_budget, "Budget", budget=False)]
    return parts


def _groups(summary: Summary, groups: Sequence[Group], title: str, budget: bool = True) -> str:
    """Groups of trials; the budget is a column where there are several."""
    budget = budget and len(summary.overview.budgets) > 1
    rows = [
        [
            *([format_budget(group.parameter_budget)] if budget and group.parameter_budget else []),
            group.label,
            group.trials,
            group.completed,
            fmt.score(group.best),
            fmt.score(group.median),
            group.best_trial,
        ]
        for group in groups
    ]
    header = ["Trials", "Completed", "Best", "Median", "Best trial"]
    return table([*(["Budget"] if budget else []), title, *header], rows, "l" * (1 + budget) + "r" * 5)


def _origins(summary: Summary) -> list[str]:
    parts = ["## Where the trials came from", _groups(summary, summary.by_origin, "Origin", budget=False)]
    if summary.forced:
        rows = [
            [
                row.name,
                row.group,
                row.trial_number,
                fmt.score(row.value),
                fmt.signed(row.delta),
                {True: "better", False: "not better", None: fmt.NOTHING}[row.better],
            ]
            for row in summary.forced
        ]
        header = ["Forced config", "Group", "Trial", "Score", "Against the default", "Verdict"]
        parts += [
            "Each forced config against the default config of its budget, its shallow shape; one run each.",
            table(header, rows, "llrrrl"),
        ]
    return parts


def _sensitivity(summary: Summary) -> list[str]:
    s = summary.sensitivity
    if s.reason is not None:
        return ["## Parameter sensitivity", f"Nothing is shown: {s.reason}."]
    rows = [
        [
            code(row.name),
            fmt.percent(row.importance),
            fmt.NOTHING if row.spearman is None else f"{row.spearman:+.2f}",
            fmt.p_value(row.p_value),
            fmt.p_value(row.p_adjusted),
            row.n,
        ]
        for row in s.params
    ]
    left_out = f" Took one value only: {', '.join(code(name) for name in s.left_out)}." if s.left_out else ""
    budgets = " Trials of all budgets are taken together." if len(summary.overview.budgets) > 1 else ""
    hint = ", few enough to be read as a hint" if s.n_top < 5 else ""
    note = (
        f"Importance (PED-ANOVA) compares the best {s.n_top} of {s.n_trials} completed trials with all of "
        f"them{hint}. Spearman's rank correlation is with the score: above 0, larger values go with larger "
        "scores. Its p-values take trials as independent, which those of TPE are not; the adjusted ones "
        f"allow for the number of parameters (Benjamini-Hochberg).{budgets}{left_out}"
    )
    header = ["Parameter", "Importance", "Spearman", "p", "p, adjusted", "Trials"]
    return ["## Parameter sensitivity", table(header, rows, "lrrrrr"), note]


def _distribution(summary: Summary) -> list[str]:
    d = summary.distribution
    if d is None:
        return ["## Distribution of scores", "No trial completed."]
    values = [fmt.score(x) for x in (d.min, d.q1, d.median, d.q3, d.max, d.mean, d.std)]
    header = ["Completed trials", "Min", "Quartile 1", "Median", "Quartile 3", "Max", "Mean", "Std"]
    return ["## Distribution of scores", table(header, [[d.n, *values]], "r" * len(header))]


def _problems(summary: Summary) -> list[str]:
    parts = []
    if summary.flags:
        rows = [[code(name), count.trials, count.completed] for name, count in summary.flags.items()]
        parts += ["## Flags", table(["Flag", "Trials", "Of them completed"], rows, "lrr")]
    if summary.problems:
        problems = [[p.trial_number, p.state, p.type, shorten(p.message)] for p in summary.problems]
        parts += [
            "## Trials that failed or could not be trained",
            table(["Trial", "State", "Error", "Message"], problems, "rlll"),
        ]
    return parts


def _trials(summary: Summary) -> list[str]:
    note = "Best first, then pruned, then failed. A pruned trial's score is that of its last epoch."
    if len(summary.trials) > MAX_ROWS:
        note += (
            f" The first {MAX_ROWS} of {len(summary.trials):,}; "
            f"{code(f'{summary.overview.experiment}_study_summary.json')} has all."
        )
    return ["## All trials", note, listing(TRIALS, summary.trials[:MAX_ROWS])]


def _next_steps(summary: Summary) -> list[str]:
    experiment = summary.overview.experiment
    rows = [
        ["Browse the trials", "`make dashboard`", "optuna-dashboard on 127.0.0.1"],
        [
            "Go on, or try more",
            "the command that began it",
            "goes on to the total; a higher `trials` extends it",
        ],
        ["Write this page again", f"`hpo summary --experiment {experiment}`", "same trials, same bytes"],
    ]
    return ["## Go on from here", table(["To", "Run", ""], rows, "lll")]
