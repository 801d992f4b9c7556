"""From the files that a manifest names to what was read from them: found, recognised, read, each at its own risk.

A file that cannot be read is a gap, never an exception, and never a reason to leave the others unread.
"""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psf_audit import manifest as manifests
from psf_audit import reading
from psf_audit.artifact import Artifact, EvidenceFormat, Refusal
from psf_audit.columns.database import Database
from psf_audit.columns.table import LogTable
from psf_audit.errors import Unreadable
from psf_audit.facts import spool, store
from psf_audit.facts.model import Event, Fact, Gap, Item, Loaded, Remark, Stated
from psf_audit.plugins import discover
from psf_audit.text import is_unicode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from psf_audit.facts.spool import Spool
    from psf_audit.facts.store import EvidenceFile
    from psf_audit.manifest import EvidenceReference, Manifest

# A format reads less than this before the database has opened; a log that is compressed grows tenfold.
LARGE_BYTES = 2**20
SMALL_PART_BYTES = 2**17
MAX_PARTS = 10_000


def formats() -> dict[str, EvidenceFormat]:
    """Every evidence format by name."""
    return discover("psf_audit.evidence", EvidenceFormat)


def refusals() -> dict[str, Refusal]:
    """Every kind of file that is offered as evidence and is none, by name."""
    return discover("psf_audit.refusals", Refusal)


def collect(manifest: Manifest, root: Path | None = None, database: Database | None = None) -> list[EvidenceFile]:
    """Every evidence file of a manifest, read; what cannot be read is a gap, never an exception.

    Large logs go to the `database`; without one everything is read line by line.
    """
    base = manifest.path.resolve().parent
    bound = (root or base).resolve()
    return _counted_once([_collect_one(reference, base, bound, database) for reference in manifest.evidence])


def _counted_once(files: Sequence[EvidenceFile]) -> list[EvidenceFile]:
    """The files in the order of their paths; what holds the same bytes as another counts once.

    A copy of which the manifest says something else is a gap: otherwise a copy said to be of another release would take
    away what the bytes prove.
    """
    first: dict[str, EvidenceFile] = {}
    kept = []
    for file in sorted(files, key=lambda file: file.path):
        known = first.setdefault(file.sha256, file) if file.sha256 is not None else file
        if known is file:
            kept.append(file)
        elif replace(known, id=file.id, path=file.path, events=file.events) == file:
            same = f"holds the same bytes as {known.path}: counted once"
            kept.append(replace(file, items=(), events=(), problem=same))
        else:
            differs = Unreadable(f"holds the same bytes as {known.path}, of which the manifest says something else")
            tables = formats()[file.format].tables if file.format else ()
            kept.append(_unreadable(file, differs, tables))
    return kept


def _collect_one(
    reference: EvidenceReference, base: Path, bound: Path, database: Database | None = None
) -> EvidenceFile:
    empty = store.EvidenceFile(
        id=reference.path,
        path=reference.path,
        format=reference.format,
        sha256=None,
        bytes=0,
        collected=reference.collected,
        release=reference.release,
        produced_by=reference.produced_by,
    )
    try:
        target = confined(reference.path, base, bound)
        if reading.is_folder(target):
            return _Folder(empty, target, bound, database or Database()).read(reference)
        artifact = Artifact.of_file(reference.path, target)
    except Unreadable as error:
        return _unreadable(empty, error, _guess(reference))
    known = replace(empty, sha256=artifact.sha256, bytes=artifact.bytes)
    try:
        kind = recognise(artifact, reference.format)
    except Unreadable as error:
        return _unreadable(known, error, _guess(reference))
    except Exception as error:  # noqa: BLE001  a failing format costs the file, not the run
        failure = Unreadable(f"telling its format failed: {type(error).__name__}")
        return _unreadable(known, failure, _guess(reference))
    return read(replace(known, format=kind.name), artifact, kind, reference, database)


def confined(path: str, base: Path, bound: Path) -> Path:
    """The path of an evidence file, if it stays below the evidence root however its links lead.

    Raises:
        Unreadable: it leads out, or nowhere.
    """
    try:
        target = (base / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a character that no path may have
        raise Unreadable("is no path that can be followed") from error
    if not target.is_relative_to(bound):
        raise Unreadable("lies outside the evidence root", hint="copy it there, or widen it with --evidence-root")
    return target


def recognise(artifact: Artifact, name: str | None = None) -> EvidenceFormat:
    """The format of an artifact: the one that is named, else the one that recognises it.

    Raises:
        Unreadable: the name is unknown, or none or several formats recognise it.
    """
    known = formats()
    if name is not None:
        if name not in known:
            raise Unreadable(f"the format {name!r} is not known", hint=f"known: {', '.join(known)}")
        return known[name]
    fitting = fitting_formats(artifact)
    if not fitting:
        raise _unfit(artifact)
    if len(fitting) > 1:
        names = ", ".join(kind.name for kind in fitting)
        raise Unreadable(f"could be of several formats: {names}", hint="set format:")
    return fitting[0]


def fitting_formats(artifact: Artifact) -> list[EvidenceFormat]:
    """The formats that recognise an artifact: one, if they are what they should be."""
    return [kind for kind in formats().values() if kind.sniff(artifact)]


def fitting_refusal(artifact: Artifact) -> Refusal | None:
    """What an artifact that no format recognises is, where it is a kind of file that is offered as evidence."""
    return next((refusal for refusal in refusals().values() if refusal.sniff(artifact)), None)


def _unfit(artifact: Artifact) -> Unreadable:
    """Why a file that no format recognises cannot be used, and what to give instead."""
    refusal = fitting_refusal(artifact)
    if refusal is not None:
        return Unreadable(refusal.why, hint=f"give {refusal.instead}")
    return Unreadable("is of no format that psf-audit reads", hint="see psf-audit evidence formats, or set format:")


def read(
    file: EvidenceFile,
    artifact: Artifact,
    kind: EvidenceFormat,
    reference: EvidenceReference | None = None,
    database: Database | None = None,
) -> EvidenceFile:
    """The file with everything its reader gave; what the file says of itself outranks what the manifest says.

    A large log is read by the `database`, where there is one and the format tells it how.
    """
    try:
        items, events = _columns(artifact, kind, database) or _read(artifact, kind)
    except Unreadable as error:
        return _unreadable(file, error, kind.tables, kind)
    except Exception as error:  # noqa: BLE001  a failing reader costs its file, not the run
        failure = Unreadable(f"the reader of {kind.name} failed on it: {type(error).__name__}")
        return _unreadable(file, failure, kind.tables, kind)
    said = store.stated(items)
    return replace(
        file,
        items=(*items, *_linked(items, reference)),
        events=events,
        collected=said.collected or file.collected,
        release=said.release or file.release,
        produced_by=said.produced_by or file.produced_by or kind.produced_by,
        needs_loading=kind.needs_loading,
    )


def _read(artifact: Artifact, kind: EvidenceFormat) -> tuple[tuple[Item, ...], Collection[Event]]:
    """What the reader of a format gives, the events apart."""
    events = spool.events()
    return tuple(_apart(_narrowed(_checked(kind.read(artifact)), kind), events)), events


def _columns(
    artifact: Artifact, kind: EvidenceFormat, database: Database | None
) -> tuple[tuple[Item, ...], Collection[Event]] | None:
    """The same, where the file is so large that a database should read it, and it can."""
    if database is None or artifact.file is None or artifact.bytes < LARGE_BYTES:
        return None
    log = LogTable(database)
    items = _into(log, artifact, kind)
    return None if items is None else (tuple(items), log)


def _into(log: LogTable, artifact: Artifact, kind: EvidenceFormat) -> list[Item] | None:
    """What else a file says whose events the database adds to a log; None where only its format can read it."""
    if kind.columnar is None:
        return None
    return kind.columnar.load(artifact, log, lambda found: _narrowed(_checked(found), kind))


def names_in(folder: Path) -> list[str]:
    """The files below a folder of evidence by their paths in it; what Spark and others keep beside the data is none.

    Raises:
        Unreadable: they are very many.
    """
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    names = sorted(name for name in found if not any(part[0] in "._" for part in name.split("/")))
    if len(names) > MAX_PARTS:
        raise Unreadable(f"is a folder of more than {MAX_PARTS} files", hint="name folders below it")
    return names


def digests_of(path: str, base: Path, bound: Path) -> dict[str, str]:
    """The SHA-256 of an evidence file, or of each file of an evidence folder, by its path below `base`.

    Raises:
        Unreadable: it is not there, leads out of `bound`, or cannot be read.
    """
    target = confined(path, base, bound)
    if not reading.is_folder(target):
        return {path: reading.digest(target)}
    names = names_in(target)
    return {f"{path}/{name}": reading.digest(confined(name, target, bound)) for name in names}


def digest_of(path: str, digests: Mapping[str, str]) -> str:
    """The digest that the register has of an evidence file or folder, from those of its files by their paths."""
    if path in digests:
        return digests[path]
    return _listing((digest, name.removeprefix(f"{path}/")) for name, digest in sorted(digests.items()))


def _listing(files: Iterable[tuple[str, str]]) -> str:
    """What the digest of a folder is made of: the listing that `sha256sum` prints of its files."""
    return hashlib.sha256("".join(_listed(digest, name) for digest, name in files).encode()).hexdigest()


def _listed(digest: str, name: str) -> str:
    return f"{digest}  {name}\n"


class _Folder:
    """A log in many files, as collectors and engines write them: read in the order of their paths, as one."""

    def __init__(self, file: EvidenceFile, folder: Path, bound: Path, database: Database) -> None:
        self._file = file
        self._folder = folder
        self._bound = bound
        self._log = LogTable(database)
        self._items: list[Item] = []
        self._digest = hashlib.sha256()
        self._bytes = 0

    def read(self, reference: EvidenceReference) -> EvidenceFile:
        """The folder as one evidence file; a part that cannot be read is a gap.

        Raises:
            Unreadable: it holds no file, very many, or is no log.
        """
        kind: EvidenceFormat | None = None
        for name in names_in(self._folder):
            try:
                artifact = Artifact.of_file(name, confined(name, self._folder, self._bound))
                kind = self._part(artifact, kind, reference.format)
            except Unreadable as error:
                self._items.append(Gap("unreadable", f"{name} {error}", "events", name))
        if kind is None:
            raise Unreadable("is a folder without a log that can be read", hint="name its files one by one")
        self._log.part = ""
        said = store.stated(self._items)
        return replace(
            self._file,
            format=kind.name,
            sha256=self._digest.hexdigest(),
            bytes=self._bytes,
            items=tuple(self._items),
            events=self._log,
            collected=said.collected or self._file.collected,
            release=said.release or self._file.release,
            produced_by=said.produced_by or self._file.produced_by or kind.produced_by,
        )

    def _part(self, artifact: Artifact, kind: EvidenceFormat | None, name: str | None) -> EvidenceFormat:
        """Add one file; all are of the format of the first."""
        self._digest.update(_listed(artifact.sha256, artifact.path).encode())
        self._bytes += artifact.bytes
        found = recognise(artifact, kind.name if kind and artifact.bytes == 0 else name)
        if kind is not None and found is not kind:
            raise Unreadable(f"is {found.name}, the files before it are {kind.name}", hint="name it by itself")
        if not (found.streams or (found.columnar is not None and found.columnar.only)):
            raise Unreadable(f"is {found.name}: of a folder only logs are read", hint="name its files one by one")
        first = self._log.last
        self._log.part = artifact.path
        items = _into(self._log, artifact, found) if artifact.bytes >= SMALL_PART_BYTES else None
        if items is None:
            read, events = _read(artifact, found)
            items = list(read)
            self._log.append(events)
        if not self._agrees(items):
            self._log.forget(first)
            raise Unreadable(
                "says it is of another release or writer than the files before it", hint="name it by itself"
            )
        self._items += [_placed(item, artifact.path) for item in items]
        return found

    def _agrees(self, items: Sequence[Item]) -> bool:
        before, now = store.stated(self._items), store.stated(items)
        pairs = ((before.release, now.release), (before.produced_by, now.produced_by))
        return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _placed(item: Item, path: str) -> Item:
    """An item with the file of a folder before its pointer."""
    if isinstance(item, Fact | Gap | Loaded):
        return replace(item, pointer=f"{path} {item.pointer}".rstrip())
    return item


def read_alone(
    path: Path, name: str | None = None, database: Database | None = None
) -> tuple[EvidenceFile, EvidenceFormat | None]:
    """One file read outside any manifest, and the format it was read as (None: not recognised)."""
    reference = manifests.EvidenceReference(path.name, 1, name)
    base = path.resolve().parent
    file = _collect_one(reference, base, base, database or Database())
    return file, formats().get(file.format or "")


def _checked(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each fact held against its table, so that a wrong one costs its file and nothing else.

    Raises:
        Unreadable: a text is not Unicode: JSON can escape half a surrogate pair (RFC 7493, section 2.1).
        KeyError: a value belongs to no column.
        TypeError: a value is not of its column's type.
    """
    for item in items:
        texts: tuple[object, ...] = ()
        if isinstance(item, Fact):
            store.typed(item.table, item.values)
            texts = (item.pointer, item.release, *item.values.values())
        elif isinstance(item, Gap):
            store.typed("gaps", {"kind": item.kind, "facts": item.facts, "control": item.control, "what": item.what})
            texts = (item.pointer, item.what, item.facts, item.control)
        elif isinstance(item, Stated):
            texts = (item.release, item.produced_by)
        elif isinstance(item, Remark):
            texts = (item.what,)
        elif isinstance(item, Event):
            texts = tuple(item.values.values())
        if any(isinstance(text, str) and not is_unicode(text) for text in texts):
            raise Unreadable("holds text that is not Unicode")
        yield item


def _narrowed(items: Iterator[Item], kind: EvidenceFormat) -> Iterator[Item]:
    """The items, each gap with the kinds of rows that a file of this format can lack."""
    for item in items:
        if isinstance(item, Gap) and item.facts is not None:
            yield replace(item, kinds=kind.gives.get(item.facts.partition(".")[0], ()))
        else:
            yield item


def _apart(items: Iterator[Item], events: Spool[Event]) -> Iterator[Item]:
    """The items but the events, which go where there is room for any number of them."""
    for item in items:
        if isinstance(item, Event):
            events.append(item)
        else:
            yield item


def _linked(items: Sequence[Item], reference: EvidenceReference | None) -> Iterator[Fact]:
    """Tests that only the manifest links to a control, by patterns of test names."""
    if reference is None or not reference.controls:
        return
    tests = [item for item in items if isinstance(item, Fact) and item.table == "tests"]
    for control, globs in sorted(reference.controls.items()):
        done: set[tuple[Any, ...]] = set()
        for test in tests:
            name = test.values.get("name")
            key = (test.pointer, test.values.get("suite"), name)
            if name is None or key in done or test.values.get("control") == control:
                continue
            if any(fnmatch.fnmatchcase(str(name), glob) for glob in globs):
                done.add(key)
                yield replace(test, values={**test.values, "control": control, "link": "manifest"})


def named_as(path: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a path ends in one of these; where there is none, a name in capitals stands for itself."""
    return path.lower().endswith(suffixes) or path.endswith(suffixes)


def _guess(reference: EvidenceReference) -> tuple[str, ...]:
    """The tables that an unreadable file could have spoken to: those of its format, else of formats of its kind."""
    known = formats()
    if reference.format in known:
        return known[reference.format].tables
    fitting = [kind for kind in known.values() if named_as(reference.path, kind.suffixes)]
    return tuple(sorted({table for kind in fitting for table in kind.tables}))


def _unreadable(
    file: EvidenceFile, error: Unreadable, tables: Sequence[str], kind: EvidenceFormat | None = None
) -> EvidenceFile:
    what = f"{file.path} {error}"
    gives = kind.gives if kind is not None else {}
    gaps = tuple(Gap("unreadable", what, table, kinds=gives.get(table, ())) for table in tables)
    return replace(file, readable=False, problem=str(error), items=gaps or (Gap("unreadable", what),))
