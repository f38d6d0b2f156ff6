"""What stands for a missing value: words that always do, and numbers that seem to.

A number such as -9999 is never taken for missing by itself: it is named, and the user says which it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORDS = frozenset(
    spelling
    for word in (
        "",
        "?",
        "-",
        "--",
        "---",
        ".",
        "..",
        "...",
        "*",
        "#",
        "–",
        "—",
        "NA",
        "<NA>",
        "N/A",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "n.a.",
        "n.d.",
        "k.A.",
        "NULL",
        "None",
        "NaN",
        "-NaN",
        "NaT",
        "1.#IND",
        "-1.#IND",
        "1.#QNAN",
        "-1.#QNAN",
        "#VALUE!",
        "#DIV/0!",
        "#REF!",
        "missing",
    )
    for spelling in (word, word.lower(), word.upper(), word.title())
)
"""Texts that are missing values in any column, whatever their case, with blanks around them or not."""
MIN_REPEATS = 3
"""A marker comes so often; twice is enough for a number that markers usually are."""
MIN_OTHERS = 10
"""Of others than the marker there must be so many different values, else nothing is far from them."""
FAR = 5.0
"""How far a marker lies from all other values, in their range, from the lowest to the highest."""
FAR_NINES = 0.5
"""The same for values that markers usually are."""

_USUAL = {-1e30, 1e20, 1e30, 1e36, -32768.0, 32767.0, -(2.0**31), 2.0**31 - 1, 65535.0, -200.0}


@dataclass(frozen=True, kw_only=True)
class Sentinel:
    """A number that seems to stand for a missing value.

    Attributes:
        column: Where.
        value: The number.
        count: How often.
        low: The lowest of the other values.
        high: The highest of them.
    """

    column: str
    value: float
    count: int
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.column!r} holds {self.value:.15g} {self.count:,} times, "
            f"all else lies between {self.low:.6g} and {self.high:.6g}"
        )


def find_sentinels(columns: Mapping[str, npt.NDArray[np.float64]]) -> list[Sentinel]:
    """One number of each column that is repeated and far outside all others, where there is one.

    A number found so in one column counts in every other one that it lies outside of.

    Args:
        columns: Name to values, NaN where one is missing already, each (T,).
    """
    found = {name: sentinel for name, values in columns.items() if (sentinel := _find(name, values, ()))}
    everywhere = tuple({sentinel.value for sentinel in found.values()})
    for name, values in columns.items():
        if name not in found and everywhere and (sentinel := _find(name, values, everywhere)):
            found[name] = sentinel
    return [found[name] for name in columns if name in found]


def _find(name: str, values: npt.NDArray[np.float64], known: Sequence[float]) -> Sentinel | None:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    for value in (float(finite.min()), float(finite.max())):
        others = finite[finite != value]
        count = len(finite) - len(others)
        usual = _is_usual(value)
        if count < (2 if usual else MIN_REPEATS) or len(others) == 0:
            continue
        low, high = float(others.min()), float(others.max())
        gap = low - value if value < low else value - high
        if value in known and gap > 0:
            return Sentinel(column=name, value=value, count=count, low=low, high=high)
        if gap > (FAR_NINES if usual else FAR) * (high - low) and _several(others):
            return Sentinel(column=name, value=value, count=count, low=low, high=high)
    return None


def _several(values: npt.NDArray[np.float64]) -> bool:
    """Whether there are MIN_OTHERS different values; most often the first few show it."""
    return any(len(np.unique(part)) >= MIN_OTHERS for part in (values[:1000], values))


def _is_usual(value: float) -> bool:
    """Such as -999, 99999 or -999.9."""
    digits = f"{abs(value):.15g}".replace(".", "")
    return value in _USUAL or (len(digits) >= 2 and set(digits) == {"9"})


def parse_markers(texts: Iterable[str]) -> tuple[frozenset[str], tuple[float, ...]]:
    """The user's own markers: words, and numbers."""
    words, numbers = set(), []
    for text in texts:
        try:
            numbers.append(float(text))
        except ValueError:
            words.add(text)
    return frozenset(words), tuple(numbers)
