"""Holding a parsed document against a JSON Schema, every problem with its line, and the nearest known key."""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from psf_audit import schemas
from psf_audit.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from psf_audit.reading import Document

MAX_SHOWN = 60
_TYPE_NAMES = {
    "object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false", "null": "nothing",
}  # fmt: skip


def schema(name: str) -> dict[str, Any]:
    """The published JSON Schema of that name."""
    return schemas.load(name)


def problems(document: Document, json_schema: dict[str, Any], path: str) -> list[Problem]:
    """Every way in which a document does not fit a schema, in the order of the file."""
    from jsonschema import Draft202012Validator, TypeChecker, validators

    checker: TypeChecker = Draft202012Validator.TYPE_CHECKER.redefine(
        "number",
        lambda _, value: isinstance(value, (int, Decimal)) and not isinstance(value, bool),
    )
    validator = validators.extend(Draft202012Validator, type_checker=checker)(json_schema)  # type: ignore[no-untyped-call]
    found: list[Problem] = []
    for error in validator.iter_errors(document.value):
        for leaf in _leaves(error):
            found.extend(_problems(leaf, document, path))
    unique = {(problem.line, problem.column, problem.message): problem for problem in found}
    return sorted(unique.values(), key=lambda problem: (problem.line or 0, problem.column or 0, problem.message))


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The errors that say something: of an `anyOf`, those of the branch that came nearest."""
    if error.validator in {"anyOf", "oneOf"} and error.context:
        branches: dict[int, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(int(inner.schema_path[0]), []).append(inner)
        deepest = max(branches.values(), key=lambda inner: max(len(item.absolute_path) for item in inner))
        if max(len(item.absolute_path) for item in deepest) > len(error.absolute_path):
            for item in deepest:
                yield from _leaves(item)
            return
    yield error


def _problems(error: ValidationError, document: Document, path: str) -> Iterator[Problem]:
    """One problem, or one for each unknown key."""
    where = tuple(error.absolute_path)
    if error.validator in {"additionalProperties", "unevaluatedProperties"}:
        told = [((*where, key), *_unknown_key(error, key)) for key in _unknown_keys(error)]
    else:
        told = [(where, *_explain(error))]
    for place, message, hint in told:
        position = document.position(place)
        yield Problem(path, message, position.line, position.column, hint)


def _unknown_keys(error: ValidationError) -> list[str]:
    known = _subschema(error).get("properties", {})
    return [key for key in error.instance if key not in known]  # type: ignore[union-attr]


def _subschema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _explain(error: ValidationError) -> tuple[str, str | None]:
    """What is wrong, and what to do about it."""
    explain = _EXPLANATIONS.get(str(error.validator))
    if explain is None:
        return f"{_name(error)}: {error.message[:200]}", None
    return explain(error, error.validator_value)


def _name(error: ValidationError) -> str:
    last = error.absolute_path[-1] if error.absolute_path else "the document"
    return f"entry {last + 1}" if isinstance(last, int) else str(last)


def _unknown_key(error: ValidationError, unknown: str) -> tuple[str, str | None]:
    known = sorted(_subschema(error).get("properties", {}))
    nearest = get_close_matches(unknown, known, 1, 0.5)
    return f"unknown key {unknown!r}", f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(known)}"


def _missing_key(error: ValidationError, required: Any) -> tuple[str, str | None]:
    missing = sorted(key for key in required if key not in error.instance)  # type: ignore[operator]
    return f"{_name(error)} lacks {', '.join(missing)}", "add it"


def _wrong_type(error: ValidationError, expected: Any) -> tuple[str, str | None]:
    types = expected if isinstance(expected, list) else [expected]
    quoted = types == ["string"] and not isinstance(error.instance, (dict, list))
    hint = "put it in quotes" if quoted and error.instance is not None else None
    return f"{_name(error)} must be {' or '.join(_TYPE_NAMES[item] for item in types)}", hint


def _no_choice(error: ValidationError, choices: Any) -> tuple[str, str | None]:
    values = [str(value) for value in choices]
    nearest = get_close_matches(str(error.instance), values, 1, 0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(values)}"
    return f"{_name(error)} cannot be {_short(error.instance)}", hint


def _wrong_constant(error: ValidationError, expected: Any) -> tuple[str, str | None]:
    return f"{_name(error)} must be {expected!r}", None


def _wrong_form(error: ValidationError, form: Any) -> tuple[str, str | None]:
    hint = _subschema(error).get("description", "")
    if not hint.startswith("write "):
        dated = isinstance(form, str) and form.startswith(r"^\d{4}-")
        hint = "write a day as YYYY-MM-DD, or a time with its zone" if dated else None
    return f"{_name(error)} cannot be {_short(error.instance)}", hint


def _empty(error: ValidationError, _: Any) -> tuple[str, str | None]:
    return f"{_name(error)} must not be empty", None


def _out_of_range(error: ValidationError, bound: Any) -> tuple[str, str | None]:
    return f"{_name(error)} is out of range: {_short(error.instance)}", f"{error.validator} is {bound}"


_EXPLANATIONS: dict[str, Callable[[ValidationError, Any], tuple[str, str | None]]] = {
    "required": _missing_key,
    "type": _wrong_type,
    "enum": _no_choice,
    "const": _wrong_constant,
    "pattern": _wrong_form,
    "anyOf": _wrong_form,
    "oneOf": _wrong_form,
    "minItems": _empty,
    "minLength": _empty,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMinimum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
}


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
