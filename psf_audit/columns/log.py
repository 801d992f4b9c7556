"""The action log of all files, made by the database: what `psf_audit/facts/log.py` says, for logs of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.columns.database import LOGS, literal
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import LogRows, LogTable
from psf_audit.facts import accounts, log
from psf_audit.facts.log import DONE, EVENT_BASE, NOT_EVIDENCE, SEQUENCE_BITS, Book, Known, Leave, Source
from psf_audit.facts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from psf_audit.columns.database import Database

_COLUMNS = tuple(column.name for column in TABLES["events"].columns)
_ORDER = f"at_ms * {2**SEQUENCE_BITS} + LEAST(GREATEST(COALESCE(seq, 0), 0), {2**SEQUENCE_BITS - 1})"


def gather(database: Database, sources: Sequence[Source], leave: Leave, known: Known) -> Book:
    """The log of all sources, in their order."""
    gathering = _Gathering(database, leave, known)
    filled = [(number, source) for number, source in enumerate(sources, 1) if source.events]
    parts = [gathering.part(source, number * EVENT_BASE) for number, source in filled]
    rows = _view(database, " UNION ALL ".join(parts))
    book = gathering.book
    if _share_calls(rows, len(filled)):
        rows = _settled(book, rows, [source for _, source in filled], known)
    rows = _attributed(rows, known.holders)
    book.rows = rows
    book.tasks = log.tasks(_distinct(rows, "task, parent", "task IS NOT NULL"))
    book.addresses = log.addresses(_distinct(rows, "target, name", "target IS NOT NULL"))
    return book


class _Gathering:
    """Goes through the sources, and notes in the book where events stand and which do not count."""

    def __init__(self, database: Database, leave: Leave, known: Known) -> None:
        self.book = Book()
        self._database = database
        self._leave = leave
        self._known = known

    def part(self, source: Source, base: int) -> str:
        """The SELECT of the events of a source that count."""
        table = self._stored(source)
        relation = table.relation
        self.book.bases.append((base, source.id))
        self.book.carried[source.id] = source.carries
        if source.produced_by not in {None, "agent"}:
            self._witness(relation)
        made = {"ref": f"CAST({base} + {table.row} AS BIGINT)", "source": literal(source.id), "ord": _ORDER}
        columns = ", ".join(f'{made.get(name, name)} AS "{name}"' for name in _COLUMNS)
        return f"SELECT {columns} FROM {relation} WHERE {self._counting(source, relation)}"  # noqa: S608

    def _stored(self, source: Source) -> LogTable:
        """The table of a source; events that a format read are put into one first."""
        table = source.events
        if not isinstance(table, LogTable) or table.database is not self._database:
            table = LogTable(self._database)
            table.append(source.events)
        self.book.places[source.id] = table
        return table

    def _witness(self, relation: str) -> None:
        """Note which of the runs that tests name are in a log that somebody other than the agent wrote."""
        if self._known.tested:
            among = _among("run", self._known.tested)
            seen = self._database.run(f"SELECT DISTINCT run FROM {relation} WHERE {among}")  # noqa: S608
            self.book.witnessed_runs |= {run for (run,) in seen}

    def _counting(self, source: Source, relation: str) -> str:
        """The condition for events that count; how many do not, and why, goes into the book."""
        if source.release is not None and source.release != self._leave.release:
            self.book.left_out[log.OTHER_RELEASE] += len(source.events)
            return "FALSE"
        drilled = _among("run", self._drills(relation))
        future = f"COALESCE(at_ms > {self._leave.end_ms}, FALSE)"
        ((runs, late),) = self._database.run(
            f"SELECT COUNT(*) FILTER ({drilled}), COUNT(*) FILTER (NOT {drilled} AND {future}) FROM {relation}"  # noqa: S608
        )
        left = ((log.DRILLS, runs, drilled), (NOT_EVIDENCE, late, future))
        self.book.left_out.update({reason: count for reason, count, _ in left if count})
        return " AND ".join(f"NOT {condition}" for _, count, condition in left if count) or "TRUE"

    def _drills(self, relation: str) -> frozenset[str]:
        """The runs of drills to be left out of a log."""
        if self._leave.by_hand <= self._leave.drill_runs:
            return self._leave.drill_runs
        others = f"NOT {_among('run', self._leave.drill_runs | self._leave.by_hand)}"
        ((work,),) = self._database.run(f"SELECT COUNT(*) FROM {relation} WHERE {others}")  # noqa: S608
        return self._leave.trusting(only_drills=work == 0).drill_runs


def _among(name: str, texts: Collection[str]) -> str:
    """A condition that is true or false, never unknown."""
    listed = ", ".join(literal(text) for text in sorted(texts))
    return f"COALESCE({name} IN ({listed}), FALSE)" if listed else "FALSE"


def _view(database: Database, select: str) -> LogRows:
    name = database.name("events")
    database.run(f'CREATE VIEW "{name}" AS {select}')
    return LogRows(database, f'{LOGS}.main."{name}"')


def _distinct(rows: LogRows, columns: str, where: str) -> Iterable[dict[str, object]]:
    """Each combination once, in the order in which they first stand in the log."""
    return rows.database.rows(
        f"SELECT {columns} FROM {rows.relation} WHERE {where} GROUP BY {columns} ORDER BY MIN(ref)"  # noqa: S608
    )


def _share_calls(rows: LogRows, logs: int) -> bool:
    """Whether two of the logs hold the same call."""
    if logs < 2:  # noqa: PLR2004  one log holds no second account
        return False
    kinds = ", ".join(literal(kind) for kind in sorted(accounts.CALLS))
    run = f"CASE WHEN length(id) < {accounts.UNIQUE_LENGTH} THEN run ELSE '' END"
    found = rows.database.run(
        f"SELECT 1 FROM (SELECT kind, {run} AS run, id, source FROM {rows.relation} "  # noqa: S608
        f"WHERE id IS NOT NULL AND kind IN ({kinds})) WHERE run IS NOT NULL "
        "GROUP BY kind, run, id HAVING MIN(source) <> MAX(source) LIMIT 1"
    )
    return bool(found)


def _settled(book: Book, rows: LogRows, sources: Sequence[Source], known: Known) -> LogRows:
    """The rows with one account a call."""
    writers = {source.id: source.writer for source in sources}
    settled = accounts.settle(rows, writers, known.ways)
    book.note(settled)
    name = rows.database.name("settled")
    columns = TABLES["events"].columns
    rows.database.run(f'CREATE TABLE "{name}" ({definition(columns)})')
    insert(rows.database.logs, name, columns, settled.rows)
    return LogRows(rows.database, f'{LOGS}.main."{name}"')


def _attributed(rows: LogRows, holders: Mapping[str, bool]) -> LogRows:
    """The rows; what was done with a credential of the agent is the agent's, where the log itself names nobody."""
    pairs = rows.database.run(
        f"SELECT credential, actor_kind FROM {rows.relation} WHERE credential IS NOT NULL GROUP BY ALL"  # noqa: S608
    )
    if all(kind is not None for _, kind in pairs):
        return rows
    own = log.own_credentials(pairs, holders)
    if not own:
        return rows
    done = ", ".join(literal(kind) for kind in sorted(DONE))
    theirs = f"actor_kind IS NULL AND kind IN ({done}) AND {_among('credential', own)}"
    return _view(
        rows.database,
        f"SELECT * REPLACE (CASE WHEN {theirs} THEN 'agent' ELSE actor_kind END AS actor_kind) FROM {rows.relation}",  # noqa: S608
    )
