"""One evidence file as its format sees it, and the type of a format.

An `Artifact` is read once; what it parses to is kept, so that sniffing and reading share the work. What the texts in it
mean as times, numbers and digests is said in `psf_audit/values.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psf_audit import reading
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Gap
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.facts.model import Item

HEAD_BYTES = 65_536
_SCHEMA = re.compile(r"""[\s{]*["']?schema["']?\s*:\s*["']?(?P<name>[\w/.\-]{1,100})""")


class Artifact:
    """The bytes of one evidence file, with the forms that formats ask for."""

    def __init__(self, path: str, data: bytes, sha256: str) -> None:
        """Keep the path below the evidence root, the bytes and their SHA-256."""
        self.path = path
        self.data = data
        self.sha256 = sha256

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rsplit("/", 1)[-1]

    @cached_property
    def head(self) -> str:
        """The first 64 KiB as text, undecodable bytes replaced; for sniffing only."""
        return self.data[:HEAD_BYTES].decode("utf-8-sig", errors="replace")

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
        """Line numbers and values of JSON lines; a line that is not JSON gives the `Unreadable` that says why."""
        return reading.json_lines(self.data)

    @cached_property
    def mapping(self) -> dict[str, Any]:
        """The file as a JSON or YAML mapping, for sniffing: empty when it is neither or cannot be parsed."""
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
    def first_line(self) -> dict[str, Any]:
        """The first JSON line as a mapping, for sniffing: empty when it is none."""
        for _, value in reading.json_lines(self.data[:HEAD_BYTES]):
            return value if isinstance(value, dict) else {}
        return {}


@dataclass(frozen=True, slots=True)
class EvidenceFormat:
    """One kind of evidence file.

    `tables` are the evidence tables that its facts go to: an unreadable file of the format is a gap in them.
    `speaks_to` says which of present, tested, held and documented it can show. `cannot` is what this kind of file never
    proves. `sniff` looks at the content; exactly one format must recognise a file. `read` yields facts, gaps and what
    the file says of itself; it raises `Unreadable` when nothing in it can be used. Facts of a format that
    `needs_loading` count only when a log or a test result says that a running component loaded exactly these bytes.
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


class Losses:
    """What could not be used, where there can be very much of it: one gap for each kind of loss.

    Each gap has the count, and the place where it first happened.
    """

    def __init__(self, noun: str) -> None:
        """Count things called `noun`."""
        self._noun = noun
        self._counts: dict[tuple[str, str, str], int] = {}
        self._first: dict[tuple[str, str, str], str] = {}

    def add(self, pointer: str, kind: str, facts: str, what: str) -> None:
        """Count one more; `what` follows the noun, as in `3 lines whose cost is not a number`."""
        key = (kind, facts, what)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._first.setdefault(key, pointer)

    def gaps(self) -> Iterator[Gap]:
        """The gaps, in the order in which the losses first happened."""
        for (kind, facts, what), count in self._counts.items():
            first = self._first[kind, facts, what]
            where = f"; the first at {first}" if count > 1 else ""
            yield Gap(kind, f"{plural(count, self._noun)} {what}{where}", facts, first)
