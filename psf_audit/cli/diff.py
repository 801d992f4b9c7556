"""`psf-audit diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Reports
from psf_audit.errors import ConfigurationError, ExitCode


def diff(
    old: Annotated[Path, typer.Argument(help="The earlier assessment (JSON).")],
    new: Annotated[Path, typer.Argument(help="The later assessment (JSON).")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="Exit 1 on a regression; or on anything riskier, such as a new tool."),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 instead of 1.")] = False,
) -> None:
    """Compare two assessments.

    What became safer, what became riskier, and what cannot be compared.
    """
    from psf_audit import api, compare

    gates = {None: compare.regression_gate, "regression": compare.regression_gate, "riskier": compare.riskier_gate}
    if fail_on not in gates:
        raise ConfigurationError(f"--fail-on {fail_on!r} cannot apply", hint="use regression or riskier")
    reports = Reports(format_, output, inputs=[old, new], force=force)
    comparison = api.diff(api.load(old), api.load(new))
    reports.deliver(lambda kind, view: api.render(comparison, kind.name, view))
    decision = gates[fail_on](comparison)
    code = decision.code if fail_on else ExitCode.READY
    if exit_zero and code is ExitCode.GATE_NOT_MET:
        code = ExitCode.READY
    typer.echo(f"{decision.reason} (exit {code.value})", err=True)
    raise typer.Exit(code.value)
