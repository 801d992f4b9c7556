"""Datasets in DuckDB and in Spark, for the tests that hold one against the other. They run with `make spark`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from psf_audit import cases, rubric
from psf_audit.columns.database import LOGS, Database
from psf_audit.columns.rows import definition, insert
from psf_audit.columns.table import LogRows
from psf_audit.engine.duckdb_engine import ENGINE as DUCKDB
from psf_audit.engine.spark_engine import ENGINE
from psf_audit.facts import log
from psf_audit.facts.store import Dataset
from psf_audit.facts.tables import TABLES
from psf_audit.model import Status
from psf_audit.query import Answers, Bounds, Session
from psf_audit.rubric import Rubric
from tests.generated_log import GeneratedLog, Vocabulary
from tests.tables import BOUNDS, filled

# So that Spark spreads the work whatever machine this is.
MASTER = "local[4]"


starts_spark = pytest.mark.spark

LIMITS = [
    {"resource": "usd", "amount": 50, "scope": "run", "per_seconds": 7, "like": "a!_%"},
    {"resource": "usd", "amount": 20, "scope": "session", "via": "a_b", "aligned": True},
    {"resource": "tokens", "amount": Decimal("0.000000001"), "per_seconds": 2**62, "like": "%b!!", "aligned": False},
]


@cache
def released() -> tuple[tuple[Rubric, cases.CaseFile], ...]:
    """Every version of every rubric with its cases."""
    found = []
    for name, versions in rubric.available().items():
        for version in versions:
            path = rubric.find(f"{name}@{version}")
            known = rubric.load(path)
            found.append((known, cases.load(cases.beside(path), known)))
    return tuple(found)


@cache
def newest() -> tuple[tuple[Rubric, cases.CaseFile], ...]:
    """The newest version of every rubric with its cases."""
    paths = {rubric.find(name) for name in rubric.available()}
    return tuple((known, case_file) for known, case_file in released() if known.path in {str(path) for path in paths})


@contextmanager
def both(dataset: Dataset, bounds: Bounds = BOUNDS) -> Iterator[tuple[Session, Session]]:
    """The dataset in DuckDB and in Spark."""
    # DuckDB reads and writes no file once it has been asked.
    second = ENGINE.open(dataset, bounds)
    first = DUCKDB.open(dataset, bounds)
    try:
        yield first, second
    finally:
        first.close()
        second.close()


@contextmanager
def session(bounds: Bounds = BOUNDS, **tables: Any) -> Iterator[Session]:
    opened = ENGINE.open(filled(**tables), bounds)
    try:
        yield opened
    finally:
        opened.close()


def compared(sessions: tuple[Session, Session], sql: str, parameters: dict[str, Any] | None = None) -> Answers:
    """The answer of both, to the last digit."""
    expected, found = (opened.ask(sql, parameters or {}) for opened in sessions)
    assert repr(found) == repr(expected), sql
    return found


def facts_of_all_cases() -> Dataset:
    """What the cases in which controls hold or are contradicted say, all together, and no log."""
    rows: cases.Rows = {}
    known, case_file = newest()[0]
    for case in (case for _, case_file in newest() for case in case_file.cases):
        if case.status in {Status.DEMONSTRATED, Status.CONTRADICTED}:
            for table in case.rows.keys() - {"controls", "events", "results"}:
                own = rows.setdefault(table, [])
                own += [row for row in case.rows[table] if row not in own]
    return cases._dataset(known, replace(case_file.cases[0], rows=rows), case_file.as_of)


def with_log(dataset: Dataset, count: int) -> Dataset:
    """The dataset with a generated log, which a database holds."""

    def column(table: str, name: str) -> list[str]:
        return sorted({row[name] for row in dataset.tables[table] if row[name]})

    words = Vocabulary(
        names=column("capabilities", "name"),
        vias=[*column("limits", "via"), *column("capabilities", "via")],
        credentials=column("credentials", "subject"),
        targets=[*column("boundaries", "pattern"), *(f"172.20.{number}.7" for number in range(200)), "/etc/passwd"],
        people=column("people", "name"),
    )
    made = held(GeneratedLog(count, seed=7, words=words))
    pairs = "SELECT {0} FROM {1} WHERE {2} IS NOT NULL GROUP BY {0} ORDER BY {0}"
    tasks = log.tasks(made.database.rows(pairs.format("task, parent", made.relation, "task")))
    addresses = log.addresses(made.database.rows(pairs.format("target, name", made.relation, "target")))
    return replace(dataset, tables=dataset.tables | {"tasks": tasks, "addresses": addresses}, events=made)


def held(rows: Collection[dict[str, Any]]) -> LogRows:
    """Rows of the table `events` as a database holds them."""
    database = Database(2048)
    name, columns = database.name("log"), TABLES["events"].columns
    database.run(f'CREATE TABLE "{name}" ({definition(columns)})')
    insert(database.logs, name, columns, rows)
    return LogRows(database, f'{LOGS}.main."{name}"')
