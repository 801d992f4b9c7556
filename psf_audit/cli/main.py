"""The program: every command, and the one place where it exits."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from psf_audit import __version__
from psf_audit.cli import (
    assess,
    attest,
    completion,
    diff,
    evidence,
    explain,
    exposure,
    fleet,
    hook,
    init,
    normalize,
    pack,
    questions,
    replay,
    report,
    rubric,
    sample,
    schema,
    status,
    verify,
)
from psf_audit.cli.output import complain
from psf_audit.errors import AuditError, ExitCode

app = typer.Typer(
    name="psf-audit",
    help="Readiness auditor for AI-agent deployments: what the evidence shows, not what the manifest claims.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"psf-audit {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""


app.command(name="init")(init.init)
app.command(name="assess")(assess.assess)
app.command(name="diff")(diff.diff)
app.command(name="exposure")(exposure.exposure)
app.command(name="replay")(replay.replay)
app.command(name="normalize")(normalize.normalize)
app.command(name="status")(status.status)
app.command(name="sample")(sample.sample)
app.command(name="fleet")(fleet.fleet)
app.command(name="report")(report.report)
app.command(name="questions")(questions.questions)
app.command(name="attest")(attest.attest)
app.command(name="verify")(verify.verify)
app.command(name="pack")(pack.pack)
app.command(name="explain")(explain.explain)
app.command(name="schema")(schema.schema)
app.command(name="hook")(hook.hook)
app.command(name="completion")(completion.completion)
app.add_typer(evidence.app, name="evidence")
app.add_typer(rubric.app, name="rubric")


def run(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code; what a user can mend becomes a message, anything else is a bug."""
    _hear_termination()
    completion.listen()
    try:
        app(args=arguments, prog_name="psf-audit")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
    except AuditError as error:
        complain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001  a bug: show all of it, and say that it is one
        if _rests_on_an_interrupt(error):
            return _interrupted()
        import traceback

        traceback.print_exc()
        typer.echo("This is a bug in psf-audit. Please report it with the lines above.", err=True)
        return int(ExitCode.BUG)
    return int(ExitCode.READY)


def _hear_termination() -> None:
    """Take a request to terminate for an interrupt, so that what is temporary goes; only the first thread can."""
    import signal
    import threading

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _interrupted() -> int:
    typer.echo("interrupted", err=True)
    return int(ExitCode.INTERRUPTED)


def _rests_on_an_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt is behind an error: one that falls into the making of a class comes out as another."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def main() -> NoReturn:
    """Entry point of the installed program."""
    sys.exit(run())
