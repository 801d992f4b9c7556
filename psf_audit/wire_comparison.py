"""The comparison of two assessments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit.wire import changes_out, rubric_out, share_out, waiver_out
from psf_audit.wire_exposure import bound_out

if TYPE_CHECKING:
    from fractions import Fraction

    from psf_audit.compare import Comparison, ControlChange, DomainChange, EvidenceChange, Side, WaiverChange

SCHEMA = "psf-audit/comparison/1"


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as a JSON document of the schema `psf-audit/comparison/1`."""
    before, after = comparison.before, comparison.after
    return {
        "schema": SCHEMA,
        "before": _side_out(before),
        "after": _side_out(after),
        "comparable": comparison.comparable,
        "same_scoring": comparison.same_scoring,
        "notes": list(comparison.notes),
        "regressions": [
            {"subject": found.subject, "id": found.id, "what": found.what} for found in comparison.regressions
        ],
        "unresolved": [change.id for change in comparison.unresolved],
        "counts": {kind.value: count for kind, count in comparison.counts.items()},
        "verdict": {"before": before.verdict.value, "after": after.verdict.value, "kind": comparison.verdict.value},
        "score": {
            "before": share_out(before.score),
            "after": share_out(after.score),
            "delta": _delta_out(comparison.score_delta, comparison.score_points),
        },
        "coverage": {"before": share_out(before.coverage), "after": share_out(after.coverage)},
        "exposure": {
            "before": bound_out(before.exposure) if before.exposure else None,
            "after": bound_out(after.exposure) if after.exposure else None,
            "grew": comparison.exposure_grew,
        },
        "fingerprint_changed": comparison.fingerprint_changed,
        "capabilities": {
            "added": list(comparison.capabilities_added),
            "removed": list(comparison.capabilities_removed),
        },
        "changes": changes_out(comparison.changes),
        "release_note": {direction.value: list(told) for direction, told in comparison.by_direction.items()},
        "by_rubric": list(comparison.by_rubric),
        "domains": [_domain_out(change) for change in comparison.domains],
        "controls": [_control_out(change) for change in comparison.controls],
        "evidence": [_evidence_out(change) for change in comparison.evidence],
        "waivers": [_waiver_out(change) for change in comparison.waivers],
    }


def _side_out(side: Side) -> dict[str, Any]:
    return {
        "tool": side.tool,
        "as_of": side.as_of.isoformat(),
        "deployment": {"name": side.deployment, "release": side.release, "environment": side.environment},
        "fingerprint": side.fingerprint,
        "rubric": rubric_out(side.rubric),
        "valid_until": side.valid_until.isoformat() if side.valid_until else None,
    }


def _delta_out(delta: Fraction | None, points: int | None) -> dict[str, Any] | None:
    """The exact difference, and that of the whole percentages beside which it stands."""
    return None if delta is None else {"exact": str(delta), "percent": points}


def _domain_out(change: DomainChange) -> dict[str, Any]:
    return {
        "id": change.id,
        "title": change.title,
        "passes": {"before": change.before, "after": change.after},
        "lost": change.lost,
        "score": {
            "before": share_out(change.score_before),
            "after": share_out(change.score_after),
            "delta": _delta_out(change.score_delta, change.score_points),
        },
    }


def _control_out(change: ControlChange) -> dict[str, Any]:
    return {
        "id": change.id,
        "title": change.title,
        "domain": change.domain,
        "severity": change.severity.value,
        "kind": change.kind.value,
        "before": change.before.value if change.before else None,
        "after": change.after.value if change.after else None,
        "worsened": change.worsened,
        "unresolved": change.unresolved,
        "because": list(change.because),
        "reason": change.reason,
    }


def _evidence_out(change: EvidenceChange) -> dict[str, Any]:
    return {
        "path": change.path,
        "kind": change.kind.value,
        "before": change.before,
        "after": change.after,
        "problem": change.problem,
        "what": list(change.what),
    }


def _waiver_out(change: WaiverChange) -> dict[str, Any]:
    return {
        "control": change.control,
        "kind": change.kind.value,
        "before": waiver_out(change.before) if change.before else None,
        "after": waiver_out(change.after) if change.after else None,
        "what": list(change.what),
    }
