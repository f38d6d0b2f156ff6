"""What every listener bears: each event of a study, in any order that a study tells them."""

import pytest
from fakes import Hearer, epochs

from hpo.cli.console import LiveDisplay, PlainDisplay
from hpo.engine.listener import (
    EpochEnded,
    Listeners,
    LogFile,
    Said,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialStarted,
)

LISTENERS = {
    "plain": lambda folder: PlainDisplay(),
    "live": lambda folder: LiveDisplay(),
    "log": lambda folder: LogFile(folder / "hpo.log"),
    "log on no disk": lambda folder: LogFile(folder / "none" / "hpo.log"),
    "several": lambda folder: Listeners([Hearer(), LogFile(folder / "hpo.log")]),
}


@pytest.fixture
def events(record):
    running = record.updated(state="RUNNING", value=None, datetime_complete=None, duration_seconds=None)
    return [
        StudyStarted(experiment="study", n_trials=3, n_finished=1),
        Said("a word with [brackets] and %s"),
        TrialStarted(record=running),
        *(EpochEnded(record=running, row=row, best=None) for row in epochs([0.5, 0.4])),
        TrialEnded(record=record, n_finished=2, best=record),
        StudyEnded(n_finished=2, interrupted=True),
    ]


@pytest.mark.parametrize("name", LISTENERS)
def test_it_bears_a_whole_study(name, events, tmp_path, capsys):
    listener = LISTENERS[name](tmp_path)
    for event in events:
        listener.told(event)
    for event in reversed(events[1:-1]):  # a trial that another process began ends here
        if not isinstance(event, EpochEnded):
            listener.told(event)


def test_the_log_has_a_line_an_event_but_for_epochs(events, tmp_path):
    log = LogFile(tmp_path / "hpo.log")
    for event in events:
        log.told(event)
    lines = (tmp_path / "hpo.log").read_text().splitlines()
    assert len(lines) == 5
    assert lines[1].endswith("a word with [brackets] and %s")
    assert "trial 0 COMPLETE: 0.3" in lines[3]


def test_all_of_several_are_told(events):
    hearers = [Hearer(), Hearer()]
    for event in events:
        Listeners(hearers).told(event)
    assert hearers[0].events == hearers[1].events == events
