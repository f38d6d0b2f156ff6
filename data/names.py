"""Names that a user gives, held against those that there are."""

import difflib
from collections.abc import Collection

MOST_SHOWN = 20
"""Of more names than these only the first and the last are shown."""


def check_name(kind: str, name: str, valid: Collection[str]) -> None:
    """Refuse a name that there is not, naming the nearest.

    Args:
        kind: What it is a name of, such as "split".
        name: The name that was given.
        valid: The names that there are, in an order.

    Raises:
        ValueError: It is not among the valid ones.
    """
    if name in valid:
        return
    names = list(valid)
    by_lower = {valid_name.lower(): valid_name for valid_name in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"did you mean {by_lower[near[0]]!r}? " if near else ""
    shown = ", ".join(names) if len(names) <= MOST_SHOWN else f"{names[0]} to {names[-1]}"
    raise ValueError(f"unknown {kind} {name!r}: {hint}valid: {shown}")
