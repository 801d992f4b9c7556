"""Assessments as hypothesis draws them: any text in any place, and results that follow from the controls."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from psf_audit import assess
from psf_audit.activity import STEPS, Activity, Ceiling, Mark, MarkKind, Stretch, WouldStop
from psf_audit.composition import Composition
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
    Verdict,
    WaiverUse,
)
from psf_audit.stops import Stop
from psf_audit.text import safe
from tests.samples import HOSTILE


def _is_stable(text: str) -> bool:
    return safe(text) == text


def raw_texts() -> st.SearchStrategy[str]:
    """Any text, often a hostile one."""
    return st.one_of(
        st.text(max_size=12),
        st.sampled_from(HOSTILE),
        st.tuples(st.sampled_from(HOSTILE), st.text(max_size=6)).map("".join),
    )


def texts() -> st.SearchStrategy[str]:
    """Text as it is in an assessment, that is, after screening."""
    return raw_texts().map(safe).filter(_is_stable)


def _tuples(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, max_size=2).map(tuple)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


LINES = st.integers(1, 10**6)
SOURCES = st.builds(Source, texts(), texts(), texts(), _maybe(texts()))
FINDINGS = st.builds(
    Finding,
    what=texts(),
    found=_maybe(texts()),
    expected=_maybe(texts()),
    unit=_maybe(texts()),
    at=_maybe(st.just("2026-11-13T02:10:44Z") | texts()),
    source=_maybe(SOURCES),
    against=_maybe(SOURCES),
)
WAIVERS = st.builds(
    WaiverUse,
    control=texts(),
    state=st.sampled_from(["matched", "unused", "expired", "invalid"]),
    reason=texts(),
    owner=texts(),
    approved_by=texts(),
    expires=texts(),
    note=texts(),
    source=SOURCES,
    environment=_maybe(texts()),
    release=_maybe(texts()),
    expires_soon=st.booleans(),
)
ENTRIES = st.builds(
    EvidenceEntry,
    id=texts(),
    path=texts(),
    format=_maybe(texts()),
    sha256=_maybe(texts()),
    bytes=st.integers(0, 2**40),
    collected=_maybe(texts()),
    release=_maybe(texts()),
    produced_by=_maybe(texts()),
    readable=st.booleans(),
    problem=_maybe(texts()),
    facts=st.integers(0, 2**40),
    shows=_tuples(texts()),
    contradicts=_tuples(texts()),
    note=_maybe(texts()),
    manifest_line=_maybe(LINES),
)
REMEDIES = st.builds(
    Remedy,
    text=texts(),
    snippets=st.dictionaries(texts(), texts(), max_size=2),
    effort=_maybe(st.sampled_from(["hours", "days", "weeks"]) | texts()),
)
DEPLOYMENTS = st.builds(
    DeploymentIdentity,
    name=texts(),
    release=texts(),
    environment=texts(),
    description=_maybe(texts()),
    objective=_maybe(texts()),
    people=_tuples(st.tuples(texts(), texts())),
    capabilities=_tuples(texts()),
)
RUBRICS = st.builds(
    RubricIdentity,
    id=texts(),
    version=texts(),
    title=texts(),
    content_digest=texts(),
    scoring_digest=texts(),
    about=texts(),
    overlay=_maybe(texts()),
)
USD = st.decimals(0, 10**9, places=9, allow_nan=False, allow_infinity=False)
STOPS = st.builds(Stop, texts(), texts(), texts(), _maybe(USD))
LACKS = st.builds(Lack, texts(), _maybe(texts()), _maybe(texts()))
PERCENT = st.integers(0, 100)
GATES = st.builds(
    Gate,
    require=st.sampled_from(Verdict),
    min_coverage=PERCENT,
    min_score=_maybe(PERCENT),
    fail_on=_tuples(st.sampled_from(Status)),
    manifest_line=_maybe(LINES),
)
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@st.composite
def bounds(draw: st.DrawFn) -> Bound:
    """A bound whose parts make its total."""
    outcome, stops = draw(st.sampled_from(Outcome)), draw(_tuples(STOPS))
    if outcome is not Outcome.BOUNDED:
        through, lag, flight, day = (draw(_maybe(USD)) for _ in range(4))
        return Bound(outcome, through, lag, flight, None, stops, day)
    through, lag, flight = draw(USD), draw(USD), draw(USD)
    return Bound(outcome, through, lag, flight, Decimal(through + lag + flight), stops)


def sides() -> st.SearchStrategy[Side]:
    """Bounds in each situation."""
    capabilities = _tuples(st.builds(CapabilityBound, texts(), bounds()))
    situations = st.tuples(*(st.builds(SituationBound, st.just(one), bounds(), capabilities) for one in Situation))
    return st.builds(Side, situations, _tuples(LACKS))


COUNTS = st.integers(1, 10**6)
MOMENTS = st.integers(946_684_800_000, 4_102_444_799_999)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    """An activity that agrees with itself."""
    start, end = sorted(draw(st.tuples(MOMENTS, MOMENTS)))
    grows = draw(st.lists(USD, max_size=4))
    sums = [sum(grows[: step * len(grows) // STEPS], Decimal(0)) for step in range(STEPS + 1)] if grows else []
    within = st.integers(start, end)
    marks = draw(st.lists(st.builds(Mark, within, within, st.sampled_from(MarkKind), COUNTS), max_size=4))
    ceilings = draw(_tuples(st.builds(Ceiling, texts(), USD, st.booleans(), texts(), texts())))
    stops = draw(_tuples(st.builds(WouldStop, texts(), MOMENTS, COUNTS, texts(), texts())))
    stretches = draw(_tuples(st.builds(Stretch, texts(), MOMENTS, COUNTS, _maybe(USD), COUNTS, COUNTS)))
    more = draw(COUNTS)
    return Activity(
        start=start,
        end=end,
        spent=tuple(sums),
        calls=draw(COUNTS),
        unpriced=draw(COUNTS),
        marks=tuple(marks),
        ceilings=ceilings,
        ceiling_count=len(ceilings) + more,
        stops=stops,
        stop_count=len(stops) + more,
        stretches=stretches,
        stretch_count=len(stretches) + more,
        problems=draw(_tuples(texts())),
    )


EXPOSURES = st.builds(Exposure, sides(), sides(), _tuples(texts()))


@st.composite
def findings(draw: st.DrawFn) -> Findings:
    """Rows, and a count that may be larger."""
    rows = draw(_tuples(FINDINGS))
    return Findings(rows, len(rows) + draw(st.sampled_from([0, 0, 0, 7])))


def controls(id_: str, domain: str) -> st.SearchStrategy[ControlResult]:
    """A control of a domain."""
    return st.builds(
        ControlResult,
        id=st.just(id_),
        title=texts(),
        domain=st.just(domain),
        severity=st.sampled_from(Severity),
        status=st.sampled_from(Status),
        reason=texts(),
        requirement=texts(),
        why=texts(),
        question=texts(),
        remedy=REMEDIES,
        references=st.dictionaries(texts(), _tuples(texts()), max_size=2),
        claims=findings(),
        shows=findings(),
        lacks=findings(),
        breaks=findings(),
        tests=findings(),
        documents=findings(),
        gaps=findings(),
        waiver=_maybe(WAIVERS),
        notes=_tuples(texts()),
        collect=_tuples(texts()),
        manifest_line=_maybe(LINES),
    )


@st.composite
def domains(draw: st.DrawFn) -> tuple[DomainResult, ...]:
    """Up to three domains whose results follow from their controls."""
    ids = draw(st.lists(texts(), max_size=3, unique=True))
    names = iter(draw(st.lists(texts(), min_size=6, max_size=6, unique=True)))
    made = []
    for id_ in ids:
        own = tuple(draw(controls(next(names), id_)) for _ in range(draw(st.integers(0, 2))))
        passes = assess.passes([(control.severity, control.status) for control in own])
        made.append(DomainResult(id_, draw(texts()), passes, assess.domain_score(own), own))
    return tuple(made)


ROWS = st.sampled_from(
    [
        {"table": table, "basis": basis, **values}
        for basis in ("claim", "config")
        for table, values in (
            ("capabilities", {"name": "http.get", "kind": "tool", "retries": "1"}),
            ("capabilities", {"name": "http.get", "kind": "tool", "retries": "4"}),
            ("capabilities", {"name": "plan", "kind": "model"}),
            ("limits", {"resource": "usd", "scope": "session", "amount": "5"}),
            ("limits", {"resource": "usd", "scope": "session", "amount": "50", "on_breach": "log"}),
            ("limits", {"resource": "usd", "scope": "session", "on_breach": "deny"}),
            ("gates", {"trigger": "interval", "effect": "ask"}),
            ("boundaries", {"dimension": "tool", "effect": "allow", "pattern": "*"}),
            ("boundaries", {"dimension": "tool", "effect": "deny", "pattern": "x"}),
            ("logs", {"sink": "s3", "append_only": "yes"}),
        )
    ]
)


@st.composite
def compositions(draw: st.DrawFn) -> Composition:
    """A composition of few values, so that two of them have something in common."""
    rows = draw(st.lists(ROWS, max_size=4, unique_by=str))
    named = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), max_size=2)
    return Composition(
        models=tuple(draw(st.lists(st.sampled_from([{"name": "m"}, {"name": "n", "via": "g"}]), unique_by=str))),
        prompts=draw(named),
        objective=draw(st.sampled_from([None, "Index it.", "Index all."])),
        completion=draw(named),
        targets=tuple(sorted(draw(st.sets(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "*.a.net", "b.a.net"]))))),
        scope=draw(st.sampled_from([{}, {"expected_size": "3"}, {"expected_size": "9"}])),
        rows=tuple(sorted(rows, key=str)),
        row_count=len(rows),
    )


@st.composite
def assessments(draw: st.DrawFn) -> Assessment:
    """An assessment whose verdict, score and coverage follow from its controls."""
    made = draw(domains())
    scores = [domain.score for domain in made]
    return Assessment(
        tool=draw(texts()),
        as_of=draw(DAYS),
        deployment=draw(DEPLOYMENTS),
        fingerprint=draw(texts()),
        manifest=draw(SOURCES),
        rubric=draw(RUBRICS),
        verdict=assess.verdict(made),
        deciding=draw(_tuples(texts())),
        score=None if None in scores or not scores else min(score for score in scores if score is not None),
        coverage=assess.coverage([control for domain in made for control in domain.controls]),
        valid_until=draw(_maybe(DAYS)),
        refresh_by=draw(_maybe(DAYS)),
        domains=made,
        evidence=draw(_tuples(ENTRIES)),
        waivers=draw(_tuples(WAIVERS)),
        limits_of_assessment=draw(_tuples(texts())),
        gate=draw(GATES),
        waivers_ignored=draw(st.booleans()),
        exposure=draw(_maybe(EXPOSURES)),
        activity=draw(_maybe(activities())),
        composition=draw(_maybe(compositions())),
    )
