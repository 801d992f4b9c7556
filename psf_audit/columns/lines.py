"""JSON lines into a table: the plain ones by the database, the others by their format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.columns import plain
from psf_audit.columns.database import Database, literal
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import ROW, STORED, LogTable
from psf_audit.facts.model import Carries, Event, Item, Loaded
from psf_audit.reading import MAX_LINE_BYTES
from psf_audit.values import stated_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.artifact import Artifact, Columnar

# Below this a format is quicker than the database has opened; gzip makes a tenth of a log.
LARGE_BYTES = 4 * 2**20
LARGE_GZIP_BYTES = LARGE_BYTES // 8
_START_LINES = 20
_MANY_DOUBTS = 10_000
_DOUBTFUL_SHARE = 20


def is_large(artifact: Artifact) -> bool:
    """Whether a database reads the file faster than its format would."""
    return artifact.bytes >= (LARGE_GZIP_BYTES if artifact.is_gzip else LARGE_BYTES)


def read(
    artifact: Artifact, columnar: Columnar, database: Database, checked: Callable[[Iterator[Item]], Iterator[Item]]
) -> tuple[LogTable, list[Item]] | None:
    """The events of a file as a table, and what else it says; None where only its format can say what it holds.

    `checked` passes on the items of lines that the format reads.

    Raises:
        Unreadable: the file changed while it was read.
    """
    import duckdb

    name = database.name("log")
    try:
        _load(artifact, columnar, database, name)
    except (duckdb.Error, OSError):
        # Compressed data that is damaged, a line beyond all bounds: the format says where.
        database.run(f'DROP TABLE IF EXISTS "{name}"')
        return None
    artifact.unchanged()
    items = _doubtful(artifact, columnar, database, name, checked)
    ((events, total),) = database.run(f'SELECT COUNT(*) FILTER (NOT doubtful), COUNT(*) FROM "{name}"')  # noqa: S608
    if items is None or not events:
        database.run(f'DROP TABLE "{name}"')
        return None
    table = LogTable(database, name, events, total, artifact)
    return table, [*items, Carries(_filled(table)), *_loaded(table, columnar)]


def _load(artifact: Artifact, columnar: Columnar, database: Database, name: str) -> None:
    # A name of our own: one with a star in it would stand for several files.
    link = database.folder / f"{name}.jsonl"
    link.symlink_to(artifact.file.resolve())  # type: ignore[union-attr] # what is large is a file
    keys = ", ".join(f"{literal(key)}: 'VARCHAR'" for key in columnar.keys)
    values = ", ".join(
        f'{columnar.values[column.name]} AS "{column.name}"'
        if column.name in columnar.values
        else f'CAST(NULL AS {column.type.value}) AS "{column.name}"'
        for column in STORED
    )
    database.run(
        f'CREATE TABLE "{name}" AS SELECT {values}, COALESCE({columnar.doubt}, FALSE) AS doubtful '  # noqa: S608
        f"FROM read_json({literal(str(link))}, format = 'newline_delimited', ignore_errors = true, "
        f"compression = '{'gzip' if artifact.is_gzip else 'none'}', columns = {{{keys}}}, "
        f"maximum_object_size = {MAX_LINE_BYTES})",
        what=f"reading {artifact.path}",
    )
    link.unlink()


def _doubtful(
    artifact: Artifact,
    columnar: Columnar,
    database: Database,
    name: str,
    checked: Callable[[Iterator[Item]], Iterator[Item]],
) -> list[Item] | None:
    """What the lines in doubt and the first lines say, their events put in their places; None where they are many."""
    no_text = plain.no_text(columnar.texts)
    database.run(f'UPDATE "{name}" SET doubtful = TRUE WHERE NOT doubtful AND ({no_text})')  # noqa: S608
    ((total, many),) = database.run(f'SELECT COUNT(*), COUNT(*) FILTER (doubtful) FROM "{name}"')  # noqa: S608
    if many > max(_MANY_DOUBTS, total // _DOUBTFUL_SHARE):
        return None
    database.run(f'UPDATE "{name}" SET doubtful = TRUE WHERE rowid < {_START_LINES}')  # noqa: S608
    places = [row for (row,) in database.run(f'SELECT rowid FROM "{name}" WHERE doubtful ORDER BY rowid')]  # noqa: S608
    items: list[Item] = []
    events: list[dict[str, object]] = []
    empty = dict.fromkeys(column.name for column in STORED)
    lines = columnar.lines()
    wanted = iter(places)
    place = next(wanted, None)
    for row, (number, text) in enumerate(artifact.raw_lines()):
        if place is None:
            break
        if row != place:
            continue
        place = next(wanted, None)
        for item in checked(lines.line(number, text)):
            if isinstance(item, Event):
                events.append({**empty, **item.values, ROW.name: row + 1})
            else:
                items.append(item)
    _put(database, name, events)
    return [*items, *checked(lines.rest())]


def _put(database: Database, name: str, events: list[dict[str, object]]) -> None:
    """Put events that a format read where their lines stand."""
    staged = database.name("staged")
    columns = (*STORED, ROW)
    database.run(f'CREATE TABLE "{staged}" ({definition(columns)})')
    insert(database.connection, staged, columns, events)
    changes = ", ".join(f'"{column.name}" = s."{column.name}"' for column in STORED)
    moved = f'SET {changes}, doubtful = FALSE FROM "{staged}" AS s WHERE "{name}".rowid + 1 = s.{ROW.name}'
    database.run(f'UPDATE "{name}" {moved}')
    database.run(f'DROP TABLE "{staged}"')


def _filled(table: LogTable) -> frozenset[str]:
    """The columns that some event fills."""
    counts = ", ".join(f'COUNT("{column.name}") > 0' for column in STORED)
    (filled,) = table.database.run(f"SELECT {counts} FROM {table.relation}")  # noqa: S608
    return frozenset(column.name for column, any_ in zip(STORED, filled, strict=True) if any_)


def _loaded(table: LogTable, columnar: Columnar) -> Iterator[Item]:
    """The files whose digest an event of the start gives: a running component read them."""
    if not columnar.loads:
        return
    digests = table.database.run(
        f"SELECT args_digest, MIN({table.row}) FROM {table.relation} WHERE {columnar.loads} "  # noqa: S608
        "AND starts_with(args_digest, 'sha256:') GROUP BY args_digest ORDER BY 2"
    )
    for digest, row in digests:
        sha256 = stated_sha256(digest)
        if sha256:
            yield Loaded(sha256, table.of(row) or "")
