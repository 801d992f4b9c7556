"""The assessment as JSON, and back: the format that is stored, compared, embedded and signed.

Keys are written by hand, so that a renamed field of the model never renames a published key. An assessment file is
untrusted input like any evidence: it is held against the published schema, against itself (score, domains and verdict
must follow from its own controls), and screened.
"""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

from psf_audit import assess, gate, schemas
from psf_audit.changes import Change, Direction
from psf_audit.errors import ConfigurationError, ExitCode, Problem
from psf_audit.model import (
    Assessment,
    ControlResult,
    DeploymentIdentity,
    DomainResult,
    Earlier,
    EvidenceEntry,
    Expiry,
    Finding,
    Findings,
    Gate,
    Remedy,
    Rest,
    RubricIdentity,
    Severity,
    Source,
    Status,
    Verdict,
    WaiverUse,
    percent,
)
from psf_audit.reading import pointer
from psf_audit.text import one_line, plural, safe, screened
from psf_audit.wire_activity import activity_in, activity_out
from psf_audit.wire_composition import composition_in, composition_out
from psf_audit.wire_exposure import contradictions, exposure_in, exposure_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = "psf-audit/assessment/1"

_FINDINGS = ("claims", "shows", "lacks", "breaks", "tests", "documents", "gaps")
_MAX_PROBLEMS = 10


def dumps(value: dict[str, Any]) -> str:
    """The text of a JSON document: the same value gives the same bytes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# ------------------------------------------------------------------------------------------------------------ writing


def to_json(assessment: Assessment) -> dict[str, Any]:
    """An assessment as a JSON document of the schema `psf-audit/assessment/1`."""
    return {
        "schema": SCHEMA,
        "tool": assessment.tool,
        "as_of": assessment.as_of.isoformat(),
        "deployment": _deployment_out(assessment.deployment),
        "fingerprint": assessment.fingerprint,
        "manifest": _source_out(assessment.manifest),
        "rubric": rubric_out(assessment.rubric),
        "verdict": assessment.verdict.value,
        "deciding": list(assessment.deciding),
        "score": share_out(assessment.score),
        "coverage": share_out(assessment.coverage),
        "valid_until": _day_out(assessment.valid_until),
        "refresh_by": _day_out(assessment.refresh_by),
        "exposure": exposure_out(assessment.exposure),
        "activity": activity_out(assessment.activity),
        "composition": composition_out(assessment.composition),
        "earlier": _earlier_out(assessment.earlier),
        "gate": _gate_out(assessment),
        "waivers_ignored": assessment.waivers_ignored,
        "domains": [_domain_out(domain) for domain in assessment.domains],
        "evidence": [_entry_out(entry) for entry in assessment.evidence],
        "waivers": [waiver_out(waiver) for waiver in assessment.waivers],
        "limits_of_assessment": list(assessment.limits_of_assessment),
    }


def _earlier_out(earlier: Earlier | None) -> dict[str, Any] | None:
    if earlier is None:
        return None
    return {
        "source": _source_out(earlier.source),
        "as_of": earlier.as_of.isoformat(),
        "release": earlier.release,
        "verdict": earlier.verdict.value,
        "fingerprint": earlier.fingerprint,
        "valid_until": _day_out(earlier.valid_until),
        "rubric": earlier.rubric,
        "statuses": dict(earlier.statuses),
        "changes": changes_out(earlier.changes),
    }


def changes_out(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """What changed in what a deployment is made of."""
    return [{"kind": change.kind, "what": change.what, "direction": change.direction.value} for change in changes]


def _deployment_out(deployment: DeploymentIdentity) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "release": deployment.release,
        "environment": deployment.environment,
        "description": deployment.description,
        "objective": deployment.objective,
        "people": [{"role": role, "name": name} for role, name in deployment.people],
        "capabilities": list(deployment.capabilities),
    }


def rubric_out(rubric: RubricIdentity) -> dict[str, Any]:
    """The identity of a rubric."""
    return {
        "id": rubric.id,
        "version": rubric.version,
        "title": rubric.title,
        "about": rubric.about,
        "content_digest": rubric.content_digest,
        "scoring_digest": rubric.scoring_digest,
        "overlay": rubric.overlay,
    } | ({"loosened": list(rubric.loosened)} if rubric.overlay else {})


def rubric_in(value: dict[str, Any]) -> RubricIdentity:
    """The identity of a rubric, read again; files from before there were overlays say nothing of what one loosened."""
    return RubricIdentity(**{**value, "loosened": tuple(value.get("loosened", ()))})


def share_out(share: Fraction | None) -> dict[str, Any] | None:
    """An exact fraction, with whole percent beside it."""
    return None if share is None else {"exact": str(share), "percent": percent(share)}


def _day_out(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _gate_out(assessment: Assessment) -> dict[str, Any]:
    wanted, decision = assessment.gate, gate.decide(assessment)
    return {
        "require": wanted.require.value,
        "min_coverage": wanted.min_coverage,
        "min_score": wanted.min_score,
        "fail_on": [status.value for status in wanted.fail_on],
        "manifest_line": wanted.manifest_line,
        "met": decision.code is ExitCode.READY,
        "exit_code": decision.code.value,
        "reason": decision.reason,
    }


def _domain_out(domain: DomainResult) -> dict[str, Any]:
    return {
        "id": domain.id,
        "title": domain.title,
        "passes": domain.passes,
        "score": share_out(domain.score),
        "controls": [_control_out(control) for control in domain.controls],
    }


def _control_out(control: ControlResult) -> dict[str, Any]:
    remedy = control.remedy
    return {
        "id": control.id,
        "title": control.title,
        "severity": control.severity.value,
        "status": control.status.value,
        "reason": control.reason,
        "requirement": control.requirement,
        "why": control.why,
        "question": control.question,
        "remedy": {"text": remedy.text, "effort": remedy.effort, "snippets": dict(remedy.snippets)},
        "references": {name: list(entries) for name, entries in control.references.items()},
        "waiver": waiver_out(control.waiver) if control.waiver else None,
        **{name: _findings_out(getattr(control, name)) for name in _FINDINGS},
        "notes": list(control.notes),
        "collect": list(control.collect),
        "manifest_line": control.manifest_line,
        "expiries": [_expiry_out(expiry) for expiry in control.expiries],
    }


def _expiry_out(expiry: Expiry) -> dict[str, Any]:
    return {
        "on": expiry.on.isoformat(),
        "of": expiry.of.value,
        "what": expiry.what,
        "source": _source_out(expiry.source) if expiry.source else None,
    }


def _findings_out(findings: Findings) -> dict[str, Any]:
    return {"count": findings.count, "rows": [_finding_out(row) for row in findings.rows]}


def _finding_out(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "found": finding.found,
        "expected": finding.expected,
        "unit": finding.unit,
        "at": finding.at,
        "source": _source_out(finding.source) if finding.source else None,
        **({"against": _source_out(finding.against)} if finding.against else {}),
    }


def _source_out(source: Source) -> dict[str, Any]:
    return {
        "evidence": source.evidence,
        "path": source.path,
        "pointer": source.pointer,
        "sha256": source.sha256,
    }


def _entry_out(entry: EvidenceEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "path": entry.path,
        "format": entry.format,
        "sha256": entry.sha256,
        "bytes": entry.bytes,
        "collected": entry.collected,
        "release": entry.release,
        "produced_by": entry.produced_by,
        "readable": entry.readable,
        "problem": entry.problem,
        "facts": entry.facts,
        "shows": list(entry.shows),
        "contradicts": list(entry.contradicts),
        "note": entry.note,
        "manifest_line": entry.manifest_line,
    }


def waiver_out(waiver: WaiverUse) -> dict[str, Any]:
    """A waiver and what became of it."""
    return {
        "control": waiver.control,
        "state": waiver.state,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "approved_by": waiver.approved_by,
        "expires": waiver.expires,
        "note": waiver.note,
        "source": _source_out(waiver.source),
        "scope": {"environment": waiver.environment, "release": waiver.release},
        "expires_soon": waiver.expires_soon,
    }


# ------------------------------------------------------------------------------------------------------------ reading


def from_json(value: Any, file: str = "assessment") -> Assessment:
    """The assessment in a parsed JSON document; `file` is what messages call it.

    Raises:
        ConfigurationError: it is no assessment, or it contradicts itself.
    """
    _refuse(file, _schema_problems(value))
    try:
        assessment = _assessment_in(value)
    except ValueError as error:
        raise _error(file, [str(error)]) from error
    _refuse(file, _contradictions(assessment, value))
    return screened(assessment)


def _refuse(file: str, messages: Iterable[str]) -> None:
    found = list(islice(messages, _MAX_PROBLEMS))
    if found:
        raise _error(file, found)


def _error(file: str, messages: list[str]) -> ConfigurationError:
    texts = [safe(one_line(message), limit=300) for message in messages]
    more = f" (and {plural(len(texts) - 1, 'more problem')})" if len(texts) > 1 else ""
    hint = "give a file that `psf-audit assess -f json` wrote, unchanged"
    problems = tuple(Problem(file, text) for text in texts)
    return ConfigurationError(f"is not an assessment: {texts[0]}{more}", hint=hint, problems=problems)


def _schema_problems(value: Any) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        yield f"its schema is not {SCHEMA}"
        return
    for error in Draft202012Validator(schemas.load("assessment")).iter_errors(value):
        yield f"{pointer(tuple(error.absolute_path)) or 'the document'}: {error.message[:200]}"


def _contradictions(assessment: Assessment, value: dict[str, Any]) -> Iterator[str]:
    """Where what a file says as a whole does not follow from what it says of each control."""
    controls = assessment.controls
    if len({control.id for control in controls}) != len(controls):
        yield "a control is there twice"
    for domain, given in zip(assessment.domains, value["domains"], strict=True):
        passes = assess.passes([(control.severity, control.status) for control in domain.controls])
        if domain.passes is not passes or domain.score != assess.domain_score(domain.controls):
            yield f"the result of the domain {domain.id} does not follow from its controls"
        if given["score"] != share_out(domain.score):
            yield f"the domain {domain.id} has a percentage that is not its score"
    lowest = assess.overall_score(assessment.domains)
    if assessment.score != lowest or value["score"] != share_out(lowest):
        yield "the score is not that of the lowest domain"
    if assessment.coverage != assess.coverage(controls) or value["coverage"] != share_out(assessment.coverage):
        yield "the coverage does not follow from the controls"
    if assessment.verdict is not assess.verdict(assessment.domains):
        yield f"the verdict {assessment.verdict.label} does not follow from the controls"
    rests = any(control.expiries for control in controls)
    if rests and assessment.valid_until != assess.valid_until(controls, assessment.waivers, assessment.as_of):
        yield "the day until which it is valid does not follow from what its controls rest on"
    yield from _faults_of_parts(assessment, value)
    yield from _miscounted(controls)


def _faults_of_parts(assessment: Assessment, value: dict[str, Any]) -> Iterator[str]:
    if assessment.exposure is not None:
        yield from contradictions(assessment.exposure, value["exposure"])
    if assessment.activity is not None:
        yield from assessment.activity.faults
    if assessment.composition is not None and assessment.composition.row_count < len(assessment.composition.rows):
        yield "the composition has more rows than it counts"


def _miscounted(controls: Iterable[ControlResult]) -> Iterator[str]:
    for control in controls:
        for name in _FINDINGS:
            findings: Findings = getattr(control, name)
            if findings.count < len(findings.rows):
                yield f"{control.id} has more rows in {name} than it counts"


def _assessment_in(value: dict[str, Any]) -> Assessment:
    coverage = _share_in(value["coverage"])
    return Assessment(
        tool=value["tool"],
        as_of=date.fromisoformat(value["as_of"]),
        deployment=_deployment_in(value["deployment"]),
        fingerprint=value["fingerprint"],
        manifest=_source_in(value["manifest"]),
        rubric=rubric_in(value["rubric"]),
        verdict=Verdict(value["verdict"]),
        deciding=tuple(value["deciding"]),
        score=_share_in(value["score"]),
        coverage=Fraction(0) if coverage is None else coverage,
        valid_until=_day_in(value["valid_until"]),
        refresh_by=_day_in(value["refresh_by"]),
        domains=tuple(_domain_in(domain) for domain in value["domains"]),
        evidence=tuple(_entry_in(entry) for entry in value["evidence"]),
        waivers=tuple(_waiver_in(waiver) for waiver in value["waivers"]),
        limits_of_assessment=tuple(value["limits_of_assessment"]),
        gate=_gate_in(value["gate"]),
        waivers_ignored=value["waivers_ignored"],
        exposure=exposure_in(value["exposure"]),
        activity=activity_in(value.get("activity")),
        composition=composition_in(value.get("composition")),
        earlier=_earlier_in(value.get("earlier")),
    )


def _earlier_in(value: dict[str, Any] | None) -> Earlier | None:
    if value is None:
        return None
    return Earlier(
        source=_source_in(value["source"]),
        as_of=date.fromisoformat(value["as_of"]),
        release=value["release"],
        verdict=Verdict(value["verdict"]),
        fingerprint=value["fingerprint"],
        valid_until=_day_in(value["valid_until"]),
        rubric=value["rubric"],
        statuses=value["statuses"],
        changes=tuple(Change(one["kind"], one["what"], Direction(one["direction"])) for one in value["changes"]),
    )


def _deployment_in(value: dict[str, Any]) -> DeploymentIdentity:
    return DeploymentIdentity(
        name=value["name"],
        release=value["release"],
        environment=value["environment"],
        description=value["description"],
        objective=value["objective"],
        people=tuple((person["role"], person["name"]) for person in value["people"]),
        capabilities=tuple(value["capabilities"]),
    )


def _share_in(value: dict[str, Any] | None) -> Fraction | None:
    return None if value is None else Fraction(value["exact"])


def _day_in(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def _gate_in(value: dict[str, Any]) -> Gate:
    return Gate(
        require=Verdict(value["require"]),
        min_coverage=value["min_coverage"],
        min_score=value["min_score"],
        fail_on=tuple(Status(status) for status in value["fail_on"]),
        manifest_line=value.get("manifest_line"),
    )


def _domain_in(value: dict[str, Any]) -> DomainResult:
    return DomainResult(
        id=value["id"],
        title=value["title"],
        passes=value["passes"],
        score=_share_in(value["score"]),
        controls=tuple(_control_in(control, value["id"]) for control in value["controls"]),
    )


def _control_in(value: dict[str, Any], domain: str) -> ControlResult:
    remedy = value["remedy"]
    return ControlResult(
        id=value["id"],
        title=value["title"],
        domain=domain,
        severity=Severity(value["severity"]),
        status=Status(value["status"]),
        reason=value["reason"],
        requirement=value["requirement"],
        why=value["why"],
        question=value["question"],
        remedy=Remedy(text=remedy["text"], snippets=dict(remedy["snippets"]), effort=remedy["effort"]),
        references={name: tuple(entries) for name, entries in value["references"].items()},
        waiver=_waiver_in(value["waiver"]) if value["waiver"] else None,
        notes=tuple(value["notes"]),
        collect=tuple(value.get("collect", ())),
        manifest_line=value.get("manifest_line"),
        expiries=tuple(_expiry_in(expiry) for expiry in value.get("expiries", ())),
        **{name: _findings_in(value[name]) for name in _FINDINGS},
    )


def _expiry_in(value: dict[str, Any]) -> Expiry:
    source = _source_in(value["source"]) if value["source"] else None
    return Expiry(date.fromisoformat(value["on"]), Rest(value["of"]), value["what"], source)


def _entry_in(value: dict[str, Any]) -> EvidenceEntry:
    """What earlier versions did not write is empty."""
    lists = {name: tuple(value.get(name, ())) for name in ("shows", "contradicts")}
    return EvidenceEntry(**{**value, **lists})


def _findings_in(value: dict[str, Any]) -> Findings:
    return Findings(tuple(_finding_in(row) for row in value["rows"]), value["count"])


def _finding_in(value: dict[str, Any]) -> Finding:
    sources = {name: _source_in(value[name]) if value.get(name) else None for name in ("source", "against")}
    return Finding(**{**value, **sources})


def _source_in(value: dict[str, Any]) -> Source:
    return Source(**value)


def _waiver_in(value: dict[str, Any]) -> WaiverUse:
    """What earlier versions did not write is a waiver without a scope."""
    own = {name: value[name] for name in value if name != "scope"}
    return WaiverUse(**{**own, "source": _source_in(value["source"])}, **value.get("scope", {}))
