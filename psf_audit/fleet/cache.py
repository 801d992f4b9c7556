"""What was found before, kept by digest: an entry is used where everything that it was made from has the same bytes.

An entry that is damaged, cut off, or not what it says it is counts as none, and is written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

import psf_audit
from psf_audit import resources
from psf_audit.fleet import wire
from psf_audit.fleet.portfolio import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "psf-audit/fleet-cache/1"
MAX_BYTES = 8 * 2**20

Write = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class Input:
    """A file that an assessment was made from: what kind, its path as the manifest has it, SHA-256 of its bytes."""

    kind: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A deployment as it was found, what it was found from, and the SHA-256 of its reports by file name."""

    deployment: Deployment
    inputs: tuple[Input, ...]
    reports: dict[str, str] = field(default_factory=dict)


def key(parts: dict[str, Any]) -> str:
    """The digest of everything that decides a result and is known before the manifest is parsed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def place(folder: Path, name: str) -> Path:
    """Where the entry of a key lies."""
    return folder / name[:2] / f"{name}.json"


def read(folder: Path, name: str) -> Entry | None:
    """The entry of a key; None where there is none that can be trusted to be whole."""
    try:
        with place(folder, name).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        head, _, body = data.partition(b"\n")
        said = json.loads(head)
        if said != _head(name, body):
            return None
        value = json.loads(body)
        return Entry(
            wire.deployment_in(value["deployment"]),
            tuple(Input(*one) for one in value["inputs"]),
            dict(value["reports"]),
        )
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, AttributeError, RecursionError):
        return None


def keep(folder: Path, name: str, entry: Entry, write: Write) -> None:
    """Write an entry, all or not at all; errors as `write`."""
    value = {
        "deployment": wire.deployment_out(entry.deployment),
        "inputs": [[one.kind, one.path, one.sha256] for one in entry.inputs],
        "reports": entry.reports,
    }
    body = json.dumps(value, ensure_ascii=True, sort_keys=True)
    target = place(folder, name)
    target.parent.mkdir(exist_ok=True)
    write(target, f"{json.dumps(_head(name, body.encode()))}\n{body}")


def _head(name: str, body: bytes) -> dict[str, str]:
    return {"schema": SCHEMA, "key": name, "sha256": hashlib.sha256(body).hexdigest()}


def tool() -> str:
    """The digest of the program: its code, its rubrics and templates, Python, and the versions of what it rests on."""
    digest = hashlib.sha256(python_version().encode())
    for root in (Path(psf_audit.__file__).parent, resources.rubrics_dir(), resources.templates_dir()):
        for path in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for line in _versions():
        digest.update(line.encode())
    return digest.hexdigest()


def _versions() -> Iterator[str]:
    """What is installed: a library that some readers use where it is there changes what they give."""
    found = {(one.metadata["Name"] or "", one.version) for one in metadata.distributions()}
    for name, version in sorted(found):
        yield f"{name} {version}\n"
