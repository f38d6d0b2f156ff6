"""What the user did wrong, as exceptions the command line prints in one line (exit code 2)."""

import difflib
from collections.abc import Iterable


class HpoError(Exception):
    """Base of every error that is the user's to mend."""


class ConfigError(HpoError):
    """A setting is out of range, contradicts another, or is not known.

    Attributes:
        key: The setting that it is about; None if it is about no one setting.
        message: What is wrong, without the key.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        """Say what is wrong with a setting."""
        super().__init__(message if key is None else f"{key}: {message}")
        self.key = key
        self.message = message


class UnknownNameError(ConfigError):
    """A name that is in no catalogue: a model, a data set, a flag, a key."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        """Say what was got, the nearest valid name, and all valid ones.

        Args:
            kind: What the name should be one of, such as "model".
            name: The name that was given.
            valid: The names that exist.
        """
        names = sorted(valid)
        by_lower = {valid_name.lower(): valid_name for valid_name in names}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
        hint = f"did you mean {by_lower[near[0]]!r}? " if near else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}valid: {', '.join(names)}")


class BudgetError(ConfigError):
    """A parameter budget that the model family cannot reach on this input."""


class DatasetError(HpoError):
    """Data that cannot be had or cannot be used."""


class StorageError(HpoError):
    """Stored studies or trial files that cannot be read or written."""
