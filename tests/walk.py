"""Going through a frozen value."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import count
from typing import Any, TypeVar

T = TypeVar("T")

# The state of a waiver is one of four words, whoever wrote the manifest.
FIXED = frozenset({"state"})


def replace_texts(value: T, change: Callable[[str, int], str]) -> T:
    """The same value with `change(text, n)` in place of its n-th text; enumerations and dates stay."""
    return _replace(value, change, count())  # type: ignore[no-any-return]


def _replace(value: Any, change: Callable[[str, int], str], numbers: "Iterator[int]") -> Any:
    if type(value) is str:
        return change(value, next(numbers))
    if isinstance(value, tuple):
        return tuple(_replace(item, change, numbers) for item in value)
    if isinstance(value, dict):
        return {_replace(key, change, numbers): _replace(item, change, numbers) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changing = (field.name for field in fields(value) if field.name not in FIXED)
        return replace(value, **{name: _replace(getattr(value, name), change, numbers) for name in changing})
    return value
