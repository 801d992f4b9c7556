"""The log as replay reads it: one step an event, in an order that no choice of files changes, with exact money.

Money is whole nano-dollars. What accrues from `at` to `until` accrues at a whole number of grains, far smaller, each
millisecond; what is left over, less than a grain a millisecond, falls due at `until`. So every sum is exact: what
accrues adds up to the cost, and spent and saved to the total.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from psf_audit.facts import spool
from psf_audit.facts.tables import EVENT_KINDS, TABLES

Row = dict[str, Any]
# A moment in the log: milliseconds, and the place of a step among all. What is not later has happened.
Position = tuple[int, int]

# Of a nano-dollar there are so many grains that the lengths people write, such as 90 minutes, divide it with no rest.
GRAINS = 2**24 * 3**12 * 5**12 * 7**4
BEFORE, AFTER = -1, 2**62
DECISIONS = frozenset({"approval", "refusal", "resume", "stop"})

_NANO = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALLS = frozenset({"action", "model"})
# Who is not named is taken for the agent.
_AGENT = frozenset({"agent", None})
_PEOPLE = frozenset({"operator", "third_party"})
_SORTED_AT_ONCE = 50_000
_FIRST_KINDS = ("start", "resume", "approval", "refusal", "ack", "checkpoint", "pause")
_LAST_KINDS = ("complete", "stop")
# At the same moment and number, what was decided comes before what was done, and the end comes last.
_RANKS = {
    kind: _FIRST_KINDS.index(kind)
    if kind in _FIRST_KINDS
    else len(EVENT_KINDS) + _LAST_KINDS.index(kind)
    if kind in _LAST_KINDS
    else len(_FIRST_KINDS)
    for kind in EVENT_KINDS
}
# Beyond that, events are told apart by what they say, never by the file that they stand in.
_TELLING = tuple(column.name for column in TABLES["events"].columns if column.name not in {"ref", "source", "ord"})


@dataclass(slots=True)
class Step:
    """One event of the log; nothing changes it, but what is frozen takes three times as long to make.

    `place` is its number in the order, `cost` nano-dollars, `until` at least `at`.

    A call is what the agent did, or tried and was not refused; an action is a call of a tool. A charge is what cost
    money: calls, and what a provider charged, but not what people spent themselves.
    """

    place: int
    ref: int
    at: int
    until: int
    kind: str | None
    actor_kind: str | None
    run: str | None
    session: str | None
    task: str | None
    root: str | None
    parent: str | None
    depth: int
    actor: str | None
    credential: str | None
    name: str | None
    target: str | None
    via: str | None
    outcome: str | None
    approval: str | None
    id: str | None
    duplicate_of: str | None
    digest: str | None
    tokens: int
    cost: int
    priced: bool
    is_call: bool
    is_action: bool
    is_charge: bool

    @property
    def position(self) -> Position:
        """When it happened."""
        return self.at, self.place

    @property
    def is_decision(self) -> bool:
        """Whether a person decided something."""
        return self.actor_kind == "operator" and self.kind in DECISIONS

    @property
    def rate(self) -> int:
        """Grains that accrue each millisecond; 0 for a cost that falls due at once."""
        return self.cost * GRAINS // (self.until - self.at) if self.until > self.at else 0

    @property
    def rest(self) -> int:
        """Grains that fall due at `until`."""
        return self.cost * GRAINS - self.rate * (self.until - self.at)

    def accrued(self, at: int) -> int:
        """Grains that have accrued by a time at or after its start."""
        return self.cost * GRAINS if at >= self.until else self.rate * (at - self.at)


def usd(grains: int) -> Decimal:
    """Grains as dollars, cut to nano-dollars."""
    return dollars(grains // GRAINS)


def dollars(nano: int) -> Decimal:
    """Nano-dollars as dollars, without zeros at the end."""
    value = Decimal(nano).scaleb(-_NANO)
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def nano(value: Decimal) -> int:
    """Dollars as nano-dollars; the tables hold nothing finer."""
    return int(value.scaleb(_NANO))


class Log:
    """The events of a dataset as steps; it can be read any number of times."""

    def __init__(
        self, events: Collection[Row], tasks: Iterable[Mapping[str, Any]], capabilities: Iterable[Mapping[str, Any]]
    ) -> None:
        """`capabilities` say which way calls take and which are free, if the log does not."""
        self.undated = 0
        self._rows = events
        self._is_ordered = False
        self._tasks = {row["task"]: row for row in tasks}
        self._vias: dict[str, str] = {}
        self._free: set[str | None] = set()
        for row in capabilities:
            if row["cost_usd"] == 0:
                self._free.add(row["name"])
            if row["via"] is not None and row["name"] is not None:
                self._vias[row["name"]] = max(row["via"], self._vias.get(row["name"], ""))

    def __iter__(self) -> Iterator[Step]:
        if not self._is_ordered:
            self.look_over(lambda _: None)
        place = 0
        for row in self._rows:
            if row["at_ms"] is not None:
                yield self._step(row, place)
                place += 1

    def look_over(self, look: Callable[[Step], None]) -> None:
        """Show every step once, in whatever order the rows have, and bring them into the order of the log."""
        self.undated, is_ordered = 0, True
        before: Row | None = None
        for row in self._rows:
            if row["at_ms"] is None:
                self.undated += 1
                continue
            is_ordered = is_ordered and (before is None or _follows(before, row))
            before = row
            look(self._step(row, 0))
        if not is_ordered:
            self._rows = _sorted(self._rows)
        self._is_ordered = True

    def _step(self, row: Row, place: int) -> Step:
        at, until, task, cost, name = row["at_ms"], row["until_ms"], row["task"], row["cost_usd"], row["name"]
        known = self._tasks.get(task) if task is not None else None
        kind, actor_kind = row["kind"], row["actor_kind"]
        calls = kind in _CALLS and actor_kind in _AGENT and row["outcome"] != "denied"
        # By position: with names it takes half as long again, and there are millions.
        return Step(
            place,
            row["ref"],
            at,
            at if until is None or until < at else until,
            kind,
            actor_kind,
            row["run"],
            row["session"],
            task,
            known["root"] if known else task,
            row["parent"],
            known["depth"] if known else 0,
            row["actor"],
            row["credential"],
            name,
            row["target"],
            row["via"] or self._vias.get(name),
            row["outcome"],
            row["approval"],
            row["id"],
            row["duplicate_of"],
            row["args_digest"],
            (row["tokens_in"] or 0) + (row["tokens_out"] or 0),
            0 if cost is None else nano(cost),
            cost is not None or name in self._free,
            calls,
            calls and kind == "action",
            cost is not None and cost > 0 and actor_kind not in _PEOPLE,
        )


def _follows(before: Row, row: Row) -> bool:
    if before["at_ms"] < row["at_ms"]:
        return True
    earlier, later = (before["at_ms"], before["seq"] or 0), (row["at_ms"], row["seq"] or 0)
    return earlier < later or (earlier == later and _key(before) <= _key(row))


def _key(row: Row) -> tuple[Any, ...]:
    rank = _RANKS.get(row["kind"], len(_FIRST_KINDS))
    told = tuple("" if row[name] is None else str(row[name]) for name in _TELLING)
    return row["at_ms"], row["seq"] or 0, rank, row["id"] or "", told


def _sorted(rows: Iterable[Row]) -> Collection[Row]:
    """The rows in order: sorted piece by piece, each piece on disk, then merged."""
    dated = (row for row in rows if row["at_ms"] is not None)
    pieces = []
    while piece := list(islice(dated, _SORTED_AT_ONCE)):
        pieces.append(spool.rows(sorted(piece, key=_key)))
    if len(pieces) == 1:
        return pieces[0]
    return spool.rows(heapq.merge(*pieces, key=_key))


def moment(at: int | None) -> str | None:
    """Milliseconds as an RFC 3339 time in UTC, cut to whole seconds only where they are whole."""
    if at is None:
        return None
    text = (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"
