"""`psf-audit diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Outputs, Reports
from psf_audit.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

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
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="Exit 1 on a regression; or on anything riskier, such as a new tool."),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 instead of 1.")] = False,
) -> None:
    """Compare two assessments, or tell the trend over several.

    What became safer, what became riskier, and what cannot be compared. Of several, the gate is on the last two.
    """
    from psf_audit import api, compare
    from psf_audit.trend.history import trend_of

    gates = {None: compare.regression_gate, "regression": compare.regression_gate, "riskier": compare.riskier_gate}
    if fail_on not in gates:
        raise ConfigurationError(f"--fail-on {fail_on!r} cannot apply", hint="use regression or riskier")
    paths = [old, new, *(later or [])]
    if later:
        trends = Outputs(_trend_forms(), format_, output, paths, force=force)
        trend = trend_of([api.load(path) for path in paths])
        trends.deliver(lambda render, view: render(trend, view))
        comparison = trend.steps[-1]
    else:
        reports = Reports(format_, output, inputs=paths, force=force)
        comparison = api.diff(api.load(old), api.load(new))
        reports.deliver(lambda kind, view: api.render(comparison, kind.name, view))
    decision = gates[fail_on](comparison)
    code = decision.code if fail_on else ExitCode.READY
    if exit_zero and code is ExitCode.GATE_NOT_MET:
        code = ExitCode.READY
    typer.echo(f"{decision.reason} (exit {code.value})", err=True)
    raise typer.Exit(code.value)


def _trend_forms() -> dict[str, Callable[[Trend, View], str]]:
    from psf_audit.trend import forms, html, wire
    from psf_audit.wire import dumps

    return {
        "terminal": forms.text,
        "markdown": forms.markdown,
        "html": html.text,
        "json": lambda trend, _: dumps(wire.to_json(trend)),
    }
