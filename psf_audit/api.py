"""The Python interface: what the commands do, as functions of files, days and names. They print nothing and never exit.

    from datetime import date
    from psf_audit import api

    assessment = api.assess("manifest.yaml", as_of=date(2026, 11, 22))
    print(api.decide(assessment).reason)
    Path("report.html").write_text(api.render(assessment, "html"), encoding="utf-8")

These functions, what they take and return, and the errors of `psf_audit.errors` are the interface. All other modules
may change with any version. See `docs/api.md`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from psf_audit import again, audit, gate, wire
from psf_audit.compare import Comparison
from psf_audit.errors import ConfigurationError, Problem, Unreadable
from psf_audit.exposure import Exposure
from psf_audit.gate import Decision
from psf_audit.model import Assessment, Gate
from psf_audit.plugins import discover
from psf_audit.query import Bounds
from psf_audit.reading import decode, parse_json, read_bytes
from psf_audit.rendering import ReportFormat, View

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    Watch: TypeAlias = Callable[[str, float | None], None]

Thing = TypeVar("Thing")

__all__ = [
    "Assessment",
    "Comparison",
    "Decision",
    "Exposure",
    "Gate",
    "View",
    "assess",
    "decide",
    "diff",
    "formats",
    "load",
    "render",
]


def assess(  # noqa: PLR0913  each is a choice of the caller, and all but the manifest are given by name
    manifest: str | PathLike[str],
    *,
    as_of: date,
    rubric: str | None = None,
    evidence_root: str | PathLike[str] | None = None,
    gate: Gate | None = None,
    ignore_waivers: bool = False,
    memory_mib: int = 1024,
    watch: Watch | None = None,
) -> Assessment:
    """The assessment of the deployment that a manifest describes, as `psf-audit assess` makes it.

    Args:
        manifest: The manifest file (YAML). Paths in it are relative to its folder.
        as_of: The day of the assessment. The clock is not read: the same files and day give the same assessment.
        rubric: A name such as `psf-agentic@1` or a file, instead of the rubric that the manifest names.
        evidence_root: The folder that evidence may not leave; the manifest's if not given.
        gate: The gate to hold the assessment against, instead of the manifest's.
        ignore_waivers: Whether to leave the waivers of the manifest unused.
        memory_mib: Memory for large logs in MiB; what does not fit goes to disk.
        watch: Told what is read, and which share of it is done (0 to 1, or None where that is not known).

    Raises:
        ConfigurationError: the manifest, the rubric or a waiver cannot be used; `problems` has file and line of each.
        CannotAssess: there is nothing to audit. Evidence that cannot be read is a gap in the assessment, and no error.
    """
    options = audit.Options(
        as_of=as_of,
        evidence_root=None if evidence_root is None else Path(evidence_root),
        rubric=rubric,
        ignore_waivers=ignore_waivers,
        gate=gate,
        bounds=Bounds(memory_mib=memory_mib),
        watch=watch,
    )
    return audit.run(Path(manifest), options)


def decide(assessment: Assessment) -> Decision:
    """What the gate says of an assessment: the exit code of `psf-audit assess`, and the reason that decided it."""
    return gate.decide(assessment)


def load(path: str | PathLike[str]) -> Assessment:
    """The assessment in a file that `psf-audit assess -f json` or `render(assessment, "json")` wrote.

    Raises:
        ConfigurationError: it is not there, is no assessment, or contradicts itself.
    """
    name = str(path)
    try:
        value = parse_json(decode(read_bytes(Path(path))))
    except Unreadable as error:
        problem = Problem(name, error.message, error.line, error.column, error.hint)
        raise ConfigurationError(str(problem), problems=(problem,)) from error
    return wire.from_json(value, name)


def diff(old: Assessment, new: Assessment) -> Comparison:
    """What became safer or riskier between two assessments, and what cannot be compared; as `psf-audit diff`."""
    return again.diff(old, new)


def formats() -> dict[str, ReportFormat]:
    """Every report format by name."""
    return discover("psf_audit.report", ReportFormat)


def render(thing: Assessment | Comparison | Exposure, format_: str, view: View | None = None) -> str:
    """An assessment, a comparison or an exposure in one of the report formats.

    Args:
        thing: What to render.
        format_: The name of a format, such as `html`; `formats()` has them all.
        view: Width in columns, whether to use colour, and the folder of the manifest below the top of its repository,
            which formats for pipelines name files by; 100 columns, no colour and the top if not given.

    Raises:
        ConfigurationError: there is no such format, or it has no form for this.
    """
    known = formats()
    if format_ not in known:
        raise ConfigurationError(f"there is no format {format_!r}", hint=f"known: {', '.join(known)}")
    shown = view or View()
    if isinstance(thing, Assessment):
        return known[format_].assessment(thing, shown)
    if isinstance(thing, Comparison):
        return _form("a comparison", {name: one.comparison for name, one in known.items()}, format_)(thing, shown)
    return _form("an exposure alone", {name: one.exposure for name, one in known.items()}, format_)(thing, shown)


def _form(what: str, forms: dict[str, Callable[[Thing, View], str] | None], name: str) -> Callable[[Thing, View], str]:
    form = forms[name]
    if form is None:
        fitting = ", ".join(other for other, one in forms.items() if one is not None)
        raise ConfigurationError(f"the format {name} has no form for {what}", hint=f"use one of {fitting}")
    return form
