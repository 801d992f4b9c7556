"""`psf-audit status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.options import ExitZeroOption, day, folder, leave
from psf_audit.cli.output import ForceOption, OutputOption, Outputs
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from psf_audit.rendering import View
    from psf_audit.standing import Current, FailOn, Standing

DAYS = range(366)


def status(
    assessment: Annotated[Path, typer.Argument(help="An assessment, as `assess -f json` wrote it.")],
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", "-m", help="The deployment as it is now, to say whether it is still the one assessed."
        ),
    ] = None,
    within: Annotated[int, typer.Option(metavar="DAYS", help="Tell what runs out within so many days.")] = 30,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="Fail also when it is expiring, or its rubric superseded; repeatable."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: terminal, markdown or json.")
    ] = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: Annotated[
        str | None, typer.Option(metavar="DAY", help="The day to ask about, YYYY-MM-DD; today (UTC) if not given.")
    ] = None,
    evidence_root: Annotated[
        Path | None,
        typer.Option(help="Folder that evidence of the manifest may not leave; the manifest's if not given."),
    ] = None,
    exit_zero: ExitZeroOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Say whether an assessment still stands.

    What has run out or soon will, and what changed in the deployment since: for a job that runs every night.
    """
    from psf_audit import api, standing

    if within not in DAYS:
        raise ConfigurationError(f"--within {within} cannot apply", hint="give days, 0 to 365")
    failing = _fail_on(fail_on)
    inputs = [assessment, *([manifest] if manifest is not None else [])]
    outputs = Outputs(_forms(failing), format_, output, inputs, force=force)
    made, asked = api.load(assessment), day(as_of)
    found = standing.standing_of(
        made,
        asked,
        within_days=within,
        current=_current(manifest, evidence_root, asked, memory) if manifest is not None else None,
        newest=_newest(made.rubric.id, made.rubric.version),
    )
    outputs.deliver(lambda render, view: render(found, view))
    decision = standing.decide(found, failing)
    leave(decision, decision.reason, exit_zero=exit_zero)


def _fail_on(given: list[str] | None) -> tuple[FailOn, ...]:
    from psf_audit.standing import FailOn

    known = [one.value for one in FailOn]
    wrong = [one for one in given or () if one not in known]
    if wrong:
        raise ConfigurationError(f"--fail-on {wrong[0]!r} cannot apply", hint=f"use one of {', '.join(known)}")
    return tuple(FailOn(one) for one in given or ())


def _forms(failing: Collection[FailOn]) -> dict[str, Callable[[Standing, View], str]]:
    from psf_audit import standing_forms

    return {
        "terminal": standing_forms.text,
        "markdown": standing_forms.markdown,
        "json": lambda standing, _: standing_forms.json_text(standing, failing),
    }


def _current(path: Path, evidence_root: Path | None, asked: date, memory: str) -> Current:
    from psf_audit import audit
    from psf_audit import manifest as manifests

    loaded = manifests.load(path)
    root = folder(evidence_root or path.resolve().parent)
    with room(memory) as (bounds, watch):
        return audit.current(loaded, audit.Options(as_of=asked, evidence_root=root, bounds=bounds, watch=watch))


def _newest(rubric: str, version: str) -> str | None:
    """The newest version that ships of a rubric, of the same major version; None where it does not ship."""
    from psf_audit import rubric as rubrics

    major = version.partition(".")[0]
    return next((one for one in reversed(rubrics.available().get(rubric, [])) if one.partition(".")[0] == major), None)
