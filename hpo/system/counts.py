"""Parameter budgets and counts as people write them: 750k, 2M, 1.99B."""

import re

from hpo.errors import BudgetError

_SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)([kmb]?)", re.IGNORECASE)


def parse_budget(text: str) -> int:
    """Read a budget such as "750k", "2M", "1.5M" or "2000000".

    Raises:
        BudgetError: It is not a positive number with an optional k, M or B.
    """
    match = _PATTERN.fullmatch(text.strip())
    value = float(match[1]) * _SUFFIXES[match[2].lower()] if match else 0.0
    if value < 1 or value > 1e12:
        raise BudgetError(
            f"must be a positive number of parameters such as 750k, 2M, 20M, 200M or 1.5M, got {text!r}",
            key="budget",
        )
    return round(value)


def parse_budgets(text: str) -> tuple[int, ...]:
    """Read one budget or a comma list, smallest first.

    Raises:
        BudgetError: One of them is not a budget, or one is given twice.
    """
    budgets = [parse_budget(part) for part in text.split(",")]
    if len(set(budgets)) < len(budgets):
        raise BudgetError(f"budgets must differ from each other, got {text!r}", key="budget")
    return tuple(sorted(budgets))


def format_budget(budget: int) -> str:
    """The shortest exact name of a budget: 750k, 2M, 1.5M, 123456."""
    for suffix in ("B", "M", "k"):
        scaled = budget / _SUFFIXES[suffix.lower()]
        text = f"{scaled:.6g}"
        if scaled >= 1 and round(float(text) * _SUFFIXES[suffix.lower()]) == budget and "e" not in text:
            return text + suffix
    return str(budget)


def format_count(count: int) -> str:
    """A parameter count for people, to three digits: 884k, 2.00M, 1.99B, 3.30T."""
    for suffix, unit in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + suffix
    return str(count)
