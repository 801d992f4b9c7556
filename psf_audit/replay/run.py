"""From log files, flags and a manifest to a replay: the only module of replay that reads files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit import __version__, audit, collection
from psf_audit import manifest as manifests
from psf_audit.columns.database import Database
from psf_audit.errors import CannotAssess, ConfigurationError
from psf_audit.facts import store
from psf_audit.facts.tables import TABLES
from psf_audit.query import Bounds
from psf_audit.replay import deployed, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psf_audit.facts.store import Dataset, EvidenceFile
    from psf_audit.manifest import Manifest
    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.story import Replay

ANY_RELEASE = "any"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller decides."""

    as_of: date
    guardrails: tuple[Guardrail, ...] = ()
    manifest: Path | None = None
    evidence_root: Path | None = None
    engine: str = "duckdb"
    bounds: Bounds = field(default_factory=Bounds)


def run(logs: Sequence[Path], options: Options, watch: Callable[[str, float | None], None] | None = None) -> Replay:
    """The replay of some logs: those that are named, else those that the manifest names.

    Raises:
        ConfigurationError: there is neither a log nor a manifest, or the manifest cannot be used.
        CannotAssess: a log cannot be read, or there is no event in any.
    """
    manifest = manifests.load(options.manifest) if options.manifest is not None else None
    if manifest is None and not logs:
        raise ConfigurationError("there is no log to replay", hint="name one, or give --manifest")
    database = Database(options.bounds.memory_mib, watch)
    known = collection.collect(manifest, options.evidence_root, database) if manifest is not None else []
    read = [_read(path, database) for path in logs]
    if logs:
        # Of a manifest beside named logs only what is enforced counts, and the records, not its own logs as well.
        known = [replace(file, events=()) for file in known]
    files = _counted_once([*known, *read])
    dataset = store.build(files, manifest.claims if manifest is not None else (), _setting(manifest, options))
    if not dataset.events:
        raise CannotAssess("no event to replay", hint=_why_empty(dataset))
    found = deployed.Found((), ())
    if manifest is not None:
        found = deployed.of_tables(dataset.tables, dataset.places, dataset.tables["deployment"][0]["expected_size"])
    engine = audit.engine(options.engine)
    session = engine.open(dataset, options.bounds)
    try:
        setting = story.Setting(
            tool=f"psf-audit {__version__}",
            as_of=options.as_of.isoformat(),
            logs=tuple(_log_file(file) for file in files if file.events),
            guardrails=(*found.tried, *options.guardrails),
            untried=found.left,
        )
        return story.tell(
            dataset, session, lambda other, rows: engine.open(other, replace(options.bounds, rows=rows)), setting
        )
    finally:
        session.close()


def _read(path: Path, database: Database) -> EvidenceFile:
    """One log, under the path that it was named by; it counts whatever release it speaks of.

    Raises:
        CannotAssess: it cannot be read, or holds no event.
    """
    file, _ = collection.read_alone(path, database=database)
    if not file.readable:
        raise CannotAssess(f"{path} {file.problem}")
    if not file.events:
        raise CannotAssess(f"{path} holds no event", hint=f"it was read as {file.format}; a log of calls is expected")
    name = path.as_posix()
    return replace(file, id=f"log {name}", path=name, release=None)


def _counted_once(files: Sequence[EvidenceFile]) -> list[EvidenceFile]:
    """The files; a log that is named twice, or that a manifest names too, counts once."""
    kept: list[EvidenceFile] = []
    seen: set[str] = set()
    for file in files:
        if file.events and file.sha256 is not None:
            if file.sha256 in seen:
                continue
            seen.add(file.sha256)
        kept.append(file)
    return kept


def _setting(manifest: Manifest | None, options: Options) -> store.Setting:
    row = dict.fromkeys(column.name for column in TABLES["deployment"].columns)
    release = manifest.deployment["release"] if manifest is not None else ANY_RELEASE
    row |= {"release": release, "as_of_ms": store.end_of_day(options.as_of)}
    if manifest is not None:
        row |= {name: manifest.deployment[name] for name in ("name", "environment")}
        row["expected_size"] = manifest.agent.get("scope", {}).get("expected_size")
    return store.Setting(as_of=options.as_of, release=release, deployment=row, controls=())


def _why_empty(dataset: Dataset) -> str:
    left = "; ".join(f"{count} {reason}" for reason, count in sorted(dataset.left_out.items()))
    problems = "; ".join(f"{file.path} {file.problem}" for file in dataset.files if not file.readable)
    return left or problems or "the evidence of the manifest holds no log; name one"


def _log_file(file: EvidenceFile) -> story.LogFile:
    return story.LogFile(file.path, file.format, file.sha256, len(file.events), file.problem)
