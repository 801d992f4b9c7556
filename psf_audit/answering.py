"""What every engine does alike: which views a query reads, and how rows become answers."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from psf_audit.facts.views import views
from psf_audit.query import Answer, Answers, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@cache
def views_in(sql: str) -> frozenset[str]:
    """The views that a statement reads, and those that they read: a view reads only views that stand before it."""
    before = [view.name for view in views()]
    needed = set(names(sql, frozenset(before)))
    for view in reversed(views()):
        before.pop()
        if view.name in needed:
            needed |= names(view.sql, frozenset(before))
    return frozenset(needed)


# Of the rows that are shown of very many so many are the worst.
_WORST = 10


def bounded(once: Callable[[str], Answers], sql: str, limit: int) -> Answers:
    """The answer to a query, asked `once` or more often: its first rows and its worst, in the order of the first.

    The worst are those in which most was found for what is expected. Where there are more rows than the limit, those
    that rest on something being there come before those that rest on its absence.
    """
    answers = once(sql)
    if answers.count <= len(answers.rows):
        return answers
    if all(row.absent is not None for row in answers.rows):
        firm = once(f"SELECT * FROM (\n{sql}\n) AS psf_rest WHERE absent IS NULL")  # noqa: S608  analysed: one SELECT
        return replace(answers, rows=(*firm.rows, *answers.rows)[:limit], failure=firm.failure)
    # Of rows without numbers none is the worst: that query fails, and says nothing.
    worst = once(
        f"SELECT * FROM (SELECT * FROM (\n{sql}\n) AS psf_rest WHERE expected > 0 AND found > expected "  # noqa: S608
        f"ORDER BY found / expected DESC, ref, what LIMIT {_WORST}) AS psf_worst"
    )
    more = [row for row in worst.rows if row not in answers.rows]
    return replace(answers, rows=tuple(sorted((*answers.rows[: limit - len(more)], *more), key=_order)))


def rows(records: Iterable[dict[str, Any]]) -> tuple[Answer, ...]:
    """The rows of an answer in their stable order."""
    return tuple(sorted((_answer(record) for record in records), key=_order))


def _answer(record: dict[str, Any]) -> Answer:
    ref, at_ms, against = record.get("ref"), record.get("at_ms"), record.get("against")
    return Answer(
        ref=ref if type(ref) is int else None,
        what=str(record.get("what") or ""),
        found=_finite(record.get("found")),
        expected=_finite(record.get("expected")),
        unit=_text(record.get("unit")),
        at_ms=at_ms if type(at_ms) is int else None,
        absent=_text(record.get("absent")),
        against=against if type(against) is int else None,
    )


def _finite(value: Any) -> Any:
    if isinstance(value, (Decimal, float)) and not math.isfinite(value):
        return None
    # Engines differ in whether a zero that was rounded has a sign, and nobody wants to read one.
    return value + 0.0 if isinstance(value, float) else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _order(answer: Answer) -> tuple[bool, int, tuple[str, ...]]:
    """Rows without a ref last, then by ref and text: the same whatever order the engine found them in."""
    others = (answer.found, answer.expected, answer.unit, answer.at_ms, answer.absent, answer.against)
    return (answer.ref is None, answer.ref or 0, (answer.what, *map(str, others)))


def failure(error: Exception) -> Answers:
    """No rows, and why, in one short line."""
    return Answers(failure=" ".join(str(error).split())[:200])
