"""Where a data set's file is: in HPO_DATA_DIR, in the user's cache, or at the publisher's.

What is fetched goes on where it was cut, is checked by its sha256, and appears in the cache under its name
only when all that is done.
"""

import hashlib
import http.client
import io
import logging
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from .base import DataFile
from .reading.files import sha256_of

ATTEMPTS = 5
TIMEOUT_SECONDS = 30.0
BLOCK_BYTES = 1 << 16

logger = logging.getLogger(__name__)

Report = Callable[[int, int | None], None]
"""Told of the bytes that are here and of those there are in all, None where the publisher does not say."""


@contextmanager
def _unseen(_name: str) -> Iterator[Report]:
    yield lambda _here, _all: None


show: Callable[[str], AbstractContextManager[Report]] = _unseen
"""Shows a file's fetch while it lasts. Nobody sees it unless who owns the screen puts something else here."""


def cache_folder() -> Path:
    """The user's cache, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "budget-hpo"


def present(forms: Sequence[DataFile]) -> Path | None:
    """Where a file is on this machine, in one of its forms; None if it is not."""
    given = os.environ.get("HPO_DATA_DIR")
    for folder in (*([Path(given)] if given else []), cache_folder()):
        for form in forms:
            if (folder / form.name).is_file():
                return folder / form.name
    return None


def locate(forms: Sequence[DataFile]) -> tuple[Path, str]:
    """The path of a file and its sha256, fetched if it is not here.

    Args:
        forms: The file in one or several forms, the preferred one first.

    Raises:
        ValueError: It is not the file that it should be, or is neither here nor to be had; the message says
            what to put where.
    """
    path = present(forms)
    if path is not None:
        form = next(form for form in forms if form.name == path.name)
        sha256 = sha256_of(path)
        if form.sha256 is not None and sha256 != form.sha256:
            raise ValueError(
                f"{path} is not the file it should be: its sha256 is {sha256}, expected {form.sha256}; "
                "remove it, or put the right one there"
            )
        return path, sha256
    for form in forms:
        if form.url is not None and form.sha256 is not None:
            return fetch(form), form.sha256
    raise ValueError(f"{forms[0].name} is not on this machine; {_by_hand(forms[0])}")


def fetch(form: DataFile) -> Path:
    """Fetch a file into the cache. A second process that wants the same one waits for the first.

    Raises:
        ValueError: The publisher cannot be reached or serves another file, or the cache cannot hold it.
    """
    assert form.url is not None
    folder = cache_folder()
    served = Path(urllib.parse.unquote(urllib.parse.urlsplit(form.url).path)).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{served}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.warning("waiting for another process that fetches %s", served)
            lock.acquire()
        try:
            here = folder / form.name
            return here if here.is_file() else _fetch(form, folder, served)
        finally:
            lock.release()
    except OSError as error:
        raise ValueError(f"{form.name} cannot be kept in {folder} ({error}); {_by_hand(form)}") from error


def _fetch(form: DataFile, folder: Path, served: str) -> Path:
    assert form.url is not None
    archived = served.endswith(".zip")
    download = folder / (served if archived else f"{form.name}.part")
    try:
        if not (archived and download.is_file()):
            _download(form.url, download, folder / f"{served}.part" if archived else download)
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ValueError(
            f"{form.name} is not on this machine and cannot be fetched from {form.url} ({reason}); "
            f"{_by_hand(form)}"
        ) from error
    unpacked = folder / f"{form.name}.unpacked" if archived else download
    if archived:
        _unpack(download, form.name, unpacked)
    sha256 = sha256_of(unpacked)
    if sha256 != form.sha256:
        for wrong in {download, unpacked}:
            wrong.unlink()
        raise ValueError(
            f"{form.url} no longer serves the {form.name} that is known: its sha256 is {sha256}, expected "
            f"{form.sha256}; nothing was kept; {_by_hand(form)}"
        )
    with unpacked.open("rb") as file:
        os.fsync(file.fileno())
    return unpacked.replace(folder / form.name)


def _download(url: str, path: Path, part: Path) -> None:
    """Fetch to a partial file, going on where an earlier attempt stopped; rename it when it is whole."""
    with show(path.name) as report:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                whole = _continue(url, part, report)
            except urllib.error.HTTPError as error:
                if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                part.unlink()  # longer than what is served: it was of another file
                whole = False
            except (ConnectionError, TimeoutError, http.client.IncompleteRead):
                if attempt == ATTEMPTS:
                    raise
                whole = False
            if whole:
                part.replace(path)
                return
    raise ConnectionError(f"cut {ATTEMPTS} times; run again to go on")


def _continue(url: str, part: Path, report: Report) -> bool:
    """Fetch what a partial file lacks; False if the connection was cut before its end."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server does not resume: from the start
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with part.open("ab" if have else "wb") as file:
            while block := _read(response):
                file.write(block)
                have += len(block)
                report(have, total)
    return total is None or have == total


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK_BYTES)
    except OSError as error:  # of the line, not of the disk
        raise ConnectionError(str(error)) from error


def _unpack(archive: Path, name: str, target: Path) -> None:
    """Take a file out of a zip, or out of a zip inside it.

    Raises:
        ValueError: It is not in there, or damaged.
    """
    try:
        with archive.open("rb") as file:
            found = _unpack_from(file, name, target)
    except (zipfile.BadZipFile, zlib.error):  # damaged inside, it unpacks in part
        found = False
    if not found:
        archive.unlink()
        target.unlink(missing_ok=True)
        raise ValueError(f"{archive.name}, as fetched, holds no whole {name}; nothing was kept")


def _unpack_from(archive: IO[bytes], name: str, target: Path) -> bool:
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            if Path(member).name == name:
                with members.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                return True
            if member.endswith(".zip") and _unpack_from(io.BytesIO(members.read(member)), name, target):
                return True
    return False


def _by_hand(form: DataFile) -> str:
    where = f"put it at {cache_folder() / form.name}, or in the folder HPO_DATA_DIR"
    if form.repacked:
        return f"it was repacked from {form.page} and is served nowhere: ask someone who has it, and {where}"
    return f"get it from {form.page} and {where}"


def joint_sha256(sums: Sequence[str]) -> str:
    """One sum for several files: of their sums, one a line; a single one stands for itself."""
    if len(sums) == 1:
        return sums[0]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()
