"""Several accounts of one call: which of them counts, what the others add to it, and where they disagree.

A gateway, a cloud and the agent itself may each write down the same call. It is counted once, by the writer furthest
from the agent; the others add what only they can know. Where logs of the same traffic do not agree, at least one of
them is wrong: that is kept as a row of the table `disagreements`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.facts import spool

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Row = dict[str, Any]
Call = bytes

CALLS = frozenset({"action", "model"})
# An identifier of this length was made to be the only one; a shorter one may be a number that starts anew in each run.
UNIQUE_LENGTH = 16
# What the agent may know of a call that the gateway saw; never how it ended or which way it took. What it cost and used
# is added where the account that is kept does not say: otherwise a log without costs would hide what another admits.
_ADDED = ("run", "session", "task", "parent", "approval", "reason", "actor", "actor_kind", "credential", "provider")
_COMPARED = ("source", "outcome", "cost_usd", "priced_by", "tokens_in", "tokens_out")


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a log: how near to the agent they stand, and whether it is the agent's own account."""

    distrust: int
    is_agent: bool


@dataclass(slots=True)
class Settled:
    """The log with one account a call.

    `gone` second accounts were left out, `holed` are the logs that they came from, `added` are the columns that second
    accounts filled in each log.
    """

    rows: Collection[Row]
    gone: int = 0
    holed: frozenset[str] = frozenset()
    added: dict[str, frozenset[str]] = field(default_factory=dict)
    disagreements: list[Row] = field(default_factory=list)


def settle(rows: Collection[Row], writers: Mapping[str, Writer], ways: Mapping[str, str] | None = None) -> Settled:
    """One account a call, of all the rows of several logs; `ways` are those of names of which a log does not say it."""
    sources = list(writers)
    if len(sources) < 2:  # noqa: PLR2004  one log holds no second account
        return Settled(rows)
    index = _Index(sources)
    for row in rows:
        index.add(row)
    if not index.shared:
        return Settled(rows)
    settling = _Settling(index, writers, ways or {})
    for row in rows:
        settling.look(row)
    return settling.settled(rows)


def _call_of(row: Row) -> Call | None:
    """What names one call in every log, as a digest; None where nothing does."""
    call_id, kind, run = row["id"], row["kind"], row["run"]
    if call_id is None or kind not in CALLS:
        return None
    if len(call_id) >= UNIQUE_LENGTH:
        run = None
    elif run is None:
        return None
    return hashlib.blake2b(repr((kind, run, call_id)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Index:
    """Which logs hold which calls, and from when to when each log holds calls of a kind."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._bit = {source: 1 << number for number, source in enumerate(sources)}
        self._holders: dict[Call, int] = {}
        self._spans: dict[tuple[str, str], tuple[int, int]] = {}
        self.shared = False

    def add(self, row: Row) -> None:
        call = _call_of(row)
        if call is None:
            return
        before = self._holders.get(call, 0)
        after = before | self._bit[row["source"]]
        self._holders[call] = after
        self.shared = self.shared or bool(before and before != after)
        at_ms = row["at_ms"]
        if at_ms is not None:
            key = row["source"], row["kind"]
            first, last = self._spans.get(key, (at_ms, at_ms))
            self._spans[key] = min(first, at_ms), max(last, at_ms)

    def holders(self, call: Call) -> list[str]:
        """The logs that hold a call."""
        mask = self._holders[call]
        return [source for source, bit in self._bit.items() if mask & bit]

    def covers(self, source: str, row: Row) -> bool:
        """Whether a log was being written, for calls of this kind, when this one was made."""
        span = self._spans.get((source, row["kind"]))
        return span is not None and row["at_ms"] is not None and span[0] <= row["at_ms"] <= span[1]


class _Settling:
    """The second and third look at the rows: what second accounts say, then what is left."""

    def __init__(self, index: _Index, writers: Mapping[str, Writer], ways: Mapping[str, str]) -> None:
        self._index = index
        self._writers = writers
        self._declared = ways
        self._seconds: dict[Call, list[Row]] = defaultdict(list)
        # Logs of the same traffic: the two names, the kind of call, and whose credential and which way it was.
        self._traffic: set[tuple[str, str, str, str | None]] = set()
        self._ways: set[tuple[str, str, str]] = set()
        self._found: dict[tuple[str, str, str], Row] = {}
        self._added: dict[str, set[str]] = defaultdict(set)

    def _kept(self, holders: Iterable[str]) -> str:
        return min(holders, key=lambda source: self._writers[source].distrust)

    def look(self, row: Row) -> None:
        """What a second account of a call says, and which logs are of the same traffic."""
        call = _call_of(row)
        holders = self._index.holders(call) if call is not None else []
        if call is None or len(holders) < 2:  # noqa: PLR2004  one account
            return
        source = row["source"]
        if self._kept(holders) != source:
            self._seconds[call].append({name: row[name] for name in (*_ADDED, *_COMPARED)})
            return
        for other in holders:
            self._traffic.add((source, other, row["kind"], row["credential"]))
            if row["via"] is not None:
                self._ways.add((source, other, row["via"]))

    def settled(self, rows: Collection[Row]) -> Settled:
        kept = spool.rows()
        gone = 0
        holed: set[str] = set()
        # A log may hold the same call twice; what others say of it is said of the first.
        for row in rows:
            call = _call_of(row)
            holders = self._index.holders(call) if call is not None else []
            if holders and self._kept(holders) != row["source"]:
                gone += 1
                holed.add(row["source"])
                continue
            if call is not None:
                self._compare(row, holders, self._seconds.pop(call, []))
            kept.append(row)
        final = spool.rows(row | {"seq": None} if row["source"] in holed else row for row in kept) if holed else kept
        added = {source: frozenset(columns) for source, columns in self._added.items()}
        return Settled(final, gone, frozenset(holed), added, list(self._found.values()))

    def _compare(self, row: Row, holders: Sequence[str], seconds: Sequence[Row]) -> None:
        """Hold the account that is kept against the others, and add to it what only they know."""
        for second in seconds:
            self._differences(row, second)
        for second in seconds:
            for name in _ADDED:
                self._add(row, name, second[name])
        self._add_usage(row, seconds)
        for other, writer in self._writers.items():
            if other in holders or not self._index.covers(other, row):
                continue
            mine = self._writers[row["source"]]
            if writer.is_agent and not mine.is_agent:
                if (row["source"], other, row["kind"], row["credential"]) in self._traffic:
                    self._note("untraced", row, other, 1, 0)
            elif mine.is_agent and not writer.is_agent and (other, row["source"], self._way(row)) in self._ways:
                self._note("unseen", row, other, 1, 0)

    def _way(self, row: Row) -> str | None:
        """Which way a call took: as its log says, else as its capability says."""
        return row["via"] or self._declared.get(row["name"])

    def _add(self, row: Row, name: str, value: Any) -> None:
        if row[name] is None and value is not None:
            row[name] = value
            self._added[row["source"]].add(name)

    def _add_usage(self, row: Row, seconds: Sequence[Row]) -> None:
        """Cost and tokens that the account does not state: of several others the largest, a stated cost before any."""
        costs = [second for second in seconds if second["cost_usd"] is not None]
        if row["cost_usd"] is None and costs:
            dearest = max(costs, key=lambda second: (second["priced_by"] is None, second["cost_usd"]))
            for name in ("cost_usd", "priced_by"):
                self._add(row, name, dearest[name])
        for name in ("tokens_in", "tokens_out"):
            self._add(row, name, max((second[name] for second in seconds if second[name] is not None), default=None))

    def _differences(self, row: Row, second: Row) -> None:
        other = second["source"]
        if not {row["outcome"], second["outcome"]} & {None} and (row["outcome"] == "ok") != (second["outcome"] == "ok"):
            self._note("outcome", row, other, 1, 0)
        stated = row["priced_by"] is None and second["priced_by"] is None
        for name, columns in (("cost", ("cost_usd",) * stated), ("tokens", ("tokens_in", "tokens_out"))):
            for column in columns:
                if row[column] is not None and second[column] is not None:
                    self._note(name, row, other, second[column], row[column])

    def _note(self, what: str, row: Row, other: str, found: Any, expected: Any) -> None:
        key = what, row["source"], other
        noted = self._found.get(key)
        if noted is None:
            fresh = {"ref": row["ref"], "source": row["source"], "other": other, "what": what, "at_ms": row["at_ms"]}
            noted = self._found[key] = {**fresh, "found": Decimal(0), "expected": Decimal(0)}
        noted["found"] += found
        noted["expected"] += expected
