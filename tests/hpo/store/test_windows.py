from dataclasses import replace

import numpy as np
import pytest

from hpo.errors import StorageError
from hpo.scoring.objective import make_objective
from hpo.scoring.references import compute_references
from hpo.scoring.tasks import BINARY
from hpo.store.layout import ExperimentFiles
from hpo.store.windows import (
    Windows,
    read_losses,
    read_reference_losses,
    read_windows,
    windows_of,
    write_losses,
    write_reference_losses,
    write_windows,
)

LOSS = make_objective("val_loss")


@pytest.fixture
def files(tmp_path):
    return ExperimentFiles(out=tmp_path, experiment="it")


def test_windows_come_back_as_they_were(files, sp500_data):
    windows = windows_of([sp500_data])
    write_windows(files, windows)
    again = read_windows(files)
    for name in Windows.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(windows, name)), name
    val = sp500_data.splits.val
    assert again.row.tolist() == val.tolist()
    assert (again.time == sp500_data.table.timestamps[val]).all()
    assert (again.fold == 0).all()
    assert (again.weights == 1.0).all()
    assert not again.whole_groups
    assert again.span == 1


def test_the_weights_make_a_mean_of_folds(sp500_data):
    short = replace(sp500_data, splits=replace(sp500_data.splits, val=sp500_data.splits.val[:100]))
    windows = windows_of([sp500_data, short])
    losses = np.random.default_rng(0).normal(size=len(windows))
    n = len(sp500_data.splits.val)
    assert np.mean(losses * windows.weights) == pytest.approx((losses[:n].mean() + losses[n:].mean()) / 2)


def test_groups_held_out_are_known_from_the_windows(sp500_data):
    ends, codes = sp500_data.splits, np.zeros(len(sp500_data.features), np.int32)
    codes[ends.val] = 1
    table = replace(sp500_data.table, groups=codes, group_names=("a", "b"))
    assert windows_of([replace(sp500_data, table=table)]).whole_groups
    codes[ends.val[0]] = 0
    assert not windows_of([replace(sp500_data, table=table)]).whole_groups


def test_reference_losses_come_back_and_their_means_are_the_scores(files, sp500_data):
    references = compute_references([sp500_data], BINARY, LOSS)
    write_reference_losses(files, references)
    losses = read_reference_losses(files)
    assert list(losses) == list(references.metrics)
    for name, own in losses.items():
        assert own.mean(dtype=np.float64) == pytest.approx(references.metrics[name]["log_loss"], rel=1e-6)


def test_losses_that_are_torn_or_of_other_windows_do_not_count(files):
    losses = np.random.default_rng(0).random(50).astype(np.float32)
    for number in range(5):
        write_losses(files, number, losses)
    files.losses(1).write_bytes(files.losses(1).read_bytes()[:100])
    files.losses(2).write_bytes(b"")
    write_losses(files, 3, losses[:49])
    write_losses(files, 4, np.full(50, np.nan, dtype=np.float32))
    found = read_losses(files, range(7), 50)
    assert list(found) == [0]
    assert found[0].tolist() == losses.tolist()


def test_torn_tables_are_one_line(files, sp500_data):
    write_windows(files, windows_of([sp500_data]))
    whole = files.windows.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        files.windows.write_bytes(whole[:length])
        with pytest.raises(StorageError, match=r"windows\.npz"):
            read_windows(files)
    files.reference_losses.write_bytes(whole)
    with pytest.raises(StorageError, match="not what it should hold"):
        read_reference_losses(files)
