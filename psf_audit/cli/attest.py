"""`psf-audit attest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import keys
from psf_audit.cli.output import ForceOption, check_free, keep_inputs, write
from psf_audit.errors import ConfigurationError, IntegrityError, Problem
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from psf_audit.verification import Report


def attest(
    report: Annotated[Path, typer.Argument(help="An assessment as JSON, or its HTML report.")],
    key: keys.KeyOption,
    password_env: keys.PasswordOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Where to write it: a .html file is the page with it inside; beside the report if not given.",
        ),
    ] = None,
    force: ForceOption = False,
    at: keys.AtOption = None,
    resource: keys.ResourceOption = None,
    verifier: keys.VerifierOption = None,
) -> None:
    """Sign an assessment.

    With what it rests on: the digests of manifest and evidence. `psf-audit verify` tells whether anything was changed.
    """
    from psf_audit import attestation, signing, wire

    target = output or report.with_name(report.name + attestation.SUFFIX)
    inside = target.suffix.lower() in {".html", ".htm"}
    keep_inputs(target, [key] if inside else [key, report])  # a page may be signed in its place, with --force
    check_free(target, force=force)
    opened = keys.private_key(key, password_env)
    found = _consistent(report)
    if inside and found.page is None:
        raise ConfigurationError(f"{report} is no HTML report", hint=f"name the output *{attestation.SUFFIX}")
    assessment = wire.from_json(found.value, str(report))
    made = keys.made(assessment, opened, at=at, resource=resource, verifier=verifier)
    signed = attestation.SignedFile(report.name, found.sha256, found.form)
    envelopes = signing.attest(assessment, found.value, [signed], made, opened)
    embedded = found.page.signed(attestation.embedded(envelopes)) if inside and found.page else None
    write(target, embedded or attestation.bundle(envelopes), force=force)
    typer.echo(f"wrote {safe(one_line(str(target)))}, signed with the key {envelopes[0].key_id}", err=True)


def _consistent(path: Path) -> Report:
    """The report in a file.

    Raises:
        IntegrityError: it says what its assessment does not say: that is not signed.
    """
    from psf_audit import verification
    from psf_audit.cli.verify import means, read

    try:
        report = verification.read_report(path.name, read(path))
    except IntegrityError as error:
        raise ConfigurationError(error.message, hint=error.hint) from error
    wrong = [note.text for note in verification.agreement(report, means()) if note.kind.is_fault]
    if wrong:
        problems = tuple(Problem(str(path), text) for text in wrong)
        hint = "render it again with `psf-audit report`"
        raise IntegrityError(f"{path} does not agree with itself: {wrong[0]}", hint=hint, problems=problems)
    return report
