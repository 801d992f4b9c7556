"""What the records of one log contradict, with no rubric: the checks of replay, over the views that criteria read.

Every check is one SELECT with the columns of a criterion; they are in `checks.sql`. Ceilings, gates and lists are those
that the deployment claims or configures: guardrails of flags were never in force, so nothing contradicts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from psf_audit.assess import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.query import Answer, Answers, Session

# A person reads nothing in less; and what comes twice or thrice need not be a loop. A log that begins after the first
# quarter of a bill, or ends before the last, need not hold all that was billed.
PARAMETERS: dict[str, Any] = {
    "min_review_ms": 5_000,
    "max_repeats": 3,
    "max_turns": 6,
    "max_failures": 3,
    "back_ms": 1_000,
    "stop_seconds": 60,
    "tolerance": Decimal("0.05"),
    "tolerance_usd": Decimal(1),
    "edge": Decimal("0.25"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `title` says what a row of it is."""

    id: str
    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row that a check found, with the place in the log."""

    what: str
    found: str | None
    expected: str | None
    unit: str | None
    at: str | None
    path: str | None
    pointer: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What one check found: some rows, and how many there are in all; `failure` says why it could not be asked."""

    id: str
    title: str
    rows: tuple[Row, ...]
    count: int
    failure: str | None = None


@cache
def checks() -> tuple[Check, ...]:
    """Every check, in the order in which they are reported."""
    return tuple(
        Check(name, title.removeprefix("-- title: "), sql)
        for name, block in _blocks("check")
        for title, _, sql in (block.partition("\n"),)
    )


@cache
def _told() -> tuple[tuple[str, str], ...]:
    return tuple(_blocks("told"))


def _blocks(kind: str) -> Iterator[tuple[str, str]]:
    """The name and the text of each block of a kind."""
    text = files("psf_audit.replay").joinpath("checks.sql").read_text(encoding="utf-8")
    for block in text.split("\n\n-- ")[1:]:
        name, _, rest = block.partition("\n")
        if name.startswith(f"{kind}: "):
            yield name.removeprefix(f"{kind}: "), rest.strip().removesuffix(";")


def ask(session: Session, place: Callable[[int], tuple[str, str] | None]) -> tuple[Found, ...]:
    """What every check found, those that found nothing left out; `place` gives the file and pointer of a row."""
    found = []
    for check in checks():
        needed = {name: value for name, value in PARAMETERS.items() if f"${name}" in check.sql}
        answers = session.ask(check.sql, needed)
        if answers.count or answers.failure is not None:
            found.append(_found(check, answers, place))
    return tuple(found)


def longest(session: Session, place: Callable[[int], tuple[str, str] | None]) -> dict[str, Row]:
    """The longest stretch by time, spend and calls, and the tree of tasks: one row each, where there is one."""
    found = {}
    for name, sql in _told():
        answers = session.ask(sql, {})
        if answers.rows:
            found[name] = _row(answers.rows[0], place, name)
    return found


def _found(check: Check, answers: Answers, place: Callable[[int], tuple[str, str] | None]) -> Found:
    rows = tuple(_row(answer, place) for answer in answers.rows)
    return Found(check.id, check.title, rows, answers.count, answers.failure)


def _row(answer: Answer, place: Callable[[int], tuple[str, str] | None], unit: str | None = None) -> Row:
    path, pointer = (place(answer.ref) if answer.ref is not None else None) or (None, None)
    return Row(
        what=answer.what,
        found=_number(answer.found),
        expected=_number(answer.expected),
        unit=answer.unit or unit,
        at=moment(answer.at_ms),
        path=path,
        pointer=pointer,
    )


def _number(value: Any) -> str | None:
    """A number as a decimal without zeros at the end; engines return sums in several types."""
    if value is None:
        return None
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
