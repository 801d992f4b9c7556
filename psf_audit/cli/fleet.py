"""`psf-audit fleet`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psf_audit.cli.options import EngineOption, ExitZeroOption, day, folder, leave
from psf_audit.cli.output import OutputOption, Outputs, write
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from psf_audit.cli.room import Watch
    from psf_audit.fleet.find import Found
    from psf_audit.fleet.portfolio import Deployment, Failed, FailOn, Portfolio, Selection
    from psf_audit.fleet.worker import Done, Job
    from psf_audit.rendering import View

DAYS = range(366)
PROCESSES = range(1, 257)
CACHE = ".psf-audit-cache"


# The options of the command, apart from its function so that both can be read.
Where = Annotated[
    str,
    typer.Argument(metavar="DIR|GLOB|LIST", help="A folder to search, a pattern in quotes, or a list of manifests."),
]
FormOption = Annotated[
    str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: terminal, markdown, html, csv, json.")
]
ReportsOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write the HTML and JSON report of each deployment there.")
]
CacheOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help=f"Keep results there by digest; {CACHE} in --reports if not given.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace reports that are there and are others.")]
OwnerOption = Annotated[list[str] | None, typer.Option(help="Only deployments of this owner; repeatable.")]
RubricOption = Annotated[
    list[str] | None, typer.Option(help="Only deployments of this rubric, id or id@version; repeatable.")
]
DomainOption = Annotated[list[str] | None, typer.Option(help="Judge deployments by this domain alone; repeatable.")]
EnvironmentOption = Annotated[list[str] | None, typer.Option(help="Only deployments in this environment; repeatable.")]
FailOnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATE",
        help="Fail on this alone: not_ready, incomplete, ready_with_waivers, expiring, unbounded; repeatable.",
    ),
]
WithinOption = Annotated[int, typer.Option(metavar="DAYS", help="Tell what runs out within so many days.")]
DayOption = Annotated[
    str | None, typer.Option(metavar="DAY", help="Day of the assessments, YYYY-MM-DD; today (UTC) if not given.")
]
RootOption = Annotated[
    Path | None, typer.Option(help="Folder that evidence may not leave; each manifest's own if not given.")
]
NoWaiversOption = Annotated[bool, typer.Option("--no-waivers", help="Ignore the waivers of all manifests.")]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", help="How many processes; one for each processor if not given.")
]


def fleet(
    where: Where,
    format_: FormOption = "terminal",
    output: OutputOption = None,
    reports: ReportsOption = None,
    cache: CacheOption = None,
    force: ForceOption = False,
    owner: OwnerOption = None,
    rubric: RubricOption = None,
    domain: DomainOption = None,
    environment: EnvironmentOption = None,
    fail_on: FailOnOption = None,
    within: WithinOption = 30,
    as_of: DayOption = None,
    evidence_root: RootOption = None,
    no_waivers: NoWaiversOption = False,
    exit_zero: ExitZeroOption = False,
    jobs: JobsOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Assess many deployments, and show them as one portfolio, the worst first.

    What did not change since the last run costs only its hash.
    """
    from psf_audit.fleet import find, portfolio

    failing = _fail_on(fail_on)
    if within not in DAYS:
        raise ConfigurationError(f"--within {within} cannot apply", hint="give days, 0 to 365")
    chosen = tuple(tuple(given or ()) for given in (owner, rubric, environment, domain))
    given = {
        "as_of": day(as_of),
        "engine": engine,
        "evidence_root": folder(evidence_root) if evidence_root is not None else None,
        "ignore_waivers": no_waivers,
        "cache": reports / CACHE if cache is None and reports is not None else cache,
        "reports": reports,
        "force": force,
    }
    found = find.find(where)
    asked = _Asked(format_, output, failing, within, portfolio.Selection(*chosen), _processes(jobs))
    with room(memory) as (bounds, watch):
        together = _together(found, _job(memory_mib=bounds.memory_mib, **given), asked, watch)
    decision = portfolio.decide(together, failing)
    leave(decision, decision.reason, exit_zero=exit_zero)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be shown of a fleet, and how it is gated."""

    printed: str
    outputs: list[str] | None
    failing: tuple[FailOn, ...]
    within: int
    selection: Selection
    processes: int


def _job(**given: Any) -> Job:
    """How every deployment is assessed; raises `ConfigurationError` where there is no such engine."""
    from psf_audit import audit
    from psf_audit.fleet import cache as caches
    from psf_audit.fleet.worker import Job

    audit.engine(given["engine"])
    # Whether a report may be replaced is decided before it is written, by whether it is this one.
    return Job(tool=caches.tool(), write=partial(write, force=True), **given)


def _together(found: Found, job: Job, asked: _Asked, watch: Watch | None) -> Portfolio:
    """The portfolio of what was found, assessed, written and printed."""
    from psf_audit import __version__
    from psf_audit.fleet import folders, portfolio

    with folders.in_use([one for one in (job.reports, job.cache) if one is not None]):
        forms = _forms(asked.failing, asked.outputs, job.reports)
        outputs = Outputs(forms, asked.printed, asked.outputs, found.manifests, force=job.force)
        results = _assess(found.manifests, job, asked.processes, watch)
        together = portfolio.portfolio(
            [*found.failed, *results],
            job.as_of,
            within_days=asked.within,
            selection=asked.selection,
            tool=f"psf-audit {__version__}",
        )
        outputs.deliver(lambda render, view: render(together, view))
    return together


def _assess(manifests: Sequence[Path], job: Job, processes: int, watch: Watch | None) -> list[Deployment | Failed]:
    """The result for every manifest, with the progress told."""
    from psf_audit.fleet import pool

    done: list[Done] = []

    def told(one: Done) -> None:
        done.append(one)
        if watch is not None:
            watch(f"assessing {plural(len(manifests), 'deployment')}", len(done) / len(manifests))

    pool.run(manifests, job, processes, told)
    known = sum(one.from_cache for one in done)
    if known:
        typer.echo(f"{known} of {plural(len(done), 'deployment')} did not change: taken from the cache", err=True)
    troubles = [one.trouble for one in done if one.trouble is not None]
    if troubles:
        more = f"; and {len(troubles) - 1} more times" if troubles[1:] else ""
        typer.echo(f"psf-audit: not kept in the cache: {troubles[0]}{more}", err=True)
    return [one.result for one in done]


def _processes(asked: int | None) -> int:
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if asked not in PROCESSES:
        raise ConfigurationError(f"--jobs {asked} cannot apply", hint="give 1 to 256")
    return asked


def _fail_on(given: list[str] | None) -> tuple[FailOn, ...]:
    from psf_audit.fleet.portfolio import FailOn

    known = [one.value for one in FailOn]
    wrong = [one for one in given or () if one not in known]
    if wrong:
        raise ConfigurationError(f"--fail-on {wrong[0]!r} cannot apply", hint=f"use one of {', '.join(known)}")
    return tuple(dict.fromkeys(FailOn(one) for one in given or ()))


def _forms(
    failing: Collection[FailOn], output: Sequence[str] | None, reports: Path | None
) -> dict[str, Callable[[Portfolio, View], str]]:
    """Every form of a portfolio, by name; those with links have them as seen from where they are written."""
    from psf_audit.fleet import csv, html, markdown, terminal, wire

    places = {name: _place(name, output, reports) for name in ("markdown", "html")}
    return {
        "terminal": lambda portfolio, view: terminal.text(portfolio, view, failing),
        "markdown": lambda portfolio, _: markdown.text(portfolio, failing, places["markdown"]),
        "html": lambda portfolio, _: html.text(portfolio, failing, places["html"]),
        "csv": lambda portfolio, _: csv.text(portfolio),
        "json": lambda portfolio, _: wire.json_text(portfolio, failing),
    }


def _place(form: str, output: Sequence[str] | None, reports: Path | None) -> Callable[[str], str]:
    """From the name of a report to its path, as seen from where a form is written, or from here where it is printed.

    Raises:
        ConfigurationError: the form is written to two folders, from which one link cannot lead to the same place.
    """
    paths = [path for name, _, path in (one.partition("=") for one in output or ()) if name == form]
    homes = {os.path.realpath(Path(path).parent) for path in paths}
    if len(homes) > 1 and reports is not None:
        raise ConfigurationError(f"--output {form}=... is given for two folders", hint="links lead from one of them")
    base = os.path.relpath(os.path.realpath(reports or "."), *homes)
    return lambda name: Path(base, name).as_posix()
