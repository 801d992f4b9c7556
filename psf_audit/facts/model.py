"""What a reader of evidence gives: facts, what it could not read, and what the file says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal


# The suite of results that say what somebody found who looked at evidence by hand: such a look is no test.
SPOT_CHECK = "spot check"


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of an evidence table, as read.

    `values` are columns of the table. Instead of `like`, `lo` and `hi` a reader gives `pattern` (a glob, an address, a
    network or a host pattern): it is translated when the fact is stored. Times are milliseconds UTC. `on` is the day
    the fact itself speaks of, where the file dates its rows; `release` likewise.
    """

    table: str
    pointer: str
    values: Mapping[str, str | int | Decimal | bool | None]
    basis: str = "config"
    on: date | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is known not to be known.

    `facts` is a table or `table.column` (None: it could be any that the format speaks of); `kind` is unreadable, lossy,
    not_supplied or excerpt. `kinds` are those that the lacking rows can be of (none: of any), by the column in `KINDS`.
    """

    kind: str
    what: str
    facts: str | None = None
    pointer: str = ""
    control: str | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a file, or part of it, is no evidence at all: shown in the evidence register, it changes no status."""

    what: str


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of itself; it outranks what the manifest says of the file."""

    collected: date | None = None
    release: str | None = None
    produced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A running component read the configuration file with this SHA-256."""

    sha256: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the action log; `values` are columns of `events` but ref, source, ord and the digests computed."""

    row: int
    pointer: str
    values: Mapping[str, str | int | Decimal | None]


@dataclass(frozen=True, slots=True)
class Carries:
    """The event columns that this log records at all, whether or not a row fills them."""

    columns: frozenset[str] = field(default_factory=frozenset)


Item = Fact | Gap | Remark | Stated | Loaded | Event | Carries
