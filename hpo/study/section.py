"""What every table of a study file is, and how a setting is marked."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationInfo, field_validator

FREE: dict[str, JsonValue] = {"identity": False}
"""Marks a setting that may change while a study goes on; every other makes the study itself."""

OF_A_FILE: dict[str, JsonValue] = {"file": True}
"""Marks a setting of how a file of one's own is read; `hpo data check` takes it too."""

_MAX_TEXT = 4096
_MAX_NAME = 255


class Section(BaseModel):
    """A table of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: Any, info: ValidationInfo) -> Any:
        """What no file system and no database takes is refused here, with its key."""
        if isinstance(value, str | Path):
            text = str(value)
            if not text and info.field_name != "experiment":  # which has a rule of its own
                raise ValueError("must not be empty; leave it out to take the default")
            if "\0" in text or len(text) > _MAX_TEXT:
                raise ValueError(f"must be at most {_MAX_TEXT:,} characters, none of them NUL")
            if info.field_name in ("out", "data", "storage"):
                longest = max(len(part.encode(errors="replace")) for part in text.split("/"))
                if longest > _MAX_NAME:
                    raise ValueError(f"holds a file name of {longest} bytes; at most {_MAX_NAME} are valid")
        return value
