"""`psf-audit init`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import table
from psf_audit.cli.options import DayOption, day
from psf_audit.cli.output import ForceOption, Reports, check_free, show, write
from psf_audit.cli.room import watched
from psf_audit.errors import ConfigurationError
from psf_audit.text import one_line, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.draft import Identity
    from psf_audit.survey import Survey

NAME = "psf-audit.yaml"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The repository of the deployment.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, even on a terminal.")] = False,
    as_of: DayOption = None,
    force: ForceOption = False,
) -> None:
    """Draft a manifest from what a repository holds, and assess it for the first time.

    It is written to psf-audit.yaml in that folder; one that is there stays unless --force is given. The verdict of this
    first assessment does not change the exit code.
    """
    from psf_audit import audit
    from psf_audit.draft import draft
    from psf_audit.resources import DEFAULT_RUBRIC
    from psf_audit.survey import survey

    today = day(as_of)
    target = folder / NAME
    if target.exists() and not force:
        raise ConfigurationError(f"{target} is there already", hint="assess it, or give --force to draft it anew")
    check_free(target, force=force)
    reports = Reports("terminal", None)
    with _progress() as note:
        made = survey(folder, note)
    show("\n\n".join(_paragraphs(made)))
    write(target, draft(made, _identity(folder, ask=not yes), DEFAULT_RUBRIC, today), force=force)
    typer.echo(f"wrote {safe(one_line(str(target)))}", err=True)
    if not made.found:
        typer.echo("nothing to assess yet: list evidence in it, then run psf-audit assess", err=True)
        return
    assessment = audit.run(target, audit.Options(as_of=today))
    reports.deliver(lambda kind, view: kind.assessment(assessment, view))


def _identity(folder: Path, *, ask: bool) -> Identity:
    """What the repository says of itself; on a terminal, what the person in front of it says."""
    from psf_audit.draft import TODO, Identity
    from psf_audit.survey import release_of

    release, source = release_of(folder) or (TODO, None)
    identity = Identity(name=folder.resolve().name or TODO, release=release, release_from=source)
    if not ask or not _is_interactive():
        return identity
    typer.echo("Four questions; Enter keeps what is in brackets.", err=True)
    answers = {
        name: typer.prompt(question, default=getattr(identity, name), err=True).strip() or TODO
        for name, question in (
            ("name", "Name of the deployment"),
            ("release", "Release to assess"),
            ("environment", "Environment"),
            ("owner", "Who answers for it"),
        )
    }
    kept = answers["release"] == identity.release
    return replace(identity, **answers, release_from=source if kept else None)


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What tells, on a terminal, which file is looked at; it says nothing anywhere else."""
    if not watched():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking for evidence") as status:
        yield lambda path: status.update(f"looking for evidence: {safe(one_line(path))[:60]}")


def _paragraphs(made: Survey) -> Iterator[str]:
    from psf_audit.draft import by_reason, shows

    if made.found:
        rows = [[one.file.path, f"{one.kind.title}: {shows(one)}"] for one in made.found]
        yield table.columns(rows, ["evidence", "what it is, and what it can show"])
    else:
        yield "No evidence was found."
    if made.declined:
        yield table.columns(list(by_reason(made.declined)), ["not used", "why, and what to give instead"])
    ignored = f", {plural(made.ignored, 'path')} ignored as .gitignore says" if made.ignored else ""
    yield f"Looked into {plural(made.looked_at, 'file')}{ignored}."
    if made.stopped:
        yield f"Stopped early: {made.stopped}. Name a smaller folder."
