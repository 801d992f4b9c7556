"""A replay as JSON of the schema `psf-audit/replay/1`: money as text of exact decimals, moments as RFC 3339 in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit.replay.guardrails import number
from psf_audit.replay.steps import moment

if TYPE_CHECKING:
    from decimal import Decimal

    from psf_audit.replay.checks import Found, Row
    from psf_audit.replay.story import Line, Money, Replay, Stop, Told, Tried

SCHEMA = "psf-audit/replay/1"


def to_json(replay: Replay) -> dict[str, Any]:
    """The JSON document of a replay; keys are written by hand, so that no renaming reaches them."""
    together = replay.together
    return {
        "schema": SCHEMA,
        "tool": replay.tool,
        "as_of": replay.as_of,
        "logs": [
            {"path": log.path, "format": log.format, "sha256": log.sha256, "events": log.events, "problem": log.problem}
            for log in replay.logs
        ],
        "log": _told(replay.told),
        "spend": None if replay.line is None else _line(replay.line),
        "guardrails": [_tried(each) for each in replay.tried],
        "together": None
        if together is None
        else {
            "by": together.by,
            "at": moment(together.at),
            "calls": together.calls,
            "normal_runs": together.normal_runs,
            **_money(together.money),
        },
        "untried": list(replay.untried),
        "longest": {name: _row(row) for name, row in replay.longest},
        "findings": [_found(found) for found in replay.findings],
        "gaps": list(replay.gaps),
    }


def _usd(value: Decimal) -> str:
    return number(value).replace(",", "")


def _told(told: Told) -> dict[str, Any]:
    return {
        "events": told.events,
        "undated": told.undated,
        "calls": told.calls,
        "unpriced_calls": told.unpriced,
        "runs": told.runs,
        "normal_runs": told.normal_runs,
        "first": moment(told.first),
        "last": moment(told.last),
        "spent_usd": _usd(told.spent),
        "left_out": dict(told.left_out),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "from": moment(line.start),
        "to": moment(line.end),
        "spent_usd": [_usd(value) for value in line.spent],
        "marks": [{"at": moment(at), "kind": kind} for at, kind in line.marks],
        "unmarked": line.unmarked,
    }


def _money(money: Money) -> dict[str, str]:
    return {
        "spent_usd": _usd(money.spent),
        "would_cost_usd": _usd(money.cost),
        "saved_usd": _usd(money.saved),
        "interrupted_usd": _usd(money.interrupted),
        "running_usd": _usd(money.running),
    }


def _tried(tried: Tried) -> dict[str, Any]:
    return {
        "words": tried.words,
        "origin": tried.origin,
        "effect": tried.effect,
        "scope": tried.scope,
        "sweep": tried.sweep,
        "at": moment(tried.at),
        "stops": tried.stops,
        "times": tried.times,
        "false_stops": tried.false_stops,
        "normal_runs": tried.normal_runs,
        "calls": tried.calls,
        **_money(tried.money),
        "if_nobody_answers": None if tried.unanswered is None else _money(tried.unanswered),
        "unseen_calls": tried.unseen,
        "unseen_usd": _usd(tried.unseen_usd),
        "listed": [_stop(stop) for stop in tried.listed],
    }


def _stop(stop: Stop) -> dict[str, Any]:
    return {
        "who": stop.who,
        "at": moment(stop.at),
        "spent_usd": _usd(stop.spent),
        "saved_usd": _usd(stop.saved),
        "interrupted_usd": _usd(stop.interrupted),
        "running_usd": _usd(stop.running),
        "calls": stop.calls,
        "normal_runs": stop.normal_runs,
        "first_calls": list(stop.first),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "what": row.what,
        "found": row.found,
        "expected": row.expected,
        "unit": row.unit,
        "at": row.at,
        "path": row.path,
        "pointer": row.pointer,
    }


def _found(found: Found) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.title,
        "count": found.count,
        "failure": found.failure,
        "rows": [_row(row) for row in found.rows],
    }
