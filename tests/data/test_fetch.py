"""Where a file is found, and how it is fetched: from a real server here, which may cut the line."""

import errno
import hashlib
import io
import lzma
import re
import socket
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from hpo.data import DATASETS, fetch
from hpo.data.base import DataFile, DataRequest
from hpo.data.sets import beijing, eaf, ett, rossmann

NAME = "table.csv"
PAGE = "https://example.org/page"
CONTENT = np.random.default_rng(0).bytes(300_000)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@dataclass
class Served:
    """What a server serves, and what it has served.

    Attributes:
        files: Content by path.
        shares: How much of what is asked each answer gives before the line is cut; whole ones after these.
        resumes: Whether it knows ranges.
        url: Where it is.
        answers: First byte and number of bytes of each answer.
        during: Called in the middle of each answer.
    """

    files: dict
    shares: list = field(default_factory=list)
    resumes: bool = True
    url: str = ""
    answers: list = field(default_factory=list)
    during: object = None


def handler_of(served):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            asked = self.headers.get("Range") if served.resumes else None
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if asked and first >= len(content):
                self.send_error(416)
                return
            rest = content[first:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            given = int(len(rest) * served.shares.pop(0)) if served.shares else len(rest)
            served.answers.append((first, given))
            self.wfile.write(rest[: given // 2])
            if served.during is not None:
                served.during()
            self.wfile.write(rest[given // 2 : given])

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def server():
    """Starts on a free port of this machine."""
    served = Served(files={f"/{NAME}": CONTENT})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(served)) as running:
        served.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The cache's folder, empty; nothing else is found."""
    monkeypatch.delenv("HPO_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "budget-hpo"


def form_at(server, path=NAME, content=CONTENT, name=NAME):
    return DataFile(name=name, sha256=sha256(content), page=PAGE, url=f"{server.url}/{path}")


def zipped(**files):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return memory.getvalue()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_is_fetched_once_and_then_found(server, cache):
    form = form_at(server)
    assert fetch.present((form,)) is None
    path, found = fetch.locate((form,))
    assert path == cache / NAME
    assert path.read_bytes() == CONTENT
    assert found == form.sha256
    assert names_in(cache) == [NAME]
    assert fetch.locate((form,)) == (path, found)
    assert server.answers == [(0, len(CONTENT))]


def test_its_name_is_not_there_before_it_is_whole(server, cache):
    seen = []
    server.during = lambda: seen.append((cache / NAME).exists())
    fetch.locate((form_at(server),))
    assert seen == [False]


def test_a_cut_download_goes_on_where_it_stopped(server, cache):
    server.shares = [0.5]
    path, _ = fetch.locate((form_at(server),))
    assert path.read_bytes() == CONTENT
    assert server.answers == [(0, 150_000), (150_000, 150_000)]


def test_after_five_cuts_it_gives_up_and_the_next_run_goes_on(server, cache):
    server.shares = [0.5, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="cut 5 times; run again to go on"):
        fetch.locate((form_at(server),))
    assert names_in(cache) == [f"{NAME}.part"]
    server.answers.clear()
    path, _ = fetch.locate((form_at(server),))
    assert path.read_bytes() == CONTENT
    assert server.answers == [(150_000, 150_000)]
    assert names_in(cache) == [NAME]


def test_a_server_that_does_not_resume_serves_it_all_again(server):
    server.resumes, server.shares = False, [0.5]
    path, _ = fetch.locate((form_at(server),))
    assert path.read_bytes() == CONTENT
    assert server.answers == [(0, 150_000), (0, 300_000)]


@pytest.mark.parametrize("excess", [0, 1000], ids=["whole", "longer"])
def test_a_part_that_is_no_shorter_than_the_file_is_fetched_afresh(server, cache, excess):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(bytes(len(CONTENT) + excess))
    path, _ = fetch.locate((form_at(server),))
    assert path.read_bytes() == CONTENT


def test_a_part_of_another_file_is_refused_with_the_rest_and_the_next_run_starts_afresh(server, cache):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(bytes(1000))
    with pytest.raises(ValueError, match="nothing was kept"):
        fetch.locate((form_at(server),))
    path, _ = fetch.locate((form_at(server),))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("path", [NAME, "archive.zip"])
def test_another_file_than_the_known_one_is_refused_and_not_kept(server, cache, path):
    server.files = {f"/{NAME}": b"altered", "/archive.zip": zipped(**{NAME: b"altered"})}
    form = form_at(server, path)
    with pytest.raises(ValueError, match=r"no longer serves the table\.csv that is known") as error:
        fetch.locate((form,))
    assert sha256(b"altered") in str(error.value)
    assert form.sha256 in str(error.value)
    assert PAGE in str(error.value)
    assert names_in(cache) == []


def test_a_zip_inside_a_zip_is_unpacked_and_serves_its_other_files_too(server, cache):
    inner = zipped(folder__first=b"1", **{f"folder__{NAME}": CONTENT, "second.csv": b"2"})
    server.files = {"/a%20b.zip": zipped(readme=b"read me", **{"inner.zip": inner})}
    path, _ = fetch.locate((form_at(server, "a%20b.zip"),))
    assert path.read_bytes() == CONTENT
    assert names_in(cache) == ["a b.zip", NAME]
    other, _ = fetch.locate((form_at(server, "a%20b.zip", b"2", "second.csv"),))
    assert other.read_bytes() == b"2"
    assert len(server.answers) == 1


def test_a_cut_zip_goes_on_too(server, cache):
    archive = zipped(**{NAME: CONTENT})
    server.files, server.shares = {"/archive.zip": archive}, [0.5]
    path, _ = fetch.locate((form_at(server, "archive.zip"),))
    assert path.read_bytes() == CONTENT
    assert server.answers == [(0, len(archive) // 2), (len(archive) // 2, len(archive) - len(archive) // 2)]


def test_a_zip_without_the_file_is_not_kept(server, cache):
    server.files = {"/archive.zip": zipped(other=b"1")}
    with pytest.raises(
        ValueError, match=r"archive\.zip, as fetched, holds no whole table\.csv; nothing was kept"
    ):
        fetch.locate((form_at(server, "archive.zip"),))
    assert names_in(cache) == []


def altered(archive, position):
    """A byte of the first file inside, after its header of 30 bytes and its name."""
    changed = bytearray(archive)
    changed[30 + len(NAME) + position] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    "archive",
    [
        b"<html>log in first</html>",
        zipped(**{NAME: CONTENT})[:-1000],
        altered(zipped(**{NAME: b"one line\n" * 50_000}), 0),
        altered(zipped(**{NAME: CONTENT}), 200_000),
    ],
    ids=["no zip", "cut", "its first byte altered", "a later byte altered"],
)
def test_a_damaged_zip_is_refused_and_not_kept(server, cache, archive):
    server.files = {"/archive.zip": archive}
    with pytest.raises(ValueError, match=r"archive\.zip, as fetched, holds no whole table\.csv"):
        fetch.locate((form_at(server, "archive.zip"),))
    assert names_in(cache) == []


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_two_that_want_the_same_file_fetch_it_once(server, cache):
    server.during = lambda: time.sleep(0.3)
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(fetch.fetch, [form_at(server)] * 4))
    assert set(paths) == {cache / NAME}
    assert paths[0].read_bytes() == CONTENT
    assert server.answers == [(0, len(CONTENT))]


def test_a_cache_that_cannot_hold_it_is_named(server, cache, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    server.files["/all.zip"] = zipped(**{NAME: CONTENT})
    monkeypatch.setattr(fetch.shutil, "copyfileobj", full)
    with pytest.raises(ValueError, match=f"{NAME} cannot be kept in {re.escape(str(cache))}.*No space"):
        fetch.fetch(form_at(server, "all.zip"))
    assert not (cache / NAME).exists()


def test_offline_it_says_where_the_file_is_to_be_had_and_where_to_put_it(cache):
    url = f"http://127.0.0.1:{closed_port()}/{NAME}"
    form = DataFile(name=NAME, sha256=sha256(CONTENT), page=PAGE, url=url)
    with pytest.raises(ValueError, match="cannot be fetched from") as error:
        fetch.locate((form,))
    message = str(error.value)
    assert url in message
    assert "refused" in message
    assert f"get it from {PAGE} and put it at {cache / NAME}, or in the folder HPO_DATA_DIR" in message
    assert "\n" not in message


def test_a_page_that_is_gone_is_named_with_the_servers_word(server):
    with pytest.raises(ValueError, match=r"cannot be fetched from http.*/gone\.csv \(.*Not Found.*\)"):
        fetch.locate((form_at(server, "gone.csv"),))


def test_a_file_with_no_address_says_where_a_person_gets_it(cache):
    form = DataFile(name=NAME, sha256=sha256(CONTENT), page=PAGE)
    with pytest.raises(ValueError, match=r"table\.csv is not on this machine; get it from") as error:
        fetch.locate((form,))
    assert f"{PAGE} and put it at {cache / NAME}" in str(error.value)


@pytest.fixture
def given(monkeypatch, tmp_path):
    """The folder HPO_DATA_DIR."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("HPO_DATA_DIR", str(folder))
    return folder


def test_the_given_folder_wins_over_the_cache_and_the_server(server, cache, given):
    cache.mkdir(parents=True)
    form = form_at(server)
    (cache / NAME).write_bytes(CONTENT)
    assert fetch.locate((form,))[0] == cache / NAME
    (given / NAME).write_bytes(CONTENT)
    assert fetch.locate((form,))[0] == given / NAME
    assert server.answers == []


def test_a_file_is_taken_in_the_form_that_is_there(given):
    packed = DataFile(name=f"{NAME}.xz", sha256=sha256(b"packed"), page=PAGE)
    plain = DataFile(name=NAME, sha256=sha256(CONTENT), page=PAGE)
    (given / NAME).write_bytes(CONTENT)
    assert fetch.locate((packed, plain)) == (given / NAME, plain.sha256)
    (given / f"{NAME}.xz").write_bytes(b"packed")
    assert fetch.locate((packed, plain)) == (given / f"{NAME}.xz", packed.sha256)


def test_an_altered_file_is_refused_with_both_sums_and_left_alone(server, given):
    form = form_at(server)
    (given / NAME).write_bytes(b"altered")
    with pytest.raises(ValueError, match="is not the file it should be") as error:
        fetch.locate((form,))
    assert str(given / NAME) in str(error.value)
    assert sha256(b"altered") in str(error.value)
    assert form.sha256 in str(error.value)
    assert (given / NAME).read_bytes() == b"altered"
    assert server.answers == []


def test_a_form_without_a_sum_is_taken_as_it_is(given):
    (given / NAME).write_bytes(b"a longer download")
    form = DataFile(name=NAME, sha256=None, page=PAGE)
    assert fetch.locate((form,)) == (given / NAME, sha256(b"a longer download"))


# The catalogue's own files, served as their publishers have them


@pytest.mark.parametrize("name", ["etth1", "ettm1"])
def test_ett_as_published_is_the_file_that_is_known_packed(data_dir, server, monkeypatch, name):
    packed, plain = ett.FILES[name]
    content = lzma.decompress((data_dir / packed.name).read_bytes())
    server.files = {f"/{plain.name}": content}
    monkeypatch.setitem(ett.FILES, name, (packed, replace(plain, url=f"{server.url}/{plain.name}")))
    request = DataRequest(context_length=96, horizon=24)
    fetched = DATASETS[name].load(request)
    assert fetched.sha256 == plain.sha256 == sha256(content)
    monkeypatch.setenv("HPO_DATA_DIR", str(data_dir))
    here = DATASETS[name].load(request)
    assert here.sha256 == packed.sha256
    np.testing.assert_array_equal(fetched.features, here.features)


def test_beijing_as_published_is_the_file_that_is_known_joined(data_dir, server, monkeypatch, cache):
    """The publisher has a zip in a zip, a file a station; their sums are those of the joined file's parts."""
    lines = lzma.decompress((data_dir / beijing.ALL.name).read_bytes()).splitlines(keepends=True)
    header, rows = lines[0], lines[1:]
    stations = [line.rstrip().rsplit(b",", 1)[1].strip(b'"').decode() for line in rows]
    files = {
        f"PRSA_Data_{station}_20130301-20170228.csv": header
        + b"".join(line for line, of in zip(rows, stations, strict=True) if of == station)
        for station in ("Dingling", "Wanliu")
    }
    server.files = {"/all.zip": zipped(**{"inner.zip": zipped(**files)})}
    monkeypatch.setattr(beijing, "ARCHIVE", f"{server.url}/all.zip")
    request = DataRequest(context_length=24, horizon=6, groups=("Dingling", "Wanliu"))
    fetched = DATASETS["beijing"].load(request)
    assert len(server.answers) == 1
    assert names_in(cache) == sorted([*files, "all.zip"])
    monkeypatch.setenv("HPO_DATA_DIR", str(data_dir))
    np.testing.assert_array_equal(fetched.features, DATASETS["beijing"].load(request).features)
    assert fetched.group_names == ("Dingling", "Wanliu")


@pytest.mark.parametrize("name", ["har", "spy"])
def test_what_is_served_nowhere_is_not_looked_for_at_the_publisher(name):
    with pytest.raises(ValueError, match=r"repacked from https://.* and is served nowhere"):
        fetch.locate(DATASETS[name].files[0])


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("jena", "jena_climate_2009_2016.csv"),
        ("jena_hourly", "jena_climate_2009_2016.csv"),
        ("rossmann", "rossmann_train.csv"),
        ("eaf", "eaf_temp.csv"),
    ],
)
def test_what_must_be_put_there_by_hand_is_named_in_the_form_that_the_publisher_has(cache, name, file):
    context, horizon = DATASETS[name].window
    with pytest.raises(ValueError, match=f"^{re.escape(file)} is not on this machine; get it from https:"):
        DATASETS[name].load(DataRequest(context_length=context, horizon=horizon))


@pytest.mark.parametrize("forms", [rossmann.TRAIN, eaf.FORMS], ids=["rossmann", "eaf"])
def test_the_plain_form_is_what_the_packed_one_unpacks_to(data_dir, forms):
    plain, packed = forms
    assert sha256(lzma.decompress((data_dir / packed.name).read_bytes())) == plain.sha256
