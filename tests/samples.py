"""Assessments that the tests of reports and comparisons share; whole ones, as the pipeline would make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from psf_audit import assess
from psf_audit.activity import STEPS, Activity, Ceiling, Mark, MarkKind, Stretch, WouldStop
from psf_audit.exposure import (
    Bound,
    CapabilityBound,
    Exposure,
    Lack,
    Outcome,
    Side,
    Situation,
    SituationBound,
)
from psf_audit.model import (
    Assessment,
    ControlResult,
    DeploymentIdentity,
    DomainResult,
    EvidenceEntry,
    Finding,
    Findings,
    Gate,
    Remedy,
    RubricIdentity,
    Severity,
    Source,
    Status,
    WaiverUse,
)
from psf_audit.stops import Stop

AS_OF = date(2026, 11, 22)
DIGESTS = {
    name: character * 64
    for name, character in (
        ("config/gateway.yaml", "a"),
        ("evidence/calls.jsonl", "b"),
        ("evidence/drills.xml", "c"),
        ("docs/oversight.md", "d"),
        ("psf.yaml", "e"),
    )
}
DOMAINS = {
    "spend": "Resource and spend governance",
    "checkpoints": "Operator oversight checkpoints",
    "boundaries": "Agentic behavior boundary controls",
    "auditability": "Incident accountability and auditability",
    "readiness": "Deployment readiness assessment",
}


def source(path: str, pointer: str = "") -> Source:
    return Source("manifest" if path == "psf.yaml" else path, path, pointer, DIGESTS.get(path))


def finding(what: str, path: str, pointer: str = "", **numbers: Any) -> Finding:
    return Finding(what, source=source(path, pointer), **numbers)


def findings(*rows: Finding, count: int | None = None) -> Findings:
    return Findings(rows, len(rows) if count is None else count)


def control(id_: str, title: str, severity: Severity, status: Status, reason: str, **given: Any) -> ControlResult:
    """A control with everything that is not given filled in."""
    defaults: dict[str, Any] = {
        "requirement": f"{title}: one sentence that can be tested.",
        "why": "Without it nobody notices before the bill comes.",
        "question": "What stops it, and who has seen it stop?",
        "remedy": Remedy(
            "Set it at the gateway, where the agent cannot change it.", {"litellm": "max_budget: 50"}, "hours"
        ),
        "references": {"psf": ("PSF-6",), "nist_ai_rmf": ("MANAGE 2.4",)},
    }
    domain = {"SPEND": "spend", "CHECK": "checkpoints", "BOUND": "boundaries", "AUDIT": "auditability"}
    return ControlResult(
        id=id_,
        title=title,
        domain=domain.get(id_.partition("-")[0], "readiness"),
        severity=severity,
        status=status,
        reason=reason,
        **{**defaults, **given},
    )


def waiver(control_: str, state: str, note: str, **given: Any) -> WaiverUse:
    values: dict[str, Any] = {
        "reason": "The reviewer starts in December.",
        "owner": "R. Okafor",
        "approved_by": "M. Lindqvist",
        "expires": "2026-12-31",
        "source": source("psf.yaml", "line 71"),
    }
    return WaiverUse(control=control_, state=state, note=note, **{**values, **given})


def side(bound: Bound, *lacking: Lack) -> Side:
    """The same bound in every situation, of one capability and in all."""
    own = (CapabilityBound("cloud.create_stack", bound),)
    return Side(tuple(SituationBound(situation, bound, own) for situation in Situation), lacking)


UNBOUNDED = Bound(Outcome.UNBOUNDED, a_day=Decimal("64.6272"))
BOUNDED = Bound(
    outcome=Outcome.BOUNDED,
    through=Decimal(50),
    lag=Decimal("13.464"),
    in_flight=Decimal("2.5"),
    total=Decimal("65.964"),
    decided_by=(
        Stop("limit of 50 usd for each session (gateway)", "config/gateway.yaml", "/limits/0", Decimal("65.964")),
    ),
)
CLAIMED = side(Bound(Outcome.STOPPED, through=Decimal(50), lag=None, in_flight=Decimal("2.5")))
CEILING = Lack("cloud.create_stack via aws: a ceiling in USD without a window, on aws")
PROMPT = Lack(
    "limit of 50 usd for each session (prompt) stands in a prompt, which enforces nothing", "manifest", "line 9"
)
RESTS_ON = ("cloud.create_stack: 13.464 USD per hour, at most 2 calls an hour, 3 retries (manifest, line 17)",)


START = 1_795_305_600_000  # 2026-11-22T00:00:00Z
HOUR = 3_600_000
ACTIVITY = Activity(
    start=START,
    end=START + 24 * HOUR,
    spent=tuple(Decimal(step * step) / 4 for step in range(STEPS + 1)),
    calls=1201,
    unpriced=2,
    marks=(
        Mark(START + HOUR, START + HOUR, MarkKind.CHECKPOINT, 3),
        Mark(START + 2 * HOUR, START + 2 * HOUR, MarkKind.APPROVAL),
        Mark(START + 9 * HOUR, START + 9 * HOUR, MarkKind.REFUSAL),
        Mark(START + 9 * HOUR, START + 9 * HOUR + 600_000, MarkKind.WARNING, 40),
        Mark(START + 14 * HOUR + 123, START + 14 * HOUR + 123, MarkKind.STOP_REQUEST),
        Mark(START + 23 * HOUR, START + 23 * HOUR, MarkKind.STOP),
    ),
    ceilings=(
        Ceiling(
            "limit of 50 usd for each session (gateway)",
            Decimal(50),
            whole=False,
            evidence="config/gateway.yaml",
            pointer="/limits/0",
        ),
        Ceiling(
            "limit of 1500 usd for each account (gateway)",
            Decimal(1500),
            whole=True,
            evidence="config/gateway.yaml",
            pointer="/limits/1",
        ),
    ),
    ceiling_count=2,
    stops=(
        WouldStop(
            "limit of 50 usd for each session (gateway)", START + 3 * HOUR, 7, "config/gateway.yaml", "/limits/0"
        ),
        WouldStop(
            "interval gate at 1800 seconds (harness)", START + 3 * HOUR + 1, 1, "config/harness.yaml", "/gates/0"
        ),
    ),
    stop_count=23,
    stretches=(
        Stretch("run-7f", START + 9 * HOUR, 50_400, Decimal("1834.2"), 900, 811),
        Stretch("run-80", START, 3_600, None, 20, 0),
    ),
    stretch_count=64,
    problems=("Of the log could not be asked: counts; it took longer than 60 seconds",),
)


def assessment(controls: Sequence[ControlResult], **given: Any) -> Assessment:
    """An assessment of these controls; score, coverage and verdict follow from them."""
    domains = tuple(_domain(id_, title, controls) for id_, title in DOMAINS.items())
    scores = [domain.score for domain in domains]
    values: dict[str, Any] = {
        "tool": "psf-audit 0.1.0",
        "as_of": AS_OF,
        "deployment": DEPLOYMENT,
        "fingerprint": "sha256:" + "0123456789abcdef" * 4,
        "manifest": source("psf.yaml"),
        "rubric": RUBRIC,
        "verdict": assess.verdict(domains),
        "deciding": assess.deciding(domains),
        "score": None if None in scores else min(score for score in scores if score is not None),
        "coverage": assess.coverage(controls),
        "valid_until": AS_OF + timedelta(days=19),
        "refresh_by": AS_OF + timedelta(days=8),
        "domains": domains,
        "evidence": EVIDENCE,
        "waivers": (),
        "limits_of_assessment": LIMITS,
    }
    return Assessment(**{**values, **given})


def _domain(id_: str, title: str, controls: Sequence[ControlResult]) -> DomainResult:
    own = tuple(control for control in controls if control.domain == id_)
    passes = assess.passes([(control.severity, control.status) for control in own])
    return DomainResult(id_, title, passes, assess.domain_score(own), own)


DEPLOYMENT = DeploymentIdentity(
    name="acme-indexer",
    release="2.4.0",
    environment="production",
    description="Indexes the hosts of a partner network every night.",
    objective="Index every reachable host of the network, then write the report.",
    people=(("owner", "R. Okafor"), ("approver", "M. Lindqvist")),
    capabilities=("http.get", "dns.resolve", "cloud.create_stack", "model"),
)
RUBRIC = RubricIdentity(
    id="psf-agentic",
    version="1.0.0",
    title="Agentic profile of production safety, five domains",
    content_digest="sha256:" + "5" * 64,
    scoring_digest="sha256:" + "7" * 64,
    about=(
        "An unendorsed agentic profile. The published framework has eight domains; every control names those it "
        "lies on."
    ),
)
EVIDENCE = (
    EvidenceEntry(
        id="config/gateway.yaml",
        path="config/gateway.yaml",
        format="litellm-config",
        sha256=DIGESTS["config/gateway.yaml"],
        bytes=1843,
        collected="2026-11-20",
        release="2.4.0",
        produced_by="gateway",
        readable=True,
        problem=None,
        facts=14,
    ),
    EvidenceEntry(
        id="evidence/calls.jsonl",
        path="evidence/calls.jsonl",
        format="events",
        sha256=DIGESTS["evidence/calls.jsonl"],
        bytes=48_112_004,
        collected="2026-11-21",
        release="2.4.0",
        produced_by="gateway",
        readable=True,
        problem=None,
        facts=90_412,
    ),
    EvidenceEntry(
        id="evidence/drills.xml",
        path="evidence/drills.xml",
        format="junit-xml",
        sha256=DIGESTS["evidence/drills.xml"],
        bytes=20_133,
        collected="2026-11-20",
        release="2.4.0",
        produced_by="ci",
        readable=True,
        problem=None,
        facts=31,
    ),
    EvidenceEntry(
        id="docs/oversight.md",
        path="docs/oversight.md",
        format="document",
        sha256=DIGESTS["docs/oversight.md"],
        bytes=5_120,
        collected="2026-10-02",
        release=None,
        produced_by="operator",
        readable=True,
        problem=None,
        facts=6,
    ),
    EvidenceEntry(
        id="evidence/plan.json",
        path="evidence/plan.json",
        format=None,
        sha256=None,
        bytes=0,
        collected=None,
        release=None,
        produced_by=None,
        readable=False,
        problem="is not JSON: Expecting value (line 1)",
    ),
)
LIMITS = (
    "An assessment reads evidence. It cannot prove that a control works.",
    "Evidence was supplied by the people who are assessed.",
    "Could not be read: evidence/plan.json.",
)

_TEST = finding(
    "test_budget_stops_second_path (adversarial drill)",
    "evidence/drills.xml",
    "/testsuites/testsuite[1]/testcase[4]",
    found="passed",
    expected="passed",
    at="2026-11-12T09:30:00Z",
)
_DOCUMENT = finding("Oversight of the indexer, owner R. Okafor", "docs/oversight.md", at="2026-10-02T00:00:00Z")
_LIMIT = finding(
    "usd limit for each session", "config/gateway.yaml", "/litellm_settings/max_budget", found="50", unit="block"
)


def _spend() -> tuple[ControlResult, ...]:
    return (
        control(
            "SPEND-01",
            "Hard spend ceiling outside the agent",
            Severity.BLOCKING,
            Status.CONTRADICTED,
            "the records contradict it: usd limit for each session passed by run-7f",
            claims=findings(
                finding("usd limit for each session", "psf.yaml", "/guardrails/limits/0", found="50", unit="pause")
            ),
            shows=findings(_LIMIT),
            breaks=findings(
                finding(
                    "usd limit for each session passed by run-7f",
                    "evidence/calls.jsonl",
                    "line 48213",
                    found="1834.2",
                    expected="50",
                    unit="usd",
                    at="2026-11-13T02:10:44Z",
                ),
                count=3,
            ),
            tests=findings(_TEST),
            remedy=Remedy(
                "Give every path that costs money a ceiling where the agent cannot change it, then try to get past it.",
                {
                    "litellm": "litellm_settings:\n  max_budget: 50\n  budget_duration: 1d\n",
                    "terraform": 'resource "aws_budgets_budget_action" "stop" {\n  approval_model = "AUTOMATIC"\n}\n',
                },
                "days",
            ),
        ),
        control(
            "SPEND-02",
            "Breach pauses the agent",
            Severity.BLOCKING,
            Status.MISSING,
            "partly covered (usd limit for each session), lacking: cloud.create_stack",
            shows=findings(_LIMIT),
            lacks=findings(finding("cloud.create_stack", "psf.yaml", "/agent/capabilities/2")),
        ),
        control(
            "SPEND-07",
            "Unit costs are known",
            Severity.MEDIUM,
            Status.DEMONSTRATED,
            "present, tested, held by the records, and documented",
            shows=findings(_LIMIT),
            tests=findings(_TEST),
            documents=findings(_DOCUMENT),
        ),
    )


def _checkpoints() -> tuple[ControlResult, ...]:
    return (
        control(
            "CHECK-01",
            "Interrupting checkpoint by time",
            Severity.BLOCKING,
            Status.UNTESTED,
            "present, but no test counts: test_gate does not try to defeat it",
            shows=findings(
                finding("gate every 1800 seconds", "config/gateway.yaml", "/gates/0", found="1800", unit="seconds")
            ),
            tests=findings(
                finding(
                    "test_gate (test)",
                    "evidence/drills.xml",
                    "/testsuites/testsuite[1]/testcase[9]",
                    found="passed",
                    expected="passed",
                    at="2026-11-12T09:31:00Z",
                )
            ),
            documents=findings(_DOCUMENT),
        ),
        control(
            "CHECK-04",
            "No answer means stop",
            Severity.HIGH,
            Status.UNDOCUMENTED,
            "tested, but no document of it has an owner and a fresh review",
            shows=findings(finding("gate halts on timeout", "config/gateway.yaml", "/gates/0/on_timeout")),
            tests=findings(_TEST),
            waiver=waiver("CHECK-04", "matched", "covers CHECK-04, which stays undocumented"),
            remedy=Remedy("Write down who answers, by when, and what happens otherwise.", {}, "hours"),
        ),
    )


def _boundaries() -> tuple[ControlResult, ...]:
    return (
        control(
            "BOUND-01",
            "Allow-list of tools outside the agent",
            Severity.BLOCKING,
            Status.DEMONSTRATED,
            "present, tested, held by the records, and documented",
            shows=findings(finding("2 tools allowed, everything else refused", "config/gateway.yaml", "/boundaries/0")),
            tests=findings(_TEST),
            documents=findings(_DOCUMENT),
            notes=("not yet exercised: no log of what really happened was at hand",),
        ),
        control(
            "BOUND-05",
            "Egress is limited to declared targets",
            Severity.HIGH,
            Status.UNKNOWN,
            "nothing shows it, and evidence is lacking: evidence/plan.json is not JSON",
            gaps=findings(Finding("evidence/plan.json is not JSON: Expecting value (line 1)", unit="unreadable")),
            remedy=Remedy("Export the plan again and let the assessment read it.", {}, None),
        ),
    )


def _auditability() -> tuple[ControlResult, ...]:
    return (
        control(
            "AUDIT-01",
            "Every call is logged with who, what, when and why",
            Severity.BLOCKING,
            Status.DEMONSTRATED,
            "present, tested, held by the records, and documented",
            shows=findings(finding("append-only log", "config/gateway.yaml", "/logs/0")),
            tests=findings(_TEST),
            documents=findings(_DOCUMENT),
        ),
    )


def _readiness() -> tuple[ControlResult, ...]:
    return (
        control(
            "READY-01",
            "Completion is defined before launch",
            Severity.BLOCKING,
            Status.DEMONSTRATED,
            "present, tested, held by the records, and documented",
            shows=findings(finding("completion of the task", "psf.yaml", "/agent/completion")),
            tests=findings(_TEST),
            documents=findings(_DOCUMENT),
        ),
        control(
            "READY-06",
            "Hand-over to another operator",
            Severity.MEDIUM,
            Status.NOT_APPLICABLE,
            "nothing declared or seen makes it apply",
        ),
    )


def small() -> Assessment:
    """A deployment that is not ready: every status, every severity, every state of a waiver."""
    controls = (*_spend(), *_checkpoints(), *_boundaries(), *_auditability(), *_readiness())
    matched = next(item.waiver for item in controls if item.waiver is not None)
    waivers = (
        matched,
        waiver("SPEND-07", "unused", "SPEND-07 is demonstrated"),
        waiver("SPEND-02", "expired", "it expired on 2026-10-31: the gap is open again", expires="2026-10-31"),
        waiver("SPEND-01", "invalid", "SPEND-01 is contradicted, which nobody can waive"),
    )
    exposure = Exposure(side(UNBOUNDED, PROMPT, CEILING), CLAIMED, RESTS_ON)
    return assessment(
        controls,
        waivers=waivers,
        gate=Gate(min_score=80, fail_on=(Status.UNKNOWN,)),
        exposure=exposure,
        activity=ACTIVITY,
    )


def ready() -> Assessment:
    """The same deployment once everything is shown."""
    done = "present, tested, held by the records, and documented"
    kept = {item.id: item for item in small().controls if item.status in {Status.DEMONSTRATED, Status.NOT_APPLICABLE}}
    template = kept["BOUND-01"]
    controls = tuple(
        kept.get(item.id)
        or replace(
            item,
            status=Status.DEMONSTRATED,
            reason=done,
            shows=template.shows,
            tests=template.tests,
            documents=template.documents,
            lacks=Findings(),
            breaks=Findings(),
            gaps=Findings(),
            waiver=None,
        )
        for item in small().controls
    )
    deployment = replace(DEPLOYMENT, release="2.5.0")
    return assessment(
        controls,
        deployment=deployment,
        evidence=EVIDENCE[:4],
        fingerprint="sha256:" + "fedcba9876543210" * 4,
        exposure=Exposure(side(BOUNDED), CLAIMED, RESTS_ON),
    )


def large() -> Assessment:
    """45 controls, 29 of them gaps: what a team sees that starts."""
    counts = {"SPEND": 9, "CHECK": 9, "BOUND": 10, "AUDIT": 9, "READY": 8}
    severities = (Severity.BLOCKING, Severity.BLOCKING, Severity.HIGH, Severity.HIGH, Severity.MEDIUM)
    statuses = (
        Status.MISSING, Status.UNTESTED, Status.CONTRADICTED, Status.DEMONSTRATED, Status.UNDOCUMENTED,
        Status.DEMONSTRATED, Status.MISSING, Status.UNKNOWN, Status.DEMONSTRATED, Status.DEMONSTRATED,
        Status.UNTESTED,
    )  # fmt: skip
    made: list[ControlResult] = []
    for prefix, count in counts.items():
        for number in range(1, count + 1):
            position = len(made)
            made.append(
                control(
                    f"{prefix}-{number:02}",
                    f"Guardrail {number} that somebody other than the agent enforces",
                    severities[position % len(severities)],
                    statuses[position % len(statuses)],
                    "partly covered (usd limit for each session), lacking: cloud.create_stack, cloud.delete_stack",
                    shows=findings(_LIMIT),
                    tests=findings(_TEST),
                    lacks=findings(finding("cloud.create_stack", "psf.yaml", "/agent/capabilities/2")),
                    remedy=Remedy(
                        "Set a limit for each path at the gateway, where the agent cannot change it, and show a drill "
                        "in which it held.",
                        {"litellm": "litellm_settings:\n  max_budget: 50\n"},
                        ("hours", "days", "weeks", None)[position % 4],
                    ),
                )
            )
    return assessment(made)


def heavy() -> Assessment:
    """45 controls, each shown by 10,000 rows and contradicted by as many; an assessment keeps a hundred of each."""
    row = finding(
        "usd limit for each session passed by run-7f of the nightly index", "evidence/calls.jsonl", "line 48213",
        found="1834.2", expected="50", unit="usd", at="2026-11-13T02:10:44Z",
    )  # fmt: skip
    rows = tuple(replace(row, what=f"{row.what} {number}") for number in range(100))
    made = large()
    domains = tuple(
        replace(
            domain,
            controls=tuple(
                replace(control, shows=Findings(rows, 10_000), breaks=Findings(rows, 10_000))
                for control in domain.controls
            ),
        )
        for domain in made.domains
    )
    return replace(made, domains=domains, exposure=small().exposure, activity=ACTIVITY)


HOSTILE = (
    "</script><script>alert(1)</script>",
    '<img src=x onerror=alert(1)> "\' onmouseover="x',
    "\x1b[2J\x1b]0;owned\x07 screen",
    "abc\u202egnp.exe\u2066 \u200bzero",
    "a | b || c\n# heading\n- item\n> quote\n\n---",
    "`tick` ``two`` ```\nfence\n```",
    "{{ 7 * 7 }} {% for x in y %} {# c #}",
    "[/blue] [bold red]x[/] [link=https://evil.example]y[/link] :warning:",
    "![img](https://evil.example/x.png) [click](javascript:alert(1)) https://evil.example www.evil.example",
    "*bold* _it_ ~~del~~ \\ &lt;b&gt; <b>b</b> @someone $x$ 1. one",
    "line\u2028separator\u2029paragraph \x00 \ud800 end",
    "<!-- <script> --> ]]> &amp; <style>*{display:none}</style>",
)


def _spread(value: str, position: int) -> str:
    """Another hostile text for each place, all of them used in turn."""
    return f"{HOSTILE[position % len(HOSTILE)]} {value}"


def many(count: int, reason: str) -> Assessment:
    """A deployment with very many gaps."""
    made = [control(f"SPEND-{n:05}", "Gap", Severity.HIGH, Status.MISSING, reason) for n in range(count)]
    return assessment(made)


def hostile() -> Assessment:
    """The small assessment with something hostile in front of every text, as evidence that nobody screened."""
    from tests.walk import replace_texts

    made = replace_texts(small(), _spread)
    domains = tuple(
        replace(domain, controls=tuple(replace(control, domain=domain.id) for control in domain.controls))
        for domain in made.domains
    )
    return replace(made, domains=domains)
