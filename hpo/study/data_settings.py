"""The settings of what is forecast, from what, and of how a file of one's own is read."""

import csv
import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from hpo.errors import ConfigError
from hpo.study.section import OF_A_FILE, Section

FRAME = "data.parquet"
"""Where a study keeps a data frame it was given: under this name, in its own folder."""

_FRAME_STUDY = re.compile(r"frame-[0-9a-f]{8}(?=_)")


class DataSection(Section):
    """What is forecast, from what."""

    data: str = Field(
        "sp500",
        description="a data set (`hpo data` lists them), or the path of a .csv or .parquet file of your own",
    )
    target: str | None = Field(
        None, description="columns to forecast, by commas; default: a file's last one, or the data set's own"
    )
    time: str | None = Field(
        None,
        description="columns of your own file that say when a row is, by commas, or none to count rows; "
        "default: those that hold times",
        json_schema_extra=OF_A_FILE,
    )
    time_format: str | None = Field(
        None,
        description="how times are written: %d/%m/%Y %H:%M and the like, milliseconds, steps; default: found",
        json_schema_extra=OF_A_FILE,
    )
    time_zone: str | None = Field(
        None,
        description="of clock times that are set forward and back, such as Europe/Berlin; default: none",
        json_schema_extra=OF_A_FILE,
    )
    separator: str | None = Field(
        None,
        description="between the columns of a text: a character, tab or space; default: found",
        json_schema_extra=OF_A_FILE,
    )
    decimal: str | None = Field(
        None,
        description="decimal sign of a text, point or comma; default: found",
        json_schema_extra=OF_A_FILE,
    )
    encoding: str | None = Field(
        None,
        description="of a text, such as utf-8, utf-16 or cp1252; default: found",
        json_schema_extra=OF_A_FILE,
    )
    missing: str | None = Field(
        None,
        description="what stands for a missing value beside the usual words, by commas, such as -9999; none: "
        "no number does; default: a file that seems to have such a number is refused",
        json_schema_extra=OF_A_FILE,
    )
    columns: str | None = Field(
        None, description="columns to keep, by commas; default: all", json_schema_extra=OF_A_FILE
    )
    drop: str | None = Field(
        None, description="columns to leave out, by commas; default: none", json_schema_extra=OF_A_FILE
    )
    frequency: str | None = Field(
        None,
        description="step to bring rows to, such as hour, 15 minutes or month: the mean of each; default: "
        "rows as they are",
        json_schema_extra=OF_A_FILE,
    )
    series: str | None = Field(
        None,
        description="columns that tell the series of a long file apart, by commas; default: one series",
        json_schema_extra=OF_A_FILE,
    )
    season: int | None = Field(
        None,
        ge=2,
        description="rows in a season, for the seasonal naive forecast and MASE; default: found in the "
        "training part",
    )
    task: Literal["binary", "multiclass", "regression"] | None = Field(
        None, description="what kind of forecast; default: the data set's own"
    )
    horizon: int = Field(1, ge=1, le=10_000, description="rows ahead")
    context: int = Field(80, ge=1, le=100_000, description="rows of history in a window")
    threshold: float = Field(1.0, gt=0, le=100, description="rise in percent that counts as an event")
    features: str = Field("a20", description="feature tier: a20, a50, a100 or a200, where the data has tiers")
    split: str | None = Field(
        None,
        description="how rows are divided into train, validation and test: contiguous, scattered, year, "
        "group, official or walk-forward; default: the data set's own rule",
    )
    folds: int = Field(
        5,
        ge=1,
        le=100,
        description="folds of a walk-forward split; a trial trains on all of them, its value is their mean",
    )
    fold: int | None = Field(None, ge=0, description="one fold alone, from 0; default: all of them")
    groups: str | None = Field(
        None,
        description="stations, stores, heats or subjects to keep, by commas, or all; default: the data "
        "set's own",
    )
    data_seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of synthetic data")
    limit: int | None = Field(
        None, ge=1, description="at most so many training windows, the latest ones; default: all"
    )

    @property
    def path(self) -> Path | None:
        """The user's own file, if data is one and no name of the catalogue."""
        looks_like_path = "/" in self.data or "." in self.data
        return Path(self.data) if looks_like_path else None

    @property
    def label(self) -> str:
        """The data's name in the study's name: of the catalogue, or of the file, made safe.

        Of a data frame kept by a study it is the frame's own, or that of the study if a user named it.
        """
        if self.path is None:
            return self.data
        if self.path.name == FRAME:
            study = self.path.absolute().parent.name
            named = _FRAME_STUDY.match(study)
            return named[0] if named else study
        stem = self.path.name.split(".")[0]
        return re.sub(r"[^A-Za-z0-9_-]+", "-", stem)[:64].strip("-") or "data"

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return split_names(self.target)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups to keep."""
        return split_names(self.groups)

    @model_validator(mode="after")
    def _some_need_a_file(self) -> Self:
        for key, field in type(self).model_fields.items():
            if self.path is None and field.json_schema_extra is OF_A_FILE and getattr(self, key) is not None:
                raise ConfigError(f"this is of a file of your own; data is {self.data!r}", key=key)
        return self


def split_names(text: str | None) -> tuple[str, ...]:
    """Names by commas; as in CSV, one with a comma in it stands in double quotes."""
    if not text:
        return ()
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True)))
