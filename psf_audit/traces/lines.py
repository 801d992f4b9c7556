"""Large files of OTLP/JSON lines into a table of events, by a database.

What each span says by itself is read by SQL; a line on which anything is in doubt is read by Python, and all of them
where these are many. What spans have from those above them, which of them are one call, and what calls cost is worked
out in the database, so that memory does not grow with the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psf_audit import arguments, spans
from psf_audit.artifact import Losses
from psf_audit.calls import web_target
from psf_audit.columns.database import literal
from psf_audit.columns.plain import are_many
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import STORED, Lines, LogTable
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Item
from psf_audit.facts.tables import Column, ColumnType
from psf_audit.pricing import Pricing, price_table
from psf_audit.traces import attributes, costs, family, flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.artifact import Artifact
    from psf_audit.spans import Span
    from psf_audit.traces.family import Family

    Check = Callable[[Iterator[Item]], Iterator[Item]]
    ReadLine = Callable[[int, bytes | Unreadable, Losses], Iterator[Span]]
    ReadValue = Callable[[str], Any]

_MADE = (
    Column("given", ColumnType.TEXT, "a text that stands in the file"),
    Column("made", ColumnType.TEXT, "what Python makes of it"),
)


@dataclass(frozen=True, slots=True)
class SpanLines:
    """How a database reads the lines of OTLP/JSON by itself.

    `line` gives the spans of one line, and counts what it cannot use; `value` is what an attribute is whose JSON text
    is given.
    """

    line: ReadLine
    value: ReadValue
    only: bool = False

    def load(self, artifact: Artifact, log: LogTable, checked: Check) -> list[Item] | None:
        """Add the events of a file to a log, and return what else it says; None where only its format can read it.

        Raises:
            Unreadable: the file changed while it was read.
        """
        import duckdb

        if not artifact.head.lstrip().startswith("{"):
            return None
        part = _Part(self, artifact, log)
        try:
            part.stage()
            return part.load(checked)
        except (_Unfit, duckdb.Error, OSError):
            # No lines of spans, compressed data that is damaged, text that is none: the format says what and where.
            log.forget(part.first)
            return None
        finally:
            part.drop()


class _Unfit(Exception):
    """Only the format can read the file."""


class _Part:
    """One file on its way into the table; used once."""

    def __init__(self, form: SpanLines, artifact: Artifact, log: LogTable) -> None:
        self.first = log.last
        self._form = form
        self._artifact = artifact
        self._log = log
        self._database = log.database
        self._run = log.database.run
        self._lines = 0
        self._tables: list[str] = []
        self._losses = Losses("span")
        self._spans = self._table("spans", flat.COLUMNS)
        self._targets = self._table("targets", _MADE)
        self._digests = self._table("digests", _MADE)
        self._costs = ""
        self._places = Lines(artifact, 0)

    def stage(self) -> None:
        """Let the database read every line.

        Raises:
            _Unfit: there are not several lines, no spans on them, or they cannot be decompressed.
            Unreadable: the file is not the one that was digested.
        """
        try:
            with self._database.named(self._artifact, ".jsonl") as file:
                what = f"reading {self._artifact.path}"
                self._run(f'INSERT INTO "{self._spans}" {flat.select(str(file))}', what=what)
        except Unreadable as error:
            raise _Unfit from error
        self._artifact.unchanged()
        ((lines, found),) = self._run(
            f'SELECT COALESCE(MAX(line), 0), COUNT(COALESCE(id, CAST(start_ns AS VARCHAR))) FROM "{self._spans}"'  # noqa: S608
        )
        if lines < 2 or not found:  # noqa: PLR2004  one line is one document, whose pointers are others
            raise _Unfit
        self._lines, self._places = lines, Lines(self._artifact, lines)

    def load(self, checked: Check) -> list[Item]:
        """Everything else, step by step."""
        self._work_out()
        self._settle_doubts()
        once = family.distinct(self._database, self._spans)
        if once is not None:
            self._replace(once)
        kin = family.related(self._database, self._spans)
        self._tables += [kin.context, kin.doubled]
        pricing = self._price(kin)
        self._count_losses(kin)
        self._insert(kin)
        return list(checked(self._items(pricing)))

    def drop(self) -> None:
        """Free what the file needed on its way."""
        for name in self._tables:
            self._run(f'DROP TABLE IF EXISTS "{name}"')

    def _table(self, stem: str, columns: tuple[Column, ...]) -> str:
        name = self._database.name(stem)
        self._tables.append(name)
        self._run(f'CREATE TABLE "{name}" ({definition(columns)})')
        return name

    def _replace(self, select: str) -> None:
        """Put the spans that a SELECT gives, in its order, in the place of all spans."""
        new = self._table("spans", flat.COLUMNS)
        self._run(f'INSERT INTO "{new}" {select}')
        self._run(f'DROP TABLE "{self._spans}"')
        self._spans = new

    def _settle_doubts(self) -> None:
        """Read by Python the lines on which something is in doubt, or all where these are many."""
        doubts = (
            f'SELECT line FROM "{self._spans}" WHERE doubtful '  # noqa: S608
            f'OR url IN (SELECT given FROM "{self._targets}" WHERE made IS NULL) '
            f'OR arguments IN (SELECT given FROM "{self._digests}" WHERE made IS NULL)'
        )
        ((many, rows, others),) = self._run(
            f"SELECT COUNT(*) FILTER (line IN ({doubts})), COUNT(*), COUNT(*) FILTER (NOT is_span) "  # noqa: S608
            f'FROM "{self._spans}"'
        )
        if are_many(many, rows):
            self._replace(f'SELECT * FROM "{self._spans}" LIMIT 0')  # noqa: S608
            self._read(None)
        elif many:
            lines = [line for (line,) in self._run(f"SELECT DISTINCT line FROM ({doubts}) ORDER BY line")]  # noqa: S608
            plain = f'SELECT *, rowid AS row FROM "{self._spans}" WHERE is_span AND line NOT IN ({doubts})'  # noqa: S608
            self._replace(f"SELECT * EXCLUDE (row) FROM ({plain}) ORDER BY row")  # noqa: S608
            self._read(lines)
            self._replace(f'SELECT * FROM "{self._spans}" ORDER BY line, rowid')  # noqa: S608
        elif others:
            self._replace(f'SELECT * FROM "{self._spans}" WHERE is_span ORDER BY rowid')  # noqa: S608

    def _read(self, wanted: list[int] | None) -> None:
        """Add the spans of these lines, or of all, as Python reads them."""
        insert(self._database.logs, self._spans, flat.COLUMNS, self._by_python(wanted))

    def _by_python(self, wanted: list[int] | None) -> Iterator[dict[str, Any]]:
        artifact = self._artifact
        found = (
            ((place, number, text) for place, (number, text) in enumerate(artifact.raw_lines()))
            if wanted is None
            else artifact.lines_at([line - 1 for line in wanted], self._lines)
        )
        for place, number, text in found:
            for span in self._form.line(number, text, self._losses):
                yield flat.of(span, place + 1)

    def _work_out(self) -> None:
        """Fill tables with the targets that URLs are, and with the digests of arguments; NULL where there is none."""
        urls = f'SELECT DISTINCT url AS given FROM "{self._spans}" WHERE url IS NOT NULL'  # noqa: S608
        self._made(self._targets, urls, web_target)
        given = (
            'SELECT given, CASE WHEN starts_with(given, \'{"stringValue":"\') '  # noqa: S608
            "THEN json_extract_string(given, '$.stringValue') END AS text "
            f'FROM (SELECT DISTINCT arguments AS given FROM "{self._spans}" WHERE arguments IS NOT NULL)'
        )
        plain = self._table("plain", _MADE)
        self._run(f'INSERT INTO "{plain}" SELECT given, {attributes.digest("text")} FROM ({given})')  # noqa: S608
        self._run(f'INSERT INTO "{self._digests}" SELECT * FROM "{plain}" WHERE made IS NOT NULL')  # noqa: S608
        self._made(self._digests, f'SELECT given FROM "{plain}" WHERE made IS NULL', self._digest)  # noqa: S608

    def _made(self, table: str, texts: str, make: Callable[[str], str | None]) -> None:
        """Add to a table what Python makes of texts."""
        rows = ({"given": row["given"], "made": make(row["given"])} for row in self._database.rows(texts))
        insert(self._database.logs, table, _MADE, rows)

    def _digest(self, value: str) -> str | None:
        try:
            return arguments.digest(self._form.value(value))
        except Unreadable:
            return None

    def _price(self, kin: Family) -> Pricing:
        """Work out the costs that no span states, and count all."""
        calls = (
            f"SELECT rowid AS span, * FROM \"{self._spans}\" WHERE kind = '{spans.MODEL}' "  # noqa: S608
            f'AND rowid NOT IN (SELECT span FROM "{kin.doubled}")'
        )
        asked = (
            "SELECT span, name, served_by AS provider, at_ms, tokens_in, tokens_out, "  # noqa: S608
            f"COALESCE(from_cache, 0) AS from_cache, COALESCE(to_cache, 0) AS to_cache FROM ({calls}) "
            "WHERE cost_usd IS NULL AND tokens_in IS NOT NULL AND tokens_out IS NOT NULL"
        )
        self._costs = costs.computed(self._database, f"({asked})")
        self._tables.append(self._costs)
        ((stated, tokens, found),) = self._run(
            f"SELECT (SELECT COUNT(cost_usd) FROM ({calls})), (SELECT COUNT(*) FROM ({asked})), "  # noqa: S608
            f'(SELECT COUNT(*) FROM "{self._costs}")'
        )
        pricing = Pricing()
        pricing.count(stated=stated, computed=found, unknown=tokens - found)
        return pricing

    def _count_losses(self, kin: Family) -> None:
        """What events lack, in the order of the spans; then the usage of calls that are told by another span."""
        found: dict[tuple[str, str, str], tuple[int, int, int]] = {}
        for column, facts, what in (
            ("at_ms", "events.at_ms", spans.NO_START),
            ("outcome", "events.outcome", spans.NO_END),
        ):
            lacking = f'"{self._spans}" AS t WHERE kind IS NOT NULL AND {column} IS NULL'
            found["lossy", facts, what] = self._counted(lacking)
        lost = self._database.rows(
            f"SELECT lost, COUNT(*) AS times, MIN(rowid) AS span, arg_min(line, rowid) AS line "  # noqa: S608
            f'FROM "{self._spans}" WHERE lost IS NOT NULL GROUP BY lost ORDER BY 3'
        )
        for row in lost:
            for kind, facts, what in json.loads(row["lost"]):
                times, span, line = found.get((kind, facts, what), (0, row["span"], row["line"]))
                found[kind, facts, what] = times + row["times"], span, line
        self._lose(found)
        for column in spans.USAGE:
            told = f'"{self._spans}" AS t JOIN "{kin.doubled}" AS d ON d.span = t.rowid WHERE t.{column} IS NOT NULL'
            found[column, "", ""] = self._counted(f"{told} AND NOT d.{column}")
        self._lose({("lossy", f"events.{column}", spans.DOUBLED): found[column, "", ""] for column in spans.USAGE})

    def _counted(self, lacking: str) -> tuple[int, int, int]:
        """How many spans there are, the first of them, and its line."""
        ((times, span, line),) = self._run(
            f"SELECT COUNT(*), COALESCE(MIN(t.rowid), 0), COALESCE(arg_min(line, t.rowid), 0) FROM {lacking}"  # noqa: S608
        )
        return times, span, line

    def _lose(self, found: dict[tuple[str, str, str], tuple[int, int, int]]) -> None:
        for (kind, facts, what), (times, _, line) in sorted(found.items(), key=lambda item: item[1][1]):
            if times:
                self._losses.add(self._places.of(line) or "", kind, facts, what, times)

    def _insert(self, kin: Family) -> None:
        """Put the events into the log, in the order of their spans."""
        table = price_table()
        run = "COALESCE(talk.conversation, lone.conversation)"
        values = {
            "run": f"COALESCE({run}, NULLIF(t.trace, ''))",
            "session": run,
            "task": "starter.id",
            "parent": "above.id",
            "actor": "named.agent",
            "actor_kind": "'agent'",
            "id": "t.call",
            "target": "COALESCE(t.target, targets.made)",
            "args_digest": "COALESCE(t.args_digest, digests.made)",
            "cost_usd": "COALESCE(t.cost_usd, costs.cost_usd)",
            "priced_by": f"CASE WHEN costs.cost_usd IS NOT NULL THEN {literal(table or '')} END",
        }
        own = {column.name for column in flat.COLUMNS}
        stored = ", ".join(
            values.get(column.name)
            or (f"t.{column.name}" if column.name in own else f"CAST(NULL AS {column.type.value})")
            for column in STORED
        )
        place = self._places.sql("t.line")
        pointer = f"{literal(self._log.part + ' ')} || {place}" if self._log.part else place
        joins = " ".join(
            f'LEFT JOIN "{table_}" AS {name} ON {name}.rowid = c.{column}'
            for name, table_, column in (
                ("starter", self._spans, "starter"), ("above", self._spans, "starter_above"),
                ("named", self._spans, "named"), ("talk", self._spans, "talk"),
            )
        )  # fmt: skip
        self._run(
            f'INSERT INTO "{self._log.name}" SELECT {stored}, {pointer}, FALSE FROM "{self._spans}" AS t '  # noqa: S608
            f'JOIN "{kin.context}" AS c ON c.span = t.rowid {joins} '
            f"LEFT JOIN (SELECT trace, MIN(conversation) AS conversation FROM \"{self._spans}\" WHERE trace <> '' "
            "GROUP BY trace HAVING MIN(conversation) = MAX(conversation)) AS lone ON lone.trace = t.trace "
            f'LEFT JOIN "{self._targets}" AS targets ON targets.given = t.url '
            f'LEFT JOIN "{self._digests}" AS digests ON digests.given = t.arguments '
            f'LEFT JOIN "{self._costs}" AS costs ON costs.span = t.rowid '
            f'WHERE t.kind IS NOT NULL AND t.rowid NOT IN (SELECT span FROM "{kin.doubled}") ORDER BY t.rowid'
        )
        self._log.placed_by_pointers()

    def _items(self, pricing: Pricing) -> Iterator[Item]:
        """What has to be said of the events: the columns that they fill, and what could not be used."""
        yield self._log.carried(self.first)
        if not self._log.last - self.first:
            yield spans.NO_EVENT
        yield from pricing.items()
        yield from self._losses.gaps()
