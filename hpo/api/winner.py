"""The best trial put to use: forecasts from its weights, and a folder that forecasts without its study."""

import contextlib
import os
import shlex
import shutil
from pathlib import Path

import pandas as pd
from pydantic import PrivateAttr

from hpo.data.reading.replay import Rows
from hpo.errors import ConfigError, DatasetError, StorageError
from hpo.learn.example import example_csv
from hpo.learn.folder import CARD, EXAMPLE, config_bytes, read_folder
from hpo.learn.forecaster import Forecaster, load_forecaster, make_forecaster
from hpo.report.card import model_card
from hpo.store.layout import CONFIG, WEIGHTS, ExperimentFiles
from hpo.store.records import read_record, read_records
from hpo.study.catalogue import load_data
from hpo.study.config import check_name, read_own_config
from hpo.system.files import read_json, write_bytes
from hpo.trial.record import TrialRecord, rank


class BestTrial(TrialRecord):
    """A trial's record, and the forecasts of its weights."""

    _files: ExperimentFiles | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, record: TrialRecord, files: ExperimentFiles) -> "BestTrial":
        """The trial of a record, whose study has these files."""
        trial = cls.model_validate(dict(record))
        trial._files = files
        return trial

    def predict(
        self, data: str | Path | pd.DataFrame | None = None, *, rolling: bool = False
    ) -> pd.DataFrame:
        """Forecast, as :meth:`hpo.Forecaster.predict`; without data from the study's own last row on.

        Raises:
            HpoError: The trial's weights are gone, or the rows cannot be used.
        """
        assert self._files is not None
        forecaster = forecaster_of(self._files, self.trial_number)
        if data is None and not rolling:
            return forecaster.forecast(own_rows(self._files, forecaster))
        return forecaster.predict(data, rolling=rolling)

    def export(self, folder: str | Path | None = None, *, example: bool = True) -> Path:
        """Write a folder that forecasts without the study, for :func:`hpo.load` and ``hpo predict``.

        Args:
            folder: Where; None takes the study's own ``export/``. One that holds anything but an earlier
                export is refused.
            example: Put the study's last rows into it as ``example.csv``.

        Returns:
            The folder.

        Raises:
            HpoError: The trial's weights are gone, or the folder holds something else.
        """
        assert self._files is not None
        return export(
            self._files, self.trial_number, None if folder is None else Path(folder), with_example=example
        )


def load(folder: str | Path) -> Forecaster:
    """The forecaster in an exported folder. No code of the folder runs; what is damaged is refused.

    Raises:
        HpoError: It is none, damaged, or not safe to load.
    """
    return load_forecaster(Path(folder))


def is_folder(target: str) -> bool:
    """Whether a name is that of a forecaster's folder, and not of an experiment."""
    return (Path(target) / CONFIG).is_file()


def files_at(target: str, out: Path) -> ExperimentFiles:
    """The files of an experiment, by its name or its folder.

    Raises:
        HpoError: There is none.
    """
    path = Path(target)
    folder = path.absolute() if (path / "trials").is_dir() else out / check_name(target)
    if not (folder / "trials").is_dir():
        raise StorageError(
            f"{target}: neither a folder with a {CONFIG} nor an experiment in {out}; "
            f"`hpo status --out {shlex.quote(str(out))}` lists the experiments"
        )
    return ExperimentFiles(out=folder.parent, experiment=folder.name)


def forecaster_of(files: ExperimentFiles, number: int | None = None) -> Forecaster:
    """The forecaster of a trial; None takes the best whose weights are kept.

    Raises:
        HpoError: No trial completed, or the trial's weights are gone.
    """
    return load_forecaster(files.weights(_kept(files, number)).parent)


def own_rows(files: ExperimentFiles, forecaster: Forecaster) -> Rows:
    """The rows of the study's own data, as they are now.

    Raises:
        HpoError: They cannot be had, or have other columns than the model was trained on.
    """
    config = read_own_config(files.folder)
    if config.data.path is not None:
        return forecaster.read(config.data.path, config.data.group_names)
    table = load_data(config)[-1].table
    channels = tuple(channel.name for channel in forecaster.bundle.channels)
    if table.channel_names != channels:
        raise DatasetError(f"data {config.data.data}: it has other columns than the model was trained on")
    return Rows(
        times=table.timestamps,
        values=table.features,
        targets=table.target_values,
        segments=table.segments,
        series=table.group_codes,
        ids=table.group_names,
    )


def export(
    files: ExperimentFiles,
    number: int | None = None,
    folder: Path | None = None,
    *,
    with_example: bool = True,
) -> Path:
    """Write a trial's forecaster as a folder of its own, whole or not at all.

    Args:
        files: Of the study.
        number: The trial; None takes the best whose weights are kept.
        folder: Where; None takes the study's ``export/``.
        with_example: Put the study's last rows into it.

    Returns:
        The folder.

    Raises:
        HpoError: The trial's weights are gone, or the folder holds something else, or cannot be written.
    """
    number = _kept(files, number)
    folder = files.export if folder is None else folder
    _check_free(folder)
    kept = files.weights(number).parent
    bundle, found = read_folder(kept)
    record = read_record(files.trial(number))
    scores = {"val": dict(record.metrics.val)} if record.metrics is not None else {}
    bundle = bundle.model_copy(update={"scores": scores, "verdict": _verdict(files)})
    forecaster = make_forecaster(kept, bundle, found)
    example = example_csv(bundle, own_rows(files, forecaster)) if with_example else None
    card = model_card(record, bundle, read_own_config(files.folder), example)
    contents = {WEIGHTS: found[WEIGHTS], CARD: card.encode()}
    if example is not None:
        contents[EXAMPLE] = example
    contents[CONFIG] = config_bytes(bundle, contents)
    try:
        _write_whole(folder, contents)
    except OSError as error:
        raise ConfigError(f"cannot write the folder {folder} ({error.strerror})", key="to") from error
    return folder


def _kept(files: ExperimentFiles, number: int | None) -> int:
    """The number of a trial that can forecast."""
    records, _ = read_records(files)
    ranked = [record.trial_number for record in rank(records)]
    kept = [each for each in ranked if files.bundle(each).is_file()]
    if number is None and kept:
        return kept[0]
    if number in kept:
        return number
    if not ranked:
        raise StorageError(f"{files.experiment}: no trial completed, so there is nothing to forecast with")
    wanted = ranked[0] if number is None else number
    if wanted not in ranked:
        raise ConfigError(
            f"no trial {wanted} of {files.experiment} completed; kept: {_listed(kept)}", key="trial"
        )
    raise StorageError(
        f"trial {wanted} of {files.experiment} has no weights any more; "
        f"`hpo rerun {shlex.quote(str(files.trial(wanted)))}` restores them; kept: {_listed(kept)}"
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _verdict(files: ExperimentFiles) -> dict[str, object] | None:
    """What the study's summary says of the best trial, where there is one."""
    with contextlib.suppress(StorageError):
        verdict = read_json(files.summary_json).get("verdict")
        return verdict if isinstance(verdict, dict) else None
    return None


def _check_free(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier export."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give another", key="to")
    if not any(folder.iterdir()):
        return
    try:
        read_folder(folder)
    except StorageError as error:
        raise ConfigError(
            f"{folder} holds something else than an earlier export; give another folder", key="to"
        ) from error


def _write_whole(folder: Path, contents: dict[str, bytes]) -> None:
    """Write a folder under another name, then give it its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new, old = (folder.with_name(f".{folder.name}.{word}.{os.getpid()}") for word in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        for name, data in contents.items():
            write_bytes(new / name, data)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
