"""What a log shows over time, bounded in size whatever the log: what the pictures of a report are drawn from.

Money is US dollars as exact decimals, moments are milliseconds UTC. Lists that are cut carry the count of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

STEPS = 96
MOST_STRETCHES = 20  # and in `timeline.sql`
MOST_GUARDRAILS = 20


class MarkKind(StrEnum):
    """What happens along the way, in the order in which pictures and tables list it."""

    CHECKPOINT = "checkpoint"
    APPROVAL = "approval"
    REFUSAL = "refusal"
    WARNING = "warning"
    STOP_REQUEST = "stop_request"
    STOP = "stop"
    COMPLETE = "complete"

    @property
    def label(self) -> str:
        """The kind as a reader sees it."""
        return {
            MarkKind.APPROVAL: "approval by a person",
            MarkKind.REFUSAL: "refusal by a person",
            MarkKind.WARNING: "warning or alert",
            MarkKind.STOP_REQUEST: "request to stop",
        }.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """The first and the last event of a kind in one of the `STEPS` parts of the time, and how many there are in it."""

    at: int
    until: int
    kind: MarkKind
    count: int = 1


@dataclass(frozen=True, slots=True)
class Ceiling:
    """An enforced limit in USD, and where it stands; `whole` if all that was spent counts against it as one sum.

    A ceiling for each session is passed by no session where several stay below it.
    """

    what: str
    usd: Decimal
    whole: bool
    evidence: str
    pointer: str


@dataclass(frozen=True, slots=True)
class WouldStop:
    """An enforced limit or gate that the log reaches: when it acts first, and for how many of those it counts for."""

    what: str
    at: int
    whom: int
    evidence: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Work of one run between two human decisions; `usd` is None where the log states no cost of it."""

    run: str
    at: int
    seconds: int
    usd: Decimal | None
    calls: int
    actions: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The log of one deployment over time.

    `spent` is what had been spent at `STEPS + 1` evenly spaced moments from `start` to `end`, what accrues counted as
    it accrues. It is empty, and the moments are None, where nothing in the log has a time. `problems` says what could
    not be asked of the log.
    """

    start: int | None = None
    end: int | None = None
    spent: tuple[Decimal, ...] = ()
    calls: int = 0
    unpriced: int = 0
    marks: tuple[Mark, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    ceiling_count: int = 0
    stops: tuple[WouldStop, ...] = ()
    stop_count: int = 0
    stretches: tuple[Stretch, ...] = ()
    stretch_count: int = 0
    problems: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        """What had been spent in the end."""
        return self.spent[-1] if self.spent else Decimal(0)

    def moment(self, step: int) -> int:
        """The moment of an entry of `spent`, to the millisecond."""
        start, end = self.start or 0, self.end or 0
        return start + (end - start) * step // STEPS

    @property
    def faults(self) -> tuple[str, ...]:
        """Where it does not agree with itself: a stored one may say anything."""
        dated = self.start is not None and self.end is not None
        moments = [at for mark in self.marks for at in (mark.at, mark.until)]
        wrong = (
            ("has a sum that goes down", any(after < before for before, after in pairwise(self.spent))),
            ("has sums and no time for them", bool(self.spent) and not dated),
            ("ends before it starts", dated and (self.end or 0) < (self.start or 0)),
            ("has an event outside its time", not all((self.start or 0) <= at <= (self.end or 0) for at in moments)),
            (
                "has more rows than it counts",
                self.ceiling_count < len(self.ceilings)
                or self.stop_count < len(self.stops)
                or self.stretch_count < len(self.stretches),
            ),
        )
        return tuple(f"the activity {words}" for words, holds in wrong if holds)
