"""Assessments as hypothesis draws them, small and consistent: scores, domains and verdict follow from the statuses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from psf_audit.assess import coverage, deciding, domain_score, passes, verdict
from psf_audit.model import (
    Assessment,
    ControlResult,
    DeploymentIdentity,
    DomainResult,
    EvidenceEntry,
    Finding,
    Findings,
    Remedy,
    RubricIdentity,
    Severity,
    Source,
    Status,
    WaiverUse,
)

RUBRIC = RubricIdentity("psf-agentic", "1.0.0", "PSF agentic", content_digest="c1", scoring_digest="s1")
OTHER_SCORING = replace(RUBRIC, version="1.1.0", content_digest="c2", scoring_digest="s2", overlay="house rules")
OTHER_WORDS = replace(RUBRIC, version="1.0.1", content_digest="c3")
OTHER_RUBRIC = RubricIdentity("homemade", "1.0.0", "Homemade", content_digest="c4", scoring_digest="s1")
CONTROLS = {
    "SPEND-01": Severity.BLOCKING,
    "SPEND-02": Severity.HIGH,
    "AUDIT-01": Severity.BLOCKING,
    "AUDIT-02": Severity.MEDIUM,
}
DOMAINS = ("spend", "audit")
MANIFEST = Source("manifest.yaml", "manifest.yaml", "", "m1")
NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"])
EVALUATED = frozenset({Status.CONTRADICTED, Status.MISSING, Status.UNTESTED, Status.UNDOCUMENTED, Status.DEMONSTRATED})


def finding(what: str, found: str | None = None, expected: str | None = None, unit: str | None = None) -> Finding:
    return Finding(what, found=found, expected=expected, unit=unit)


def findings(*names: str, count: int | None = None) -> Findings:
    return Findings(tuple(finding(name) for name in names), len(names) if count is None else count)


def control(id_: str = "SPEND-01", status: Status = Status.DEMONSTRATED, **lists: Any) -> ControlResult:
    result = ControlResult(
        id=id_,
        title=f"Title of {id_}",
        domain=id_.partition("-")[0].lower(),
        severity=CONTROLS.get(id_, Severity.MEDIUM),
        status=status,
        reason=f"{id_} is {status.label}",
        requirement="It holds.",
        why="Else it does not.",
        question="Does it hold?",
        remedy=Remedy("Make it hold."),
        references={},
    )
    return replace(result, **lists)


def assessment(*controls: ControlResult) -> Assessment:
    """An assessment of these controls; the domains, scores and verdict are those that they lead to."""
    return evaluated(
        Assessment(
            tool="psf-audit 1.0.0",
            as_of=date(2026, 11, 20),
            deployment=DeploymentIdentity("indexer", "2.4.0", "production", capabilities=("http.get",)),
            fingerprint="f1",
            manifest=MANIFEST,
            rubric=RUBRIC,
            verdict=verdict(()),
            deciding=(),
            score=None,
            coverage=Fraction(0),
            valid_until=None,
            refresh_by=None,
            domains=(),
            evidence=(),
            waivers=(),
            limits_of_assessment=(),
        ),
        controls,
    )


def evaluated(base: Assessment, controls: Sequence[ControlResult]) -> Assessment:
    """The assessment with these controls and all that follows from them."""
    results = tuple(_domain(id_, [found for found in controls if found.domain == id_]) for id_ in DOMAINS)
    scores = [domain.score for domain in results if domain.score is not None]
    return replace(
        base,
        domains=results,
        verdict=verdict(results),
        deciding=deciding(results),
        score=min(scores, default=None),
        coverage=coverage(controls),
    )


def _domain(id_: str, controls: Sequence[ControlResult]) -> DomainResult:
    return DomainResult(
        id=id_,
        title=id_.title(),
        passes=passes([(found.severity, found.status) for found in controls]),
        score=domain_score(controls),
        controls=tuple(controls),
    )


def entry(path: str = "evidence/gateway.yaml", sha256: str | None = "e1", problem: str | None = None) -> EvidenceEntry:
    return EvidenceEntry(
        id=path,
        path=path,
        format="litellm_config",
        sha256=sha256,
        bytes=100,
        collected="2026-11-20",
        release="2.4.0",
        produced_by="gateway",
        readable=problem is None,
        problem=problem,
    )


def waiver(control_id: str = "SPEND-02", state: str = "matched", expires: str = "2026-12-31") -> WaiverUse:
    return WaiverUse(control_id, state, "later", "owner", "approver", expires, "", MANIFEST)


found_lists = st.builds(
    lambda rows, hidden: Findings(tuple(rows), len(rows) + (hidden if rows else 0)),
    st.lists(st.builds(finding, NAMES, st.sampled_from([None, "1", "failed"])), max_size=4),
    st.sampled_from([0, 0, 0, 7]),
)


# Often demonstrated, so that verdicts differ.
statuses = st.sampled_from([*Status, *[Status.DEMONSTRATED] * 6])


@st.composite
def controls(draw: st.DrawFn, ids: Sequence[str] = tuple(CONTROLS)) -> list[ControlResult]:
    names = ("breaks", "lacks", "shows", "tests", "documents", "gaps")
    return [control(id_, draw(statuses), **{name: draw(found_lists) for name in names}) for id_ in ids]


@st.composite
def assessments(
    draw: st.DrawFn, rubrics: Sequence[RubricIdentity] = (RUBRIC, OTHER_WORDS), *, all_controls: bool = True
) -> Assessment:
    """An assessment; by default one of those that the same criteria decided, with the same controls."""
    ids = tuple(CONTROLS) if all_controls else draw(st.sets(st.sampled_from(sorted(CONTROLS))).map(sorted))
    base = assessment()
    paths = ("evidence/a.yaml", "evidence/a.yaml", "evidence/b.xml", "evidence/c.jsonl")
    states = st.builds(waiver, st.sampled_from(sorted(CONTROLS)), st.sampled_from(["matched", "expired", "unused"]))
    made = replace(
        base,
        as_of=draw(st.dates(date(2026, 1, 1), date(2026, 1, 3))),
        deployment=replace(
            base.deployment,
            name=draw(st.sampled_from(["indexer", "crawler"])),
            release=draw(st.sampled_from(["2.4.0", "2.5.0"])),
            capabilities=tuple(draw(st.lists(NAMES, max_size=3, unique=True))),
        ),
        fingerprint=draw(st.sampled_from(["f1", "f2"])),
        rubric=draw(st.sampled_from(rubrics)),
        evidence=tuple(
            entry(path, draw(st.sampled_from(["e1", "e2"])), draw(st.sampled_from([None, None, "not YAML"])))
            for path in draw(st.lists(st.sampled_from(paths), max_size=4))
        ),
        waivers=tuple(draw(st.lists(states, max_size=3))),
        waivers_ignored=draw(st.booleans()),
    )
    return evaluated(made, draw(controls(ids)))


def any_assessments() -> st.SearchStrategy[Assessment]:
    """An assessment by any rubric, with any of the controls."""
    return assessments((RUBRIC, OTHER_WORDS, OTHER_SCORING, OTHER_RUBRIC), all_controls=False)


def pairs() -> st.SearchStrategy[tuple[Assessment, Assessment]]:
    """Two assessments; half of the time the same criteria decided the same controls."""
    return st.tuples(assessments(), assessments()) | st.tuples(any_assessments(), any_assessments())


@st.composite
def shuffled(draw: st.DrawFn, whole: Assessment) -> Assessment:
    """The same assessment with everything in another order that has no meaning."""
    domains = tuple(
        replace(domain, controls=tuple(_shuffled_rows(draw, found) for found in draw(st.permutations(domain.controls))))
        for domain in whole.domains
    )
    return replace(
        whole,
        domains=domains,
        evidence=tuple(draw(st.permutations(whole.evidence))),
        waivers=tuple(draw(st.permutations(whole.waivers))),
        deployment=replace(whole.deployment, capabilities=tuple(draw(st.permutations(whole.deployment.capabilities)))),
    )


def _shuffled_rows(draw: st.DrawFn, found: ControlResult) -> ControlResult:
    lists: dict[str, Any] = {
        name: getattr(found, name) for name in ("breaks", "lacks", "shows", "tests", "documents", "gaps")
    }
    for name, rows in lists.items():
        lists[name] = Findings(tuple(draw(st.permutations(rows.rows))), rows.count)
    return replace(found, **lists)
