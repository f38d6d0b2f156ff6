"""Text with parts that have names: what records, storage and pages keep as one word stays one word.

A :class:`Text` is its text, so JSON, Optuna's attributes and old records hold it as it is, and what a newer
version writes stays readable. Its parts are asked for by name; nobody else takes the text apart.
"""

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Text(str):
    """A text that a record holds under a type of its own."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
