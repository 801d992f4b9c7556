"""`psf-audit rubric`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import suggest, table
from psf_audit.cli.options import EngineOption
from psf_audit.cli.output import ForceOption, OutputOption, Outputs, show
from psf_audit.errors import ExitCode
from psf_audit.resources import DEFAULT_RUBRIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.rubric import Rubric

app = typer.Typer(
    help="List, show, compare, check and test rubrics and overlays.", no_args_is_help=True, rich_markup_mode=None
)

RubricArgument = Annotated[
    str,
    typer.Argument(help="A name like psf-agentic@1, or a file; an overlay is as good.", autocompletion=suggest.rubrics),
]
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}\Z")


def _named(spec: str) -> Path:
    """The file of a rubric or overlay; a bare version is one of the rubric that comes with psf-audit."""
    from psf_audit import rubric as rubrics

    return rubrics.locate(f"{DEFAULT_RUBRIC.partition('@')[0]}@{spec}" if _VERSION.match(spec) else spec)


@app.command("list")
def list_() -> None:
    """List the rubrics and overlays that come with psf-audit."""
    from psf_audit import rubric as rubrics

    rows = []
    for name, versions in (*rubrics.available().items(), *rubrics.overlays().items()):
        for version in versions:
            loaded = rubrics.load(rubrics.find(f"{name}@{version}"))
            digest = loaded.identity.content_digest[:12]
            over = loaded.overlay
            title = f"{over.title} (overlay of {over.extends})" if over else loaded.identity.title
            rows.append([f"{name}@{version}", str(len(loaded.controls)), digest, title])
    show(table.columns(rows, ["rubric", "controls", "digest", "title"]))


@app.command("show")
def show_(rubric: RubricArgument = DEFAULT_RUBRIC) -> None:
    """Show the controls of a rubric."""
    from psf_audit import rubric as rubrics

    loaded = rubrics.load(_named(rubric))
    identity = loaded.identity
    show(f"{identity.id} {identity.version}: {identity.title}")
    show(table.section("About", identity.about))
    for part in _overlay(loaded):
        show(part)
    show(f"content digest {identity.content_digest}\nscoring digest {identity.scoring_digest}\n")
    rows = [
        [control.id, control.severity.value, f"{control.title}: {control.requirement}"] for control in loaded.controls
    ]
    show(table.columns(rows, ["control", "severity", "requirement"]))


def _overlay(loaded: Rubric) -> Iterator[str]:
    """What an overlay changes, if there is one, the loosened first."""
    from psf_audit.overlay import Effect

    over = loaded.overlay
    if over is None:
        return
    yield f"with the overlay {over.name}: {over.title}"
    yield table.section("About the overlay", over.about)
    for effect in (Effect.LOOSENED, Effect.TIGHTENED, Effect.ADDED):
        yield from (
            table.section(effect.value.capitalize(), str(change)) for change in over.changes if change.effect is effect
        )


@app.command("lint")
def lint(rubric: RubricArgument = DEFAULT_RUBRIC) -> None:
    """Check a rubric: its form, ids and references, and that each criterion is one SELECT over known columns."""
    from psf_audit import cases
    from psf_audit import rubric as rubrics

    path = _named(rubric)
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
    engine: EngineOption = "duckdb",
) -> None:
    """Run the cases of a rubric: facts, and the status that each control must have on them."""
    from psf_audit import audit, cases
    from psf_audit import rubric as rubrics

    path = _named(rubric)
    loaded = rubrics.load(path)
    outcomes = list(cases.run(loaded, cases.load(cases.beside(path), loaded, only=control), audit.engine(engine)))
    wrong = [outcome for outcome in outcomes if not outcome.holds]
    for outcome in wrong:
        case = outcome.case
        got = f"expected {case.status} {case.reason}".rstrip() + f", got {outcome.status}: {outcome.reason}"
        show(f"{case.control} case {case.number} ({case.name}, line {case.line}): {got}")
    show(f"{len(outcomes)} cases, {len(wrong)} wrong")
    raise typer.Exit(ExitCode.GATE_NOT_MET if wrong else ExitCode.CANNOT_ASSESS if not outcomes else ExitCode.READY)


@app.command("diff")
def diff(
    old: RubricArgument,
    new: RubricArgument,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: terminal, markdown or json.")
    ] = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Compare two rubrics.

    Versions, files, or a rubric and an overlay of it: what is added, gone, split, renamed, and asked otherwise.
    """
    from psf_audit import revision, revision_forms
    from psf_audit import rubric as rubrics

    forms = {
        "terminal": revision_forms.text,
        "markdown": revision_forms.markdown,
        "json": revision_forms.json_text,
    }
    paths = [_named(old), _named(new)]
    outputs = Outputs(forms, format_, output, paths, force=force)
    found = revision.between(*map(rubrics.load, paths))
    outputs.deliver(lambda render, view: render(found, view))


@app.command("docs")
def docs(
    rubric: RubricArgument = DEFAULT_RUBRIC,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: markdown or html.")
    ] = "markdown",
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Write a rubric as a document.

    For people who will never run the program: what each control asks and why, and what would show it.
    """
    from psf_audit import collection, rubric_book
    from psf_audit import rubric as rubrics

    path = _named(rubric)
    outputs = Outputs(
        {"markdown": rubric_book.markdown, "html": rubric_book.html}, format_, output, [path], force=force
    )
    loaded, formats = rubrics.load(path), tuple(collection.formats().values())
    outputs.deliver(lambda write, _: write(loaded, formats))
