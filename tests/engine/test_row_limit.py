"""What the row limit leaves out is never what decides."""

from __future__ import annotations

from datetime import date
from typing import Any

from psf_audit import query
from psf_audit.engine.duckdb_engine import ENGINE
from psf_audit.facts import store
from psf_audit.facts.model import Event
from psf_audit.facts.tables import TABLES

DAY = date(2026, 11, 22)


def session(count: int, bounds: query.Bounds) -> query.Session:
    deployment: dict[str, Any] = dict.fromkeys(column.name for column in TABLES["deployment"].columns)
    events = tuple(Event(number, f"line {number}", {"name": f"call {number}"}) for number in range(1, count + 1))
    file = store.EvidenceFile("log", "log", "events", "00", 0, DAY, "1", "gateway", events=events)
    return ENGINE.open(store.build([file], [], store.Setting(DAY, "1", deployment, ())), bounds)


def test_the_worst_rows_are_among_those_that_are_shown() -> None:
    opened = session(50, query.Bounds(rows=20))
    sql = (
        "SELECT ref, name AS what, CASE WHEN name IN ('call 44', 'call 47') THEN 900.5 ELSE 2 END AS found, "
        "CAST(1 AS BIGINT) AS expected, 'usd' AS unit FROM events"
    )

    answers = opened.ask(sql, {})
    opened.close()

    assert (answers.count, len(answers.rows), answers.failure) == (50, 20, None)
    names = [row.what for row in answers.rows]
    assert {"call 1", "call 2", "call 44", "call 47"} <= set(names)
    assert names == sorted(names, key=lambda name: int(name.split()[1]))


def test_rows_without_numbers_are_cut_to_the_first() -> None:
    opened = session(50, query.Bounds(rows=10))

    answers = opened.ask("SELECT ref, name AS what FROM events", {})
    opened.close()

    assert (answers.count, answers.failure) == (50, None)
    assert [row.what for row in answers.rows] == [f"call {number}" for number in range(1, 11)]


def test_rows_that_rest_on_something_being_there_come_first_where_rows_are_cut() -> None:
    opened = session(50, query.Bounds(rows=10))
    sql = "SELECT ref, name AS what, CASE WHEN name <> 'call 50' THEN 'events.approval' END AS absent FROM events"

    answers = opened.ask(sql, {})
    opened.close()

    assert answers.count == 50
    assert len(answers.rows) == 10
    assert [row.what for row in answers.rows if row.absent is None] == ["call 50"]
