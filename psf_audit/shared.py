"""What assessments in one process share: the rubrics that were read, and databases that are set up once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psf_audit import rubric as rubrics
from psf_audit.errors import Unreadable
from psf_audit.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from psf_audit.facts.store import Dataset
    from psf_audit.query import Bounds, Engine, Session
    from psf_audit.rubric import Rubric


class Shared:
    """Gives the same as loading a rubric and opening a session anew, sooner; for one thread."""

    def __init__(self) -> None:
        """Nothing is shared yet."""
        self._rubrics: dict[tuple[Path, str], Rubric] = {}
        self._openers: dict[str, Callable[[Dataset, Bounds], Session]] = {}

    def rubric(self, path: Path) -> Rubric:
        """The rubric in a file, read again where its bytes changed; errors as `rubric.load`."""
        try:
            digest = hashlib.sha256(read_bytes(path)).hexdigest()
        except Unreadable:
            return rubrics.load(path)
        key = (path.resolve(), digest)
        if key not in self._rubrics:
            self._rubrics = {known: kept for known, kept in self._rubrics.items() if known[0] != key[0]}
            self._rubrics[key] = rubrics.load(path)
        return self._rubrics[key]

    def session(self, engine: Engine, dataset: Dataset, bounds: Bounds) -> Session:
        """A session of an engine with a dataset loaded."""
        if engine.one_after_the_other is None:
            return engine.open(dataset, bounds)
        if engine.name not in self._openers:
            self._openers[engine.name] = engine.one_after_the_other()
        return self._openers[engine.name](dataset, bounds)
