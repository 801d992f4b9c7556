"""DuckDB, in memory and locked: the default engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from psf_audit import answering
from psf_audit.columns.database import Database, literal
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import LogRows
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.query import PARAMETER, Answers, Bounds, Engine, names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psf_audit.facts.store import Dataset

# On a log of a few thousand entries DuckDB takes longer to optimise and spread the criteria than to run them.
_SMALL_LOG = 5_000
_FILL = "fill_"
_MOST_QUESTIONS = 2_000
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


class _Set:
    """A locked database with every table and view in it and no row, and the questions that were prepared in it.

    A dataset is put into it in a transaction that is never committed: when that ends, nothing of it is left, neither in
    the answers to the next nor in memory. Every view is a table here, filled when it is first read: of few rows that is
    quicker than expanding it in each question that reads it.
    """

    def __init__(self, memory_mib: int) -> None:
        """Make the tables and views."""
        import duckdb

        self.error = duckdb.Error
        self.memory_mib = memory_mib
        self.database = Database(memory_mib)
        self.connection = self.database.session(_FOR_SMALL_LOGS)
        self.asked: dict[tuple[str, str, int], str] = {}
        for name, table in TABLES.items():
            self.connection.execute(f'CREATE TABLE "{name}" ({definition(table.columns)})')
        for view in views():
            self.connection.execute(f"CREATE TABLE {view.name} AS FROM (\n{view.sql}\n) LIMIT 0")
        for view in views():
            self.connection.execute(f"PREPARE {_FILL}{view.name} AS INSERT INTO {view.name} {view.sql}")

    def question(self, sql: str, parameters: Mapping[str, Any], limit: int) -> str:
        """The statement that asks a question which was prepared; prepared now if it was not."""
        key = (sql, repr(parameters), limit)  # 1 and True are equal, and are not of one type
        if key not in self.asked:
            name = self.database.name("question")
            values = {name: self._written(value) for name, value in parameters.items()}
            # Written out: a statement with parameters would be planned anew each time that it is asked.
            asked = PARAMETER.sub(lambda found: values.get(found[1], found[0]), sql)
            self.connection.execute(f"PREPARE {name} AS SELECT * FROM (\n{asked}\n) AS psf_answer LIMIT {limit}")  # noqa: S608
            self.asked[key] = f"EXECUTE {name}"
        return self.asked[key]

    def _written(self, value: Any) -> str:
        """A parameter as a literal of the type that it has when it is bound."""
        row = self.connection.execute(
            "SELECT typeof($value), CAST($value AS VARCHAR)", {"value": _bound(value)}
        ).fetchone()
        kind, text = row or ("VARCHAR", "")
        return f"CAST({literal(text)} AS {kind})"


class _Reused(DuckDBSession):
    """A session in a database that others used before it and others will use after it."""

    def __init__(self, dataset: Dataset, bounds: Bounds, kit: _Set, give_back: Callable[[_Set], None]) -> None:
        """Put the rows of the dataset into the database."""
        self._bounds = bounds
        self._error = kit.error
        self._kit = kit
        self._give_back = give_back
        self._database = kit.database
        self._connection = kit.connection
        self._rows = {name: dataset.events if name == "events" else dataset.tables[name] for name in TABLES}
        self._closed = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="psf-audit-duckdb")
        self._connection.execute("BEGIN")
        self._load()

    def _load(self) -> None:
        self._made = set()
        for name, table in TABLES.items():
            if self._rows[name]:
                insert(self._connection, name, table.columns, self._rows[name])

    def _ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        """The answer to a prepared question, where it has no more rows than are returned; else as any session asks."""
        try:
            question = self._kit.question(sql, parameters, self._bounds.rows + 1)
            self._make(answering.views_in(sql))
            cursor = self._connection.execute(question)
            columns = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        except self._error:
            self._again()
        else:
            if len(rows) <= self._bounds.rows:
                records = [dict(zip(columns, row, strict=True)) for row in rows]
                return Answers(rows=answering.rows(records), count=len(records))
        answers = super()._ask(sql, parameters)
        if answers.failure is not None:
            self._again()
        return answers

    def _again(self) -> None:
        """Begin anew: a statement that failed ends its transaction."""
        self._connection.execute("ROLLBACK; BEGIN")
        self._load()

    def _make(self, names: frozenset[str]) -> None:
        """Fill the views of these names that are not filled yet, in the order in which they build on each other."""
        for view in views():
            if view.name in names and view.name not in self._made:
                self._connection.execute(f"EXECUTE {_FILL}{view.name}")
                self._made.add(view.name)

    def results(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of the table `results`."""
        self._rows = {**self._rows, "results": rows}
        if any(names(view.sql, frozenset({"results"})) for view in views()):
            self._again()  # what was filled from the rows before has to go
        else:
            super().results(rows)

    def close(self) -> None:
        """Take the dataset out of the database, and leave that to the next session."""
        if self._closed:
            return
        self._closed = True
        self._worker.shutdown()
        self._connection.execute("ROLLBACK")
        self._give_back(self._kit)


class Sessions:
    """Sessions one after the other in one database, set up once; for one thread.

    Answers are those of a session of its own. Where a log is large, or a session is not closed yet, it gets one.
    """

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._idle: _Set | None = None

    def __call__(self, dataset: Dataset, bounds: Bounds) -> DuckDBSession:
        """A session with a dataset loaded."""
        if isinstance(dataset.events, LogRows) or len(dataset.events) > _SMALL_LOG:
            return DuckDBSession(dataset, bounds)
        kit, self._idle = self._idle, None
        if kit is None or kit.memory_mib != bounds.memory_mib or len(kit.asked) > _MOST_QUESTIONS:
            kit = _Set(bounds.memory_mib)
        return _Reused(dataset, bounds, kit, self._keep)

    def _keep(self, kit: _Set) -> None:
        self._idle = kit


def _bound(value: Any) -> Any:
    """A parameter as DuckDB should bind it: a small whole number would otherwise make 32-bit arithmetic of the rest."""
    if isinstance(value, int) and not isinstance(value, bool):
        from duckdb.value.constant import LongValue

        return LongValue(value)
    return value


ENGINE = Engine(name="duckdb", open=DuckDBSession, one_after_the_other=Sessions)
