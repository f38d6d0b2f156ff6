"""The text of a file: unpacked, in its encoding, as a stream of UTF-8."""

import codecs
import io
import lzma
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

HEAD_BYTES = 1 << 18
"""Of the text, from its beginning: what a dialect is found in."""
TAIL_BYTES = 1 << 15
_CHUNK = 1 << 20

_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_UTF8 = ("utf-8", "utf-8-sig")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMON = "utf-8, utf-16, cp1252 (western Windows), latin-1, cp1250 (central Europe), cp1251 (Cyrillic), gbk"
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""Bytes that mean nothing in Windows-1252."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text file that was looked through once.

    Attributes:
        path: The file, perhaps compressed.
        encoding: By Python's name: "utf-8", "utf-8-sig" (with a byte order mark), "utf-16-le", "cp1252".
        head: Its first lines, whole.
        tail: Its last lines, the first of them perhaps torn; empty where the head is all of it.
    """

    path: Path
    encoding: str
    head: str
    tail: str

    def stream(self) -> Any:
        """All of it, as an Arrow stream of UTF-8."""
        raw = open_bytes(self.path)
        if self.encoding in _UTF8:
            return raw  # Arrow itself skips a byte order mark
        return pa.transcoding_input_stream(raw, self.encoding, "utf-8")


def look(path: Path, encoding: str | None) -> Text:
    """Read a text file once: its encoding, its beginning and its end.

    Args:
        path: Text, perhaps compressed.
        encoding: None finds it: a byte order mark, else UTF-8 if all of the file is, else Windows-1252.

    Raises:
        ValueError: There is no such encoding, or the file is not of the one given, or is no text.
    """
    head, tail, is_utf8, size = _scan(path)
    name = _sniff(head, is_utf8) if encoding is None else _known(encoding, head)
    whole = size <= len(head)
    try:
        text = codecs.getincrementaldecoder(name)().decode(head, final=whole)
    except UnicodeError:
        raise _wrong(name) from None
    if name in _UTF8 and not is_utf8:
        raise _wrong(name)
    if "\0" in text:
        raise ValueError("the file is no text: it holds NUL characters")
    if not whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    return Text(
        path=path,
        encoding=name,
        head=text.removeprefix("\ufeff"),
        tail="" if whole else codecs.decode(tail, name, "replace"),
    )


def open_bytes(path: Path) -> Any:
    """The bytes of a file, unpacked, as an Arrow stream.

    Raises:
        ValueError: It is a .zip of several files.
    """
    suffix = path.suffix.lower()
    if suffix == ".xz":
        return pa.PythonFile(lzma.open(path), mode="r")
    if suffix == ".zip":
        folder = zipfile.ZipFile(path)
        names = [name for name in folder.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise ValueError(f"the .zip holds {len(names)} files; unpack it and give one of them")
        return pa.PythonFile(folder.open(names[0]), mode="r")
    return pa.input_stream(str(path), compression=_PACKED.get(suffix))


def _scan(path: Path) -> tuple[bytes, bytes, bool, int]:
    """The first bytes, the last bytes, whether all are UTF-8, and how many there are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, tail, is_utf8, size = io.BytesIO(), b"", True, 0
    for chunk in _chunks(path):
        if size < HEAD_BYTES:
            head.write(chunk[: HEAD_BYTES - size])
        size += len(chunk)
        tail = (tail + chunk)[-TAIL_BYTES:]
        is_utf8 = is_utf8 and _decodes(decoder, chunk)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    return head.getvalue(), tail[(size - len(tail)) % 2 :], is_utf8, size


def _chunks(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _sniff(head: bytes, is_utf8: bool) -> str:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    half = len(head) // 2
    even, odd = head[: 2 * half : 2].count(0), head[1::2].count(0)
    if half and max(odd, even) > 0.4 * half and min(odd, even) < 0.1 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    if is_utf8:
        return "utf-8"
    return "latin-1" if _UNDEFINED.search(head) else "cp1252"


def _known(encoding: str, head: bytes) -> str:
    """Python's name of an encoding that was given."""
    try:
        b"".decode(encoding)  # hex and the like are codecs, but no text
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"there is no encoding {encoding!r}; common ones: {_COMMON}") from None
    if name == "utf-16":
        return "utf-16-be" if head.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"
    return "utf-8" if name == "ascii" else name


def _wrong(name: str) -> ValueError:
    return ValueError(f"the file is not {name} text; give --encoding, such as {_COMMON}")
