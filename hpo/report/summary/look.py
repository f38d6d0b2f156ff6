"""The look that all pictures share, and axes that one wild value cannot squash."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import hpo.report.formats as fmt

INK = "#222222"
GREY = "#767676"
FAINT = "#dddddd"
# Okabe and Ito's colours, which colour-blind people tell apart.
BLUE, ORANGE, GREEN, RED, PINK, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"

_FENCE = 3.0
"""Values further than this many interquartile ranges from the quartiles are "far out" (Tukey 1977)."""

_FURTHEST_REFERENCE = 3.0
"""A reference further from the points than this many times their span is named, not drawn."""

_LEGEND_COLUMNS = 7

_NAMED = 3
"""At most so many clipped points have their value written beside them."""


@dataclass(frozen=True)
class Limits:
    """The span of a score axis; what lies outside is shown at the edge."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies inside."""
        return self.low <= value <= self.high

    def clip(self, value: float) -> float:
        """The value, or the edge it is shown at."""
        return min(max(value, self.low), self.high)


def limits(values: Sequence[float], best: float | None = None, reference: float | None = None) -> Limits:
    """The span of the bulk of the values, of the best, and of the reference unless it is far away."""
    array: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    q1, middle, q3 = np.quantile(array, [0.25, 0.5, 0.75])
    fence = _FENCE * (q3 - q1 or 0.1 * abs(middle) or 1.0)
    inside = array[(array >= q1 - fence) & (array <= q3 + fence)]
    low, high = float(inside.min()), float(inside.max())
    if best is not None:
        low, high = min(low, best), max(high, best)
    span = high - low or 0.1 * abs(high) or 1.0
    if (
        reference is not None
        and -_FURTHEST_REFERENCE * span < reference - low < (1 + _FURTHEST_REFERENCE) * span
    ):
        low, high = min(low, reference), max(high, reference)
    margin = 0.08 * (high - low or span)
    return Limits(low - margin, high + margin)


def new_figure(width: float, height: float, title: str, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with its axes in a row, sharing the score axis; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    grid = figure.subplots(1, columns, sharey=True, squeeze=False)
    row: list[Axes] = list(grid[0])
    for axes in row:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8, colors=INK)
    for axes in row[1:]:
        axes.tick_params(axis="y", left=False)
    return figure, row


def points(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    span: Limits,
    *,
    colour: str,
    marker: str,
    label: str,
    many: bool,
) -> None:
    """Points; those outside the span become triangles at its edge, with their value while they are few."""
    inside = [(x, y) for x, y in zip(xs, ys, strict=True) if span.holds(y)]
    outside = [(x, y) for x, y in zip(xs, ys, strict=True) if not span.holds(y)]
    size = 10 if many else 34
    edge = None if marker == "x" or many else "white"
    # An empty series still gets its line in the legend, for the sake of its clipped points.
    axes.scatter(*_columns(inside), s=size, c=colour, marker=marker, label=label, zorder=3, edgecolors=edge)
    for x, y in outside:
        above = y > span.high
        shown = span.clip(y)
        axes.scatter([x], [shown], s=44, c=colour, marker="^" if above else "v", zorder=4, clip_on=False)
        if len(outside) <= _NAMED:
            axes.annotate(
                f"{y:.3g}",
                (x, shown),
                xytext=(0, -5 if above else 5),
                textcoords="offset points",
                fontsize=7,
                color=colour,
                ha="center",
                va="top" if above else "bottom",
            )


def reference_line(axes: Axes, name: str, value: float | None, span: Limits, labelled: bool = True) -> None:
    """The naive baseline, dashed; only its legend entry where it lies outside the picture."""
    if value is None:
        return
    label = f"{name} {fmt.score(value)}"
    if span.holds(value):
        axes.axhline(value, color=INK, linewidth=1, linestyle=(0, (5, 3)), label=label if labelled else None)
    elif labelled:
        side = "above" if value > span.high else "below"
        axes.add_line(Line2D([], [], color=INK, linestyle=(0, (5, 3)), label=f"{label}, {side} the picture"))


def legend(figure: Figure, axes: Axes) -> None:
    """One legend below the figure, of what the axes show."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower left",
            ncols=len(labels) if len(labels) <= _LEGEND_COLUMNS else math.ceil(len(labels) / 2),
            fontsize=8,
            frameon=False,
            columnspacing=1.4,
            handletextpad=0.5,
        )


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]
