"""Evidence tables that a test fills by hand, in a session of the default engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from psf_audit.answering import views_in
from psf_audit.engine.duckdb_engine import DuckDBSession
from psf_audit.facts import log
from psf_audit.facts.store import Dataset, typed
from psf_audit.facts.tables import TABLES
from psf_audit.query import Bounds

Row = dict[str, Any]

BOUNDS = Bounds()
MINUTE = 60_000
START = 1_795_305_600_000


def filled(**tables: list[Row]) -> Dataset:
    """A dataset with these rows; what a row does not say is absent, but facts are configuration of this release."""
    numbers = count(1)
    made = {name: [_row(name, row, next(numbers)) for row in tables.get(name, [])] for name in TABLES}
    events = made.pop("events")
    made["tasks"] = made["tasks"] or log.tasks(events)
    made["addresses"] = log.addresses(events)
    return Dataset(made, events, {}, [], {}, {}, frozenset(), ())


def _row(table: str, given: Row, number: int) -> Row:
    row: Row = dict.fromkeys(column.name for column in TABLES[table].columns)
    if TABLES[table].facts:
        row |= {"ref": number, "source": "x", "basis": "config", "bound": True, "age_days": 0}
    if table == "events":
        row |= {"ref": 1000 + number, "source": "log", "run": "r", "actor_kind": "agent", "kind": "action"}
        row |= {"at_ms": START + number}
    row |= typed(table, {name: Decimal(value) if name in MONEY else value for name, value in given.items()})
    if table == "events" and "ord" not in given and row["at_ms"] is not None:
        row["ord"] = row["at_ms"] * 2**20 + (row["seq"] or 0)
    return row


MONEY = frozenset({"amount", "cost_usd", "threshold", "amount_usd"})


@contextmanager
def session(bounds: Bounds = BOUNDS, **tables: list[Row]) -> Iterator[DuckDBSession]:
    """A session over `filled(...)`."""
    opened = DuckDBSession(filled(**tables), bounds)
    try:
        yield opened
    finally:
        opened.close()


def view(name: str, columns: str, **tables: list[Row]) -> list[tuple[Any, ...]]:
    """The rows of a view, sorted; numbers as plain as they can be."""
    with session(BOUNDS, **tables) as opened:
        opened._make(_with_all_below(name))
        found = opened._connection.execute(f"SELECT {columns} FROM {name}").fetchall()  # noqa: S608  written in a test
    return sorted((tuple(_plain(value) for value in row) for row in found), key=repr)


def _with_all_below(name: str) -> frozenset[str]:
    return views_in(f"SELECT 1 FROM {name}")  # noqa: S608  it is not run


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, float)) and value == int(value):
        return int(value)
    return float(value) if isinstance(value, Decimal) else value
