"""The rows that people write by hand: guardrails in a manifest and in a guardrail file, with the columns of the tables.

A row's keys are the columns of its table, but for what reads better written otherwise: `patterns` (a list) for `like`,
`lo` and `hi`, `name` for the subject of a credential, `issued` and `expires` (a date, or a time with zone) for their
milliseconds, `default` for `is_default`. The JSON Schema, the check and the translation of a row all come from
`facts/tables.py`, so that they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from psf_audit.facts.tables import TABLES, Column, ColumnType
from psf_audit.values import amount, midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Value = str | int | Decimal | bool | None

# What a row cannot do without, by table. Anything else may be absent: then it is not known, and nothing rests on it.
ROW_KEYS: dict[str, tuple[str, ...]] = {
    "limits": ("resource", "amount"),
    "gates": ("trigger", "effect"),
    "boundaries": ("dimension", "effect"),
    "alerts": ("trigger",),
    "logs": ("sink",),
    "credentials": ("name",),
}

_WRITTEN_AS = {
    "subject": "name",
    "issued_ms": "issued",
    "expires_ms": "expires",
    "is_default": "default",
    "pattern": "patterns",
}
_TRANSLATED = frozenset({"like", "lo", "hi"})
_LISTS = frozenset({"approvers", "shown", "recipient", "channel", "scope"})
_LARGEST = 10**9
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?\Z")
_YEARS = range(2000, 2100)


class Shape(Enum):
    """What may stand as the value of a key; each with the words an error uses."""

    CHOICE = "one of"
    TEXT = "text"
    TEXTS = "text or a list of texts"
    PATTERNS = "a list of texts"
    NUMBER = "a number from 0 to below 1000000000"
    WHOLE = "a whole number from 0"
    FLAG = "true or false"
    TIME = "a date or a time with zone, in the years 2000 to 2099"


@dataclass(frozen=True, slots=True)
class RowKey:
    """One key of a hand-written row, with the column it fills."""

    name: str
    column: str
    shape: Shape
    meaning: str
    choices: tuple[str, ...] = ()


@cache
def row_keys(table: str) -> dict[str, RowKey]:
    """The keys of a row of the table, by name.

    Raises:
        KeyError: rows of the table are not written by hand.
    """
    if table not in ROW_KEYS:
        raise KeyError(table)
    keys = (_row_key(column) for column in TABLES[table].own if column.name not in _TRANSLATED)
    return {key.name: key for key in keys}


def input_schema(table: str) -> dict[str, Any]:
    """The JSON Schema of one hand-written row of the table."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(ROW_KEYS[table]),
        "properties": {
            name: {**_schema(key), "description": key.meaning[:1].upper() + key.meaning[1:]}
            for name, key in row_keys(table).items()
        },
    }


def row_problems(table: str, row: object) -> Iterator[tuple[str | None, str]]:
    """Everything that is wrong with a row: the key it is about (None: the row itself), and what to do about it."""
    if not isinstance(row, dict):
        yield None, f"must be a mapping with the keys of {table}"
        return
    keys = row_keys(table)
    for name, value in row.items():
        key = keys.get(name)
        if key is None:
            yield name, f"is not a key of {table}{nearest(name, keys)}"
        elif not _fits(key, value):
            yield name, _expected(key, value)
    for name in ROW_KEYS[table]:
        if name not in row:
            yield None, f"lacks the key `{name}`"


def row_facts(table: str, row: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> list[dict[str, Value]]:
    """The values of the facts that a row without problems makes: one for each of its patterns, one if it has none.

    `defaults` (`via`, `layer`) fill what the row leaves out, where the table has such a column.
    """
    keys = row_keys(table)
    written = {**{name: value for name, value in (defaults or {}).items() if name in keys}, **row}
    values = {keys[name].column: _value(keys[name], value) for name, value in written.items() if name != "patterns"}
    patterns = written.get("patterns") or []
    return [{**values, "pattern": pattern} for pattern in patterns] or [values]


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known name nearest to one that is not, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _row_key(column: Column) -> RowKey:
    name = column.name
    meaning = column.meaning.removesuffix(", milliseconds UTC").replace(", as written", "")
    if column.choices:
        shape = Shape.CHOICE
    elif name == "pattern":
        shape = Shape.PATTERNS
    elif name.endswith("_ms"):
        shape = Shape.TIME
    elif column.type is ColumnType.TEXT:
        shape = Shape.TEXTS if name in _LISTS else Shape.TEXT
        meaning = meaning.replace(", comma separated", "")
    else:
        shape = {
            ColumnType.DECIMAL: Shape.NUMBER,
            ColumnType.INTEGER: Shape.WHOLE,
            ColumnType.BOOLEAN: Shape.FLAG,
        }[column.type]
    return RowKey(_WRITTEN_AS.get(name, name), name, shape, meaning, column.choices)


def _schema(key: RowKey) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    schemas: dict[Shape, dict[str, Any]] = {
        Shape.CHOICE: {"enum": list(key.choices)},
        Shape.TEXT: text,
        Shape.TEXTS: {"anyOf": [text, {"type": "array", "minItems": 1, "items": text}]},
        Shape.PATTERNS: {"type": "array", "minItems": 1, "items": text},
        Shape.NUMBER: {"type": "number", "minimum": 0, "exclusiveMaximum": _LARGEST},
        Shape.WHOLE: {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63},
        Shape.FLAG: {"type": "boolean"},
        Shape.TIME: {"type": "string", "pattern": "^" + _TIME.pattern.replace(r"\Z", "$")},
    }
    return schemas[key.shape]


def _fits(key: RowKey, value: object) -> bool:
    return value in key.choices if key.shape is Shape.CHOICE else _FITS[key.shape](value)


def _is_number(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and 0 <= value < _LARGEST
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_text(item) for item in value)


def _expected(key: RowKey, value: object) -> str:
    if key.shape is not Shape.CHOICE:
        return f"must be {key.shape.value}"
    close = nearest(value, key.choices) if isinstance(value, str) else ""
    return f"must be one of {', '.join(key.choices)}{close}"


def _value(key: RowKey, value: Any) -> Value:
    match key.shape:
        case Shape.TEXTS if isinstance(value, list):
            return ", ".join(value)
        case Shape.NUMBER:
            return amount(value)
        case Shape.TIME:
            return _moment(value)
        case _:
            checked: Value = value
            return checked


def _moment(value: str) -> int | None:
    """Milliseconds UTC of a date (its first moment) or a time with zone; None when it is neither, or out of range."""
    return midnight(value) if _TIME.match(value) and int(value[:4]) in _YEARS else None


_FITS: dict[Shape, Callable[[object], bool]] = {
    Shape.TEXT: _is_text,
    Shape.TEXTS: lambda value: _is_text(value) or _are_texts(value),
    Shape.PATTERNS: _are_texts,
    Shape.NUMBER: _is_number,
    Shape.WHOLE: _is_whole,
    Shape.FLAG: lambda value: isinstance(value, bool),
    Shape.TIME: lambda value: isinstance(value, str) and _moment(value) is not None,
}
