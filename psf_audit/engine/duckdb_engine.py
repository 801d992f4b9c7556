"""DuckDB, in memory and locked: the default engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from psf_audit import answering
from psf_audit.columns.database import Database
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import LogRows
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.query import Answers, Bounds, Engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psf_audit.facts.store import Dataset

# On a log of a few thousand entries DuckDB takes longer to optimise and spread the criteria than to run them.
_SMALL_LOG = 5_000
_FOR_SMALL_LOGS = ("PRAGMA disable_optimizer", "SET threads = 1")


class DuckDBSession:
    """One dataset in one locked in-memory database."""

    def __init__(self, dataset: Dataset, bounds: Bounds) -> None:
        """Load the dataset and lock the database; views are made when a criterion first reads them."""
        import duckdb

        self._bounds = bounds
        self._error = duckdb.Error
        events = dataset.events
        held = events if isinstance(events, LogRows) else None
        # What is asked of a log is asked where it is held: the database was opened with the bounds of this assessment.
        self._database = held.database if held else Database(bounds.memory_mib)
        self._connection = self._database.session(() if held or len(events) > _SMALL_LOG else _FOR_SMALL_LOGS)
        for name, table in TABLES.items():
            if held and name == "events":
                self._connection.execute(f"CREATE VIEW events AS SELECT * FROM {held.relation}")  # noqa: S608
                continue
            self._connection.execute(f'CREATE TABLE "{name}" ({definition(table.columns)})')
            insert(self._connection, name, table.columns, events if name == "events" else dataset.tables[name])
        self._made: set[str] = set()
        self._closed = False
        # Questions are asked in a thread of their own, so that this one can count the time and hear an interrupt.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="psf-audit-duckdb")

    def ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        """The rows of a criterion in a stable order, at most the row limit of them, with their full count."""
        return answering.bounded(lambda asked: self._within_time(asked, parameters), sql, self._bounds.rows)

    def _within_time(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        if self._closed:
            return Answers(failure="the session is closed")
        asked = self._worker.submit(self._ask, sql, parameters)
        try:
            return asked.result(self._bounds.seconds)
        except TimeoutError:
            self._connection.interrupt()
            asked.result()
            return Answers(failure=f"it took longer than {self._bounds.seconds:g} seconds")
        except BaseException:
            self._connection.interrupt()
            raise

    def _ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        statement = (
            f"SELECT *, COUNT(*) OVER () AS psf_count FROM (\n{sql}\n) AS psf_answer "  # noqa: S608  analysed: one SELECT
            f"ORDER BY ALL LIMIT {self._bounds.rows}"
        )
        try:
            self._make(answering.views_in(sql))
            cursor = self._connection.execute(statement, {name: _bound(value) for name, value in parameters.items()})
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        except self._error as error:
            return answering.failure(error)
        records = [dict(zip(names, row, strict=True)) for row in rows]
        return Answers(
            rows=answering.rows(records),
            count=int(records[0]["psf_count"]) if records else 0,
        )

    def _make(self, names: frozenset[str]) -> None:
        """Make the views of these names that are not there yet, in the order in which they build on each other."""
        for view in views():
            if view.name in names and view.name not in self._made:
                kind = "TABLE" if view.kept else "VIEW"
                self._connection.execute(f"CREATE {kind} {view.name} AS {view.sql}")
                self._made.add(view.name)

    def results(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of the table `results`."""
        self._connection.execute("DELETE FROM results")
        insert(self._connection, "results", TABLES["results"].columns, rows)

    def close(self) -> None:
        """Close the database."""
        self._closed = True
        self._worker.shutdown()
        self._connection.close()


def _bound(value: Any) -> Any:
    """A parameter as DuckDB should bind it: a small whole number would otherwise make 32-bit arithmetic of the rest."""
    if isinstance(value, int) and not isinstance(value, bool):
        from duckdb.value.constant import LongValue

        return LongValue(value)
    return value


ENGINE = Engine(name="duckdb", open=DuckDBSession)
