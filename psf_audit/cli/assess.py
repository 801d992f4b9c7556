"""`psf-audit assess`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import repository, suggest
from psf_audit.cli.options import DayOption, EngineOption, ExitZeroOption, RootOption, day, folder, leave
from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Reports
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from psf_audit.model import Gate

RubricOption = Annotated[
    str | None,
    typer.Option(
        help="Rubric to use instead of the manifest's: a name like psf-agentic@1, or a file.",
        autocompletion=suggest.rubrics,
    ),
]
FailOnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATUS",
        help="Fail also on any control of this status; repeatable.",
        autocompletion=suggest.statuses,
    ),
]
PERCENTAGES = range(101)


def assess(
    manifest: Annotated[Path, typer.Argument(help="The deployment manifest (YAML).")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: DayOption = None,
    rubric: RubricOption = None,
    evidence_root: RootOption = None,
    fail_on: FailOnOption = None,
    min_score: Annotated[int | None, typer.Option(metavar="PERCENT", help="Fail also on a lower score.")] = None,
    min_coverage: Annotated[
        int | None, typer.Option(metavar="PERCENT", help="Least share that could be evaluated; 100 if not given.")
    ] = None,
    no_waivers: Annotated[bool, typer.Option("--no-waivers", help="Ignore the waivers of the manifest.")] = False,
    exit_zero: ExitZeroOption = False,
    baseline: Annotated[
        Path | None,
        typer.Option(help="An earlier assessment (JSON) of this deployment, to tell what changed since."),
    ] = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Assess a deployment.

    What its evidence shows, control by control, and whether the gate is met.
    """
    from psf_audit import api, audit, gate
    from psf_audit import manifest as manifests

    loaded = manifests.load(manifest)
    home = manifest.resolve().parent
    root = folder(evidence_root or home)
    read = [*(entry.path for entry in loaded.evidence), *loaded.prompts]
    inputs = [manifest, *(home / path for path in read), *_rubric_file(rubric), *([baseline] if baseline else [])]
    reports = Reports(format_, output, inputs=inputs, force=force)
    options = audit.Options(
        as_of=day(as_of),
        engine=engine,
        evidence_root=root,
        rubric=rubric,
        ignore_waivers=no_waivers,
        gate=_gate(loaded.gate, fail_on, min_score, min_coverage),
        baseline=audit.Baseline(baseline, api.load(baseline)) if baseline else None,
    )
    with room(memory) as (bounds, watch):
        assessment = audit.assess_manifest(loaded, replace(options, bounds=bounds, watch=watch))
    place = repository.folder_of(manifest)
    reports.deliver(lambda kind, view: kind.assessment(assessment, replace(view, folder=place)))
    decision = gate.decide(assessment)
    leave(decision, f"{assessment.verdict.label}: {decision.reason}", exit_zero=exit_zero)


def _rubric_file(rubric: str | None) -> list[Path]:
    return [Path(rubric)] if rubric is not None and rubric.endswith((".yaml", ".yml")) else []


def _gate(base: Gate, fail_on: list[str] | None, min_score: int | None, min_coverage: int | None) -> Gate:
    """The gate of the manifest with what the command line adds; of two floors of the score the higher one.

    Raises:
        ConfigurationError: a threshold that cannot apply.
    """
    from psf_audit.model import Status

    for name, value in (("--min-score", min_score), ("--min-coverage", min_coverage)):
        if value is not None and value not in PERCENTAGES:
            raise ConfigurationError(f"{name} {value} cannot apply", hint="give a percentage from 0 to 100")
    gaps = [status.value for status in Status if status.is_gap]
    wrong = [status for status in fail_on or () if status not in gaps]
    if wrong:
        raise ConfigurationError(f"--fail-on {wrong[0]!r} cannot apply", hint=f"use one of {', '.join(gaps)}")
    return replace(
        base,
        fail_on=base.fail_on + tuple(Status(status) for status in fail_on or () if Status(status) not in base.fail_on),
        min_score=max((floor for floor in (base.min_score, min_score) if floor is not None), default=None),
        min_coverage=base.min_coverage if min_coverage is None else min_coverage,
    )
