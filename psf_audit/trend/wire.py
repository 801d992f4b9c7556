"""A trend as JSON of the schema `psf-audit/trend/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit.wire import share_out
from psf_audit.wire_exposure import bound_out

if TYPE_CHECKING:
    from psf_audit.trend.history import ControlHistory, Point, Trend

SCHEMA = "psf-audit/trend/1"


def to_json(trend: Trend) -> dict[str, Any]:
    """A trend as a JSON document."""
    return {
        "schema": SCHEMA,
        "deployment": trend.deployment,
        "notes": list(trend.notes),
        "assessments": [_point_out(point, trend) for point in trend.points],
        "controls": [_control_out(control) for control in trend.controls],
        "steps": [
            {
                "before": step.before.as_of.isoformat(),
                "after": step.after.as_of.isoformat(),
                "comparable": step.comparable,
                "fingerprint_changed": step.fingerprint_changed,
                "release_note": {direction.value: list(told) for direction, told in step.by_direction.items()},
            }
            for step in trend.steps
        ],
    }


def _point_out(point: Point, trend: Trend) -> dict[str, Any]:
    side = point.side
    return {
        "as_of": side.as_of.isoformat(),
        "release": side.release,
        "environment": side.environment,
        "fingerprint": side.fingerprint,
        "rubric": {"id": side.rubric.id, "version": side.rubric.version},
        "same_scoring_as_last": point.same_scoring,
        "verdict": side.verdict.value,
        "score": share_out(side.score),
        "coverage": share_out(side.coverage),
        "valid_until": side.valid_until.isoformat() if side.valid_until else None,
        "exposure": bound_out(side.exposure) if side.exposure else None,
        "gaps": point.gaps,
        "contradicted": point.contradicted,
        "domains": [
            {"id": id_, "title": title, "score": share_out(score)}
            for (id_, title), score in zip(trend.domains, point.scores, strict=True)
        ],
    }


def _control_out(control: ControlHistory) -> dict[str, Any]:
    return {
        "id": control.id,
        "title": control.title,
        "domain": control.domain,
        "severity": control.severity.value,
        "statuses": [status.value if status else None for status in control.statuses],
        "first_gap": control.first_gap.isoformat() if control.first_gap else None,
        "open_since": control.open_since.isoformat() if control.open_since else None,
        "closed": control.closed,
        "reopened": control.reopened,
    }
