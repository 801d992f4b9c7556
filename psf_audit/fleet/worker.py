"""One deployment after the other, in a process of its own: taken from the cache, or assessed.

Whatever goes wrong with a deployment becomes its result. What takes time to import is imported when it is needed: a
deployment that did not change needs none of it.
"""

from __future__ import annotations

import hashlib
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit import collection
from psf_audit.errors import AuditError, ConfigurationError, ExitCode, Unreadable
from psf_audit.fleet import cache
from psf_audit.fleet.portfolio import Deployment, Failed, summary
from psf_audit.reading import read_bytes
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import FrameType

    from psf_audit.manifest import Manifest
    from psf_audit.model import Assessment
    from psf_audit.shared import Shared

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS = 80

Write = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """How every deployment of a run is assessed and where results go; `write` writes a file all or not at all."""

    as_of: date
    tool: str
    write: Write
    engine: str = "duckdb"
    rubric: str | None = None
    evidence_root: Path | None = None
    ignore_waivers: bool = False
    memory_mib: int = 1024
    cache: Path | None = None
    reports: Path | None = None
    formats: tuple[str, ...] = ("html", "json")
    force: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one deployment; `trouble` says why it could not be kept in the cache."""

    result: Deployment | Failed
    from_cache: bool = False
    trouble: str | None = None


def serve(connection: Connection, job: Job) -> None:
    """Do what is asked until nothing more is; a request to terminate ends it with what is temporary cleaned up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one hears it, and says what to do
    signal.signal(signal.SIGTERM, _terminate)
    worker = Worker(job)
    try:
        while (path := connection.recv()) is not None:
            connection.send(worker(path))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _terminate(_number: int, _frame: FrameType | None) -> None:
    sys.exit(int(ExitCode.INTERRUPTED))


class Worker:
    """Assesses deployments with what they have in common kept between them."""

    def __init__(self, job: Job) -> None:
        """Nothing is loaded yet."""
        self.job = job
        self._shared: Shared | None = None

    def __call__(self, path: Path) -> Done:
        """The result for one manifest; never raises for what is wrong with it."""
        name = safe(one_line(str(path)))
        try:
            return self._done(path, name)
        except AuditError as error:
            told = [str(problem) for problem in error.problems] or [_sentence(error)]
            return Done(Failed(name, error.exit_code, tuple(safe(one_line(text)) for text in told)))
        except MemoryError:
            return Done(Failed(name, ExitCode.CANNOT_ASSESS, ("ran out of memory",)))
        except Exception as error:  # noqa: BLE001  a bug that one deployment meets costs that one
            why = f"a bug in psf-audit, {type(error).__name__}: psf-audit assess shows all of it"
            return Done(Failed(name, ExitCode.BUG, (why,)))

    def _done(self, path: Path, name: str) -> Done:
        folder, key = self.job.cache, self._key(path)
        known = cache.read(folder, key) if folder is not None and key is not None else None
        if known is not None and self._is_same(known, path) and self._are_there(known, path):
            return Done(replace(known.deployment, reports=self._names(path)), from_cache=True)
        manifest, assessment = self._assess(path)
        deployment = replace(summary(name, assessment), reports=self._names(path))
        written = self._report(path, assessment)
        if folder is None or key is None or self._key(path, manifest.sha256) != key:
            return Done(deployment)
        inputs = self._inputs(manifest, assessment)
        if inputs is None:
            return Done(deployment)
        try:
            cache.keep(folder, key, cache.Entry(replace(deployment, reports=()), inputs, written), self.job.write)
        except (ConfigurationError, OSError) as error:
            return Done(deployment, trouble=safe(one_line(str(error))))
        return Done(deployment)

    # ------------------------------------------------------------------------------------------------------- the cache

    def _key(self, path: Path, sha256: str | None = None) -> str | None:
        """The key of a manifest as it is on disk, or with bytes of another digest; None where it cannot be read."""
        try:
            digest = sha256 or hashlib.sha256(read_bytes(path)).hexdigest()
        except Unreadable:
            return None
        job = self.job
        return cache.key(
            {
                "tool": job.tool,
                "as_of": job.as_of.isoformat(),
                "engine": job.engine,
                "rubric": job.rubric,
                "evidence_root": str(job.evidence_root) if job.evidence_root else None,
                "ignore_waivers": job.ignore_waivers,
                "memory_mib": job.memory_mib,
                "path": str(path),
                "manifest": digest,
            }
        )

    def _is_same(self, known: cache.Entry, path: Path) -> bool:
        """Whether all that an entry was made from still has the bytes that it had then."""
        home = path.resolve().parent
        bound = (self.job.evidence_root or home).resolve()
        try:
            for one in known.inputs:
                if one.kind == "rubric":
                    digest = hashlib.sha256(read_bytes(Path(one.path))).hexdigest()
                else:
                    digest = _digest(one.path, home, bound if one.kind == "evidence" else home)
                if digest != one.sha256:
                    return False
        except Unreadable:
            return False
        return True

    def _inputs(self, manifest: Manifest, assessment: Assessment) -> tuple[cache.Input, ...] | None:
        """What an assessment was made from, by the digests of the very bytes that were read; None where not all were.

        What could not be read is looked for again every time.
        """
        # The register has one entry for each reference, in the order of their paths.
        paths = sorted(reference.path for reference in manifest.evidence)
        inputs = [
            cache.Input("evidence", path, entry.sha256)
            for path, entry in zip(paths, assessment.evidence, strict=True)
            if entry.sha256 is not None
        ]
        if len(inputs) < len(paths) or assessment.composition is None:
            return None
        prompts = assessment.composition.prompts
        if set(prompts) != set(manifest.prompts):  # a name that was screened is not the name of a file
            return None
        inputs += [cache.Input("prompt", path, digest) for path, digest in prompts.items()]
        spec = self.job.rubric or manifest.rubric
        if spec.endswith((".yaml", ".yml")):
            try:
                inputs.append(cache.Input("rubric", spec, hashlib.sha256(read_bytes(Path(spec))).hexdigest()))
            except Unreadable:
                return None
        return tuple(inputs)

    # ------------------------------------------------------------------------------------------------------ the result

    def _assess(self, path: Path) -> tuple[Manifest, Assessment]:
        from psf_audit import audit
        from psf_audit import manifest as manifests
        from psf_audit.query import Bounds
        from psf_audit.shared import Shared

        self._shared = self._shared or Shared()
        manifest = manifests.load(path)
        options = audit.Options(
            as_of=self.job.as_of,
            engine=self.job.engine,
            evidence_root=self.job.evidence_root,
            rubric=self.job.rubric,
            ignore_waivers=self.job.ignore_waivers,
            bounds=Bounds(memory_mib=self.job.memory_mib),
            shared=self._shared,
        )
        return manifest, audit.assess_manifest(manifest, options)

    def _names(self, path: Path) -> tuple[str, ...]:
        """The file names of the reports on a deployment, which no other deployment of the run has."""
        if self.job.reports is None:
            return ()
        stem = _NO_NAME.sub("-", str(path.with_suffix(""))).strip("-.")[-_NAME_CHARACTERS:]
        own = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]
        return tuple(f"{stem}-{own}.{suffix}" for suffix in self.job.formats)

    def _are_there(self, known: cache.Entry, path: Path) -> bool:
        """Whether each report that is asked for is there with the bytes that were written then."""
        if self.job.reports is None:
            return True
        for name in self._names(path):
            data = _bytes(self.job.reports / name)
            if data is None or known.reports.get(name) != hashlib.sha256(data).hexdigest():
                return False
        return True

    def _report(self, path: Path, assessment: Assessment) -> dict[str, str]:
        """Write the reports that are asked for; the SHA-256 of each by name.

        Raises:
            ConfigurationError: another file is there and is not to be replaced, or the system refuses.
        """
        written: dict[str, str] = {}
        if self.job.reports is None:
            return written
        from psf_audit.plugins import discover
        from psf_audit.rendering import ReportFormat, View

        known = discover("psf_audit.report", ReportFormat)
        for name, kind in zip(self._names(path), self.job.formats, strict=True):
            text = known[kind].assessment(assessment, View())
            self._put(self.job.reports / name, text)
            written[name] = hashlib.sha256(text.encode()).hexdigest()
        return written

    def _put(self, target: Path, text: str) -> None:
        """Write a report where it is not there yet; another run may be writing the same one."""
        there = _bytes(target)
        if there == text.encode():
            return
        if there is not None and not self.job.force:
            raise ConfigurationError(f"{target} is there already", hint="give --force to replace reports")
        try:
            self.job.write(target, text)
        except ConfigurationError:
            if _bytes(target) != text.encode():
                raise


def _bytes(path: Path) -> bytes | None:
    """What is in a file; None where there is none, nothing where that cannot be told."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _sentence(error: AuditError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _digest(path: str, base: Path, bound: Path) -> str:
    return collection.digest_of(path, collection.digests_of(path, base, bound))
