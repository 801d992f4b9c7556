"""`psf-audit pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psf_audit.cli import keys
from psf_audit.cli.options import DayOption, day, folder
from psf_audit.cli.output import ForceOption, check_free, file_names, keep_inputs, place_for, rendered
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError, Unreadable
from psf_audit.text import one_line, plural, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.model import Assessment
    from psf_audit.pack import Member


def pack(
    source: Annotated[Path, typer.Argument(help="The deployment manifest, or an assessment of it as JSON.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The archive to write, *.zip.")],
    redact: Annotated[
        bool, typer.Option("--redact", help="Leave out the manifest and the evidence; their digests stay.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="The private Ed25519 key to sign it with.")
    ] = None,
    password_env: keys.PasswordOption = None,
    force: ForceOption = False,
    evidence: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the manifest, for an assessment that lies elsewhere."),
    ] = None,
    as_of: DayOption = None,
    rubric: Annotated[
        str | None, typer.Option(help="Rubric to use instead of the manifest's: a name like psf-agentic@1, or a file.")
    ] = None,
    memory: MemoryOption = DEFAULT_MEMORY,
    at: keys.AtOption = None,
    resource: keys.ResourceOption = None,
    verifier: keys.VerifierOption = None,
) -> None:
    """Pack an assessment with all that it rests on.

    One archive of manifest, evidence, assessment, reports, index and attestation. The same files give the same bytes.
    """
    from psf_audit import pack as packs

    check_free(output, force=force)
    opened = None if key is None else keys.private_key(key, password_env)
    stored = _is_assessment(source)
    if stored and (as_of is not None or rubric is not None):
        raise ConfigurationError(f"{source} is an assessment already", hint="leave out --as-of and --rubric")
    assessment, value, data = _stored(source) if stored else _assessed(source, as_of, rubric, memory)
    base = folder(evidence or source.resolve().parent)
    contents = packs.deployment_files(value, base, redact=redact)
    keep_inputs(
        output, [source, *(member.source for member in contents.members if member.source), *([key] if key else [])]
    )
    contents = packs.Contents((*contents.members, *_reports(assessment, data)), contents.withheld)
    members = packs.with_index(contents, assessment, packed_by=_tool(), redacted=redact)
    if opened is not None:
        from psf_audit import attestation, signing

        made = keys.made(assessment, opened, at=at, resource=resource, verifier=verifier)
        envelopes = signing.attest(assessment, value, packs.signed_files(members), made, opened)
        members = packs.with_attestation(members, attestation.bundle(envelopes))
    with place_for(output, force=force) as partial:
        try:
            packs.write(partial, members)
        except OSError as error:
            raise ConfigurationError(f"cannot write {output}: {error.strerror or error}") from error
    _tell(output, members, contents)


def _is_assessment(path: Path) -> bool:
    from psf_audit.reading import read_bytes

    try:
        start = read_bytes(path).lstrip()[:200]
    except Unreadable as error:
        raise ConfigurationError(f"{path} {error}") from error
    return start.startswith(b"{") and b'"psf-audit/assessment/' in start


def _stored(path: Path) -> tuple[Assessment, Any, bytes]:
    from psf_audit import wire
    from psf_audit.reading import decode, parse_json, read_bytes

    try:
        data = read_bytes(path)
        value = parse_json(decode(data))
    except Unreadable as error:
        raise ConfigurationError(f"{path} {error}") from error
    return wire.from_json(value, str(path)), value, data


def _assessed(path: Path, as_of: str | None, rubric: str | None, memory: str) -> tuple[Assessment, Any, bytes]:
    """The assessment of the deployment that a manifest describes; evidence may not leave the manifest's folder."""
    from psf_audit import audit, wire

    with room(memory) as (bounds, watch):
        options = audit.Options(as_of=day(as_of), rubric=rubric, bounds=bounds, watch=watch)
        assessment = audit.run(path, options)
    value = wire.to_json(assessment)
    return assessment, value, wire.dumps(value).encode()


def _reports(assessment: Assessment, data: bytes) -> Iterator[Member]:
    """The assessment as JSON, and every report that is for people."""
    from psf_audit import pack as packs

    yield packs.Member.of(packs.ASSESSMENT, "assessment", data)
    for name, file in file_names().items():
        if name != "json":
            yield packs.Member.of(packs.REPORTS + file, "report", rendered(assessment, name))


def _tool() -> str:
    from psf_audit import __version__

    return f"psf-audit {__version__}"


def _tell(output: Path, members: tuple[Member, ...], contents: Any) -> None:
    typer.echo(f"wrote {safe(one_line(str(output)))}: {plural(len(members), 'file')}", err=True)
    if contents.withheld:
        typer.echo(f"not in it: {plural(len(contents.withheld), 'file')}, see index.md in it", err=True)
