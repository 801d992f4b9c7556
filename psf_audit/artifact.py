"""One evidence file as its format sees it, and the type of a format.

An `Artifact` is read once; what it parses to is kept, so that sniffing and reading share the work. What the texts in it
mean as times, numbers and digests is said in `psf_audit/values.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from psf_audit import reading
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Gap
from psf_audit.text import plural
from psf_audit.values import mapping_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from psf_audit.facts.model import Item

HEAD_BYTES = 65_536
_SNIFFED_LINES = 20
_SNIFFED_BYTES = 2**20
# No configuration is that large, and a table of figures that is takes YAML minutes to refuse.
_MAX_YAML = 8 * 2**20
_SCHEMA = re.compile(r"""[\s{]*["']?schema["']?\s*:\s*["']?(?P<name>[\w/.\-]{1,100})""")


class Artifact:
    """One evidence file, with the forms that formats ask for.

    A file of more than 64 MiB is not held: formats that read line by line can read it all the same.
    """

    def __init__(self, path: str, data: bytes, sha256: str) -> None:
        """Keep the path below the evidence root, the bytes and their SHA-256."""
        self.path = path
        self.sha256 = sha256
        self.bytes = len(data)
        self._data: bytes | None = data
        self.file: Path | None = None
        self._stamp: tuple[int, int] | None = None
        self._blanks: array[int] | None = None
        self._open: Callable[[], AbstractContextManager[BinaryIO]] = lambda: nullcontext(BytesIO(data))

    @classmethod
    def of_file(cls, path: str, file: Path) -> Artifact:
        """The artifact in a file on disk, which is read once to digest it.

        Raises:
            Unreadable: it cannot be read, or is larger than anything that is read.
        """
        with reading.opened(file) as stream:
            stamp = _stamp(stream)
            if stamp[0] > reading.MAX_STREAMED:
                raise reading.too_large(reading.MAX_STREAMED)
            if stamp[0] <= reading.MAX_BYTES:
                data = reading.read_bytes(file)
                artifact = cls(path, data, hashlib.sha256(data).hexdigest())
            else:
                artifact = cls(path, b"", hashlib.file_digest(stream, "sha256").hexdigest())
                artifact.bytes = stamp[0]
                artifact._data = None
                artifact._open = lambda: reading.opened(file)
        artifact.file, artifact._stamp = file, stamp
        return artifact

    @property
    def data(self) -> bytes:
        """All of its bytes; raises `Unreadable` when they are too many to be held."""
        if self._data is None:
            raise reading.too_large(reading.MAX_BYTES)
        return self._data

    @cached_property
    def is_gzip(self) -> bool:
        """Whether it is compressed with gzip."""
        with self._open() as stream:
            return reading.is_gzip(stream)

    def expand(self, target: BinaryIO) -> None:
        """Write the bytes, decompressed where the file is gzip.

        Raises:
            Unreadable: it is damaged, or becomes larger than anything that is read.
        """
        with self._watched() as stream:
            reading.expand(stream, target)

    def lines_at(self, places: Sequence[int], total: int) -> Iterator[tuple[int, int, bytes | Unreadable]]:
        """Of the `total` lines that are not blank those at some places (from 0, ascending): place, number, bytes.

        Raises:
            Unreadable: the file is not the one that was digested.
        """
        if self.is_gzip or self.blank_lines(total):
            wanted = set(places)
            for place, (number, text) in enumerate(self.raw_lines()):
                if place > places[-1]:
                    return
                if place in wanted:
                    yield place, number, text
            return
        with self._watched() as stream:
            for place in places:
                yield place, place + 1, self._index.line(stream, place)

    def blank_lines(self, total: int) -> array[int]:
        """The numbers of the blank lines of a file that has `total` others; raises `Unreadable` as `lines_at`."""
        if self._blanks is None:
            self._blanks = array("q")
            if self._index.lines != total:
                last = 0
                for number, _ in self.raw_lines():
                    self._blanks.extend(range(last + 1, number))
                    last = number
        return self._blanks

    @cached_property
    def _index(self) -> reading.LineIndex:
        with self._watched() as stream:
            return reading.LineIndex(reading.expanded(stream))

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rsplit("/", 1)[-1]

    @cached_property
    def start(self) -> bytes:
        """The first 64 KiB, decompressed where the file is gzip; for sniffing only."""
        with self._open() as stream:
            return reading.head(stream, HEAD_BYTES)

    @cached_property
    def head(self) -> str:
        """The first 64 KiB as text, undecodable bytes replaced; for sniffing only."""
        return self.start.decode("utf-8-sig", errors="replace")

    @cached_property
    def text(self) -> str:
        """The whole file as text; raises `Unreadable` when it is not UTF-8."""
        return reading.decode(self.data)

    @cached_property
    def json(self) -> Any:
        """The file as one JSON document; raises `Unreadable`."""
        return reading.parse_json(self.text)

    @cached_property
    def yaml(self) -> reading.Document:
        """The file as one YAML document with positions; raises `Unreadable`."""
        return reading.parse_yaml(self.text)

    @cached_property
    def yaml_documents(self) -> list[reading.Document]:
        """The documents of a YAML stream; raises `Unreadable`."""
        return reading.parse_yaml_all(self.text)

    def lines(self) -> Iterator[tuple[int, Any | Unreadable]]:
        """Line numbers and values of JSON lines; a line that is not JSON gives the `Unreadable` that says why.

        Raises:
            Unreadable: a file that is too large to be held is not the one that was digested.
        """
        with self._watched() as stream:
            yield from reading.json_lines(stream)

    def raw_lines(self) -> Iterator[tuple[int, bytes | Unreadable]]:
        """Line numbers and bytes of the lines that are not blank; otherwise as `lines`."""
        with self._watched() as stream:
            yield from reading.raw_lines(stream)

    @contextmanager
    def _watched(self) -> Iterator[BinaryIO]:
        """The file; one that is not held must be the same from its digest to the end of its reading."""
        with self._open() as stream:
            yield stream
            if self._data is None:
                self._unchanged(stream)

    def unchanged(self) -> None:
        """Nothing, if the file on disk is still the one that was digested.

        Raises:
            Unreadable: it is not.
        """
        if self.file is not None:
            with reading.opened(self.file) as stream:
                self._unchanged(stream)

    def _unchanged(self, stream: BinaryIO) -> None:
        if _stamp(stream) != self._stamp:
            raise Unreadable("changed while it was read", hint="assess a copy of it")

    @cached_property
    def mapping(self) -> dict[str, Any]:
        """The file as a JSON or YAML mapping, for sniffing: empty when it is neither, cannot be parsed or is huge."""
        if not self._is_json and (self.bytes > _MAX_YAML or "\0" in self.head):
            return {}
        try:
            value = self.json if self._is_json else self.yaml.value
        except Unreadable:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def schema(self) -> str:
        """The `schema` that a JSON or YAML file states, or the empty text; for sniffing.

        A file that is broken further down still states it, if it does so first.
        """
        if self.mapping:
            stated = self.mapping.get("schema")
            return stated if isinstance(stated, str) else ""
        lines = (line for line in self.head.splitlines() if line.strip("{ \t") and not line.startswith(("#", "---")))
        match = _SCHEMA.match(next(lines, "")[:200])
        return match["name"] if match else ""

    @cached_property
    def document(self) -> reading.Document:
        """The file as one JSON or YAML document, whichever `mapping` takes it for; raises `Unreadable`."""
        return reading.Document(self.json, {}) if self._is_json else self.yaml

    def place(self, path: reading.Path_) -> str:
        """Where a value of `document` stands, as a pointer: `line N` in YAML, a JSON pointer in JSON."""
        return reading.pointer(path) if self._is_json else f"line {self.yaml.position(path).line}"

    @property
    def _is_json(self) -> bool:
        return self.head.lstrip().startswith("{")

    @cached_property
    def _first(self) -> list[Any | Unreadable]:
        with self._open() as stream:
            start = reading.head(stream, _SNIFFED_BYTES)
        whole = start if len(start) < _SNIFFED_BYTES else start[: start.rfind(b"\n") + 1]
        return [value for _, value in islice(reading.json_lines(BytesIO(whole)), _SNIFFED_LINES)]

    @property
    def first_lines(self) -> tuple[dict[str, Any], ...]:
        """The first JSON lines as mappings, at most twenty, for sniffing: empty when one of them is none."""
        found = tuple(value for value in self._first if isinstance(value, dict))
        return found if len(found) == len(self._first) else ()

    @property
    def first_line(self) -> dict[str, Any]:
        """The first JSON line as a mapping, for sniffing: empty when it is none."""
        return mapping_of(self._first[0]) if self._first else {}


def _stamp(stream: BinaryIO) -> tuple[int, int]:
    """Size and time of change of an open file."""
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns


class Columnar(Protocol):
    """How a database reads the files of a format by itself; see `psf_audit/columns`."""

    @property
    def only(self) -> bool:
        """Whether nothing but a database can read such a file."""

    def load(
        self, artifact: Artifact, log: Any, checked: Callable[[Iterator[Item]], Iterator[Item]]
    ) -> list[Item] | None:
        """Add the events to a log, and return what else the file says; None where only the format can read it."""


@dataclass(frozen=True, slots=True)
class EvidenceFormat:
    """One kind of evidence file.

    `tables` are the evidence tables that its facts go to: an unreadable file of the format is a gap in them.
    `speaks_to` says which of present, tested, held and documented it can show. `cannot` is what this kind of file never
    proves. `sniff` looks at the content; exactly one format must recognise a file. `read` yields facts, gaps and what
    the file says of itself; it raises `Unreadable` when nothing in it can be used. Facts of a format that
    `needs_loading` count only when a log or a test result says that a running component loaded exactly these bytes.

    `stack` is the product that writes such files. `reads` says what is read in them, `proves` what that shows, one
    sentence each; `export` are the commands or API calls that produce one. A format that `streams` is read line by
    line, in memory that does not grow with the file. The documentation of the format is made of these. A file that
    `is_source` is what a team keeps and a program reads, so that it says what is so on the day it is looked at; any
    other is an export, and only whoever made it knows when. `gives` says of which kinds the rows of its tables can be.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    tables: tuple[str, ...]
    speaks_to: tuple[str, ...]
    cannot: tuple[str, ...]
    sniff: Callable[[Artifact], bool]
    read: Callable[[Artifact], Iterator[Item]]
    produced_by: str | None = None
    needs_loading: bool = False
    stack: str = ""
    reads: tuple[str, ...] = ()
    proves: tuple[str, ...] = ()
    export: tuple[str, ...] = ()
    streams: bool = False
    is_source: bool = False
    gives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columnar: Columnar | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind of file that teams offer as evidence and that is none: what it is, why not, and what to give instead.

    It is asked only about files that no format recognises.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Artifact], bool]
    why: str
    instead: str


class Losses:
    """What could not be used, where there can be very much of it: one gap for each kind of loss.

    Each gap has the count, and the place where it first happened.
    """

    def __init__(self, noun: str) -> None:
        """Count things called `noun`."""
        self._noun = noun
        self._counts: dict[tuple[str, str, str], int] = {}
        self._first: dict[tuple[str, str, str], str] = {}

    def add(self, pointer: str, kind: str, facts: str, what: str, times: int = 1) -> None:
        """Count one more, or several; `what` follows the noun, as in `3 lines whose cost is not a number`."""
        key = (kind, facts, what)
        self._counts[key] = self._counts.get(key, 0) + times
        self._first.setdefault(key, pointer)

    def gaps(self) -> Iterator[Gap]:
        """The gaps, in the order in which the losses first happened."""
        for (kind, facts, what), count in self._counts.items():
            first = self._first[kind, facts, what]
            where = f"; the first at {first}" if count > 1 else ""
            yield Gap(kind, f"{plural(count, self._noun)} {what}{where}", facts, first)
