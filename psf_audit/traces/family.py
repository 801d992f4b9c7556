"""What spans have from those above them, worked out by a database; it says what `psf_audit/spans.py` says.

Who stands above a span is found in as many steps as the longest chain of parents has doublings: each step joins every
span to what is known of the span as far above it as all steps before reached. Parents in a circle never end: Python
says where such a circle is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from psf_audit import spans
from psf_audit.columns.rows import definition, insert
from psf_audit.facts.tables import Column, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.columns.database import Database

# The nearest span, itself or above, that: starts a task, names an agent, names a conversation, is an event.
_NEAREST = {
    "starter": f"kind = '{spans.AGENT}' AND id IS NOT NULL",
    "named": "agent IS NOT NULL",
    "talk": "conversation IS NOT NULL",
    "event": "kind IS NOT NULL",
}
_SPAN = Column("span", ColumnType.INTEGER, "the row of a span")


@dataclass(frozen=True, slots=True)
class Family:
    """The tables that say of each span what it has from above, and which spans are no events of their own.

    `context` has `span`, `starter`, `starter_above`, `named`, `talk` and `call`: rows of spans, the last four and the
    one of the task above NULL where there are none. `doubled` has `span`, and for each column of usage whether a span
    inside has it.
    """

    context: str
    doubled: str


def distinct(database: Database, table: str) -> str | None:
    """The spans of a table without those that were sent again, in their order, as SQL; None where no id stands twice.

    Of two accounts of one span the one that has an end counts, in the place of the first.
    """
    again = database.run(
        f'SELECT 1 FROM "{table}" WHERE id IS NOT NULL GROUP BY trace, id HAVING COUNT(*) > 1 LIMIT 1'  # noqa: S608
    )
    if not again:
        return None
    same = "PARTITION BY trace, id, CASE WHEN id IS NULL THEN rowid END, title, start_ns"
    return (
        "SELECT * EXCLUDE (place, kept) FROM (SELECT *, "  # noqa: S608
        f"MIN(rowid) OVER ({same}) AS place, row_number() OVER ({same} ORDER BY ended DESC, rowid) AS kept "
        f'FROM "{table}") WHERE kept = 1 ORDER BY place'
    )


def related(database: Database, table: str) -> Family:
    """What the spans of a table have from those above them; the table has each span once, in their order."""
    parents = _parents(database, table)
    known = _climbed(database, parents, table)
    if database.run(f'SELECT 1 FROM "{known}" WHERE above IS NOT NULL LIMIT 1'):  # noqa: S608
        _cut(database, parents, known, table)
        known = _climbed(database, parents, table)
    context = database.name("context")
    database.run(
        f'CREATE TABLE "{context}" AS SELECT k.span, k.starter, sa.starter AS starter_above, k.named, k.talk, '  # noqa: S608
        f'a.event AS call FROM "{known}" AS k JOIN "{parents}" AS p ON p.span = k.span '
        f'LEFT JOIN "{known}" AS a ON a.span = p.parent '
        f'LEFT JOIN "{parents}" AS s ON s.span = k.starter LEFT JOIN "{known}" AS sa ON sa.span = s.parent'
    )
    database.run(f'DROP TABLE "{parents}"; DROP TABLE "{known}"')
    return Family(context, _doubled(database, table, context))


def _parents(database: Database, table: str) -> str:
    """Each span with its parent, of several with one id the last, and with itself where it is what is looked for."""
    parents = database.name("parents")
    itself = ", ".join(f"CASE WHEN {condition} THEN rowid END AS {name}" for name, condition in _NEAREST.items())
    database.run(
        f'CREATE TABLE "{parents}" AS SELECT span, parent, {", ".join(_NEAREST)} '  # noqa: S608
        f'FROM (SELECT rowid AS span, trace, above, {itself} FROM "{table}") AS c '
        f'LEFT JOIN (SELECT trace AS its_trace, id AS its_id, MAX(rowid) AS parent FROM "{table}" '
        "WHERE id IS NOT NULL GROUP BY ALL) AS p ON p.its_trace = c.trace AND p.its_id = c.above"
    )
    return parents


def _climbed(database: Database, parents: str, table: str) -> str:
    """The nearest span of each kind, however far above; `above` is left only where parents go in a circle."""
    known = database.name("known")
    database.run(f'CREATE TABLE "{known}" AS SELECT span, parent AS above, {", ".join(_NEAREST)} FROM "{parents}"')  # noqa: S608
    ((most,),) = database.run(f'SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM "{table}" GROUP BY trace)')  # noqa: S608
    for _ in range(int(most or 0).bit_length() + 1):
        if not database.run(f'SELECT 1 FROM "{known}" WHERE above IS NOT NULL LIMIT 1'):  # noqa: S608
            break
        higher = database.name("known")
        nearest = ", ".join(f"COALESCE(b.{name}, a.{name}) AS {name}" for name in _NEAREST)
        database.run(
            f'CREATE TABLE "{higher}" AS SELECT b.span, a.above, {nearest} FROM "{known}" AS b '  # noqa: S608
            f'LEFT JOIN "{known}" AS a ON a.span = b.above'
        )
        database.run(f'DROP TABLE "{known}"')
        known = higher
    return known


def _cut(database: Database, parents: str, known: str, table: str) -> None:
    """Take away the parents by which circles of them close."""
    cut = database.name("cut")
    database.run(f'CREATE TABLE "{cut}" ({definition([_SPAN])})')
    insert(database.logs, cut, [_SPAN], ({"span": span} for span in _closing(database, parents, known, table)))
    database.run(
        f'UPDATE "{parents}" SET parent = NULL WHERE span IN (SELECT span FROM "{cut}"); '  # noqa: S608
        f'DROP TABLE "{cut}"; DROP TABLE "{known}"'
    )


def _closing(database: Database, parents: str, known: str, table: str) -> Iterator[int]:
    """The spans whose parent closes a circle, trace by trace."""
    rows = database.rows(
        f'SELECT t.trace, p.span, p.parent FROM "{known}" AS k JOIN "{parents}" AS p ON p.span = k.span '  # noqa: S608
        f'JOIN "{table}" AS t ON t.rowid = k.span WHERE k.above IS NOT NULL ORDER BY t.trace, p.span'
    )
    for _, found in groupby(rows, key=_trace):
        trace = [(row["span"], row["parent"]) for row in found]
        index = {span: number for number, (span, _) in enumerate(trace)}
        given = [index[parent] for _, parent in trace]
        kept = spans.without_circles(given)
        yield from (span for (span, _), parent in zip(trace, kept, strict=True) if parent is None)


def _trace(row: dict[str, Any]) -> Any:
    return row["trace"]


def _doubled(database: Database, table: str, context: str) -> str:
    """The outer of two calls of a model, and the transport (MCP) of an action right above it."""
    doubled, nested = database.name("doubled"), database.name("nested")
    database.run(
        f'CREATE TABLE "{nested}" AS SELECT c.span, c.call, i.kind FROM "{context}" AS c '  # noqa: S608
        f'JOIN "{table}" AS i ON i.rowid = c.span JOIN "{table}" AS o ON o.rowid = c.call WHERE i.kind = o.kind '
        f"AND (i.kind = '{spans.MODEL}' OR "
        f"(i.kind = '{spans.ACTION}' AND i.is_mcp AND i.name IS NOT DISTINCT FROM o.name))"
    )
    recorded = _recorded(database, table, nested)
    usage = ", ".join(f"bool_or({name}) AS {name}" for name in spans.USAGE)
    none = ", ".join(f"FALSE AS {name}" for name in spans.USAGE)
    database.run(
        f'CREATE TABLE "{doubled}" AS SELECT span, {usage} FROM ('  # noqa: S608
        f"SELECT span, {none} FROM \"{nested}\" WHERE kind = '{spans.ACTION}' "
        f'UNION ALL SELECT span, {", ".join(spans.USAGE)} FROM "{recorded}" '
        f"WHERE span IN (SELECT call FROM \"{nested}\" WHERE kind = '{spans.MODEL}')) GROUP BY span"
    )
    database.run(f'DROP TABLE "{nested}"; DROP TABLE "{recorded}"')
    return doubled


def _recorded(database: Database, table: str, nested: str) -> str:
    """Which columns of usage the calls of models inside others have; each step reaches twice as far as all before."""
    recorded = database.name("recorded")
    own = ", ".join(f"any_value(t.{name}) IS NOT NULL AS own_{name}, FALSE AS {name}" for name in spans.USAGE)
    calls = f"SELECT span, call FROM \"{nested}\" WHERE kind = '{spans.MODEL}'"  # noqa: S608
    database.run(
        f'CREATE TABLE "{recorded}" AS SELECT c.span, MAX(c.call) AS above, {own} '  # noqa: S608
        f"FROM ({calls} UNION ALL SELECT call, NULL FROM ({calls})) AS c "
        f'JOIN "{table}" AS t ON t.rowid = c.span GROUP BY c.span'
    )
    inside = ", ".join(f"bool_or(own_{name} OR {name}) AS {name}" for name in spans.USAGE)
    both = ", ".join(f"r.own_{name}, r.{name} OR COALESCE(i.{name}, FALSE) AS {name}" for name in spans.USAGE)
    while database.run(f'SELECT 1 FROM "{recorded}" WHERE above IS NOT NULL LIMIT 1'):  # noqa: S608
        further = database.name("recorded")
        database.run(
            f'CREATE TABLE "{further}" AS SELECT r.span, a.above, {both} FROM "{recorded}" AS r '  # noqa: S608
            f'LEFT JOIN "{recorded}" AS a ON a.span = r.above LEFT JOIN '
            f'(SELECT above AS outside, {inside} FROM "{recorded}" WHERE above IS NOT NULL GROUP BY above) AS i '
            "ON i.outside = r.span"
        )
        database.run(f'DROP TABLE "{recorded}"')
        recorded = further
    return recorded
