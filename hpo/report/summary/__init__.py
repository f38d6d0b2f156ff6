"""What a study found, from its trials' records and losses: JSON for programs, a page for people."""

from collections.abc import Sequence
from pathlib import Path

from hpo.report.evidence import find_evidence
from hpo.report.summary.analysis import analyse
from hpo.report.summary.markdown import render
from hpo.report.summary.plots import draw
from hpo.report.summary.schema import Summary
from hpo.store.layout import ExperimentFiles
from hpo.store.locks import FileLock
from hpo.system.files import write_bytes, write_json
from hpo.trial.record import TrialRecord

__all__ = ["Summary", "analyse", "draw", "render", "write_summary"]


def write_summary(files: ExperimentFiles, records: Sequence[TrialRecord]) -> Path:
    """Write an experiment's summary: its JSON, its plots, its page.

    The same records and losses give the same bytes.

    Args:
        files: Where the experiment's files are.
        records: Its trials, in any order; at least one.

    Returns:
        The page.

    Raises:
        ValueError: There is no record.
        OSError: The disk is full or read-only; the old files are untouched.
    """
    with FileLock(files.results_lock):
        summary = analyse(records, find_evidence(files, records))
        write_json(files.summary_json, summary.model_dump(mode="json"))
        plots = draw(summary, records, files.plots)
        write_bytes(files.summary_md, render(summary, plots).encode())
    return files.summary_md
