"""What a shell can complete: names that exist, looked up when it asks. Where nothing fits, the shell offers files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable


def fitting(names: Iterable[str], incomplete: str) -> list[str]:
    """Those of the names that begin with what was typed."""
    return [name for name in names if name.startswith(incomplete)]


def report_formats(incomplete: str) -> list[str]:
    """Names of report formats."""
    from psf_audit.plugins import names

    return fitting(names("psf_audit.report"), incomplete)


def outputs(incomplete: str) -> list[str]:
    """Names of report formats with the sign before the path."""
    return fitting([f"{name}=" for name in report_formats("")], incomplete)


def evidence_formats(incomplete: str) -> list[str]:
    """Names of evidence formats."""
    from psf_audit import collection

    return fitting(collection.formats(), incomplete)


def engines(incomplete: str) -> list[str]:
    """Names of engines."""
    from psf_audit.plugins import discover
    from psf_audit.query import Engine

    return fitting(discover("psf_audit.engine", Engine), incomplete)


def statuses(incomplete: str) -> list[str]:
    """Statuses that a gate can fail on."""
    from psf_audit.model import Status

    return fitting((status.value for status in Status if status.is_gap), incomplete)


def schemas(incomplete: str) -> list[str]:
    """Names of schemas."""
    from psf_audit import schemas as published

    return fitting(published.names(), incomplete)


def rubrics(incomplete: str) -> list[str]:
    """Shipped rubrics, by name and with each version."""
    from psf_audit import rubric

    known = rubric.available()
    return fitting([*known, *(f"{name}@{one}" for name, versions in known.items() for one in versions)], incomplete)


def controls(context: typer.Context, incomplete: str) -> list[str]:
    """Controls of the rubric that the line names, else of the newest one."""
    from psf_audit import rubric
    from psf_audit.errors import AuditError
    from psf_audit.resources import DEFAULT_RUBRIC

    spec = context.params.get("rubric") or DEFAULT_RUBRIC
    try:
        loaded = rubric.load(rubric.locate(spec))
    except AuditError:
        return []
    return fitting([control.id for control in loaded.controls], incomplete)
