"""Tables on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.table import Table

import hpo.report.formats as fmt
from hpo.report.columns import PLANNED, STUDIES, Shown
from hpo.system.counts import format_count

if TYPE_CHECKING:  # each command imports what it shows; a status need not wait for torch
    from hpo.data.base import DatasetSpec
    from hpo.data.reading.report import TableReport
    from hpo.engine.rerun import Rerun
    from hpo.models.base import ModelFamily
    from hpo.report.preview import Preview
    from hpo.report.status import StudyStatus
    from hpo.store.audit import Difference

T = TypeVar("T")


def show_preview(preview: Preview) -> None:
    """The dry run."""
    console = _console()
    console.print(
        f"{preview.experiment}: {preview.n_trials} trials of {preview.family}, forced configs first"
    )
    for name, part in preview.data.items():
        windows = f"{part['windows']:,} windows of {part['rows']:,} rows"
        console.print(f"  {name:5} {windows}, {part['start'][:10]} to {part['end'][:10]}")
    for note in preview.notes:
        console.print(f"  note: {note}")
    console.print(_listing("Forced configs", PLANNED, preview.forced))
    shapes = "Shapes that the search draws from, with the default settings"
    console.print(_listing(shapes, PLANNED, preview.shapes))
    space = _table("Search space", ["dimension", "scale", "values"])
    for dimension in preview.space:
        space.add_row(dimension.name, dimension.kind, dimension.range)
    console.print(space)
    speed, time = f"{preview.flops_per_second / 1e9:.0f} GFLOP/s", fmt.clock(preview.predicted_seconds)
    console.print(
        f"At {speed}, as measured here, the study takes at most about {time}; "
        "trials that stop early or are pruned take less. Nothing was written."
    )


def show_differences(found: dict[str, list[Difference]], *, mended: bool, as_json: bool) -> None:
    """What differs, or differed, between the files and the storage of each experiment."""
    if as_json:
        keys = ("kind", "trial_number", "text")
        rows = {name: [{k: getattr(d, k) for k in keys} for d in rest] for name, rest in found.items()}
        print(json.dumps(rows, indent=1))
        return
    for name, differences in found.items():
        for difference in differences:
            print(f"{name}: {difference.kind}: {difference.text}")
        open_ones = [d for d in differences if d.stays or not mended]
        done = f"{len(differences) - len(open_ones)} mended, " if mended else ""
        print(f"{name}: {done}{len(open_ones)} differing" if differences else f"{name}: at one")


def show_status(rows: Sequence[StudyStatus]) -> None:
    """All studies."""
    _console().print(_listing("Studies", STUDIES, rows))


def show_models(families: Iterable[ModelFamily], sizes: Mapping[str, tuple[int, int]], where: str) -> None:
    """The catalogue of models, with each family's smallest and largest size on an input."""
    columns = ["name", "what it is", "source", "layers", f"parameters on {where}"]
    table = _table("Model families", [*columns, "searched beside shape and training"])
    for family in families:
        smallest, largest = (format_count(size) for size in sizes[family.name])
        table.add_row(
            family.name,
            family.title,
            family.source,
            f"1 to {family.max_layers}",
            smallest if smallest == largest else f"{smallest} to {largest}",
            ", ".join(family.space),
        )
    _console().print(table)


def show_datasets(specs: Iterable[tuple[DatasetSpec, bool]]) -> None:
    """The catalogue of data sets, each with whether its files are here."""
    table = _table(
        "Data sets",
        ["name", "what it is", "rows", "step", "channels", "licence", "source", "here"],
    )
    for spec, here in specs:
        rows = "" if spec.n_rows is None else f"{spec.n_rows:,}"
        # Channels of one unit together.
        units = dict.fromkeys(spec.channels.values())
        channels = "; ".join(
            f"{', '.join(name for name, of in spec.channels.items() if of == unit)} ({unit})"
            for unit in units
        )
        texts = (spec.frequency, channels, spec.licence, spec.source)
        table.add_row(spec.name, spec.title, rows, *texts, "yes" if here else "no")
    console = _console()
    console.print(table)
    console.print(
        "Your own file: DATA=path/to/file.csv TARGET=column TIME=column; hpo data check FILE explains it."
    )


def show_report(report: TableReport) -> None:
    """A user's file."""
    console = _console()
    gaps = "no gaps" if not report.gaps else f"{report.gaps:,} gaps, the first from {report.first_gap}"
    console.print(
        f"{report.path}: {report.rows:,} rows, {_step(report)}, {report.start} to {report.end}, {gaps}"
    )
    if report.separator is not None:
        separator = {"\t": "tab", " ": "space"}.get(report.separator, repr(report.separator))
        console.print(f"Text: {report.encoding}, separator {separator}, decimal sign {report.decimal!r}")
    times = "rows are counted" if report.time is None else f"{report.time}, as {report.time_format}"
    table = _table(
        f"Columns (times: {times})", ["name", "kind", "min", "max", "mean", "std", "filled"], range(2, 7)
    )
    for column in report.columns:
        mark = " (target)" if column.name in report.target else ""
        numbers = (
            "" if value is None else f"{value:.4g}"
            for value in (column.min, column.max, column.mean, column.std)
        )
        table.add_row(column.name + mark, column.kind, *numbers, f"{column.filled:,}")
    console.print(table)
    if report.series:
        shown = ", ".join(report.series[:10]) + (" ..." if len(report.series) > 10 else "")
        console.print(f"{len(report.series):,} series: {shown}")
    season = "no season found" if report.season is None else f"a season of {report.season} rows"
    console.print(
        f"The target shows {season}; the longest stretch without a gap has {report.longest_segment:,} rows."
    )
    for note in report.notes:
        console.print(f"- {note}")
    console.print(f"To forecast it: {report.command}", soft_wrap=True)


def _step(report: TableReport) -> str:
    """The step between rows, in a sentence."""
    if report.frequency == "irregular":
        return "irregular"
    if report.frequency[0].isdigit():
        return f"one row every {report.frequency}"
    return f"one row {'an' if report.frequency[0] in 'aeiouh' else 'a'} {report.frequency}"


def show_rerun(rerun: Rerun) -> None:
    """A trial and its repetition."""
    console = _console()
    table = _table(f"Trial {rerun.record.trial_number}", ["epoch", "recorded", "again"], range(3))
    for epoch, (old, new) in enumerate(zip(rerun.recorded, rerun.again, strict=False), start=1):
        table.add_row(str(epoch), "" if old is None else f"{old:.9f}", f"{new:.9f}")
    console.print(table)
    for problem in rerun.problems:
        console.print(f"- {problem}")
    if rerun.reproduced:
        console.print("reproduced: every epoch's score is the same to the bit")
        if rerun.restored is not None:
            console.print(f"its weights are there again: {rerun.restored}", soft_wrap=True)
    else:
        console.print(f"not reproduced: the largest difference is {rerun.largest_difference:.3g}")


def _listing(title: str, columns: Sequence[Shown[T]], rows: Iterable[T]) -> Table:
    right = (i for i, column in enumerate(columns) if not column.is_text)
    table = _table(title, [column.title for column in columns], right)
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    return table


def _table(title: str, headers: Sequence[str], right: Iterable[int] = ()) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False
    )
    numbers = set(right)
    for position, header in enumerate(headers):
        table.add_column(header, justify="right" if position in numbers else "left", overflow="fold")
    return table


def _console() -> Console:
    console = Console(highlight=False, markup=False, soft_wrap=False)
    if not console.is_terminal:  # a pipe has no width: do not fold what a program reads
        console = Console(highlight=False, markup=False, width=200)
    return console
