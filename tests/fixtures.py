"""The fixtures of all evidence formats, found in their folders, and what tests do to them: change leaves, grow, cut.

A leaf is a value that holds no other: of a JSON or YAML document, a line of JSON, an element or attribute of XML, a
cell of CSV; of other text, what stands in quotes, or a word. JSON that is written as text inside JSON has leaves too.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import yaml
from defusedxml import ElementTree as DefusedET

from psf_audit import collection
from psf_audit.artifact import Artifact, EvidenceFormat
from psf_audit.errors import Unreadable
from psf_audit.facts import store
from psf_audit.facts.model import Event, Fact, Gap, Item
from psf_audit.facts.tables import KINDS

FOLDER = Path(__file__).parent / "evidence" / "fixtures"
FORMATS = collection.formats()
STREAMING = {name: kind for name, kind in FORMATS.items() if kind.streams}
_NESTED = "<json>"
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_WORD = re.compile(r"(?m)(?<![^\s])[^\s#][^\s]*")
_NOT_XML = re.compile(r"[^\t\n -\ud7ff\ue000-\ufffd]")
_ID = re.compile(r"(?i)(?:^|[a-z_.])(?:id|uuid|key)\Z|^(?:id|uuid|hash)\Z")

Address = tuple[str | int, ...]


@dataclass(frozen=True)
class Fixture:
    """One fixture file of a format."""

    kind: EvidenceFormat
    path: Path

    @property
    def id(self) -> str:
        """Its format and its name."""
        return f"{self.kind.name}/{self.path.name}"

    @cached_property
    def data(self) -> bytes:
        """Its bytes."""
        return self.path.read_bytes()

    @cached_property
    def tree(self) -> Tree:
        """Its leaves."""
        return parquet(self.path) if self.path.suffix == ".parquet" else tree(self.path.name, self.data.decode())

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """What its format reads in it."""
        return tuple(read(self.kind, self.data, self.path.name))

    @cached_property
    def open_places(self) -> tuple[Address, ...]:
        """The leaves of text in which any text can stand, and as much is read in the file as before."""
        much = _count(self.items)
        return tuple(at for at in self.tree.texts if _count(self._read_with({at: "any text"})) >= much)

    def _read_with(self, changes: Mapping[Address, Any]) -> Sequence[Item]:
        try:
            return read(self.kind, self.tree.write(changes), self.path.name)
        except Unreadable:
            return ()

    @property
    def suffix(self) -> str:
        """The longest suffix of its format that its name has."""
        fitting = [one for one in self.kind.suffixes if collection.named_as(self.path.name, (one,))]
        return max(fitting, key=len)


def fixtures_of(kind: EvidenceFormat) -> list[Fixture]:
    """Every fixture of a format."""
    folder = FOLDER / kind.name
    return [Fixture(kind, path) for path in sorted(folder.iterdir())] if folder.is_dir() else []


EVERY = [fixture for kind in FORMATS.values() for fixture in fixtures_of(kind)]


def artifact(data: bytes, name: str) -> Artifact:
    """An artifact of these bytes."""
    return Artifact(name, data, hashlib.sha256(data).hexdigest())


def checked(kind: EvidenceFormat, one: Artifact) -> Iterator[Item]:
    """The items that a format gives of an artifact, each held against its table."""
    for item in collection._checked(kind.read(one)):
        if isinstance(item, Event):
            store.typed("events", item.values)
        if isinstance(item, Fact) and item.table in kind.gives:
            assert item.values.get(KINDS[item.table]) in kind.gives[item.table]
        yield item


def read(kind: EvidenceFormat, data: bytes, name: str) -> list[Item]:
    """The items that a format gives of these bytes, each held against its table."""
    return list(checked(kind, artifact(data, name)))


def _count(items: Sequence[Item]) -> int:
    return sum(isinstance(item, Fact | Event) for item in items)


def filled(items: Sequence[Item]) -> set[str]:
    """The tables that items fill."""
    return {item.table for item in items if isinstance(item, Fact)} | {
        "events" for item in items if isinstance(item, Event)
    }


# ---------------------------------------------------------------------------------------------------------- leaves


@dataclass(frozen=True)
class Tree:
    """The leaves of a file, and how to write it with some of them changed."""

    leaves: Mapping[Address, Any]
    write: Callable[[Mapping[Address, Any]], bytes]

    @property
    def texts(self) -> list[Address]:
        """The addresses of the leaves that are text."""
        return [address for address, value in self.leaves.items() if isinstance(value, str)]


def tree(name: str, text: str) -> Tree:
    """The leaves of a file, by what it is."""
    if name.endswith((".yaml", ".yml", ".template")) and not text.lstrip().startswith("{"):
        return _yaml(text)
    if name.endswith(".xml"):
        return _xml(text)
    if name.endswith(".csv"):
        return _csv(text)
    values = _json_values(text)
    if values is not None:
        return _json(values)
    return _spans(text, _WORD if name == "CODEOWNERS" or name.endswith(".md") else _QUOTED)


def parquet(path: Path) -> Tree:
    """The cells of a Parquet file. Written again it has the same metadata, and every column is text."""
    with duckdb.connect() as connection:
        cursor = connection.execute("FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        metadata = connection.execute("SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)", [str(path)])
        pairs = ", ".join(
            "'{}': '{}'".format(*(text.replace("'", "''") for text in pair)) for pair in metadata.fetchall()
        )

    def write(changes: Mapping[Address, Any]) -> bytes:
        with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
            connection.execute(f"CREATE TABLE cells ({', '.join(f'{name} VARCHAR' for name in names)})")
            for number, row in enumerate(rows):
                changed = [changes.get((number, name), cell) for name, cell in zip(names, row, strict=True)]
                connection.table("cells").insert([_cell(cell) for cell in changed])
            target = Path(folder, "cells.parquet")
            connection.execute(f"COPY cells TO '{target}' (FORMAT parquet, KV_METADATA {{{pairs}}})")
            return target.read_bytes()

    leaves: dict[Address, Any] = {
        (number, name): cell if isinstance(cell, str | int) else str(cell)
        for number, row in enumerate(rows)
        for name, cell in zip(names, row, strict=True)
        if cell is not None
    }
    return Tree(leaves, write)


def _cell(value: Any) -> str | None:
    """A value as a cell of text, which holds Unicode only."""
    text = None if value is None else value if isinstance(value, str) else str(value)
    return None if text is None else text.encode(errors="replace").decode()


def _json_values(text: str) -> list[Any] | None:
    """The documents of JSON or of lines of JSON; None for anything else."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return None
        values.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return values or None


def _json(values: list[Any]) -> Tree:
    leaves = {}
    for number, value in enumerate(values):
        leaves.update(dict(_leaves(value, (number,))))

    def write(changes: Mapping[Address, Any]) -> bytes:
        changed = [_with(value, (number,), changes) for number, value in enumerate(values)]
        return b"".join(json.dumps(value).encode() + b"\n" for value in changed)

    return Tree(leaves, write)


def _leaves(value: Any, at: Address) -> Iterator[tuple[Address, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*at, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*at, index))
    else:
        yield at, value
        nested = _nested(value)
        if nested is not None:
            yield from _leaves(nested, (*at, _NESTED))


def _nested(value: Any) -> Any:
    """The mapping or list that a text is the JSON of; None for anything else."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return None
    try:
        return json.loads(value) or None
    except json.JSONDecodeError:
        return None


def _with(value: Any, at: Address, changes: Mapping[Address, Any]) -> Any:
    """A copy of a value with leaves changed."""
    if at in changes:
        return changes[at]
    if isinstance(value, dict):
        return {key: _with(inner, (*at, key), changes) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with(inner, (*at, index), changes) for index, inner in enumerate(value)]
    nested = _nested(value)
    return value if nested is None else json.dumps(_with(nested, (*at, _NESTED), changes))


def _yaml(text: str) -> Tree:
    leaves: dict[Address, Any] = {}
    for address, node in _scalars(list(yaml.compose_all(text, yaml.SafeLoader)), ()):
        is_text = node.style in {"'", '"', "|", ">"} or node.tag == "tag:yaml.org,2002:str"
        leaves[address] = node.value if is_text else yaml.safe_load(node.value)

    def write(changes: Mapping[Address, Any]) -> bytes:
        documents = list(yaml.compose_all(text, yaml.SafeLoader))
        made = [_yaml_with(node, (number,), changes) for number, node in enumerate(documents)]
        written: str = yaml.serialize_all(made, None, yaml.SafeDumper, width=10_000, allow_unicode=True)
        return written.encode(errors="surrogatepass")

    return Tree(leaves, write)


def _scalars(nodes: Any, at: Address) -> Iterator[tuple[Address, yaml.ScalarNode]]:
    if isinstance(nodes, list):
        for number, node in enumerate(nodes):
            yield from _scalars(node, (*at, number))
    elif isinstance(nodes, yaml.MappingNode):
        for key, node in nodes.value:
            yield from _scalars(node, (*at, key.value))
    elif isinstance(nodes, yaml.SequenceNode):
        yield from _scalars(nodes.value, at)
    elif isinstance(nodes, yaml.ScalarNode):
        yield at, nodes


def _yaml_with(node: Any, at: Address, changes: Mapping[Address, Any]) -> Any:
    if at in changes:
        return yaml.SafeDumper(io.StringIO()).represent_data(changes[at])
    if isinstance(node, yaml.MappingNode):
        node.value = [(key, _yaml_with(inner, (*at, key.value), changes)) for key, inner in node.value]
    elif isinstance(node, yaml.SequenceNode):
        node.value = [_yaml_with(inner, (*at, index), changes) for index, inner in enumerate(node.value)]
    return node


def _xml(text: str) -> Tree:
    elements = list(DefusedET.fromstring(text).iter())
    leaves: dict[Address, Any] = {}
    for number, element in enumerate(elements):
        leaves.update({(number, "@", name): value for name, value in element.attrib.items()})
        leaves[number, "text"] = element.text or ""

    def write(changes: Mapping[Address, Any]) -> bytes:
        root = DefusedET.fromstring(text)
        found = list(root.iter())
        for address, value in changes.items():
            plain = _NOT_XML.sub("", value if isinstance(value, str) else json.dumps(value))
            if address[1] == "text":
                found[int(address[0])].text = f" {plain}"  # readers may put it behind an attribute
            else:
                found[int(address[0])].set(str(address[2]), plain)
        made: bytes = ET.tostring(root)
        return made

    return Tree(leaves, write)


def _csv(text: str) -> Tree:
    rows = list(csv.reader(io.StringIO(text)))
    leaves: dict[Address, Any] = {
        (number, column): cell for number, row in enumerate(rows) if number for column, cell in enumerate(row)
    }

    def write(changes: Mapping[Address, Any]) -> bytes:
        stream = io.StringIO()
        writer = csv.writer(stream)
        for number, row in enumerate(rows):
            cells = [changes.get((number, column), cell) for column, cell in enumerate(row)]
            writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
        return stream.getvalue().encode(errors="surrogatepass")

    return Tree(leaves, write)


def _spans(text: str, pattern: re.Pattern[str]) -> Tree:
    spans = list(pattern.finditer(text))
    quoted = pattern is _QUOTED
    leaves: dict[Address, Any] = {
        (number,): json.loads(span[0]) if quoted else span[0] for number, span in enumerate(spans)
    }

    def write(changes: Mapping[Address, Any]) -> bytes:
        parts, at = [], 0
        for number, span in enumerate(spans):
            value = changes.get((number,), span[0])
            if (number,) in changes and (quoted or not isinstance(value, str)):
                value = json.dumps(value)
            parts += [text[at : span.start()], value]
            at = span.end()
        return "".join([*parts, text[at:]]).encode(errors="surrogatepass")

    return Tree(leaves, write)


# ------------------------------------------------------------------------------------------------------------ large


def streamed(kind: EvidenceFormat) -> Fixture:
    """The fixture of a format that is, or can be, one entry a line."""
    own = fixtures_of(kind)
    lines = [one for one in own if one.path.suffix in {".jsonl", ".csv"}]
    return (lines or own)[0]


def grown(fixture: Fixture, size: int) -> Iterator[bytes]:
    """The lines of a file of at least `size` bytes made of those of a fixture: its first once, the others repeated.

    What is named as an id differs each time, so that no line is another one again. Entries of a JSON document are
    written one a line, which is how large files of them are.
    """
    first, *others = _entries(fixture)
    yield first
    vary = _vary_cells(first) if fixture.path.suffix == ".csv" else _vary
    done, number = len(first), 0
    while done < size:
        for line in others or [first]:
            varied = vary(line, number)
            yield varied
            done += len(varied)
        number += 1


def _entries(fixture: Fixture) -> list[bytes]:
    text = fixture.data.decode()
    values = _json_values(text)
    if values is None:
        return [line.encode() + b"\n" for line in text.splitlines()]
    if len(values) == 1:
        lists = [values[0]] if isinstance(values[0], list) else list(values[0].values())
        (values,) = [value for value in lists if isinstance(value, list) and any(isinstance(v, dict) for v in value)]
    return [json.dumps(value).encode() + b"\n" for value in values]


def _vary_cells(header: bytes) -> Callable[[bytes, int], bytes]:
    (names,) = csv.reader([header.decode()])
    varying = [column for column, name in enumerate(names) if _ID.search(name)]

    def vary(line: bytes, number: int) -> bytes:
        (cells,) = csv.reader([line.decode()])
        for column in varying:
            cells[column] += f"-{number}"
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerow(cells)
        return stream.getvalue().encode()

    return vary


def _vary(line: bytes, number: int) -> bytes:
    value = json.loads(line)
    changes = {
        address: f"{leaf}-{number}"
        for address, leaf in _leaves(value, ())
        if isinstance(leaf, str) and _ID.search(str(address[-1]))
    }
    return json.dumps(_with(value, (), changes)).encode() + b"\n"


def plain(item: Item) -> str:
    """An item as something that can be compared and sorted; the kinds that a gap is narrowed to are left out."""
    item = replace(item, kinds=()) if isinstance(item, Gap) else item
    return json.dumps(item, default=_plain, sort_keys=True)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, frozenset):
        return sorted(value)
    if hasattr(value, "__dataclass_fields__"):
        return [type(value).__name__, {name: getattr(value, name) for name in value.__dataclass_fields__}]
    return str(value)
