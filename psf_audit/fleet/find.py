"""Finding the manifests of a fleet: in a folder, by a pattern, or from a list."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from psf_audit.errors import ConfigurationError, ExitCode, Unreadable
from psf_audit.fleet.portfolio import Failed
from psf_audit.reading import decode, opened, read_bytes

_MANIFEST = re.compile(rb"^schema:[ \t]*[\"']?psf-audit/manifest/", re.MULTILINE)
_HEAD_BYTES = 65_536
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Found:
    """The manifests, by path, and what of the places that were searched could not be read."""

    manifests: tuple[Path, ...]
    failed: tuple[Failed, ...] = ()


def find(where: str) -> Found:
    """The manifests that a folder, a pattern or a list means, each once, in the order of their paths.

    In a folder and below it, YAML files whose `schema:` is that of a manifest; links to folders are not followed, and
    folders whose names begin with a point are left out. What a pattern or a list names is taken for a manifest.

    Raises:
        ConfigurationError: there is no such place, or the list cannot be read.
    """
    path = Path(where)
    if path.is_dir():
        return _below(path)
    if path.is_file():
        return _once([path]) if _is_manifest(path) else _once(_listed(path))
    if glob.has_magic(where):
        return _once([Path(name) for name in glob.glob(where, recursive=True) if Path(name).is_file()])  # noqa: PTH207
    raise ConfigurationError(f"there is no {where}", hint="give a folder, a pattern in quotes, or a list of manifests")


def _below(folder: Path) -> Found:
    unread: list[Failed] = []

    def cannot(error: OSError) -> None:
        why = f"cannot be searched: {error.strerror or type(error).__name__}"
        unread.append(Failed(str(error.filename), ExitCode.CANNOT_ASSESS, (why,)))

    found = []
    for root, folders, names in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(root) / name for name in names if name.endswith(_SUFFIXES)):
            try:
                if _is_manifest(path):
                    found.append(path)
            except Unreadable as error:
                unread.append(Failed(str(path), ExitCode.CANNOT_ASSESS, (str(error),)))
    return Found(_once(found).manifests, tuple(unread))


def _is_manifest(path: Path) -> bool:
    """Whether a file says that it is a manifest; raises `Unreadable` where that cannot be told."""
    if path.suffix not in _SUFFIXES or not path.is_file():
        return False
    with opened(path) as stream:
        return bool(_MANIFEST.search(stream.read(_HEAD_BYTES)))


def _listed(path: Path) -> list[Path]:
    """The paths in a list, one a line, seen from its folder; `#` begins a comment."""
    try:
        lines = decode(read_bytes(path)).splitlines()
    except Unreadable as error:
        raise ConfigurationError(f"{path}: {error}", hint="a list is a text file with a path on each line") from error
    if any("\0" in line for line in lines):
        raise ConfigurationError(f"{path} is no list of manifests", hint="write a path on each line")
    return [path.parent / line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _once(paths: list[Path]) -> Found:
    """Each file once, under the first of its names."""
    known: dict[Path, Path] = {}
    for path in sorted(paths):
        known.setdefault(path.resolve(), path)
    return Found(tuple(known.values()))
