"""`psf-audit explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import suggest, table
from psf_audit.cli.options import DayOption, EngineOption, RootOption
from psf_audit.cli.output import ForceOption, OutputOption, Outputs
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption
from psf_audit.errors import ConfigurationError
from psf_audit.resources import DEFAULT_RUBRIC
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.cli.subject import Subject
    from psf_audit.explanation import Explanation
    from psf_audit.model import Assessment
    from psf_audit.rubric import Control, Rubric


def explain(
    control: Annotated[
        str, typer.Argument(help="Id of the control, such as SPEND-01.", autocompletion=suggest.controls)
    ],
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            "-m",
            help="Say what is found of it there: a manifest, which is assessed, or an assessment in JSON.",
        ),
    ] = None,
    rubric: Annotated[
        str | None,
        typer.Option(
            help=f"Rubric or overlay: a name or a file; that of the manifest, else {DEFAULT_RUBRIC}, if not given.",
            autocompletion=suggest.rubrics,
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: text or markdown.")
    ] = "text",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: DayOption = None,
    evidence_root: RootOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Explain a control.

    What it asks and why, what counts, in words and in SQL, and what to do; with a manifest, what is found of it there
    and the shortest way to the next status.
    """
    from psf_audit import collection, explanation
    from psf_audit import rubric as rubrics
    from psf_audit.cli.subject import Subject

    if manifest is None:
        outputs = Outputs(_FORMS, format_, output, force=force)
        loaded, found = rubrics.load(rubrics.locate(rubric or DEFAULT_RUBRIC)), None
        known = _control(control, loaded)
    else:
        about = Subject(manifest, as_of=as_of, rubric=rubric, evidence_root=evidence_root, engine=engine, memory=memory)
        outputs = Outputs(_FORMS, format_, output, about.inputs, force=force)
        loaded, found = _judged(about, control)
        known = _control(control, loaded)
    told = explanation.explain(known, loaded, collection.formats(), found)
    outputs.deliver(lambda form, _: form(told))


def _judged(about: Subject, control: str) -> tuple[Rubric, Assessment]:
    """The rubric and the assessment; whether it has the control is asked before the work."""
    from psf_audit import audit
    from psf_audit import rubric as rubrics

    if about.manifest is not None:
        loaded = rubrics.load(audit.rubric_path(about.rubric or about.manifest.rubric, about.manifest))
        _control(control, loaded)
        return loaded, about.assessment()
    found = about.assessment()
    try:
        loaded = rubrics.that_judged(found.rubric)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{about.path}: {error.message}", hint="give the manifest, and --rubric with the file"
        ) from error
    known = _control(control, loaded)
    if all(one.id != known.id for one in found.controls):
        raise ConfigurationError(f"{about.path} has no result for {known.id}", hint="assess the manifest again")
    return loaded, found


def _control(name: str, rubric: Rubric) -> Control:
    """The control of that name.

    Raises:
        ConfigurationError: the rubric has none.
    """
    from difflib import get_close_matches

    known = rubric.control(name.upper())
    if known is None:
        ids = [entry.id for entry in rubric.controls]
        nearest = get_close_matches(name.upper(), ids, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else "psf-audit rubric list names them all"
        raise ConfigurationError(f"{rubric.identity.id} has no control {name!r}", hint=hint)
    return known


def _text(told: Explanation) -> str:
    return "\n\n".join(_paragraphs(told))


def _paragraphs(told: Explanation) -> Iterator[str]:
    yield f"{told.id}  {safe(one_line(told.title))}\n{safe(one_line(told.about))}"
    for section in told.sections:
        yield table.titled(section.title, section.texts, section.items)
        yield from (table.block(f"  {code.title}", code.text) for code in section.codes)


def _markdown(told: Explanation) -> str:
    return "\n\n".join(_blocks(told)) + "\n"


def _blocks(told: Explanation) -> Iterator[str]:
    from psf_audit.markup import escape, fenced

    yield f"# {escape(told.id)} {escape(told.title)}"
    yield escape(told.about)
    for section in told.sections:
        yield f"## {escape(section.title)}"
        yield from (escape(text) for text in section.texts)
        if section.items:
            yield "\n".join(f"- {escape(item)}" for item in section.items)
        for code in section.codes:
            yield f"{escape(code.title)}:"
            yield fenced(code.text, code.language)


_FORMS = {"text": _text, "markdown": _markdown}
