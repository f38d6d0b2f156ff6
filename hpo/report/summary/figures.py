"""What the pictures show: a function for each, which returns None where the study has nothing to show."""

from collections.abc import Callable, Sequence
from itertools import accumulate

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

import hpo.report.formats as fmt
from hpo.report.summary import look
from hpo.report.summary.schema import Summary
from hpo.scoring.tasks import METRICS, TASKS
from hpo.system.counts import format_budget
from hpo.trial.columns import Row
from hpo.trial.record import TrialRecord, epoch_values, rank
from hpo.trial.state import State

N_CURVES = 5

_ORIGINS = {
    "forced": (look.BLUE, "s"),
    "startup": (look.ORANGE, "D"),
    "tpe": (look.GREEN, "o"),
    "promoted": (look.PINK, "P"),
    "transfer": (look.SKY, "p"),
}
_OTHER_ORIGIN = (look.INK, "h")

_SCORE_OF_LOSS = {task.default_loss: task.proper_score for task in TASKS.values()}
"""Training losses that are a task's score, so that both curves stand on one axis."""

_SIGNIFICANT = 0.05

_MAX_TICKS = 9

_MANY = 200
"""More points than this are drawn small."""


def optimisation_history(summary: Summary) -> Figure | None:
    """The score of each trial in the order of the search, and the best so far; None without scores."""
    rows = sorted(summary.trials, key=lambda row: row.trial_number)
    done = [(row, row.score) for row in rows if row.score is not None]
    other = [(row, row.value) for row in rows if row.state != State.COMPLETE and row.value is not None]
    if not done and not other:
        return None
    best = summary.best
    reference = best.reference_score if best else None
    span = look.limits([value for _, value in done + other], best.value if best else None, reference)
    many = len(rows) > _MANY
    figure, (axes,) = look.new_figure(9, 4.2, _history_title(summary))
    for kind in dict.fromkeys(row.origin.kind for row, _ in done):
        colour, marker = _ORIGINS.get(kind, _OTHER_ORIGIN)
        of_kind = [(row.trial_number, value) for row, value in done if row.origin.kind == kind]
        xs, ys = zip(*of_kind, strict=True)
        look.points(axes, xs, ys, span, colour=colour, marker=marker, label=kind, many=many)
    problems = {problem.trial_number for problem in summary.problems}
    for label, colour, failed in (("pruned", look.GREY, False), ("diverged", look.RED, True)):
        some = [(row.trial_number, v) for row, v in other if (row.trial_number in problems) == failed]
        if some:
            xs, ys = zip(*some, strict=True)
            look.points(axes, xs, ys, span, colour=colour, marker="x", label=label, many=many)
    _mark_scoreless(axes, [row.trial_number for row in rows if row.value is None and row.state.is_finished])
    if done:
        better = max if summary.overview.objective.direction == "maximize" else min
        numbers = [row.trial_number for row, _ in done] + [rows[-1].trial_number]
        so_far = list(accumulate((value for _, value in done), better))
        heights = [*so_far, so_far[-1]]
        axes.step(numbers, heights, where="post", color=look.INK, linewidth=1.4, label="best so far")
    if best:
        look.reference_line(axes, best.reference, reference, span)
    axes.set_ylim(span.low, span.high)
    axes.set_xlabel("trial", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(_score_label(summary), fontsize=9)
    look.legend(figure, axes)
    return figure


def loss_by_shape(summary: Summary) -> Figure | None:
    """The score of each completed trial against its depth and against its width; None without any."""
    done = [(row, row.score) for row in summary.trials if row.score is not None]
    best = summary.best
    if not done or best is None:
        return None
    span = look.limits([value for _, value in done], best.value, best.reference_score)
    many = len(done) > _MANY
    shape = f"{fmt.plural(best.architecture.n_layers, 'layer')} of width {best.architecture.d_model}"
    figure, panels = look.new_figure(9, 4, f"Score against depth and width; the best has {shape}", columns=2)
    sizes: tuple[tuple[str, Callable[[Row], int]], ...] = (
        ("depth, n_layers", lambda row: row.n_layers),
        ("width, d_model", lambda row: row.d_model),
    )
    for axes, (label, size) in zip(panels, sizes, strict=True):
        for budget, (colour, marker) in _budget_styles(summary.overview.budgets).items():
            some = [(size(row), value) for row, value in done if row.parameter_budget == budget]
            if some:
                xs, ys = zip(*some, strict=True)
                name = f"budget {format_budget(budget)}"
                look.points(axes, xs, ys, span, colour=colour, marker=marker, label=name, many=many)
        axes.scatter(
            [size(done[0][0])],
            [best.value],
            s=130,
            facecolors="none",
            edgecolors=look.INK,
            linewidths=1.4,
            zorder=5,
            label=f"best, trial {best.trial_number}",
        )
        look.reference_line(axes, best.reference, best.reference_score, span)
        axes.set_xlabel(label, fontsize=9)
        _size_axis(axes, [size(row) for row, _ in done])
    panels[0].set_ylim(span.low, span.high)
    panels[0].set_ylabel(_score_label(summary), fontsize=9)
    look.legend(figure, panels[0])
    return figure


def learning_curves(summary: Summary, records: Sequence[TrialRecord]) -> Figure | None:
    """Training and validation loss of the best trials by epoch; None without curves."""
    top = [record for record in rank(list(records))[:N_CURVES] if record.learning_curve]
    best = summary.best
    if not top or best is None:
        return None
    val = [value for record in top for fold in epoch_values(record).values() for _, value in fold]
    train = [
        row.train_loss
        for record in top
        for row in record.learning_curve
        if row.train_loss is not None and _comparable(summary, record)
    ]
    span = look.limits([*val, *train], best.value, best.reference_score)
    title = (
        f"Learning curves of the best {len(top)} trials"
        if len(top) > 1
        else "Learning curve of the best trial"
    )
    figure, panels = look.new_figure(max(5.0, 2.0 * len(top)), 3.2, title, columns=len(top))
    for axes, record in zip(panels, top, strict=True):
        _learning_curve(axes, record, with_train=_comparable(summary, record))
        look.reference_line(axes, best.reference, best.reference_score, span)
        axes.set_title(
            f"trial {record.trial_number}, {record.origin.kind}: {fmt.score(record.value)}",
            fontsize=8,
            loc="left",
            color=look.INK,
        )
        axes.set_xlabel("epoch", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    panels[0].set_ylim(span.low, span.high)
    panels[0].set_ylabel(_score_label(summary), fontsize=9)
    look.legend(figure, panels[0])
    return figure


def sensitivity(summary: Summary) -> Figure | None:
    """Importance and rank correlation of each parameter, most important on top; None if there are none."""
    params = list(reversed(summary.sensitivity.params))
    if not params:
        return None
    height = 1.6 + 0.27 * len(params)
    n_top, n = summary.sensitivity.n_top, summary.sensitivity.n_trials
    title = f"Parameter sensitivity: the best {n_top} of {n} completed trials against all of them"
    figure, (left, right) = look.new_figure(9, height, title, columns=2)
    names = [param.name for param in params]
    left.barh(names, [100 * param.importance for param in params], color=look.BLUE, height=0.65)
    left.set_xlabel("importance (PED-ANOVA), % of all", fontsize=9)
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x", color=look.FAINT, linewidth=0.6)
    for strong, label in ((True, "adjusted p < 0.05"), (False, "adjusted p of 0.05 or more")):
        some = [
            (param.name, param.spearman)
            for param in params
            if param.spearman is not None
            and param.p_adjusted is not None
            and (param.p_adjusted < _SIGNIFICANT) == strong
        ]
        if some:
            bars, rhos = zip(*some, strict=True)
            face = look.ORANGE if strong else "white"
            right.barh(bars, rhos, height=0.65, color=face, edgecolor=look.ORANGE, label=label)
    right.axvline(0, color=look.GREY, linewidth=0.8)
    right.set_xlim(-1.02, 1.02)
    right.set_xticks([-1, -0.5, 0, 0.5, 1])
    right.set_xlabel("Spearman's rank correlation with the score", fontsize=9)
    look.legend(figure, right)
    return figure


def _mark_scoreless(axes: Axes, numbers: Sequence[int]) -> None:
    """Short bars at the bottom, at whatever height that is."""
    if numbers:
        axes.plot(
            numbers,
            [0.015] * len(numbers),
            linestyle="none",
            marker="|",
            markersize=9,
            markeredgewidth=2,
            color=look.RED,
            transform=axes.get_xaxis_transform(),
            label="no score",
        )


def _learning_curve(axes: Axes, record: TrialRecord, with_train: bool) -> None:
    """One line a fold; of most studies there is one."""
    best_epochs = {fold.fold: fold.best_epoch for fold in record.folds} or {0: record.training.best_epoch}
    for fold, values in epoch_values(record).items():
        first = fold == 0
        rows = [row for row in record.learning_curve if row.fold == fold]
        train = [(row.epoch, row.train_loss) for row in rows if row.train_loss is not None]
        if train and with_train:
            axes.plot(
                *zip(*train, strict=True),
                color=look.ORANGE,
                linewidth=1.2,
                linestyle=(0, (2, 1)),
                label="training (dropout on)" if first else None,
            )
        xs, ys = zip(*values, strict=True)
        marker = "." if len(values) == 1 else None
        label = "validation" if first else None
        axes.plot(xs, ys, color=look.BLUE, linewidth=1.5, marker=marker, label=label)
        best = [point for point in values if point[0] == best_epochs.get(fold)]
        if best:
            label = "best epoch" if first else None
            axes.plot(*best[0], marker="o", color=look.BLUE, markersize=6, linestyle="none", label=label)


def _comparable(summary: Summary, record: TrialRecord) -> bool:
    return _SCORE_OF_LOSS.get(record.training.loss) == summary.overview.score


def _history_title(summary: Summary) -> str:
    best = summary.best
    if best is None:
        return "No trial completed"
    title = f"Best score {fmt.score(best.value)}, by trial {best.trial_number}"
    if best.skill is None:
        return title
    verdict = f"{fmt.percent(abs(best.skill))} {'better' if best.skill > 0 else 'worse'} than"
    if summary.overview.objective.direction == "maximize":
        return f"{title}: skill {fmt.percent(best.skill, plus=True)} over {best.reference}"
    return f"{title}: {'no better than' if best.skill == 0 else verdict} {best.reference}"


def _score_label(summary: Summary) -> str:
    o = summary.overview
    direction = "lower is better" if o.objective.direction == "minimize" else "higher is better"
    metric = METRICS.get(o.score or "")
    unit = f" in {metric.unit}" if metric and metric.unit else ""
    score = f", {o.score}" if o.score not in (None, o.objective.name) else ""
    return f"{o.objective.name}{score}{unit}\n({direction})"


def _budget_styles(budgets: Sequence[int]) -> dict[int, tuple[str, str]]:
    """A colour and marker for each budget, darker as they grow: the order shows in grey, too."""
    if len(budgets) == 1:
        return {budgets[0]: (look.BLUE, "o")}
    shades = [0.85 - 0.75 * i / (len(budgets) - 1) for i in range(len(budgets))]
    markers = "osD^vP"
    colours = [to_hex(colormaps["viridis"](shade)) for shade in shades]
    return {b: (colours[i], markers[i % len(markers)]) for i, b in enumerate(budgets)}


def _size_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """Sizes on a log scale, with plain numbers at those that leave each other room."""
    axes.set_xscale("log", base=2)
    distinct = sorted(set(sizes))
    apart = (distinct[-1] / distinct[0]) ** (1 / _MAX_TICKS)
    ticks = distinct[:1]
    for size in distinct[1:]:
        if size >= ticks[-1] * apart:
            ticks.append(size)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(distinct[0] / 1.25, distinct[-1] * 1.25)
