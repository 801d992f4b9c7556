"""One evidence file as its format sees it, and the type of a format.

An `Artifact` is read once; what it parses to is kept, so that sniffing and reading share the work. Helpers here turn
the texts that third-party formats use for times and numbers into the types of the evidence tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
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
_MAX_TIME_CHARACTERS = 64
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_133_980_799_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = Decimal(10) ** 9
_SCHEMA = re.compile(r"""[\s{]*["']?schema["']?\s*:\s*["']?(?P<name>[\w/.\-]{1,100})""")
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


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


def milliseconds(value: object) -> int | None:
    """An RFC 3339 time with zone as milliseconds UTC; None when it is not one, or lies outside 2000 to 2100."""
    if not isinstance(value, str) or len(value) > _MAX_TIME_CHARACTERS:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        return in_range((moment - _EPOCH) // timedelta(milliseconds=1))
    except OverflowError:
        return None


def in_range(value: int) -> int | None:
    """Milliseconds UTC if they lie in the years 2000 to 2100, else None."""
    return value if _FIRST_MS <= value <= _LAST_MS else None


def day_of(value: object) -> date | None:
    """A date, or the UTC day of a time with zone, from ISO 8601 text; None when it is neither."""
    if not isinstance(value, str):
        return None
    if _DATE.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    moment = milliseconds(value)
    return None if moment is None else day_of_milliseconds(moment)


def day_of_milliseconds(value: int) -> date:
    """The UTC day of milliseconds."""
    return (_EPOCH + timedelta(milliseconds=value)).date()


def midnight(value: object) -> int | None:
    """A date or a time with zone as milliseconds UTC; a date is its first moment."""
    moment = milliseconds(value)
    if moment is not None:
        return moment
    day = day_of(value)
    if day is None:
        return None
    return in_range((datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1))


def amount(value: object) -> Decimal | None:
    """A number, or a number as text, as an exact decimal that the tables can hold; None when it is not one.

    Booleans, NaN, infinities and anything of a billion or more are not amounts.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, float)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= _LARGEST:
        return None
    number = number.quantize(Decimal("1e-9"))
    if abs(number) >= _LARGEST:
        return None
    return number.normalize() if number else Decimal(0)


def whole(value: object) -> int | None:
    """A whole number, or one as text, that a 64-bit column can hold; None when it is not one."""
    number = value
    if isinstance(value, str):
        text = value.strip()
        if not re.fullmatch(r"[-+]?\d{1,19}", text):
            return None
        number = int(text)
    if isinstance(number, Decimal) and number.is_finite() and number == number.to_integral_value():
        number = int(number) if abs(number) < 2**63 else None
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if -(2**63) <= number < 2**63 else None


def words(value: object) -> str | None:
    """Text, or a list of texts joined with commas; None for anything else or nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return ", ".join(item for item in value if isinstance(item, str)) or None
    return None


def mapping_of(value: object) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: third-party files hold anything anywhere."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def stated_sha256(value: object) -> str | None:
    """The digest in `sha256:<64 hexadecimal digits>`, in lower case; None for anything else."""
    match = _SHA256.match(value) if isinstance(value, str) else None
    return match[1].lower() if match else None
