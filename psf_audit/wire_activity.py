"""An activity as JSON, and back. Sums are text of exact decimals, moments are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.activity import Activity, Ceiling, Mark, MarkKind, Stretch, WouldStop

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def activity_out(activity: Activity | None) -> dict[str, Any] | None:
    """An activity as it stands in an assessment."""
    if activity is None:
        return None
    return {
        "from": _moment_out(activity.start),
        "to": _moment_out(activity.end),
        "spent_usd": [_usd(value) for value in activity.spent],
        "calls": activity.calls,
        "unpriced_calls": activity.unpriced,
        "marks": [
            {
                "at": _moment_out(mark.at),
                "until": _moment_out(mark.until),
                "kind": mark.kind.value,
                "count": mark.count,
            }
            for mark in activity.marks
        ],
        "ceilings": _list_out(
            activity.ceiling_count,
            [
                {
                    "what": each.what,
                    "usd": _usd(each.usd),
                    "whole": each.whole,
                    "evidence": each.evidence,
                    "pointer": each.pointer,
                }
                for each in activity.ceilings
            ],
        ),
        "would_stop": _list_out(activity.stop_count, [_stop_out(each) for each in activity.stops]),
        "stretches": _list_out(activity.stretch_count, [_stretch_out(each) for each in activity.stretches]),
        "problems": list(activity.problems),
    }


def _list_out(count: int, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"count": count, "rows": list(rows)}


def _stop_out(stop: WouldStop) -> dict[str, Any]:
    return {
        "what": stop.what,
        "at": _moment_out(stop.at),
        "whom": stop.whom,
        "evidence": stop.evidence,
        "pointer": stop.pointer,
    }


def _stretch_out(stretch: Stretch) -> dict[str, Any]:
    return {
        "run": stretch.run,
        "from": _moment_out(stretch.at),
        "seconds": stretch.seconds,
        "usd": None if stretch.usd is None else _usd(stretch.usd),
        "calls": stretch.calls,
        "actions": stretch.actions,
    }


def _usd(value: Decimal) -> str:
    return f"{value:f}"


def _moment_out(at: int | None) -> str | None:
    if at is None:
        return None
    text = (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


def activity_in(value: dict[str, Any] | None) -> Activity | None:
    """The activity in an assessment that fits the schema."""
    if value is None:
        return None
    ceilings, stops, stretches = (value[name] for name in ("ceilings", "would_stop", "stretches"))
    return Activity(
        start=None if value["from"] is None else _moment_in(value["from"]),
        end=None if value["to"] is None else _moment_in(value["to"]),
        spent=tuple(Decimal(sum_) for sum_ in value["spent_usd"]),
        calls=value["calls"],
        unpriced=value["unpriced_calls"],
        marks=tuple(
            Mark(_moment_in(mark["at"]), _moment_in(mark["until"]), MarkKind(mark["kind"]), mark["count"])
            for mark in value["marks"]
        ),
        ceilings=tuple(Ceiling(**{**row, "usd": Decimal(row["usd"])}) for row in ceilings["rows"]),
        ceiling_count=ceilings["count"],
        stops=tuple(WouldStop(**{**row, "at": _moment_in(row["at"])}) for row in stops["rows"]),
        stop_count=stops["count"],
        stretches=tuple(_stretch_in(row) for row in stretches["rows"]),
        stretch_count=stretches["count"],
        problems=tuple(value["problems"]),
    )


def _stretch_in(row: dict[str, Any]) -> Stretch:
    return Stretch(
        run=row["run"],
        at=_moment_in(row["from"]),
        seconds=row["seconds"],
        usd=None if row["usd"] is None else Decimal(row["usd"]),
        calls=row["calls"],
        actions=row["actions"],
    )


def _moment_in(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
