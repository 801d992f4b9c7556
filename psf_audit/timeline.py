"""The activity of a deployment, asked of the views in `timeline.sql`: no event is looked at outside the engine.

Whatever the size of the log, an answer has at most as many rows as a session returns (100): the time is cut into
`STEPS` parts. Sums are exact; what accrues is counted at whole thousandths of a nano-dollar each millisecond until it
ends, and the rest of it then.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from psf_audit.activity import (
    MOST_GUARDRAILS,
    STEPS,
    Activity,
    Ceiling,
    Mark,
    MarkKind,
    Stretch,
    WouldStop,
)
from psf_audit.query import parameters
from psf_audit.stops import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psf_audit.query import Answer, Session

    Row = Mapping[str, Any]
    Tables = Mapping[str, Sequence[Row]]

_GRAINS = 1_000
_NANO = 10**9


@cache
def questions() -> dict[str, str]:
    """The SQL of each question by its name."""
    text = files("psf_audit").joinpath("timeline.sql").read_text(encoding="utf-8")
    blocks = (block.partition("\n") for block in text.split("-- ask: ")[1:])
    return {name: sql.strip().removesuffix(";") for name, _, sql in blocks}


def activity_of(session: Session, tables: Tables) -> Activity:
    """The activity in the log that a session of an engine has loaded; `tables` are the evidence tables beside it."""
    asked = _Asked(session)
    guardrails = {row["ref"]: row for table in ("limits", "gates") for row in tables[table]}
    span = {row.what: row for row in asked.rows("range")}
    start, end = (span[name].at_ms if name in span else None for name in ("from", "to"))
    spent: tuple[Decimal, ...] = ()
    marks: tuple[Mark, ...] = ()
    if start is not None and end is not None:
        # One moment is no time; a millisecond is the least that can be drawn.
        end = max(end, start + 1)
        asked.given |= {"start": start, "length": end - start}
        spent = _spent(asked, end - start)
        marks = _marks(asked)
    ceilings = _ceilings(asked, guardrails, spent[-1] if spent else None)
    stops = _stops(asked, guardrails)
    stretches, stretch_count = _stretches(asked)
    return Activity(
        start=start,
        end=end,
        spent=spent,
        calls=int(span["from"].found or 0) if span else 0,
        unpriced=int(span["to"].found or 0) if span else 0,
        marks=marks,
        ceilings=ceilings[:MOST_GUARDRAILS],
        ceiling_count=len(ceilings),
        stops=stops[:MOST_GUARDRAILS],
        stop_count=len(stops),
        stretches=stretches,
        stretch_count=stretch_count,
        problems=tuple(asked.problems),
    )


class _Asked:
    """Asks, and keeps what could not be answered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.given: dict[str, Any] = {"steps": STEPS, "grains": _GRAINS, "nano": _NANO}
        self.problems: list[str] = []

    def rows(self, name: str, **given: Any) -> tuple[Answer, ...]:
        """The rows of an answer; none if it cannot be given whole."""
        sql, known = questions()[name], self.given | given
        answers = self._session.ask(sql, {each: known[each] for each in parameters(sql)})
        failure = answers.failure
        if failure is None and answers.count > len(answers.rows):
            failure = f"it has {answers.count} rows, and {len(answers.rows)} fit"
        if failure is not None:
            self.problems.append(f"Of the log could not be asked: {name}; {failure}")
            return ()
        return answers.rows


def _spent(asked: _Asked, length: int) -> tuple[Decimal, ...]:
    """What had been spent at each moment; none where it cannot be told."""
    known = len(asked.problems)
    settled: dict[int, Decimal] = defaultdict(Decimal)
    for row in asked.rows("settled"):
        settled[row.at_ms or 0] += row.found
    rates: dict[int, int] = defaultdict(int)
    offsets: dict[int, int] = defaultdict(int)
    for row in asked.rows("accruing"):
        rates[row.at_ms or 0] += int(row.found)
        offsets[row.at_ms or 0] += int(row.expected)
    if len(asked.problems) > known:
        return ()
    spent, whole, rate, offset = [], Decimal(0), 0, 0
    for step in range(STEPS + 1):
        whole += settled[step]
        rate += rates[step]
        offset += offsets[step]
        accrued = (rate * length * step // STEPS - offset) // _GRAINS
        spent.append(whole + Decimal(accrued).scaleb(-9))
    return tuple(spent)


def _marks(asked: _Asked) -> tuple[Mark, ...]:
    found = [
        Mark(row.at_ms, int(row.expected), kind, int(row.found))
        for kind in MarkKind
        for row in asked.rows("marked", kind=kind.value)
        if row.at_ms is not None
    ]
    return tuple(sorted(found, key=lambda mark: (mark.at, list(MarkKind).index(mark.kind))))


def _ceilings(asked: _Asked, guardrails: Mapping[Any, Row], total: Decimal | None) -> tuple[Ceiling, ...]:
    found = []
    for row in asked.rows("ceilings"):
        stop = named(guardrails[row.ref])
        whole = row.expected is not None and row.expected == total
        found.append(Ceiling(stop.what, Decimal(row.found), whole, stop.evidence, stop.pointer))
    return tuple(sorted(set(found), key=lambda each: (each.usd, each.what, each.evidence, each.pointer)))


def _stops(asked: _Asked, guardrails: Mapping[Any, Row]) -> tuple[WouldStop, ...]:
    found = []
    for row in asked.rows("stops"):
        stop = named(guardrails[row.ref])
        if row.at_ms is not None:
            found.append(WouldStop(stop.what, row.at_ms, int(row.found), stop.evidence, stop.pointer))
    return tuple(sorted(found, key=lambda each: (each.at, each.what, each.evidence, each.pointer)))


def _stretches(asked: _Asked) -> tuple[tuple[Stretch, ...], int]:
    """The longest first, and how many there are in all."""
    counts = {row.ref: row for row in asked.rows("counts")}
    found = [
        Stretch(
            run=row.what,
            at=row.at_ms or 0,
            seconds=int(row.found or 0),
            usd=None if row.expected is None else Decimal(row.expected),
            calls=int(counts[row.ref].found),
            actions=int(counts[row.ref].expected),
        )
        for row in asked.rows("lengths")
        if row.ref in counts
    ]
    found.sort(key=lambda each: -each.seconds)  # answers come by ref, which decides where lengths are equal
    (every,) = asked.rows("stretches") or (None,)
    return tuple(found), len(found) if every is None else int(every.found)
