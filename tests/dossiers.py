"""Answers, gaps, tests and documents as `assess.judge` gets them, and a control that they demonstrate."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from psf_audit.assess import Dossier, Fact, judge
from psf_audit.model import ControlResult, Remedy, Severity, Source, Status
from psf_audit.query import Answer, Answers
from psf_audit.rubric import Control, TestRule

AS_OF = date(2026, 11, 22)
SOURCE = Source("gateway.yaml", "gateway.yaml", "line 3", "a" * 64)
SHOWN, STALE, OTHER, LOGGED, CLAIM = 1, 2, 3, 4, 5
FACTS = {
    SHOWN: Fact(SOURCE, "config", 10, bound=True, from_log=False),
    STALE: Fact(SOURCE, "config", 31, bound=True, from_log=False),
    OTHER: Fact(SOURCE, "config", 1, bound=False, from_log=False),
    LOGGED: Fact(SOURCE, None, 40, bound=True, from_log=True),
    CLAIM: Fact(SOURCE, "claim", 0, bound=True, from_log=False),
}


def at(day: date, hour: int = 12) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()) * 1000


def ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def rows(*answers: Answer, failure: str | None = None) -> Answers:
    return Answers(answers, len(answers), failure)


def shown(ref: int | None = SHOWN, what: str = "usd limit", **given: Any) -> Answers:
    return rows(Answer(ref, what, **given))


def broken(absent: str | None = None, what: str = "limit passed") -> Answers:
    return rows(Answer(LOGGED, what, absent=absent))


NONE = Answers()


def tried(outcome: str = "passed", **given: Any) -> dict[str, Any]:
    return {
        "ref": 100, "suite": "drills", "name": "stops at the ceiling", "how": "attack", "outcome": outcome,
        "adversarial": True, "at_ms": at(ago(5)), "bound": True, "basis": "test", "link": "artifact", "run": None,
        **given,
    }  # fmt: skip


def document(**given: Any) -> dict[str, Any]:
    return {"ref": 200, "title": "Runbook", "kind": None, "owner": "R. Okafor", "reviewed_ms": at(ago(20)), **given}


def gap(facts: str | None, *touched: str, control: str | None = None) -> tuple[dict[str, Any], frozenset[str]]:
    row = {"ref": 300, "facts": facts, "kind": "unreadable", "control": control, "what": "cloud.json could not be read"}
    return row, frozenset(touched)


def control(*, severity: Severity = Severity.BLOCKING, adversarial: bool = True, breaks: str = "events") -> Control:
    return Control(
        id="SPEND-01", domain="spend", title="Ceiling", severity=severity, requirement="r", why="w",
        criteria={"shows": "SELECT ref, 'x' AS what FROM limits", "breaks": f"SELECT ref, 'x' AS what FROM {breaks}"},  # noqa: S608
        present_max_age_days=30, tested=TestRule(adversarial=adversarial, max_age_days=90), documented_max_age_days=180,
        params={}, remedy=Remedy("Set it."), question="q", references={},
    )  # fmt: skip


def judged(**given: Any) -> ControlResult:
    """The result of a control that is demonstrated, with what is given put in place."""
    names = ("applies_when", "claims", "shows", "lacks", "breaks")
    answers = {"applies_when": rows(Answer(None, "x")), "claims": NONE, "shows": shown(), "lacks": NONE, "breaks": NONE}
    answers |= {name: given.pop(name) for name in names if name in given}
    base: dict[str, Any] = {
        "control": control(),
        "answers": answers,
        "fact": FACTS.get,
        "gaps": [],
        "tests": [tried()],
        "documents": [document()],
        "carried": frozenset({"approval"}),
        "witnessed_runs": frozenset({"run-seen"}),
        "has_events": True,
        "as_of": AS_OF,
    }
    return judge(Dossier(**{**base, **given}))


def status(**given: Any) -> Status:
    return judged(**given).status
