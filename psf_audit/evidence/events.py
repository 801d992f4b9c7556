"""The native action log: JSON lines, one event a line, plain or compressed with gzip.

A first line with `schema: psf-audit/events/1` and no `kind` is a header: it says of the log what no event can say
(`produced_by`, `release`, `coverage`, `lacks`). Keys that are no column of `events` are left out, which is no loss:
nothing can rest on them. Everything else that cannot be used is counted and becomes one gap for each kind of loss.

A log that ends early, is damaged or expands beyond the bound is read up to there, and the rest is a gap. Refusing it
whole would let whoever writes the log turn what it proves against them into something merely unknown.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from psf_audit import canonical
from psf_audit.artifact import Artifact, EvidenceFormat, Losses
from psf_audit.columns import plain
from psf_audit.columns.lines import JsonLines
from psf_audit.columns.plain import Plain
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Carries, Event, Gap, Item, Loaded, Stated
from psf_audit.facts.tables import TABLES, ColumnType
from psf_audit.values import amount, milliseconds, stated_sha256, whole, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCHEMA = "psf-audit/events/1"
_SNIFFED_LINES = 20

_WRITTEN_AS = {"at_ms": "at", "until_ms": "until"}
_OURS = frozenset({"ref", "source", "ord", "computed_hash"})
_COLUMNS = {
    _WRITTEN_AS.get(column.name, column.name): column for column in TABLES["events"].own if column.name not in _OURS
}
_PRODUCERS = TABLES["evidence"].column("produced_by").choices
_ALIASES = {"approvals": "approval", "costs": "cost_usd", "cost": "cost_usd", "tokens": "tokens_in", "digests": "hash"}

_WHY = {
    "at_ms": "without a time that has a zone and lies in the years 2000 to 2100",
    "until_ms": "whose `until` has no zone or lies outside the years 2000 to 2100",
    "cost_usd": "whose cost is not a number from 0 to below a billion: the cost is unknown, not 0",
    "kind": "of no known kind",
}


def _lose(losses: Losses, line: int, column: str) -> None:
    what = _WHY.get(column, f"whose `{column}` is not of its type")
    losses.add(f"line {line}", "lossy", f"events.{column}", what)


def _sniff(artifact: Artifact) -> bool:
    lines = [line for line in artifact.start.split(b"\n", _SNIFFED_LINES)[:_SNIFFED_LINES] if line.strip()]
    return any(_is_ours(_parsed(line)) for line in lines)


def _is_ours(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if _is_header(value):
        return True
    return "at" in value and isinstance(value.get("kind"), str) and value["kind"] in _COLUMNS["kind"].choices


def _is_header(value: dict[str, Any]) -> bool:
    schema = value.get("schema")
    return isinstance(schema, str) and schema.startswith("psf-audit/events/") and "kind" not in value


def _read(artifact: Artifact) -> Iterator[Item]:
    lines = _Lines()
    for number, line in artifact.raw_lines():
        yield from lines.line(number, line)
    if not lines.events and not lines.has_header:
        raise Unreadable("holds no event", hint="one JSON object a line is expected")
    yield from lines.rest()


class _Lines:
    """The lines of one log, and what was found in them so far."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.events = 0
        self.has_header = False
        self._losses = Losses("line")

    def line(self, number: int, text: bytes | Unreadable) -> Iterator[Item]:
        """The event in a line, or what the header says."""
        if isinstance(text, Unreadable):
            self._losses.add(f"line {number}", "unreadable", "events", text.message)
            return
        value = _parsed(text)
        if not isinstance(value, dict):
            self._losses.add(f"line {number}", "unreadable", "events", "not a JSON object with unique keys")
        elif not (self.events or self.has_header) and _is_header(value):
            self.has_header = True
            yield from _header(value, number)
        else:
            self.events += 1
            # A log may have a key on each line and fill it on none: its start tells.
            starts = number <= _SNIFFED_LINES
            self.keys.update(value if starts else (key for key, given in value.items() if given not in _NOTHING))
            yield from _event(value, number, self._losses)

    def rest(self) -> Iterator[Item]:
        """The columns that some line fills or the first lines have, and one gap for each kind of loss."""
        carried = {column.name for key, column in _COLUMNS.items() if key in self.keys}
        yield Carries(frozenset(carried | ({"computed_hash"} if "hash" in carried else set())))
        yield from self._losses.gaps()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice in one object")
    return value


# One decoder for all lines: `json.loads` with arguments makes one a line. NaN and infinities are kept to be refused as
# a cost, not as a line: many writers produce them, and the action happened all the same.
_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_float=Decimal, parse_constant=Decimal).decode


def _parsed(line: bytes) -> Any:
    """The value of a line; None when it is not JSON, or holds text that is not Unicode."""
    try:
        value = _decode(line.decode())
        if b"\\ud" in line or b"\\uD" in line:
            # Half a surrogate pair can be escaped in JSON, and is no text (RFC 7493, section 2.1).
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _header(value: dict[str, Any], line: int) -> Iterator[Item]:
    pointer = f"line {line}"
    if value["schema"] != _SCHEMA:
        raise Unreadable(f"is written in {value['schema'][:60]}, not {_SCHEMA}", line=line)
    producer, release = value.get("produced_by"), value.get("release")
    known = producer if isinstance(producer, str) and producer in _PRODUCERS else None
    yield Stated(release=release if isinstance(release, str) and release else None, produced_by=known)
    if producer is not None and known is None:
        yield Gap("lossy", f"the header's produced_by is not one of {', '.join(_PRODUCERS)}", "events", pointer)
    coverage = value.get("coverage", "full")
    if coverage == "excerpt":
        yield Gap("excerpt", "the log says it is an excerpt", "events", pointer)
    elif coverage != "full":
        yield Gap("excerpt", "the header's coverage is neither full nor excerpt", "events", pointer)
    lacks = value.get("lacks", [])
    for lacking in lacks if isinstance(lacks, list) else [lacks]:
        name = lacking if isinstance(lacking, str) else ""
        column = _ALIASES.get(name, name)
        facts = f"events.{column}" if column in _COLUMNS else "events"
        yield Gap("excerpt", f"the log says it lacks {name or 'something'}", facts, pointer)


def _event(value: dict[str, Any], line: int, losses: Losses) -> Iterator[Item]:
    values: dict[str, str | int | Decimal | None] = {}
    for key, convert in _CONVERT.items():
        given = value.get(key)
        if given is None or given == "":
            if key in _NEEDED:
                _lose(losses, line, _COLUMNS[key].name)
            continue
        column = _COLUMNS[key].name
        converted = convert(given)
        if converted is None:
            _lose(losses, line, column)
        values[column] = converted
    if values.get("hash") is not None:
        values["computed_hash"] = _digest(value)
        if values["computed_hash"] is None:
            losses.add(f"line {line}", "lossy", "events.computed_hash", "whose digest cannot be computed (RFC 8785)")
    yield Event(line, f"line {line}", values)
    if values.get("kind") == "start":
        sha256 = stated_sha256(values.get("args_digest"))
        if sha256:
            yield Loaded(sha256, f"line {line}")


def _digest(value: dict[str, Any]) -> str | None:
    """SHA-256 of the event without its `hash` in the canonical form of RFC 8785, as that RFC has numbers: doubles."""
    try:
        form = canonical.dumps(canonical.doubles({key: item for key, item in value.items() if key != "hash"}))
    except (ValueError, RecursionError):
        return None
    return hashlib.sha256(form).hexdigest()


def _text(value: object) -> str | None:
    """Text; a whole number as text, because ids are often written as numbers."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _bare(value: object) -> str | None:
    """A digest in hexadecimal, without the `sha256:` that some writers put before it."""
    return stated_sha256(value) or _text(value)


def _choice(choices: frozenset[str], value: object) -> str | None:
    return value if isinstance(value, str) and value in choices else None


def _cost(value: object) -> Decimal | None:
    cost = amount(value)
    return cost if cost is not None and cost >= 0 else None


def _count(value: object) -> int | None:
    count = whole(value)
    return count if count is not None and count >= 0 else None


def _converter(key: str) -> Callable[[object], str | int | Decimal | None]:
    column = _COLUMNS[key]
    if column.choices:
        return partial(_choice, frozenset(column.choices))
    if column.name.endswith("_ms"):
        return milliseconds
    if key == "shown":
        return words
    if key in {"hash", "prev_hash"}:
        return _bare
    return {ColumnType.DECIMAL: _cost, ColumnType.INTEGER: _count}.get(column.type, _text)


def _in_sql(key: str) -> Plain:
    """What `_converter` makes of a key, for the values that are plain."""
    column = _COLUMNS[key]
    if column.choices:
        return plain.choice(key, column.choices)
    if column.name.endswith("_ms"):
        return plain.moment(key)
    if key == "hash":
        # The digest of the content has to be computed, which takes the line.
        return Plain("CAST(NULL AS VARCHAR)", f"{plain.key(key)} <> ''")
    if key == "prev_hash":
        return plain.digest(key)
    return {ColumnType.DECIMAL: plain.cost, ColumnType.INTEGER: plain.whole}.get(column.type, plain.text)(key)


def _json_lines() -> JsonLines:
    values = {key: _in_sql(key) for key in _COLUMNS}
    missing = [f"{plain.key(key)} IS NULL" for key in sorted(_NEEDED)]
    return JsonLines(
        keys=tuple(_COLUMNS),
        values={_COLUMNS[key].name: value.value for key, value in values.items()},
        doubt=" OR ".join(
            f"({doubt})" for doubt in (*missing, *(value.doubt for value in values.values() if value.doubt))
        ),
        texts=tuple(
            column.name for column in _COLUMNS.values() if column.type is ColumnType.TEXT and not column.choices
        ),
        reader=_Lines,
        loads="kind = 'start'",
    )


_CONVERT = {key: _converter(key) for key in _COLUMNS}
_NOTHING = (None, "")
_NEEDED = frozenset({"at", "kind"})

EVENTS = EvidenceFormat(
    name="events",
    title="action log (native)",
    suffixes=(".jsonl", ".jsonl.gz"),
    tables=("events",),
    speaks_to=("held",),
    cannot=(
        "That the log is complete: a log cut at its end still verifies, and what was never written leaves no trace.",
        "That a limit exists: a log without a break of it may only mean that it was never reached.",
    ),
    sniff=_sniff,
    read=_read,
    stack="psf-audit",
    reads=(
        "one event a line: when, which run, who, what, through which gateway, at what cost, with which outcome",
        "approvals, checkpoints, alerts and stop requests, and which call each of them is for",
        "`hash` and `prev_hash`: the chain is computed again (SHA-256 over RFC 8785 JSON)",
        "a first line that says who wrote the log, for which release, and what it lacks",
    ),
    proves=(
        "What was done, by whom, with whose approval and at what cost, as far as its writer can be trusted.",
        "That a limit, gate or boundary acted, or that work went on past it.",
    ),
    export=("psf-audit schema events",),
    streams=True,
    columnar=_json_lines(),
)
