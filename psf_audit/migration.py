"""What became of the controls of a rubric from one of its versions to a later one (pure).

A control can be renamed, split into several, merged with others or removed. The newer rubric file says so; whoever
compares two versions, or reads evidence that names an old id, asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Migration:
    """What became of one control in version `since`: the ids that ask now what it asked; none if nothing does."""

    since: str
    control: str
    to: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a control of an older version went: ids of the newer one, and why, one sentence a step."""

    to: tuple[str, ...]
    why: tuple[str, ...]


def version_key(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 1.10.0 comes after 1.2.0; of a stored file, which may say anything, what is one."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def between(migrations: Iterable[Migration], old: str, new: str) -> dict[str, Moved]:
    """Where controls of version `old` went until version `new`: old id to new ids. Ids that stayed are left out.

    The migrations are those of the newer rubric. Without an earlier `old` nothing moved.
    """
    passed = [one for one in migrations if version_key(old) < version_key(one.since) <= version_key(new)]
    moved: dict[str, Moved] = {}
    born: set[str] = set()
    for step in sorted(passed, key=lambda one: version_key(one.since)):
        for name, so_far in moved.items():
            if step.control in so_far.to:
                ids = [to for one in so_far.to for to in (step.to if one == step.control else (one,))]
                moved[name] = Moved(tuple(dict.fromkeys(ids)), (*so_far.why, step.why))
        if step.control not in moved and step.control not in born:
            moved[step.control] = Moved(step.to, (step.why,))
        born |= {*step.to} - moved.keys()
    return moved


def kind(control: str, moved: Moved, everywhere: Iterable[Moved] = ()) -> str:
    """What happened to a control in a word: removed, split, renamed, or merged with others of `everywhere`."""
    if not moved.to:
        return "removed"
    if len(moved.to) > 1:
        return "split"
    shared = sum(moved.to[0] in other.to for other in everywhere) > 1
    return "merged" if shared or control in moved.to else "renamed"
