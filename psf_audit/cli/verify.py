"""`psf-audit verify`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import keys, table
from psf_audit.cli.options import day
from psf_audit.cli.output import file_names, rendered, show
from psf_audit.errors import ConfigurationError, ExitCode, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.unpack import Unpacked
    from psf_audit.verification import Means, Note, Wanted

_AGE = re.compile(r"([0-9]{1,5})d\Z")
_PACK = b"PK"


def verify(
    file: Annotated[Path, typer.Argument(help="A report (HTML or JSON), or a pack.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="The public Ed25519 key of who should have signed.")
    ] = None,
    attestation: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The attestation, if it is neither in the file nor beside it."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the manifest: check manifest and evidence too.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="DAYS", help="The oldest that the assessment may be, as 90d.")
    ] = None,
    rubric_digest: Annotated[
        str | None, typer.Option(metavar="SHA256", help="The digest of the rubric that you agreed on.")
    ] = None,
    resource: Annotated[
        str | None, typer.Option(metavar="URI", help="What it should be about, as `attest --resource` names it.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day to verify for, YYYY-MM-DD; today (UTC) if not given.")
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Without a key: check only that it agrees with itself.")
    ] = False,
) -> None:
    """Tell whether a report or pack is what was signed.

    Offline, from the file alone. It lists everything that is wrong, and what was not checked.
    """
    from psf_audit import unpack, verification

    if (key is None) is not unsigned:
        hint = "give --key with the public key, or --unsigned to check only that the file agrees with itself"
        raise ConfigurationError(
            "--key is missing" if key is None else "--key and --unsigned exclude each other", hint=hint
        )
    wanted = verification.Wanted(
        day=day(as_of),
        key=None if key is None else keys.public_key(key),
        max_age_days=_days(max_age),
        rubric_digest=_digest(rubric_digest),
        resource=resource,
    )
    if _is_pack(file):
        notes = list(_pack(unpack.read(file), wanted, evidence))
    else:
        sidecar = _sidecar(file, attestation) if wanted.key is not None else None
        notes = list(verification.verify(verification.Given(file.name, read(file), sidecar), wanted, means(evidence)))
    _tell(notes, signed=wanted.key is not None)


def _days(text: str | None) -> int | None:
    match = _AGE.match(text or "")
    if text is not None and match is None:
        raise ConfigurationError(f"--max-age {text!r} is no number of days", hint="write it as 90d")
    return int(match[1]) if match else None


def _digest(text: str | None) -> str | None:
    from psf_audit.attestation import bare_digest

    found = bare_digest(text)
    if text is not None and found is None:
        hint = "give all 64 hexadecimal digits; psf-audit rubric show prints them"
        raise ConfigurationError(f"--rubric-digest {text!r} is no SHA-256", hint=hint)
    return found


def _is_pack(path: Path) -> bool:
    from psf_audit.reading import opened

    try:
        with opened(path) as stream:
            return stream.read(len(_PACK)) == _PACK
    except Unreadable as error:
        raise ConfigurationError(f"{path} {error}") from error


def read(path: Path) -> bytes:
    """The bytes of a report or attestation.

    Raises:
        ConfigurationError: it cannot be read.
    """
    from psf_audit.reading import read_bytes

    try:
        return read_bytes(path)
    except Unreadable as error:
        raise ConfigurationError(f"{path} {error}") from error


def _sidecar(file: Path, given: Path | None) -> bytes | None:
    """The attestation that is given; else the one beside a file that carries none."""
    from psf_audit.attestation import SUFFIX
    from psf_audit.pages import SLOT_START

    beside = file.with_name(file.name + SUFFIX)
    if given is None and not beside.exists():
        return None
    if given is None and SLOT_START + b"[" in read(file):
        return None
    return read(given or beside)


def means(evidence: Path | None = None) -> Means:
    """What verifying needs from outside.

    Raises:
        ConfigurationError: `evidence` is no folder.
    """
    from psf_audit import __version__, collection, verification

    tool = f"psf-audit {__version__}"
    if evidence is None:
        return verification.Means(tool, rendered, frozenset(file_names()))
    if not evidence.is_dir():
        raise ConfigurationError(f"--evidence {str(evidence)!r} is no folder")
    base = evidence.resolve()

    def digest_of(path: str) -> str:
        return collection.digest_of(path, collection.digests_of(path, base, base))

    return verification.Means(tool, rendered, frozenset(file_names()), digest_of)


def _pack(pack: Unpacked, wanted: Wanted, evidence: Path | None) -> Iterator[Note]:
    """Everything that is found about a pack."""
    from dataclasses import replace

    from psf_audit import verification
    from psf_audit.pack import ASSESSMENT, ATTESTATION

    for text in pack.faults:
        yield verification.Note(verification.Kind.ALTERED_PACK, text)
    if not pack.faults:
        yield verification.Note(verification.Kind.CHECKED, f"the {len(pack.digests)} files of the pack, by its index")
    tools = means(evidence)
    if evidence is None:
        tools = replace(tools, digest_of=pack.digest_of, withheld=pack.withheld)
    given = verification.Given(ASSESSMENT, pack.data[ASSESSMENT], pack.data.get(ATTESTATION), pack.others)
    yield from verification.verify(given, wanted, tools)
    yield from verification.reports(pack.data[ASSESSMENT], pack.reports, pack.index["packed_by"], wanted, tools)


def _tell(notes: list[Note], *, signed: bool) -> None:
    """Print what was found, and exit by it."""
    from psf_audit.verification import Kind

    faults = [note for note in notes if note.kind.is_fault]
    groups = [
        ("checked", [note.text for note in notes if note.kind is Kind.CHECKED]),
        ("not checked", [note.text for note in notes if note.kind is Kind.UNCHECKED]),
        ("wrong", [f"{note.kind.value}: {note.text}" for note in faults]),
    ]
    show("\n\n".join(f"{title}\n" + "\n".join(map(table.bullet, texts)) for title, texts in groups if texts))
    if faults:
        kinds = ", ".join(dict.fromkeys(note.kind.value for note in faults))
        typer.echo(f"not verified: {kinds} (exit {ExitCode.INTEGRITY.value})", err=True)
        raise typer.Exit(ExitCode.INTEGRITY)
    told = "verified" if signed else "it agrees with itself; nobody's signature was checked"
    typer.echo(f"{told} (exit {ExitCode.READY.value})", err=True)
