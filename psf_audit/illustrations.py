"""The pictures of an assessment, from its activity and its exposure.

A picture is an SVG element, or empty: where there is nothing to draw, or where the library that draws it fails. A
report is whole without any: every number of a picture stands in a table.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from psf_audit import activity_words, pictures
from psf_audit.amounts import money, span
from psf_audit.exposure import Bound, Exposure, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from psf_audit.activity import Activity

UNDRAWN = "There is no picture here: nothing to draw, or it could not be drawn. The numbers are in the table."
SIDES = ("by what is enforced", "by the claims alone")
BARS = (
    "The parts of a bar are what the stops let through, what is spent during their lag, and what is in flight. A bar "
    "with an arrow has no length: nothing stops it. Where a sum is not known there is no bar."
)


def drawn(draw: Callable[[], str]) -> str:
    """What was drawn; empty if it failed, for whatever reason: no picture is worth a report."""
    try:
        return draw()
    except Exception:  # noqa: BLE001  a library of its own, a font, a folder that it cannot write to
        return ""


def spend(activity: Activity) -> str:
    """Spend over time, with ceilings, marks, and what would have stopped it."""
    if activity.start is None or activity.end is None or not (activity.spent and (activity.total or activity.marks)):
        return ""
    picture = pictures.Spend(
        start=activity.start,
        end=activity.end,
        spent=activity.spent,
        ceilings=tuple((each.what, each.usd) for each in activity.ceilings if each.whole),
        marks=activity_words.moments(activity),
        stops=tuple((letter, each.at) for letter, each in activity_words.lettered(activity)),
    )
    return drawn(lambda: pictures.spend("spend", "Spend over time", spend_words(activity), picture))


def spend_words(activity: Activity) -> str:
    """What the picture of spend shows, for those who do not see it."""
    happened = ", ".join(f"{count} times {kind}" for kind, count, _, _ in activity_words.mark_rows(activity))
    acted = ", ".join(f"{what} at {at}" for what, at, _, _ in activity_words.stop_rows(activity))
    parts = (
        activity_words.headline(activity),
        f"Marked: {happened}." if happened else "",
        f"Would have stopped it: {acted}." if acted else "",
        "The tables that follow have all numbers.",
    )
    return " ".join(part for part in parts if part)


def stretches(activity: Activity) -> str:
    """The longest stretches without a person: for each how long, what it cost, and what was done."""
    if not activity.stretches:
        return ""
    rows = [
        (
            f"{number} {each.run}",
            (
                (Decimal(each.seconds), span(each.seconds)),
                (each.usd or Decimal(0), "not stated" if each.usd is None else money(each.usd)),
                (Decimal(each.actions), str(each.actions)),
            ),
        )
        for number, each in enumerate(activity.stretches, 1)
    ]
    told = f"{activity_words.stretch_title(activity)}. {activity_words.headline(activity)} The table has all numbers."
    title = "Longest stretches without a decision of a person"
    return drawn(lambda: pictures.stretches("stretches", title, told, rows))


def exposure(found: Exposure) -> str:
    """The most it can cost in each situation: by what is enforced, and by the claims alone."""
    rows = [
        (one.situation.label, (_bar(one.in_all), _bar(other.in_all)))
        for one, other in zip(found.enforced.situations, found.claimed.situations, strict=True)
    ]
    told = "; ".join(f"{situation}: {bars[0].words} {SIDES[0]}, {bars[1].words} {SIDES[1]}" for situation, bars in rows)
    return drawn(lambda: pictures.bars("exposures", "Exposure in each situation", f"{told}.", SIDES, rows))


def _bar(bound: Bound) -> pictures.Bar:
    """A bound as a bar: what nothing bounds has no size, and what is not known has no bar."""
    parts = tuple(part for part in (bound.through, bound.lag, bound.in_flight) if part is not None)
    match bound.outcome:
        case Outcome.BOUNDED:
            return pictures.Bar(f"{money(sum(parts, Decimal(0)))} USD", parts)
        case Outcome.STOPPED:
            through = bound.through or Decimal(0)
            return pictures.Bar(f"over {money(through)} USD, not known how far", (through,))
        case Outcome.UNKNOWN:
            return pictures.Bar("not known", None)
        case Outcome.UNBOUNDED:
            return pictures.Bar("no bound", None, endless=True)
