"""What a list of tools or targets refuses, asked of the views that criteria read.

Each thing that was called or touched is put once into a log of its own, in an engine of its own where nothing but the
one list is in force; the view `outside` says which of them it refuses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psf_audit.errors import CannotAssess
from psf_audit.facts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from psf_audit.facts.store import Dataset
    from psf_audit.query import Session
    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.triggers import Refused

# Whether it is a tool or a target, the value, and the way that the call takes.
Touched = tuple[str, str, "str | None"]
Row = dict[str, Any]


def refused(
    guardrails: Iterable[Guardrail],
    touched: Collection[Touched],
    dataset: Dataset,
    opened: Callable[[Dataset, int], Session],
) -> dict[Guardrail, Refused]:
    """What each guardrail that has lists refuses of what was touched.

    `opened` gives a session of an engine over a dataset, which returns up to so many rows.

    Raises:
        CannotAssess: the engine cannot answer.
    """
    found = {}
    for guardrail in guardrails:
        lists = (guardrail.rows,) if guardrail.table == "boundaries" else guardrail.lists
        if lists:
            asked = [_outside(rows, sorted(touched, key=repr), dataset, opened) for rows in lists]
            found[guardrail] = frozenset[Touched]().union(*asked)
    return found


def _outside(
    rows: Sequence[Mapping[str, Any]],
    touched: Sequence[Touched],
    dataset: Dataset,
    opened: Callable[[Dataset, int], Session],
) -> Refused:
    of_tools = rows[0]["dimension"] == "tool"
    mine = [each for each in touched if (each[0] == "tool") is of_tools]
    if not mine:
        return frozenset()
    empty: dict[str, list[Row]] = {name: [] for name in TABLES if name != "events"}
    values = {value for _, value, _ in mine}
    addresses = [row for row in dataset.tables["addresses"] if row["value"] in values]
    boundaries = [{**_nothing("boundaries"), **row, "basis": "config", "bound": True} for row in rows]
    tables = {**empty, "addresses": addresses, "boundaries": boundaries}
    events = [_event(ref, each) for ref, each in enumerate(mine)]
    session = opened(replace(dataset, tables=tables, events=events), len(mine))
    try:
        answers = session.ask("SELECT DISTINCT ref, '' AS what FROM outside", {})
    finally:
        session.close()
    if answers.failure is not None:
        raise CannotAssess(f"what {rows[0]['dimension']} lists refuse cannot be asked: {answers.failure}")
    return frozenset(mine[answer.ref] for answer in answers.rows if answer.ref is not None)


def _nothing(table: str) -> Row:
    return dict.fromkeys(column.name for column in TABLES[table].columns)


def _event(ref: int, touched: Touched) -> Row:
    """An action of the agent that does nothing but touch this one thing."""
    kind, value, via = touched
    place = {"name": value} if kind == "tool" else {"target": value}
    return {**_nothing("events"), "ref": ref, "kind": "action", "actor_kind": "agent", "via": via, **place}
