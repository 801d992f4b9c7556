"""The views over the evidence tables, read from `views.sql`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class View:
    """One view: `kept` ones are computed once and stored, the others are expanded where they are used."""

    name: str
    meaning: str
    kept: bool
    sql: str


@cache
def views() -> tuple[View, ...]:
    """Every view in the order in which they build on each other."""
    text = files("psf_audit.facts").joinpath("views.sql").read_text(encoding="utf-8")
    return tuple(_view(block) for block in text.split("-- view: ")[1:])


def _view(block: str) -> View:
    name, _, rest = block.partition("\n")
    notes = [line.removeprefix("-- ") for line in rest.splitlines() if line.startswith("-- ")]
    sql = "\n".join(line for line in rest.splitlines() if not line.startswith("--"))
    meaning = next(note.removeprefix("meaning: ") for note in notes if note.startswith("meaning: "))
    return View(name.strip(), meaning, "kept" in notes, sql.strip().removesuffix(";"))
