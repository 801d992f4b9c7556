"""One archive of an assessment and all that it rests on, for a review after an incident, an insurer, an archive.

A pack is a ZIP file whose bytes depend on its contents alone: names sorted, no times, one mode. Nothing is compressed:
the compressed form differs between machines, and has bits that mean nothing. Evidence is streamed.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psf_audit import attestation, collection
from psf_audit.attestation import SignedFile
from psf_audit.errors import IntegrityError, Problem, Unreadable
from psf_audit.reading import opened
from psf_audit.text import clean, one_line, plural, safe
from psf_audit.wire import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from psf_audit.model import Assessment

SCHEMA = "psf-audit/pack/1"
INDEX = "index.json"
READABLE = "index.md"
ASSESSMENT = "assessment.json"
ATTESTATION = f"assessment.json{attestation.SUFFIX}"
DEPLOYMENT = "deployment/"
REPORTS = "reports/"

# The first day that a ZIP file can name, and a file that everybody may read.
DATE = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644 << 16
UNIX = 3
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a pack: its bytes, or the file on disk that they are read from."""

    path: str
    role: str
    sha256: str
    size: int
    data: bytes | None = None
    source: Path | None = None

    @classmethod
    def of(cls, path: str, role: str, data: bytes) -> Member:
        """A file whose bytes are at hand."""
        return cls(path, role, attestation.digest(data), len(data), data)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A file that an assessment rests on and that is not in the pack, and why."""

    path: str
    role: str
    sha256: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a pack, without its index and attestation."""

    members: tuple[Member, ...]
    withheld: tuple[Withheld, ...]


REDACTED = "left out: this pack is redacted"
_UNREAD = "the assessment has no digest of it: it could not be read"
_ABOVE = "it does not lie below the folder of the manifest"


def deployment_files(value: Mapping[str, Any], base: Path, *, redact: bool) -> Contents:
    """The manifest and evidence that an assessment (as JSON) rests on, from the folder of the manifest.

    Raises:
        IntegrityError: a file is not there any more, or is not the one that was assessed.
    """
    members: list[Member] = []
    withheld: list[Withheld] = []
    problems: list[Problem] = []
    manifest = value["manifest"]["path"]
    for path, digest in attestation.evidence(value).items():
        role = "manifest" if path == manifest else "evidence"
        why = REDACTED if redact else _UNREAD if digest is None else _ABOVE if not is_below(path) else None
        if why is not None or digest is None:
            withheld.append(Withheld(path, role, digest, why or _UNREAD))
            continue
        try:
            members += _files(path, role, digest, base)
        except Unreadable as error:
            problems.append(Problem(path, str(error)))
    if problems:
        what = "the evidence is not what was assessed"
        raise IntegrityError(f"{what}: {problems[0]}", problems=tuple(problems))
    return Contents(tuple(members), tuple(withheld))


def _files(path: str, role: str, digest: str, base: Path) -> list[Member]:
    """The files of one entry of the register; one, or those of a folder."""
    base = base.resolve()
    digests = collection.digests_of(path, base, base)
    if collection.digest_of(path, digests) != digest:
        raise Unreadable("is not what was assessed: its digest is another", hint="assess again")
    found = []
    for name, sha256 in digests.items():
        source = collection.confined(name, base, base)
        found.append(Member(DEPLOYMENT + name, role, sha256, source.stat().st_size, source=source))
    return found


def is_below(path: str) -> bool:
    """Whether a path can stand in an archive: relative, forward, with nothing that leads elsewhere."""
    parts = path.split("/")
    return all(part not in {"", ".", ".."} for part in parts) and not any(character in path for character in "\\:\x00")


# -------------------------------------------------------------------------------------------------------------- index


def with_index(contents: Contents, assessment: Assessment, *, packed_by: str, redacted: bool) -> tuple[Member, ...]:
    """All files of a pack but the attestation, sorted, with the index for programs and the one for people."""
    index = index_json(contents, assessment, packed_by=packed_by, redacted=redacted)
    readable = Member.of(READABLE, "index", index_markdown(index).encode())
    entries = [*contents.members, readable]
    index["files"] = [_entry(member) for member in sorted(entries, key=lambda member: member.path)]
    entries.append(Member.of(INDEX, "index", dumps(index).encode()))
    return tuple(sorted(entries, key=lambda member: member.path))


def index_json(contents: Contents, assessment: Assessment, *, packed_by: str, redacted: bool) -> dict[str, Any]:
    """What a pack says of itself; the schema is `psf-audit/pack/1`."""
    deployment = assessment.deployment
    return {
        "schema": SCHEMA,
        "packed_by": packed_by,
        "deployment": {
            "name": deployment.name,
            "release": deployment.release,
            "environment": deployment.environment,
        },
        "as_of": assessment.as_of.isoformat(),
        "verdict": assessment.verdict.value,
        "redacted": redacted,
        "files": [_entry(member) for member in sorted(contents.members, key=lambda member: member.path)],
        "withheld": [
            {"path": one.path, "role": one.role, "sha256": one.sha256, "why": one.why} for one in contents.withheld
        ],
    }


def _entry(member: Member) -> dict[str, Any]:
    return {"path": member.path, "role": member.role, "sha256": member.sha256, "bytes": member.size}


def index_markdown(index: Mapping[str, Any]) -> str:
    """The index as people read it."""
    deployment = index["deployment"]
    who = " ".join(_cell(deployment[key]) for key in ("name", "release", "environment"))
    rows = [[one["path"], one["role"], str(one["bytes"]), one["sha256"]] for one in index["files"]]
    lines = [
        f"# Evidence pack: {who}",
        "",
        f"Assessed as of {index['as_of']}: {index['verdict'].replace('_', ' ')}. {plural(len(rows), 'file')}.",
        "",
        "`psf-audit verify` with this archive and a public key tells whether anything in it was changed.",
        "",
        *_table(["file", "role", "bytes", "SHA-256"], rows),
    ]
    if index["withheld"]:
        rows = [[one["path"], one["role"], one["why"], one["sha256"] or "none"] for one in index["withheld"]]
        lines += ["", "## Not in this pack", "", *_table(["file", "role", "why", "SHA-256"], rows)]
    return "\n".join(lines) + "\n"


def _table(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (header, ["---"] * len(header), *rows)]


def _cell(text: str) -> str:
    """Text that ends no cell and starts no markup."""
    plain = safe(one_line(clean(text)))
    return "".join(f"\\{character}" if character in "\\`*_[]<>|&#!~" else character for character in plain)


def signed_files(members: Sequence[Member]) -> tuple[SignedFile, ...]:
    """What the attestation of a pack speaks for: the assessment first, then every other file."""
    ordered = sorted(members, key=lambda member: (member.path != ASSESSMENT, member.path))
    return tuple(SignedFile(member.path, member.sha256) for member in ordered)


# ------------------------------------------------------------------------------------------------------------ writing


def write(target: Path, members: Iterable[Member]) -> None:
    """Write a pack.

    Raises:
        IntegrityError: a file cannot be read, or changed while it was packed.
        OSError: the system refuses to write.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for member in sorted(members, key=lambda member: member.path):
            _write(archive, member)


def _write(archive: zipfile.ZipFile, member: Member) -> None:
    info = zipfile.ZipInfo(member.path, DATE)
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_STORED, UNIX, MODE
    info.file_size = member.size
    if member.data is not None:
        archive.writestr(info, member.data)
        return
    if member.source is None:
        raise ValueError(f"{member.path} has no bytes")
    found = hashlib.sha256()
    try:
        with opened(member.source) as source, archive.open(info, "w") as stream:
            while block := source.read(_BLOCK):
                found.update(block)
                stream.write(block)
    except Unreadable as error:
        raise IntegrityError(f"{member.path} {error}", hint="pack again") from error
    if found.hexdigest() != member.sha256:
        raise IntegrityError(f"{member.path} changed while it was packed", hint="pack again")


def with_attestation(members: Iterable[Member], bundle: bytes) -> tuple[Member, ...]:
    """The files of a pack and the attestation of them."""
    return (*members, Member.of(ATTESTATION, "attestation", bundle))
