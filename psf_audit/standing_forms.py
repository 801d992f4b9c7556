"""Whether an assessment still stands, as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from psf_audit import standing as standings
from psf_audit.changes import Direction
from psf_audit.markup import escape
from psf_audit.rendering import day, validity
from psf_audit.standing import FailOn, superseded
from psf_audit.text import clean, plural
from psf_audit.wire import changes_out, dumps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from psf_audit.rendering import View
    from psf_audit.standing import RunsOut, Standing

SCHEMA = "psf-audit/status/1"

_MARKS = {Direction.RISKIER: "+ risk", Direction.LOOK: "  look", Direction.SAFER: "- risk"}


def summary(standing: Standing) -> str:
    """What was assessed, when, and until when it holds."""
    made, of = standing.assessment, standing.assessment.deployment
    return (
        f"{of.name} {of.release} in {of.environment}: assessed {day(made.as_of)} as {made.verdict.label}, "
        f"{validity(made)}; asked about {day(standing.as_of)}"
    )


def _sections(standing: Standing) -> Iterator[tuple[str, list[str]]]:
    """What there is to tell, under headings; sections without a line are left out."""
    yield "Why it is void", list(standing.voided)
    yield "What changed", [f"{_MARKS[change.direction]}  {change.what}" for change in standing.changes]
    yield "Ran out", [*map(standings.sentence, standing.ran_out), *_waivers(standing, over=True)]
    soon = f"Runs out within {plural(standing.within_days, 'day')}"
    yield soon, [*map(standings.sentence, standing.runs_out), *_waivers(standing, over=False)]
    yield "Read again", [_reread(one) for one in standing.reread]
    notes = []
    if standing.superseded_by is not None:
        newer = superseded(standing.assessment.rubric, standing.superseded_by)
        notes.append(f"{newer}: psf-audit rubric diff says what it asks")
    if not standing.compared:
        notes.append("not compared with the deployment: without --manifest nobody can tell whether it has changed")
    yield "Notes", notes


def _waivers(standing: Standing, *, over: bool) -> Iterator[str]:
    for waiver in standing.waivers:
        if (waiver.on < standing.as_of) is over:
            then = "its gap is open again" if over else "its gap opens again then"
            yield f"the waiver of {waiver.control}, owner {waiver.owner}, until {day(waiver.on)}: {then}"


def _reread(one: RunsOut) -> str:
    return f"{one.path or 'a log'}, by {day(one.on)}: it is older than the rubric asks of {', '.join(one.controls)}"


def text(standing: Standing, view: View) -> str:
    """For a terminal; colour would say nothing that the words do not."""
    lines = [f"{standing.state.value.upper()}  {standing.state.meaning}", summary(standing)]
    made = [textwrap.fill(line, view.width) for line in lines]
    for title, rows in _sections(standing):
        if rows:
            made.append(f"\n{title}")
            made += [_row(row, view.width) for row in rows]
    return clean("\n".join(made))


def _row(row: str, width: int) -> str:
    return textwrap.fill(row, width, initial_indent="  ", subsequent_indent=" " * 10, break_on_hyphens=False)


def markdown(standing: Standing, view: View) -> str:
    """As Markdown; the same words."""
    del view
    lines = [f"# {standing.state.value.capitalize()}: {escape(standing.assessment.deployment.name)}\n"]
    lines += [f"{standing.state.meaning}\n", f"{escape(summary(standing))}\n"]
    for title, rows in _sections(standing):
        if rows:
            lines += [f"## {title}\n", *(f"- {escape(row.strip())}" for row in rows), ""]
    return clean("\n".join(lines))


def json_text(standing: Standing, fail_on: Collection[FailOn]) -> str:
    """As JSON of the schema `psf-audit/status/1`."""
    return dumps(to_json(standing, fail_on))


def to_json(standing: Standing, fail_on: Collection[FailOn]) -> dict[str, Any]:
    """As a JSON document of the schema `psf-audit/status/1`."""
    made, decision = standing.assessment, standings.decide(standing, fail_on)
    return {
        "schema": SCHEMA,
        "as_of": standing.as_of.isoformat(),
        "within_days": standing.within_days,
        "state": standing.state.value,
        "deployment": {
            "name": made.deployment.name,
            "release": made.deployment.release,
            "environment": made.deployment.environment,
        },
        "assessed": {
            "as_of": made.as_of.isoformat(),
            "verdict": made.verdict.value,
            "fingerprint": made.fingerprint,
            "valid_until": made.valid_until.isoformat() if made.valid_until else None,
            "rubric": {"id": made.rubric.id, "version": made.rubric.version},
        },
        "days_left": standing.days_left,
        "compared": standing.compared,
        "void": list(standing.voided),
        "changes": changes_out(standing.changes),
        "ran_out": [_runs_out(one) for one in standing.ran_out],
        "runs_out": [_runs_out(one) for one in standing.runs_out],
        "waivers": [
            {"control": waiver.control, "expires": waiver.on.isoformat(), "owner": waiver.owner}
            for waiver in standing.waivers
        ],
        "read_again": [_runs_out(one) for one in standing.reread],
        "superseded_by": standing.superseded_by,
        "met": decision.code == 0,
        "exit_code": int(decision.code),
        "reason": decision.reason,
    }


def _runs_out(one: RunsOut) -> dict[str, Any]:
    return {
        "on": one.on.isoformat(),
        "of": one.of.value,
        "path": one.path,
        "what": list(one.what),
        "controls": list(one.controls),
    }
