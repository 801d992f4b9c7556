"""The published JSON Schemas, by name.

They are kept as YAML beside this file. Where a schema says `$rows: limits`, the rows of that evidence table stand, as
people write them by hand, and where it says `$choices: events.kind`, the values of that column: those parts are
generated, so that a schema never disagrees with the tables. Where it says `$part: rubric/properties/controls`, that
part of another schema stands.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from psf_audit.facts.rows import input_schema
from psf_audit.facts.tables import TABLES
from psf_audit.reading import parse_yaml

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def names() -> tuple[str, ...]:
    """The names of all published schemas."""
    found = (entry.name for entry in files("psf_audit.schemas").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def load(name: str) -> dict[str, Any]:
    """The schema of that name, complete.

    Raises:
        KeyError: there is no such schema.
    """
    if name not in names():
        raise KeyError(name)
    text = files("psf_audit.schemas").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    schema = _complete(parse_yaml(text).value)
    return {"$schema": DIALECT, "title": f"psf-audit {name}", **schema}


def _complete(value: Any) -> Any:
    if isinstance(value, dict):
        if "$rows" in value:
            return input_schema(value["$rows"])
        if "$choices" in value:
            table, _, column = value["$choices"].partition(".")
            return {"enum": list(TABLES[table].column(column).choices)}
        if "$part" in value:
            name, *keys = value["$part"].split("/")
            part: Any = load(name)
            for key in keys:
                part = part[key]
            return part
        return {key: _complete(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_complete(item) for item in value]
    return value
