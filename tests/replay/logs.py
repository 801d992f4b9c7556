"""Logs that a test writes by hand, and what replay says of them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from psf_audit.engine.duckdb_engine import DuckDBSession
from psf_audit.facts import log, spool
from psf_audit.facts.store import Dataset
from psf_audit.query import Bounds
from psf_audit.replay import lists
from psf_audit.replay.account import Account, Result, replay
from psf_audit.replay.deployed import of_tables
from psf_audit.replay.grammar import guardrails
from psf_audit.replay.guardrails import Guardrail
from psf_audit.replay.steps import GRAINS, Log, dollars
from psf_audit.replay.triggers import Refused
from tests.tables import MINUTE, START, Row, filled


def at(minute: float, **values: Any) -> Row:
    """An action of the agent some minutes after the start of a day, in one run and session."""
    event = {"at_ms": START + round(minute * MINUTE), "name": "call", "session": "s", **values}
    if "until" in event:
        event["until_ms"] = START + round(event.pop("until") * MINUTE)
    return event


def person(minute: float, kind: str = "approval", **values: Any) -> Row:
    """A decision of a person."""
    return at(minute, **{"kind": kind, "actor_kind": "operator", "actor": "R. Okafor", **values})


def told(events: list[Row], *flags: tuple[str, str], incidents: frozenset[str] = frozenset()) -> Result:
    """What replay says of some events and flags."""
    dataset = filled(events=events)
    rows = spool.rows(dataset.events)
    named = [(f"--{name}", text) for name, text in flags]
    return replay(Log(rows, log.tasks(rows), []), guardrails(named), incidents, judge(dataset))


def tried(events: list[Row], *, expected: int | None = None, **tables: list[Row]) -> Result:
    """What replay says of some events and of the guardrails of a deployment."""
    dataset = filled(events=events, **tables)
    named = of_tables(dataset.tables, {}, expected).tried
    rows = Log(dataset.events, log.tasks(dataset.events), dataset.tables["capabilities"])
    return replay(rows, named, frozenset(), judge(dataset))


def judge(dataset: Dataset) -> Callable[..., dict[Guardrail, Refused]]:
    """What says what lists refuse in a dataset."""

    def opened(other: Dataset, most: int) -> DuckDBSession:
        return DuckDBSession(other, Bounds(rows=most))

    return lambda named, touched: lists.refused(named, touched, dataset, opened)


def one(events: list[Row], name: str, text: str) -> Account:
    """What replay says of one flag."""
    (account,) = told(events, (name, text)).accounts
    return account


def minutes(account: Account) -> float | None:
    """When a guardrail would first have acted, in minutes after the start."""
    return None if account.first is None else (account.first[0][0] - START) / MINUTE


def usd(grains: int) -> Decimal:
    """Grains as dollars, to the nearest nano-dollar."""
    return dollars((grains + GRAINS // 2) // GRAINS)


def decimals(*values: int) -> tuple[Decimal, ...]:
    """Whole dollars as `sums` has them."""
    return tuple(Decimal(value) for value in values)


def sums(account: Account) -> tuple[Decimal, ...]:
    """Spent by then, saved, interrupted, and what was running."""
    split = account.total()
    return usd(split.spent), usd(split.saved), usd(split.interrupted), usd(split.running)
