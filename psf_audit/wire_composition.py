"""A composition as JSON, and back."""

from __future__ import annotations

from typing import Any

from psf_audit.composition import Composition


def composition_out(composition: Composition | None) -> dict[str, Any] | None:
    """A composition as it stands in an assessment."""
    if composition is None:
        return None
    return {
        "models": [dict(model) for model in composition.models],
        "prompts": dict(composition.prompts),
        "objective": composition.objective,
        "completion": dict(composition.completion),
        "targets": list(composition.targets),
        "scope": dict(composition.scope),
        "rows": {"count": composition.row_count, "rows": [dict(row) for row in composition.rows]},
    }


def composition_in(value: dict[str, Any] | None) -> Composition | None:
    """The composition that stands in an assessment, which the schema was held against."""
    if value is None:
        return None
    return Composition(
        models=tuple(value["models"]),
        prompts=value["prompts"],
        objective=value["objective"],
        completion=value["completion"],
        targets=tuple(value["targets"]),
        scope=value["scope"],
        rows=tuple(value["rows"]["rows"]),
        row_count=value["rows"]["count"],
    )
