"""What the numbers say of the order among trials: is it evidence, and how the choice flatters the best."""

from collections.abc import Iterator

import hpo.report.formats as fmt
from hpo.report.summary.answer import n_completed
from hpo.report.summary.schema import Alike, Analysis, Closeness

_NAMED = 10
"""So many trials are named one by one."""


def order(analysis: Analysis) -> Iterator[str]:
    """Which trials cannot be told from the best; without losses a window, how close the top ones lie."""
    if analysis.alike is not None:
        yield from _alike(analysis.alike)
        return
    close = analysis.closeness
    if close is None:
        return
    yardstick, meaning = _yardstick(close)
    top, spread = f"The top {close.n}", fmt.distance(close.spread)
    if yardstick is None:
        yield f"{top} lie within {spread} of each other; the records do not say how much of that is chance."
    elif close.spread <= yardstick:
        yield f"{top} lie within {spread} of each other, and {meaning}: the order among them is not evidence."
    else:
        yield (
            f"{top} lie within {spread} of each other, while {meaning}. "
            "Only the same config with several seeds can say how much of their order is chance."
        )


def _alike(alike: Alike) -> Iterator[str]:
    n, of = len(alike.trials), alike.tested
    if of < 2:
        return
    if n == 1:
        yield f"Trial {alike.trials[0]} can be told from each of the other {of - 1} trials (95 % confidence)."
        return
    named = ", ".join(map(str, alike.trials[:_NAMED])) + (", ..." if n > _NAMED else "")
    yield (
        f"{n} of the {of} best trials cannot be told from the best on these windows (95 % confidence set: "
        f"{named}); the order among them is not evidence."
    )


def _yardstick(close: Closeness) -> tuple[float | None, str]:
    """How far a score moves without a reason, and where that is taken from."""
    if close.twin_difference is not None:
        pairs = fmt.plural(close.twins, "pair")
        return (
            close.twin_difference,
            f"near-duplicate trials differ by {fmt.distance(close.twin_difference)} ({pairs})",
        )
    change = fmt.distance(close.epoch_change)
    return (
        close.epoch_change,
        f"their score moves by {change} from one epoch to the next (median)",
    )


def selection(analysis: Analysis) -> Iterator[str]:
    """What the best was chosen from, and on which part."""
    if analysis.best is None:
        return
    test = analysis.overview.split.get("test")
    part = f"the test part ({fmt.plural(test.windows, 'window')})" if test else "a test part"
    chosen = fmt.plural(n_completed(analysis), "completed trial")
    epochs = "" if analysis.best.folds else f" of {analysis.best.training.epochs_run}"
    yield (
        f"The best trial is the best of {chosen}, and its epoch the best{epochs}, "
        f"both chosen on the validation part: its score there is "
        f"optimistic. No score on this page comes from {part}."
    )
