"""`psf-audit rubric`."""

from __future__ import annotations

from typing import Annotated

import typer

from psf_audit.cli import suggest, table
from psf_audit.cli.output import show
from psf_audit.errors import ExitCode
from psf_audit.resources import DEFAULT_RUBRIC

app = typer.Typer(help="List, show, check and test rubrics.", no_args_is_help=True, rich_markup_mode=None)

RubricArgument = Annotated[
    str, typer.Argument(help="A name like psf-agentic@1, or a file.", autocompletion=suggest.rubrics)
]


@app.command("list")
def list_() -> None:
    """List the rubrics that come with psf-audit."""
    from psf_audit import rubric as rubrics

    rows = []
    for name, versions in rubrics.available().items():
        for version in versions:
            loaded = rubrics.load(rubrics.find(f"{name}@{version}"))
            digest = loaded.identity.content_digest[:12]
            rows.append([f"{name}@{version}", str(len(loaded.controls)), digest, loaded.identity.title])
    show(table.columns(rows, ["rubric", "controls", "digest", "title"]))


@app.command("show")
def show_(rubric: RubricArgument = DEFAULT_RUBRIC) -> None:
    """Show the controls of a rubric."""
    from psf_audit import rubric as rubrics

    loaded = rubrics.load(rubrics.locate(rubric))
    identity = loaded.identity
    show(f"{identity.id} {identity.version}: {identity.title}")
    show(table.section("About", identity.about))
    show(f"content digest {identity.content_digest}\nscoring digest {identity.scoring_digest}\n")
    rows = [
        [control.id, control.severity.value, f"{control.title}: {control.requirement}"] for control in loaded.controls
    ]
    show(table.columns(rows, ["control", "severity", "requirement"]))


@app.command("lint")
def lint(rubric: RubricArgument = DEFAULT_RUBRIC) -> None:
    """Check a rubric: its form, ids and references, and that each criterion is one SELECT over known columns."""
    from psf_audit import cases
    from psf_audit import rubric as rubrics

    path = rubrics.locate(rubric)
    loaded = rubrics.lint(path)
    cases.check_sql(loaded)
    show(f"{path}: {len(loaded.controls)} controls, no problem")


@app.command("test")
def run_cases(
    rubric: RubricArgument = DEFAULT_RUBRIC,
    control: Annotated[
        list[str] | None,
        typer.Option(help="Only the cases of this control; repeatable.", autocompletion=suggest.controls),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Engine that runs the criteria.", autocompletion=suggest.engines)
    ] = "duckdb",
) -> None:
    """Run the cases of a rubric: facts, and the status that each control must have on them."""
    from psf_audit import audit, cases
    from psf_audit import rubric as rubrics

    path = rubrics.locate(rubric)
    loaded = rubrics.load(path)
    outcomes = list(cases.run(loaded, cases.load(cases.beside(path), loaded, only=control), audit.engine(engine)))
    wrong = [outcome for outcome in outcomes if not outcome.holds]
    for outcome in wrong:
        case = outcome.case
        got = f"expected {case.status} {case.reason}".rstrip() + f", got {outcome.status}: {outcome.reason}"
        show(f"{case.control} case {case.number} ({case.name}, line {case.line}): {got}")
    show(f"{len(outcomes)} cases, {len(wrong)} wrong")
    raise typer.Exit(ExitCode.GATE_NOT_MET if wrong else ExitCode.CANNOT_ASSESS if not outcomes else ExitCode.READY)
