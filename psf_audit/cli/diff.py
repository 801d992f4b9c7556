"""`psf-audit diff`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.options import leave
from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Outputs, Reports
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from psf_audit.compare import Comparison
    from psf_audit.rendering import View
    from psf_audit.trend.history import Trend


def diff(
    old: Annotated[Path, typer.Argument(help="The earlier assessment (JSON).")],
    new: Annotated[Path, typer.Argument(help="The later assessment (JSON).")],
    later: Annotated[
        list[Path] | None, typer.Argument(metavar="LATER", help="More of them, the oldest first: a trend.")
    ] = None,
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    reassess: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="The manifest that NEW assessed: assess it by the rubric of OLD too, so that both compare.",
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="Exit 1 on a regression; or on anything riskier, such as a new tool."),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 instead of 1.")] = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Compare two assessments, or tell the trend over several.

    What became safer, what became riskier, and what cannot be compared. Of several, the gate is on the last two.
    """
    from psf_audit import api, compare
    from psf_audit.trend.history import trend_of

    gates = {None: compare.regression_gate, "regression": compare.regression_gate, "riskier": compare.riskier_gate}
    if fail_on not in gates:
        raise ConfigurationError(f"--fail-on {fail_on!r} cannot apply", hint="use regression or riskier")
    paths = [old, new, *(later or []), *([reassess] if reassess else [])]
    if later and reassess:
        raise ConfigurationError("--reassess cannot apply to a trend", hint="give two assessments")
    if later:
        trends = Outputs(_trend_forms(), format_, output, paths, force=force)
        trend = trend_of([api.load(path) for path in (old, new, *later)])
        trends.deliver(lambda render, view: render(trend, view))
        comparison = trend.steps[-1]
    else:
        reports = Reports(format_, output, inputs=paths, force=force)
        comparison = _reassessed(old, new, reassess, memory) if reassess else api.diff(api.load(old), api.load(new))
        reports.deliver(lambda kind, view: api.render(comparison, kind.name, view))
    decision = gates[fail_on](comparison)
    if not fail_on:
        decision = replace(decision, code=ExitCode.READY)
    leave(decision, decision.reason, exit_zero=exit_zero)


def _reassessed(old: Path, new: Path, manifest: Path, memory: str) -> Comparison:
    from psf_audit import again, api, audit

    before, after = api.load(old), api.load(new)
    with room(memory) as (bounds, watch):
        options = audit.Options(as_of=after.as_of, bounds=bounds, watch=watch)
        return again.diff_by_old_rubric(before, after, manifest, options)


def _trend_forms() -> dict[str, Callable[[Trend, View], str]]:
    from psf_audit.trend import forms, html, wire
    from psf_audit.wire import dumps

    return {
        "terminal": forms.text,
        "markdown": forms.markdown,
        "html": html.text,
        "json": lambda trend, _: dumps(wire.to_json(trend)),
    }
