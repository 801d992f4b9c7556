"""`psf-audit questions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.options import DayOption, EngineOption, RootOption
from psf_audit.cli.output import ForceOption, OutputOption, Outputs
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psf_audit.model import Assessment


def questions(
    subject: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A manifest (YAML), which is assessed, or an assessment as `assess -f json` wrote it."
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: markdown or html.")
    ] = "markdown",
    output: OutputOption = None,
    force: ForceOption = False,
    blank: Annotated[bool, typer.Option("--blank", help="The form to send to a provider, without answers.")] = False,
    as_of: DayOption = None,
    rubric: Annotated[
        str | None, typer.Option(help="Rubric to use instead of the manifest's: a name like psf-agentic@1, or a file.")
    ] = None,
    evidence_root: RootOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Answer the written questions to a provider.

    From what the evidence shows, with the evidence named, or "no evidence". It exits 0 whatever the answers are.
    """
    if blank:
        if subject is not None:
            raise ConfigurationError("--blank is the form without answers", hint="leave out the file, or --blank")
        Outputs(_blank_forms(), format_, output, force=force).deliver(lambda make, _: make())
        return
    if subject is None:
        raise ConfigurationError(
            "nothing to answer from", hint="give a manifest or an assessment, or --blank for the form to send out"
        )
    from psf_audit.cli.subject import Subject

    about = Subject(subject, as_of=as_of, rubric=rubric, evidence_root=evidence_root, engine=engine, memory=memory)
    outputs = Outputs(_forms(), format_, output, about.inputs, force=force)
    assessment = about.assessment()
    outputs.deliver(lambda make, _: make(assessment))


def _forms() -> dict[str, Callable[[Assessment], str]]:
    """Every form of the answers, by name."""
    from psf_audit import question_forms

    return {"markdown": question_forms.markdown, "html": question_forms.html}


def _blank_forms() -> dict[str, Callable[[], str]]:
    """Every form of the questions alone, by name."""
    from psf_audit import question_forms

    return {"markdown": question_forms.blank_markdown, "html": question_forms.blank_html}
