"""What a command is about that takes a deployment in either form: a manifest to assess, or a stored assessment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit.cli.options import day, folder
from psf_audit.cli.room import room
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from psf_audit.manifest import Manifest
    from psf_audit.model import Assessment

STORED = ".json"


class Subject:
    """A deployment that a file speaks of; made before the work starts, so that a wrong option costs nothing."""

    def __init__(
        self,
        path: Path,
        *,
        as_of: str | None,
        rubric: str | None,
        evidence_root: Path | None,
        engine: str,
        memory: str,
    ) -> None:
        """Check the options, and read the manifest where it is one.

        Raises:
            ConfigurationError: an option that cannot apply, or a manifest that is none.
        """
        from psf_audit import manifest as manifests

        self.path = path
        self.rubric = rubric
        self._engine = engine
        self.manifest: Manifest | None = None
        if path.suffix.lower() == STORED:
            given = {"--as-of": as_of, "--rubric": rubric, "--evidence-root": evidence_root}
            wrong = next((name for name, value in given.items() if value is not None), None)
            if wrong:
                raise ConfigurationError(f"{wrong} cannot apply to {path}", hint="an assessment was made before")
            return
        self._day = day(as_of)
        self._memory = memory
        self._root = folder(evidence_root or path.resolve().parent)
        self.manifest = manifests.load(path)

    @property
    def inputs(self) -> list[Path]:
        """The files that are read, so that no output overwrites one."""
        if self.manifest is None:
            return [self.path]
        home = self.path.resolve().parent
        read = [*(entry.path for entry in self.manifest.evidence), *self.manifest.prompts]
        own = [Path(self.rubric)] if self.rubric is not None and self.rubric.endswith((".yaml", ".yml")) else []
        return [self.path, *(home / path for path in read), *own]

    def assessment(self) -> Assessment:
        """The assessment: the stored one, or one that is made now.

        Raises:
            AuditError: it cannot be read, or cannot be made.
        """
        from psf_audit import api, audit

        if self.manifest is None:
            return api.load(self.path)
        with room(self._memory) as (bounds, watch):
            options = audit.Options(
                as_of=self._day,
                engine=self._engine,
                evidence_root=self._root,
                rubric=self.rubric,
                bounds=bounds,
                watch=watch,
            )
            return audit.assess_manifest(self.manifest, options)
