"""Finding the plugins of a package: every module that exports one value of the plugin's type.

No list of plugins is kept anywhere: a file in `evidence/`, `report/` or `engine/` is a plugin because it ends in one
module-level value of the right type.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any, Protocol, TypeVar


class Named(Protocol):
    """Anything with a name that its users type."""

    @property
    def name(self) -> str:
        """Kebab-case, unique within its package."""


P = TypeVar("P", bound=Named)


def names(package: str) -> tuple[str, ...]:
    """The names of the plugins of a package, sorted, by those of their modules: nothing is imported but the package.

    A module is named as its plugin, with `_report` behind it where the standard library has a module of that name.
    """
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return tuple(sorted(info.name.removesuffix("_report").replace("_", "-") for info in found))


def discover(package: str, kind: type[P]) -> dict[str, P]:
    """Every plugin of a package by name, sorted by name.

    Raises:
        TypeError: a module exports none or several values of the kind, or two plugins share a name.
    """
    return dict(_discover(package, kind))


@cache
def _discover(package: str, kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        exported = [value for value in vars(module).values() if isinstance(value, kind)]
        if len(exported) != 1:
            message = f"{module.__name__} must export exactly one {kind.__name__}, it exports {len(exported)}"
            raise TypeError(message)
        if exported[0].name in found:
            message = f"{module.__name__}: the name {exported[0].name!r} is taken"
            raise TypeError(message)
        found[exported[0].name] = exported[0]
    return tuple(sorted(found.items()))
