"""An activity in words: its sentences and tables, the same in every report."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from psf_audit.activity import MOST_STRETCHES, Activity, MarkKind, Stretch
from psf_audit.amounts import bars, clock, money, span
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.activity import WouldStop

LETTERS = "abcdefghijklmnopqrst"
NOTHING = (
    "There is no activity to show: no log of what the agent did was supplied, or this was assessed by a version that "
    "did not keep it."
)
ADDED_UP = (
    "The sum adds up all that was spent: a ceiling for each session, task, key or day is a line only where everything "
    "counts against it as one sum."
)
HOW_COUNTED = (
    "An enforced limit or gate that the log reaches acts here when it first does so, its lag allowed for: limits to "
    "the minute, and each cost counted when it was committed. Whether it did act is for the controls to say."
)
STRETCHES = "A stretch is what one run did between two decisions of a person, from its first call to its last."


def headline(activity: Activity) -> str:
    """What was spent, in how many calls, when, and how long nobody decided, in one sentence."""
    parts = []
    if activity.spent:
        unstated = activity.unpriced and not activity.total
        sum_ = "no stated cost" if unstated else f"{money(activity.total)} USD"
        parts.append(f"{sum_} in {plural(activity.calls, 'call')}")
    if activity.start is not None and activity.end is not None:
        parts.append(f"from {clock(activity.start)} to {clock(activity.end)} UTC")
    told = " ".join(parts) or plural(activity.calls, "call")
    if activity.stretches:
        told += f"; longest without a decision of a person: {span(activity.stretches[0].seconds)}"
    return f"{told}."


def legend(activity: Activity) -> str:
    """What the signs in the picture of spend mean, those that are in it."""
    parts = (
        "The line is what had been spent.",
        "Below it stands, row by row, what happened." if activity.marks else "",
        "A dashed line with a letter: a limit or gate would have stopped it then." if activity.stops else "",
        "A line of dashes and dots: a ceiling." if any(each.whole for each in activity.ceilings) else "",
    )
    return " ".join(part for part in parts if part)


def notes(activity: Activity) -> tuple[str, ...]:
    """What a reader has to know to read the numbers."""
    found = []
    if activity.unpriced:
        have = "has" if activity.unpriced == 1 else "have"
        found.append(f"{plural(activity.unpriced, 'call')} {have} no cost in the log: what was spent is at least this.")
    return (*found, *(f"{problem}." for problem in activity.problems))


def sparkline(activity: Activity, width: int) -> str:
    """Spend so far on one line, from its start to its end; empty where nothing was spent."""
    return bars(activity.spent, width, 1)[0] if activity.total else ""


# -------------------------------------------------------------------------------------------------------------- tables

SPENT_HEADER = ("At (UTC)", "Spent by then, USD")
MARKS_HEADER = ("What happened", "How often", "First (UTC)", "Last (UTC)")
CEILINGS_HEADER = ("Ceiling", "Counts all that was spent as one sum", "Where")
STOPS_HEADER = ("Would have stopped", "At (UTC)", "For how many", "Where")
STRETCHES_HEADER = ("Run", "From (UTC)", "Unattended", "Spent, USD", "Calls", "Actions")


def spent_rows(activity: Activity) -> Iterator[tuple[str, str]]:
    """The sum at the first moment, at the last, and whenever it had changed since the moment before."""
    last = len(activity.spent) - 1
    for step, sum_ in enumerate(activity.spent):
        if step in {0, last} or sum_ != activity.spent[step - 1]:
            yield clock(activity.moment(step)), money(sum_)


def mark_rows(activity: Activity) -> Iterator[tuple[str, str, str, str]]:
    """How often each kind of event happened, when first and when last."""
    for kind in MarkKind:
        marks = [mark for mark in activity.marks if mark.kind is kind]
        if marks:
            yield (
                kind.label,
                str(sum(mark.count for mark in marks)),
                clock(marks[0].at),
                clock(max(mark.until for mark in marks)),
            )


def ceiling_rows(activity: Activity) -> Iterator[tuple[str, str, str]]:
    """Every ceiling that is kept, and whether the line of all spend can be held against it."""
    for each in activity.ceilings:
        yield each.what, "yes" if each.whole else "no", f"{each.evidence} {each.pointer}".strip()


def lettered(activity: Activity) -> Iterator[tuple[str, WouldStop]]:
    """What would have stopped it, with the letter that stands for it in the picture."""
    return zip(LETTERS, activity.stops, strict=False)


def stop_rows(activity: Activity) -> Iterator[tuple[str, str, str, str]]:
    """What would have stopped it, by its letter in the picture."""
    for letter, each in lettered(activity):
        place = f"{each.evidence} {each.pointer}".strip()
        yield f"{letter} {each.what}", clock(each.at), str(each.whom), place


def stretch_rows(activity: Activity) -> Iterator[tuple[str, ...]]:
    """The longest stretches, each with its number in the picture."""
    for number, each in enumerate(activity.stretches, 1):
        yield (
            f"{number} {each.run}",
            clock(each.at),
            span(each.seconds),
            spent_words(each),
            str(each.calls),
            str(each.actions),
        )


def spent_words(stretch: Stretch) -> str:
    """What a stretch cost; a log that states no cost of it does not say that it was free."""
    return "not stated" if stretch.usd is None else money(stretch.usd)


def more(shown: Sequence[object], count: int) -> str:
    """What is said of the rows that are not listed; empty when all are."""
    return f"and {count - len(shown)} more" if count > len(shown) else ""


def stretch_title(activity: Activity) -> str:
    """How many stretches there are, and how many of them are shown."""
    if activity.stretch_count <= MOST_STRETCHES:
        return f"Stretches without a decision of a person, the longest first ({activity.stretch_count})"
    return f"The {len(activity.stretches)} longest of {activity.stretch_count} stretches without a decision of a person"


def moments(activity: Activity) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The moments of the marks, by the words for their kind."""
    ordered = sorted(activity.marks, key=lambda mark: (list(MarkKind).index(mark.kind), mark.at))
    grouped = groupby(ordered, key=lambda mark: mark.kind)
    return tuple((kind.label, tuple(mark.at for mark in marks)) for kind, marks in grouped)
