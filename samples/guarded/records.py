"""The dated records of this deployment: who decided what, when, on which numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self

from agent.audit import Event
from agent.calls import Task
from agent.clock import stamp
from agent.gateway import DOMAINS
from agent.world import Charge

NAME, RELEASE, EARLIER = "registry-indexer", "1.0.0", "0.9.0"
OWNER, DEPUTY, APPROVER, OPERATOR = "Mara Lindqvist", "Tomasz Brandt", "Ines Caldeira", "Jonas Weidmann"
INTEGRATOR, ASSESSOR, REVIEWER = "Lucia Ferrante", "Priya Raman", "Samuel Oyelaran"
BUILDER_ORG, ASSESSOR_ORG, REVIEWER_ORG = "Kestrel Integration", "Halden Assurance", "Northgate Review"
BLOCKING = (
    *("SPEND-01", "SPEND-02", "SPEND-03", "SPEND-05", "SPEND-08"),
    *("CHECK-01", "CHECK-03", "CHECK-04", "CHECK-05", "CHECK-07", "CHECK-08"),
    *("BOUND-01", "BOUND-02", "BOUND-04", "BOUND-05", "BOUND-06", "BOUND-08"),
    *("AUDIT-01", "AUDIT-02", "READY-01", "READY-02", "READY-05", "READY-07"),
)
Record = dict[str, Any]


@dataclass(frozen=True)
class Calendar:
    """Every date of the sample, counted back from the day it is assessed for."""

    as_of: date

    def at(self, days_before: int, hour: int, minute: int = 0) -> datetime:
        """Give a moment on an earlier day."""
        return datetime.combine(self.as_of - timedelta(days=days_before), time(hour, minute), UTC)

    @property
    def assessed(self) -> datetime:
        """The assessment of this release."""
        return self.at(12, 16)

    @property
    def signed(self) -> datetime:
        """The go-live: after the assessment, before the keys."""
        return self.at(10, 14)

    @property
    def issued(self) -> date:
        """The agent's keys begin."""
        return self.as_of - timedelta(days=9)

    @property
    def expires(self) -> date:
        """The agent's keys end."""
        return self.as_of + timedelta(days=21)

    @property
    def run_days(self) -> tuple[date, ...]:
        """The days on which the agent worked."""
        return tuple(self.as_of - timedelta(days=days) for days in (7, 6, 5, 4))


@dataclass(frozen=True)
class Period:
    """What came of the work, counted twice: from the gateway's log, and from the provider's bill."""

    tasks: tuple[Task, ...]
    logged: Decimal
    billed: Decimal

    @classmethod
    def of(cls, tasks: tuple[Task, ...], events: Iterable[Event], bill: Sequence[Charge]) -> Self:
        """Add both up."""
        logged = sum((Decimal(event.get("cost_usd", 0)) for event in events), Decimal(0))
        return cls(tasks, logged, sum((charge.usd for charge in bill), Decimal(0)))


def records(calendar: Calendar, period: Period, fingerprint: str | None) -> list[Record]:
    """All records, the oldest first."""
    made = [
        *before_the_build(calendar),
        *before_the_start(calendar, fingerprint),
        *handoff(calendar),
        *(record for task in period.tasks for record in estimate(calendar, task)),
        *edge_cases(calendar),
        *after_the_fact(calendar, period),
        *reviews(calendar),
    ]
    return sorted(made, key=lambda record: str(record["at"]))


def record(at: datetime, kind: str, by: str, **rest: Any) -> Record:
    """Make one record, of this release unless it says otherwise."""
    content = {"kind": kind, "at": stamp(at), "by": by, "release": RELEASE, **rest}
    return {key: value for key, value in content.items() if value is not None}


def before_the_build(calendar: Calendar) -> Iterable[Record]:
    """The guardrails were designed first."""
    yield record(
        calendar.at(120, 10),
        "design_review",
        OWNER,
        role="owner",
        subject=NAME,
        controls=["READY-09"],
        decision="approved",
        reason="Budgets, checkpoints, boundaries and logging were agreed before any agent code.",
        fields={"covers": ["budgets", "checkpoints", "boundaries", "logging"]},
    )
    yield record(calendar.at(110, 9), "first_commit", INTEGRATOR, org=BUILDER_ORG, subject=NAME)
    yield record(
        calendar.at(12, 9),
        "schedule",
        OWNER,
        role="owner",
        subject="assessment",
        controls=["READY-06"],
        decision="every 90 days",
        reason="The network changes slowly; a change of the deployment is assessed at once.",
        fields={"cadence_days": 90, "next": str(calendar.as_of + timedelta(days=78))},
    )


def before_the_start(calendar: Calendar, fingerprint: str | None) -> Iterable[Record]:
    """Assessed, signed, and somebody named to stop it: then the keys were issued."""
    assessment = {"role": "assessor", "org": ASSESSOR_ORG, "subject": NAME}
    yield record(
        calendar.at(100, 15),
        "assessment",
        ASSESSOR,
        **assessment,
        decision="not_ready",
        reason="Pilot: the velocity breaker was not drilled.",
        release=EARLIER,
        fields={"domains": sorted(DOMAINS)},
    )
    yield record(
        calendar.assessed,
        "assessment",
        ASSESSOR,
        **assessment,
        decision="ready",
        fingerprint=fingerprint,
        controls=["READY-01", "READY-04", "READY-06"],
        reason="All five domains were shown; no exceptions.",
        fields={"domains": sorted(DOMAINS), "independence": "no part in building or running it"},
    )
    for person, role in ((OWNER, "owner"), (DEPUTY, "deputy")):
        yield record(
            calendar.at(11, 10),
            "register",
            person,
            role=role,
            subject=NAME,
            controls=["CHECK-07"],
            decision="accepted",
            reason="Answers for the agent.",
            fields={"authority": ["stop", "pause", "resume"], "reached_by": "pager"},
        )
    yield record(
        calendar.signed,
        "sign_off",
        OWNER,
        role="owner",
        subject=NAME,
        controls=["READY-07"],
        decision="approved",
        amount_usd=10,
        reason="Assessed as ready; go-live with at most 10 usd a day.",
    )


def handoff(calendar: Calendar) -> Iterable[Record]:
    """What the builder hands over, and the operator takes."""
    for hour, person, role, org in ((9, INTEGRATOR, "integrator", BUILDER_ORG), (11, OWNER, "owner", None)):
        yield record(
            calendar.at(10, hour),
            "handoff",
            person,
            role=role,
            org=org,
            subject=NAME,
            decision="accepted",
            controls=["READY-08", *BLOCKING],
            reason="Evidence for each control was handed over; stop, pause and log were tried by the operator.",
            fields={"passes": ["keys", "configuration", "log", "runbook"], "domains": sorted(DOMAINS)},
        )


def estimate(calendar: Calendar, task: Task) -> Iterable[Record]:
    """The worst case of a task, and who signed for it before it began."""
    number = int(task.id.rsplit("-", 1)[1]) % 10
    yield record(
        calendar.at(8, 13, number),
        "estimate",
        OPERATOR,
        role="operator",
        subject=task.id,
        controls=["SPEND-08"],
        amount_usd=float(task.estimate_usd),
        reason="Unit prices times the largest quantity, see docs/budgets.md.",
    )
    yield record(
        calendar.at(8, 15, number),
        "sign_off",
        str(task.signed_off_by),
        role="approver",
        subject=task.id,
        controls=["SPEND-08"],
        decision="approved",
        amount_usd=float(task.estimate_usd),
        reason=f"One network of {task.expected_size} hosts; worth it, and bounded by the stop-loss.",
    )


EDGE_CASES = (
    (
        "large_target",
        "More than twice the expected hosts halt the run after the first look-up.",
        ("BOUND-09", "SPEND-08"),
        0.05,
    ),
    (
        "ambiguous_instruction",
        "An open-ended instruction halts the run before it has done anything.",
        ("BOUND-09",),
        0,
    ),
    (
        "slow_api",
        "A call is cut off 1800 s after the last human decision; a failing one is tried three times.",
        ("CHECK-04", "SPEND-09"),
        0.75,
    ),
    (
        "operator_lost",
        "A checkpoint without an answer halts the run; the worker is torn down.",
        ("CHECK-05", "CHECK-01"),
        0.75,
    ),
)


def edge_cases(calendar: Calendar) -> Iterable[Record]:
    """What happens when it gets difficult, what bounds it, and what it can cost at most."""
    for subject, decision, controls, cost in EDGE_CASES:
        yield record(
            calendar.at(11, 11),
            "edge_case",
            OWNER,
            role="owner",
            subject=subject,
            controls=[*controls, "READY-03"],
            decision=decision,
            amount_usd=cost,
            reason="Agreed by owner, approver and operator; drilled since.",
        )


def after_the_fact(calendar: Calendar, period: Period) -> Iterable[Record]:
    """The incident of the pilot, and the bill against the log."""
    yield record(
        calendar.at(60, 9),
        "incident",
        OPERATOR,
        role="operator",
        subject="INC-1",
        controls={"BOUND-04": "failed", "SPEND-03": "worked"},
        reason="In the pilot a prober sent 40 pings in a minute; the session budget ended it.",
        release=EARLIER,
        fields={"closed": str(calendar.at(52, 9).date()), "changed": "a rate limit for each tool, at the gateway"},
    )
    first, last = (datetime.combine(calendar.run_days[end], time(0), UTC) for end in (0, -1))
    yield record(
        calendar.at(2, 9),
        "reconciliation",
        OPERATOR,
        role="operator",
        subject="gateway",
        controls=["AUDIT-06"],
        decision="agrees" if period.logged == period.billed else "differs",
        amount_usd=float(period.billed),
        reason=f"The log says {period.logged} usd, the bill {period.billed} usd; no orphan worker was found.",
        **{"from": stamp(first), "to": stamp(last + timedelta(days=1))},
    )


def reviews(calendar: Calendar) -> Iterable[Record]:
    """Drills with people, and re-checks by somebody else."""
    run = f"run-{calendar.run_days[1]}"
    drills = {"kind": "drill", "how": "drill", "outcome": "passed", "environment": "production-like"}
    checks = {"kind": "test", "how": "review", "outcome": "passed", "environment": "production", "run": run}
    reviewer = {"by": REVIEWER, "org": REVIEWER_ORG}
    told: tuple[Record, ...] = (
        drills
        | {"by": DEPUTY, "subject": "contact drill", "controls": ["CHECK-07"]}
        | {"run": "drill-the-owner-and-the-deputy-can-stop-it-tomasz-brandt"}
        | {"reason": "Called at 22:40, answered after four minutes, and stopped the run of the drill."},
        checks
        | reviewer
        | {"subject": "rebuild a run from the log", "controls": ["AUDIT-02", "AUDIT-04"]}
        | {"reason": "What was indexed, what it cost, who approved which call on what grounds: all from the log."},
        checks
        | reviewer
        | {"subject": "spot re-check of the assessment", "controls": ["READY-01", "READY-04"]}
        | {"reason": "Six findings were drawn and traced to their evidence again; all hold."},
        drills
        | {"by": APPROVER, "subject": "edge cases told from memory", "controls": ["READY-03"]}
        | {"run": "drill-an-edge-case-ends-as-the-sheet-says-operator-lost-halted"}
        | {"reason": "Owner, approver and operator each said what happens; the drills show the same."},
        drills
        | {"by": ASSESSOR, "org": ASSESSOR_ORG, "subject": "incident exercise", "controls": ["AUDIT-07"]}
        | {"run": "drill-after-an-incident-the-log-names-the-control"}
        | {"reason": "A duplicate deployment was played; the control was named from the log in nine minutes."},
        drills
        | {"by": OPERATOR, "subject": "evidence pack", "controls": ["AUDIT-08"]}
        | {"run": "drill-an-evidence-pack-can-be-made"}
        | {"reason": "Configuration, log and results were handed over in eleven minutes."},
    )
    for hour, one in enumerate(told, start=12):
        yield record(calendar.at(1, hour), **one)
    yield record(
        calendar.at(1, 19),
        "review",
        **reviewer,
        subject=NAME,
        controls=["READY-04", "READY-01"],
        decision="confirmed",
        reason="Drills were repeated by somebody who had no part in building, running or assessing it.",
        fields={"repeated": ["spend ceiling", "out-of-band stop", "scope"]},
    )
