"""Logs as Parquet: the table `events` in a file, with what else is known of the log in its metadata.

Columns are those of the table `events` that a log fills, `pointer` with where each event stood, types as in
`psf_audit/facts/tables.py`. The metadata has, under `psf-audit`, a JSON object: `schema`, what the log says of itself
(`produced_by`, `release`, `collected`), `columns` that it carries, `loaded` digests and `gaps`. A file that somebody
else wrote may lack it, and any of the columns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from psf_audit.artifact import Losses
from psf_audit.columns.database import Database, literal
from psf_audit.columns.table import POINTER, STORED, LogTable
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Carries, Gap, Item, Loaded, Stated
from psf_audit.facts.tables import TABLES, Column, ColumnType
from psf_audit.values import FIRST_MS, LAST_MS, stated_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from psf_audit.artifact import Artifact

SCHEMA = "psf-audit/events/1"
MAGIC = b"PAR1"
_KEY = "psf-audit"
_PRODUCERS = TABLES["evidence"].column("produced_by").choices
_GAP_KINDS = TABLES["gaps"].column("kind").choices
_AMOUNTS = {"cost_usd": "from 0 to below a billion", "tokens_in": "from 0", "tokens_out": "from 0", "seq": "from 0"}


@dataclass(frozen=True, slots=True)
class ParquetLog:
    """How a database reads such a file; nothing else can."""

    only: bool = True

    def load(
        self, artifact: Artifact, log: LogTable, checked: Callable[[Iterator[Item]], Iterator[Item]]
    ) -> list[Item] | None:
        """Add the events of a file to a log, and return what else it says.

        Raises:
            Unreadable: it is damaged, or has none of the columns that an event needs.
        """
        import duckdb

        with log.database.named(artifact, ".parquet") as path:
            file = literal(str(path))
            try:
                found = _columns(log.database, file)
                said = _said(log.database, file)
                _copy(log, file, found, artifact.path)
                losses = _losses(log, file, found)
            except duckdb.Error as error:
                raise Unreadable("is Parquet that cannot be read", hint=" ".join(str(error).split())[:200]) from error
        artifact.unchanged()
        log.placed_by_pointers()
        carried = Carries(frozenset(column.name for column in STORED if column.name in found))
        return list(checked(iter([*_of_metadata(said), carried, *losses])))


def _columns(database: Database, file: str) -> frozenset[str]:
    """The names of the columns."""
    described = database.run(f"DESCRIBE SELECT * FROM read_parquet({file})")  # noqa: S608
    found = frozenset(str(row[0]) for row in described)
    lacking = [name for name in ("at_ms", "kind") if name not in found]
    if lacking:
        raise Unreadable(
            f"is Parquet without the column {lacking[0]}", hint="psf-audit normalize writes the columns of an event log"
        )
    return found


def _said(database: Database, file: str) -> Mapping[str, Any]:
    pairs = database.run(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({file})")  # noqa: S608
    for key, value in pairs:
        if key == _KEY:
            try:
                said = json.loads(value)
            except (ValueError, RecursionError):
                said = None
            if not isinstance(said, dict) or said.get("schema") != SCHEMA:
                raise Unreadable(f"has metadata of another schema than {SCHEMA}")
            return said
    return {}


def _value(column: Column, found: frozenset[str]) -> str:
    """The value of a column in SQL: none where it is not one of the choices, or out of range."""
    if column.name not in found:
        return f"CAST(NULL AS {column.type.value})"
    name = f'"{column.name}"'
    if column.type is ColumnType.TEXT:
        value = f"NULLIF(TRY_CAST({name} AS VARCHAR), '')"
        if column.choices:
            cases = " ".join(f"WHEN '{choice}' THEN '{choice}'" for choice in column.choices)
            return f"CASE {value} {cases} END"
        return value
    value = f"TRY_CAST({name} AS {column.type.value})"
    if column.name.endswith("_ms"):
        return f"CASE WHEN {value} BETWEEN {FIRST_MS} AND {LAST_MS} THEN {value} END"
    return f"CASE WHEN {value} >= 0 THEN {value} END" if column.name in _AMOUNTS else value


def _copy(log: LogTable, file: str, found: frozenset[str], path: str) -> None:
    values = ", ".join(f'{_value(column, found)} AS "{column.name}"' for column in STORED)
    pointer = f'TRY_CAST("{POINTER.name}" AS VARCHAR)' if POINTER.name in found else "NULL"
    log.database.run(
        f'INSERT INTO "{log.name}" SELECT {values}, {pointer}, FALSE FROM read_parquet({file})',  # noqa: S608
        what=f"reading {path}",
    )


def _losses(log: LogTable, file: str, found: frozenset[str]) -> Iterator[Gap]:
    """What the file says and the table cannot hold, counted for each column."""
    losses = Losses("row")
    columns = [column for column in STORED if column.name in found]
    asked = ", ".join(
        f"COUNT(*) FILTER ({lost}), MIN(file_row_number) FILTER ({lost})"
        for lost in (_lost(column, found) for column in columns)
    )
    (answer,) = log.database.run(f"SELECT {asked} FROM read_parquet({file}, file_row_number = true)")  # noqa: S608
    for column, count, first in zip(columns, answer[::2], answer[1::2], strict=True):
        if count:
            what = f"whose `{column.name}` is not {_AMOUNTS.get(column.name, 'of its type')}"
            losses.add(f"row {first + 1}", "lossy", f"events.{column.name}", what, times=count)
    return losses.gaps()


def _lost(column: Column, found: frozenset[str]) -> str:
    """When the file has a value that the table has not, or lacks one that no event can do without."""
    nothing = f"({_value(column, found)}) IS NULL"
    if column.name in {"at_ms", "kind"}:
        return nothing
    return f'{nothing} AND "{column.name}" IS NOT NULL AND CAST("{column.name}" AS VARCHAR) <> \'\''


def _of_metadata(said: Mapping[str, Any]) -> Iterator[Item]:
    """What the metadata says, each thing only if it is what it should be."""
    producer, release, collected = (said.get(name) for name in ("produced_by", "release", "collected"))
    day = None
    if isinstance(collected, str):
        try:
            day = date.fromisoformat(collected)
        except ValueError:
            day = None
    yield Stated(
        collected=day,
        release=release if isinstance(release, str) and release else None,
        produced_by=producer if producer in _PRODUCERS else None,
    )
    for digest in _texts(said.get("loaded")):
        sha256 = stated_sha256(f"sha256:{digest}")
        if sha256:
            yield Loaded(sha256, "metadata")
    gaps = said.get("gaps")
    for gap in gaps if isinstance(gaps, list) else []:
        kind, what, facts = (
            (gap.get(name) for name in ("kind", "what", "facts")) if isinstance(gap, dict) else (None,) * 3
        )
        if kind in _GAP_KINDS and isinstance(what, str) and (facts is None or _is_of_events(facts)):
            yield Gap(kind, what, facts, "metadata")
        else:
            yield Gap("lossy", "a gap in the metadata that cannot be read", "events", "metadata")


def _is_of_events(facts: object) -> bool:
    names = {"events", *(f"events.{column.name}" for column in TABLES["events"].columns)}
    return isinstance(facts, str) and facts in names


def _texts(value: object) -> Iterable[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def write(log: LogTable, items: Iterable[Item], stated: Stated, path: Path) -> None:
    """Write a log to a file.

    Raises:
        Unwritable: the system refuses.
    """
    import duckdb

    items = list(items)
    carried = frozenset().union(*(item.columns for item in items if isinstance(item, Carries)))
    said = {
        "schema": SCHEMA,
        "produced_by": stated.produced_by,
        "release": stated.release,
        "collected": stated.collected.isoformat() if stated.collected else None,
        "loaded": sorted({item.sha256 for item in items if isinstance(item, Loaded)}),
        "gaps": [_gap(item) for item in items if isinstance(item, Gap)],
    }
    needed = {"at_ms", "kind"}
    columns = ", ".join(f'"{column.name}"' for column in STORED if column.name in carried | needed)
    metadata = literal(json.dumps({name: value for name, value in said.items() if value is not None}))
    try:
        log.database.run(
            f"COPY (SELECT {columns}, {log.pointers()} AS {POINTER.name} FROM {log.relation}) "  # noqa: S608
            f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{'{_KEY}': {metadata}}})",
            what=f"writing {path.name}",
        )
    except duckdb.IOException as error:
        raise Unreadable("cannot be written", hint=" ".join(str(error).split())[:200]) from error


def _gap(gap: Gap) -> dict[str, str | None]:
    return {"kind": gap.kind, "what": f"{gap.pointer}: {gap.what}" if gap.pointer else gap.what, "facts": gap.facts}
