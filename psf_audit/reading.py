"""Bounded reading of YAML, JSON and JSON lines written by anybody.

Every function here either returns plain values or raises `Unreadable` with the line; none of them executes, imports or
fetches anything. YAML scalars follow the YAML 1.2 core schema: `no` is text, `012` is 12, a date is text.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from array import array
from bisect import bisect_left
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import yaml

from psf_audit.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

MAX_BYTES = 64 * 2**20
MAX_LINE_BYTES = 8 * 2**20
MAX_LINES = 200_000_000
# Files that are read line by line: time is all that their size costs.
MAX_STREAMED = 64 * 2**30
MAX_EXPANDED = 16 * 2**30
MAX_DEPTH = 100
MAX_NODES = 500_000
MAX_DIGITS = 40

_BLOCK = 2**20
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = re.compile(r"(?:~||null|Null|NULL|true|True|TRUE|false|False|FALSE)\Z")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}\Z")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document: its value, and where each value in it stands (by the path of keys and indexes to it)."""

    value: Any
    positions: Mapping[Path_, Position]

    def position(self, path: Path_) -> Position:
        """Where the value at a path stands, or the nearest value above it."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, Position(1, 1))


def pointer(path: Path_) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, open for reading.

    Raises:
        Unreadable: it is missing, is no regular file, or the system refuses, then or while it is read.
    """
    try:
        if path.is_dir():
            raise Unreadable("is a folder, not a file", hint="name the file in it")
        if not path.is_file():
            raise Unreadable("does not exist" if not path.exists() else "is not a regular file")
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or type(error).__name__}") from error


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex; errors as `opened`."""
    with opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Raises:
        Unreadable: it is missing, is no regular file, is too large, or the system refuses.
    """
    with opened(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise too_large(limit)
    return data


def too_large(limit: int) -> Unreadable:
    """The refusal of a file of more than `limit` bytes."""
    size = f"{limit // 2**30} GiB" if limit >= 2**30 else f"{limit // 2**20} MiB"
    return Unreadable(f"is larger than {size}", hint="split it, or export a shorter period")


def decode(data: bytes) -> str:
    """The bytes as UTF-8 text, a leading byte order mark removed.

    Raises:
        Unreadable: they are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("is not UTF-8 text", line=line, hint="save it as UTF-8") from error


def parse_json(text: str) -> Any:
    """A JSON document: numbers with a point as decimals, duplicate keys, NaN and infinities refused.

    Raises:
        Unreadable: it is not such a document, or nested too deep.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_decimal, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        hint = "the file ends early; export it again" if error.pos >= len(text.rstrip()) else None
        raise Unreadable(f"is not JSON: {error.msg}", line=error.lineno, column=error.colno, hint=hint) from error
    except RecursionError as error:
        raise Unreadable("is nested too deep") from error
    if _depth(value) > MAX_DEPTH:
        raise Unreadable(f"is nested more than {MAX_DEPTH} deep")
    return value


def expanded(stream: BinaryIO) -> BinaryIO:
    """The stream, decompressed if it starts as gzip does."""
    compressed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if compressed else stream


def head(stream: BinaryIO, size: int) -> bytes:
    """The first bytes of a stream, decompressed if it is gzip, as far as that goes where it is cut or damaged."""
    start = stream.read(size)
    if not start.startswith(_GZIP):
        return start
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, size)
    except zlib.error:
        return b""


def is_gzip(stream: BinaryIO) -> bool:
    """Whether a stream starts as gzip does; it is read from."""
    return stream.read(len(_GZIP)) == _GZIP


def expand(stream: BinaryIO, target: BinaryIO) -> None:
    """Write what a stream holds, decompressed if it is gzip.

    Raises:
        Unreadable: it is damaged, or becomes larger than the bound.
    """
    source, size = expanded(stream), 0
    try:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > MAX_EXPANDED:
                raise too_large(MAX_EXPANDED)
            target.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable("compressed data ends early or is damaged") from error


def is_folder(path: Path) -> bool:
    """Whether a path is that of a folder; not where the system refuses to say."""
    try:
        return path.is_dir()
    except OSError:
        return False


class LineIndex:
    """Where the lines of a file stand, found by looking at it once; it has one number for each MiB."""

    def __init__(self, stream: BinaryIO) -> None:
        """Look through a file, or what it is when it is expanded."""
        self._ends = array("q", [0])  # how many lines end before each block
        last = b"\n"
        while block := stream.read(_BLOCK):
            self._ends.append(self._ends[-1] + block.count(b"\n"))
            last = block[-1:]
        self.lines = self._ends[-1] + (last != b"\n")

    def line(self, stream: BinaryIO, place: int) -> bytes | Unreadable:
        """The line at a place, from 0, of the same file, which is not compressed; `Unreadable` as in `raw_lines`."""
        start = 0
        if place:
            number = bisect_left(self._ends, place) - 1
            stream.seek(number * _BLOCK)
            block, start = stream.read(_BLOCK), 0
            for _ in range(place - self._ends[number]):
                start = block.index(b"\n", start) + 1
            start += number * _BLOCK
        stream.seek(start)
        line = stream.readline(MAX_LINE_BYTES + 1)
        if _is_too_long(line):
            return _too_long(place + 1)
        return line if place else line.removeprefix(_BYTE_ORDER_MARK)


def raw_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Line number (from 1) and bytes of each line that is not blank, in memory that does not grow with the stream.

    A stream that is gzip is decompressed. A line beyond the bound gives `Unreadable` and is skipped; a stream that ends
    early, is damaged or goes on beyond the bounds gives it last, as far as it was read. Real logs compress 10 to 40
    times and repetitive ones far beyond 200, so a ratio would refuse honest files: the bound is on what comes out.
    """
    source = expanded(stream)
    number = size = 0
    try:
        while line := source.readline(MAX_LINE_BYTES + 1):
            number += 1
            size += len(line)
            if number > MAX_LINES or size > MAX_EXPANDED:
                yield number, Unreadable("at which a bound on the size is reached: the rest is not read", line=number)
                return
            if _is_too_long(line):
                yield number, _too_long(number)
                size += _skip_line(source)
            elif line.strip():
                yield number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
    except (EOFError, OSError, zlib.error):
        what = "at which the compressed data ends early or is damaged: the rest is not read"
        yield number + 1, Unreadable(what, line=number + 1)


def _is_too_long(line: bytes) -> bool:
    return len(line) > MAX_LINE_BYTES and not line.endswith(b"\n")


def _too_long(number: int) -> Unreadable:
    return Unreadable(f"longer than {MAX_LINE_BYTES // 2**20} MiB", line=number)


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while rest := stream.readline(MAX_LINE_BYTES):
        skipped += len(rest)
        if rest.endswith(b"\n") or skipped > MAX_EXPANDED:
            break
    return skipped


def json_lines(stream: BinaryIO) -> Iterator[tuple[int, Any | Unreadable]]:
    """Line number (from 1) and value of each line that is not blank; a line that is not JSON gives why."""
    for number, line in raw_lines(stream):
        if isinstance(line, Unreadable):
            yield number, line
            continue
        try:
            yield number, parse_json(decode(line))
        except Unreadable as error:
            error.line = number
            yield number, error


def parse_yaml(text: str) -> Document:
    """One YAML document, with the position of everything in it.

    Raises:
        Unreadable: it is not YAML, holds several documents, a duplicate key or an unknown tag, or is beyond the bounds.
    """
    documents = parse_yaml_all(text)
    if len(documents) > 1:
        raise Unreadable("holds several YAML documents", hint="keep one a file")
    return documents[0] if documents else Document(None, {(): Position(1, 1)})


def parse_yaml_all(text: str) -> list[Document]:
    """Every document of a YAML stream; bounds and errors as `parse_yaml`."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise Unreadable(f"is not YAML: {error.problem or error.context}", line=line, column=column) from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise Unreadable(f"is not YAML: {' '.join(str(error).split())}") from error
    return builder.documents


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(f"has the key {twice!r} twice in one object", hint="only one of them can be meant")
    return value


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"holds {name}, which is not JSON", hint="write a number or null")


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation as error:
        raise Unreadable("holds a number beyond all bounds", hint="write a number or null") from error


def _integer(digits: str) -> int | Decimal:
    # int() of a very long number is quadratic and refused by Python past 4300 digits; a decimal of it is neither.
    return int(digits) if len(digits) <= MAX_DIGITS else Decimal(digits)


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, depth = stack.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict):
            stack.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)
    return deepest


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.tag in {"tag:yaml.org,2002:str", "!"}:
        return text
    if event.tag is not None:
        raise Unreadable(f"uses the YAML tag {event.tag}", line=_position(event).line, hint="write a plain value")
    return _plain_scalar(text) if event.implicit[0] else text


def _plain_scalar(text: str) -> Any:
    """What an unquoted scalar means in the YAML 1.2 core schema, without its special floats."""
    if _WORDS.match(text):
        return {"t": True, "f": False}.get(text[:1].lower())
    if _INTEGER.match(text):
        return int(text)
    if _NUMBER.match(text):
        with suppress(InvalidOperation):
            return Decimal(text)
    return text


class _Open:
    """A collection that is being read, with the key that waits for its value."""

    __slots__ = ("anchor", "items", "key", "mapping", "path", "size", "start")

    def __init__(self, *, mapping: bool, path: Path_, anchor: str | None, start: Position) -> None:
        self.mapping = mapping
        self.items: Any = {} if mapping else []
        self.key: str | None = None
        self.path = path
        self.anchor = anchor
        self.start = start
        self.size = 1


class _Builder:
    """Builds values from YAML events without recursion, counting nodes as if every alias were written out."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._positions: dict[Path_, Position] = {}
        self._root: Any = None
        self._nodes = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors, self._positions, self._root, self._nodes = {}, {(): Position(1, 1)}, None, 0
        elif isinstance(event, yaml.DocumentEndEvent):
            self.documents.append(Document(self._root, self._positions))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.mapping and parent.key is None:
            self._key(parent, event)
            return
        value = _scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, 1, _position(event))

    def _key(self, parent: _Open, event: yaml.ScalarEvent) -> None:
        if event.value == "<<" and event.implicit[0]:
            raise Unreadable("uses a YAML merge key", line=_position(event).line, hint="write the keys out")
        _scalar(event)  # for its tag; what it means does not matter: a key is the text of it
        if event.value in parent.items:
            raise Unreadable(
                f"has the key {event.value!r} twice",
                line=_position(event).line,
                column=_position(event).column,
                hint="only one of them can be meant",
            )
        parent.key = event.value
        self._positions[(*parent.path, event.value)] = _position(event)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Unreadable(f"is nested more than {MAX_DEPTH} deep", line=_position(event).line)
        if event.tag not in (None, "!"):
            raise Unreadable(f"uses the YAML tag {event.tag}", line=_position(event).line, hint="write plain values")
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.mapping and parent.key is None:
            raise Unreadable("has a key that is not text", line=_position(event).line)
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(
            _Open(mapping=mapping, path=self._next_path(), anchor=event.anchor, start=_position(event)),
        )

    def _end(self) -> None:
        done = self._stack.pop()
        if done.anchor:
            self._anchors[done.anchor] = (done.items, done.size)
        self._add(done.items, done.size, done.start)

    def _alias(self, event: yaml.AliasEvent) -> None:
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.mapping and parent.key is None:
            raise Unreadable("uses an alias as a key", line=_position(event).line)
        if event.anchor not in self._anchors:
            raise Unreadable(f"uses the alias {event.anchor!r} before it is defined", line=_position(event).line)
        value, size = self._anchors[event.anchor]
        self._nodes += size
        self._add(value, size, _position(event))

    def _next_path(self) -> Path_:
        if not self._stack:
            return ()
        parent = self._stack[-1]
        return (*parent.path, parent.key if parent.mapping else len(parent.items))  # type: ignore[arg-type]

    def _add(self, value: Any, size: int, position: Position) -> None:
        self._nodes += 1
        parent = self._stack[-1] if self._stack else None
        if self._nodes > MAX_NODES or (parent is not None and parent.size + size > MAX_NODES):
            raise Unreadable(f"expands to more than {MAX_NODES} values", line=position.line)
        # A mapping's values keep the position of their key: that is where a reader looks.
        self._positions.setdefault(self._next_path(), position)
        if parent is None:
            self._root = value
            return
        parent.size += size
        if parent.mapping:
            parent.items[parent.key] = value
            parent.key = None
        else:
            parent.items.append(value)


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1)
