"""The action log of all files: one row an event, one account a call, what does not count left out and counted.

Logs that a database holds are gathered there, by the same rules (`psf_audit/columns/log.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from psf_audit.facts import accounts, patterns, spool
from psf_audit.facts.accounts import Settled, Writer
from psf_audit.facts.model import Event
from psf_audit.facts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psf_audit.facts.spool import Spool

Row = dict[str, Any]

EVENT_BASE = 2**40
OTHER_RELEASE = "events of another release"
DRILLS = "events of runs that drills name"
NOT_EVIDENCE = "undated or dated after the day of the assessment"
SECOND_ACCOUNTS = "second accounts of a call that another log holds"
SEQUENCE_BITS = 20
# What is the agent's where it was done with a credential of the agent: not answers, which somebody else may give.
DONE = frozenset({"action", "change", "model"})
# Whose account of the same call is kept: the further from the agent, the better.
_TRUST = ("third-party", "cloud", "gateway", "ci", "operator", "agent")
_EMPTY: Row = dict.fromkeys(column.name for column in TABLES["events"].columns)


@dataclass(frozen=True, slots=True)
class Source:
    """One evidence file as the log sees it."""

    id: str
    produced_by: str | None
    release: str | None
    events: Collection[Event]
    carries: frozenset[str] = frozenset()

    @property
    def distrust(self) -> int:
        """How near to the agent its writer stands; an unknown writer is nearest."""
        return _TRUST.index(self.produced_by) if self.produced_by in _TRUST else len(_TRUST)

    @property
    def writer(self) -> Writer:
        """Who wrote it."""
        return Writer(self.distrust, self.produced_by in {None, "agent"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the log.

    Of credentials, whether they are the agent's alone; of names, the way they go; the runs that tests name.
    """

    holders: Mapping[str, bool] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    tested: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Leave:
    """What is left out: runs that drills name, other releases, and what lies after the day of the assessment.

    A run that only drills written down by hand name (`by_hand`) is left out of a log that holds nothing but drills:
    otherwise a line in a record could take whatever contradicts a control out of the log of real work.
    """

    drill_runs: frozenset[str]
    release: str
    end_ms: int
    by_hand: frozenset[str] = frozenset()

    def within(self, events: Collection[Event]) -> Leave:
        """The same for one log: a log of drills alone trusts drills written by hand."""
        named = self.drill_runs | self.by_hand
        return self.trusting(only_drills=all(event.values.get("run") in named for event in events))

    def trusting(self, *, only_drills: bool) -> Leave:
        """The same for a log that holds nothing but drills, or more."""
        return replace(self, drill_runs=self.drill_runs | self.by_hand) if only_drills else self

    def reason(self, source: Source, values: Mapping[str, Any]) -> str | None:
        """Why an event does not count; None when it does."""
        if source.release is not None and source.release != self.release:
            return OTHER_RELEASE
        if values.get("run") in self.drill_runs:
            return DRILLS
        at_ms = values.get("at_ms")
        return NOT_EVIDENCE if at_ms is not None and at_ms > self.end_ms else None


class Placed(Protocol):
    """Where the events of a log stand."""

    def of(self, row: int) -> str | None:
        """The pointer of a row; None for a number that no row has."""


class Held(Collection[Event]):
    """The events of a log that a database holds."""

    @abstractmethod
    def gather(self, sources: Sequence[Source], leave: Leave, known: Known) -> Book:
        """The log of all sources, in their order, made where this one is held."""


@dataclass(slots=True)
class Places:
    """Where the events of a log stand: the rows that it has, and those whose place is not the line of that number."""

    last: int = 0
    elsewhere: dict[int, str] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Note where an event stands."""
        self.last = max(self.last, event.row)
        if event.pointer != f"line {event.row}":
            self.elsewhere[event.row] = event.pointer

    def of(self, row: int) -> str | None:
        """The pointer of a row; None for a number that no row has."""
        return self.elsewhere.get(row, f"line {row}") if 0 < row <= self.last else None


@dataclass(slots=True)
class Book:
    """The rows of the log, and how to find an event's file and line again."""

    rows: Collection[Row] = field(default_factory=spool.rows)
    bases: list[tuple[int, str]] = field(default_factory=list)
    places: dict[str, Placed] = field(default_factory=dict)
    carried: dict[str, frozenset[str]] = field(default_factory=dict)
    witnessed_runs: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    disagreements: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    addresses: list[Row] = field(default_factory=list)

    def note(self, settled: Settled) -> None:
        """Note what became of second accounts."""
        self.disagreements = settled.disagreements
        for source_id, columns in settled.added.items():
            self.carried[source_id] |= columns
        if settled.gone:
            self.left_out[SECOND_ACCOUNTS] += settled.gone


def gather(sources: Sequence[Source], leave: Leave, known: Known | None = None) -> Book:
    """The log of all sources, in their order."""
    known = known or Known()
    held = next((source.events for source in sources if isinstance(source.events, Held) and source.events), None)
    if held is not None:
        return held.gather(sources, leave, known)
    book = Book()
    rows = spool.rows()
    filled = [(number, source) for number, source in enumerate(sources, 1) if source.events]
    for number, source in filled:
        _gather_one(book, rows, source, number * EVENT_BASE, leave)
    settled = accounts.settle(rows, {source.id: source.writer for _, source in filled}, known.ways)
    book.note(settled)
    book.rows = _attributed(settled.rows, known.holders)
    book.tasks, book.addresses = tasks(book.rows), addresses(book.rows)
    return book


def _gather_one(book: Book, rows: Spool[Row], source: Source, base: int, leave: Leave) -> None:
    book.bases.append((base, source.id))
    places = book.places[source.id] = Places()
    book.carried[source.id] = source.carries
    independent = source.produced_by not in {None, "agent"}
    leave = leave.within(source.events)
    for event in source.events:
        places.add(event)
        run = event.values.get("run")
        if independent and isinstance(run, str):
            book.witnessed_runs.add(run)
        reason = leave.reason(source, event.values)
        if reason:
            book.left_out[reason] += 1
        else:
            fixed = {"ref": base + event.row, "source": source.id, "ord": _order(event.values)}
            rows.append({**_EMPTY, **event.values, **fixed})


def _attributed(rows: Collection[Row], holders: Mapping[str, bool]) -> Collection[Row]:
    """The rows; what was done with a credential of the agent is the agent's, where the log itself names nobody."""
    pairs = {(row["credential"], row["actor_kind"]) for row in rows if row["credential"] is not None}
    if all(kind is not None for _, kind in pairs):
        return rows
    own = own_credentials(pairs, holders)
    return spool.rows(
        row | {"actor_kind": "agent"}
        if row["actor_kind"] is None and row["credential"] in own and row["kind"] in DONE
        else row
        for row in rows
    )


def own_credentials(pairs: Iterable[tuple[str, str | None]], holders: Mapping[str, bool]) -> set[str]:
    """The agent's credentials, of all pairs of a credential and who is seen with it.

    Whose a credential is say the `holders`; of others it is the agent's where entries show the agent with it, and none
    shows anybody else.
    """
    kinds: dict[str, set[str]] = {}
    for credential, kind in pairs:
        if kind is not None:
            kinds.setdefault(credential, set()).add(kind)
    seen = {credential: found == {"agent"} for credential, found in kinds.items()}
    return {credential for credential, is_own in {**seen, **holders}.items() if is_own}


def _order(values: Mapping[str, Any]) -> int | None:
    at_ms, sequence = values.get("at_ms"), values.get("seq") or 0
    if at_ms is None:
        return None
    within: int = min(max(sequence, 0), 2**SEQUENCE_BITS - 1)
    order: int = at_ms * 2**SEQUENCE_BITS + within
    return order


def tasks(events: Iterable[Row]) -> list[Row]:
    """The task tree of a log; a task that is its own ancestor is cut where the circle closes."""
    parents: dict[str, str | None] = {}
    for event in events:
        task = event["task"]
        if task is not None and parents.get(task) is None:
            parents[task] = event["parent"] if event["parent"] != task else None
    above = _above(parents)
    return [
        {"task": task, "parent": parent, "root": above[task][0], "depth": above[task][1]}
        for task, parent in sorted(parents.items())
    ]


def _above(parents: Mapping[str, str | None]) -> dict[str, tuple[str, int]]:
    """The first task above each task, and how many stand above it; each task is looked at once."""
    known: dict[str, tuple[str, int]] = {}
    for task in parents:
        path: list[str] = []
        places: dict[str, int] = {}
        at: str | None = task
        while at is not None and at not in known and at not in places:
            places[at] = len(path)
            path.append(at)
            at = parents.get(at)
        if at is not None and at in places:
            circle = path[places[at] :]
            del path[places[at] :]
            known |= {member: (circle[index - 1], len(circle) - 1) for index, member in enumerate(circle)}
        for below in reversed(path):
            parent = parents.get(below)
            root, depth = known[parent] if parent is not None else (below, -1)
            known[below] = (root, depth + 1)
    return known


def addresses(events: Iterable[Row]) -> list[Row]:
    """The distinct targets of a log, with what each looks like, and the host and the sortable address in it."""
    tools: dict[str, set[str | None]] = {}
    for event in events:
        if event["target"] is not None:
            tools.setdefault(event["target"], set()).add(event["name"])
    rows = []
    for target in sorted(tools):
        form = patterns.form(target, tools[target])
        host = patterns.host(target) if form == "host" else None
        rows.append({"value": target, "form": form, "host": host, "key": patterns.address_key(host)})
    return rows
