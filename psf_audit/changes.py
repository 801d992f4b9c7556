"""What changed in what a deployment is made of, in words, and whether that makes it safer or riskier.

Pure. Rows are paired by what names them: the tool, the resource and scope of a limit, the trigger of a gate. A change
is riskier where the agent can reach, spend or do more, or less stops it; safer the other way round; everything whose
effect nobody can tell from the values, such as another prompt or model, is to be looked at.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING

from psf_audit.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from psf_audit.composition import Composition, Row

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Direction(StrEnum):
    """Which way a change goes; in the order in which reports list them."""

    RISKIER = "riskier"
    LOOK = "look"
    SAFER = "safer"

    @property
    def opposite(self) -> Direction:
        """The direction of the change undone."""
        return {Direction.RISKIER: Direction.SAFER, Direction.SAFER: Direction.RISKIER}.get(self, self)

    @property
    def label(self) -> str:
        """As a reader sees it."""
        return "to be looked at" if self is Direction.LOOK else self.value


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One change: the kind of thing (tool, limit, gate, scope ...), what happened to it, and which way it goes."""

    kind: str
    what: str
    direction: Direction


# ----------------------------------------------------------------------------------------------------- what is known

_MORE = {"less": Direction.SAFER, "more": Direction.RISKIER}
_LESS = {"less": Direction.RISKIER, "more": Direction.SAFER}


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Values in order, the one that binds most first; a value that is not among them is not ranked."""

    values: tuple[str, ...]

    def direction(self, was: str | None, now: str | None) -> Direction:
        known = {value: place for place, value in enumerate(self.values)}
        if was not in known or now not in known:
            return Direction.LOOK
        return Direction.RISKIER if known[now] > known[was] else Direction.SAFER


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number of which more is `more`; without one there is no bound, where `bounds` says so."""

    more: Direction
    bounds: bool = False

    def direction(self, was: str | None, now: str | None) -> Direction:
        before, after = _number(was), _number(now)
        if before is not None and after is not None:
            return self.more if after > before else self.more.opposite
        if self.bounds and before is None and after is not None:
            return self.more.opposite
        if self.bounds and before is not None and after is None:
            return self.more
        return Direction.LOOK


def _number(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None


_LAYERS = _Ranked(("infrastructure", "gateway", "harness", "agent", "prompt"))
_GRANTED = _Ranked(("no", "yes"))
_PROMISED = _Ranked(("yes", "no"))
_RISK_WITH_MORE = _Amount(Direction.RISKIER)
_BOUND = _Amount(Direction.RISKIER, bounds=True)
_ASSURED_WITH_MORE = _Amount(Direction.SAFER)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How rows of a table change: what names one, which way its coming goes, and what its other columns mean."""

    noun: str
    named_by: tuple[str, ...]
    new: Direction
    columns: Mapping[str, _Ranked | _Amount]
    words: Callable[[Row], str]


def _join(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _through(row: Row) -> str:
    return f"via {row['via']}" if row.get("via") else ""


def _capability(row: Row) -> str:
    return _join(row.get("name"), _through(row))


def _limit(row: Row) -> str:
    window = f"in {row['per_seconds']} s" if row.get("per_seconds") else ""
    scope = f"per {row['scope']}" if row.get("scope") else ""
    return _join(row.get("resource"), scope, window, row.get("pattern"), _through(row), _said(row))


def _gate(row: Row) -> str:
    return _join("on", row.get("trigger"), row.get("pattern"), _through(row), _said(row))


def _boundary(row: Row) -> str:
    pattern = row.get("pattern") or "all the rest"
    return _join(row.get("effect"), row.get("dimension"), pattern, _through(row), _said(row))


def _alert(row: Row) -> str:
    reader = row.get("recipient") or row.get("channel") or "nobody named"
    return _join("on", row.get("trigger"), "to", reader, _said(row))


def _log(row: Row) -> str:
    return _join("to", row.get("sink"), row.get("pattern"), _said(row))


def _credential(row: Row) -> str:
    return _join(row.get("subject"), f"of the {row['holder']}" if row.get("holder") else "", _said(row))


def _said(row: Row) -> str:
    """Guardrails are told apart by who says them: a claim that goes is not a control that goes."""
    return "(as claimed)" if row.get("basis") == "claim" else ""


_KINDS = {
    "capabilities": _Kind(
        "tool",
        ("name",),
        Direction.RISKIER,
        {
            "cost_usd": _RISK_WITH_MORE,
            "max_per_hour": _BOUND,
            "retries": _RISK_WITH_MORE,
            "reversible": _PROMISED,
        },
        _capability,
    ),
    "limits": _Kind(
        "limit",
        ("basis", "resource", "scope", "per_seconds", "pattern", "via"),
        Direction.SAFER,
        {
            "amount": _BOUND,
            "on_breach": _Ranked(("deny", "pause", "throttle", "alert", "log")),
            "layer": _LAYERS,
            "lag_seconds": _RISK_WITH_MORE,
        },
        _limit,
    ),
    "gates": _Kind(
        "gate",
        ("basis", "trigger", "unit", "pattern", "via"),
        Direction.SAFER,
        {
            "threshold": _BOUND,
            "effect": _Ranked(("deny", "interrupt", "ask", "notify")),
            "on_timeout": _Ranked(("halt", "unknown", "continue")),
            "layer": _LAYERS,
        },
        _gate,
    ),
    "boundaries": _Kind(
        "boundary", ("basis", "dimension", "effect", "pattern", "via"), Direction.SAFER, {"layer": _LAYERS}, _boundary
    ),
    "alerts": _Kind(
        "alert",
        ("basis", "trigger", "unit", "channel", "recipient"),
        Direction.SAFER,
        {"threshold": _BOUND, "ack_seconds": _BOUND},
        _alert,
    ),
    "logs": _Kind(
        "log",
        ("basis", "sink", "pattern", "via"),
        Direction.SAFER,
        {
            "append_only": _PROMISED,
            "hash_chained": _PROMISED,
            "off_host": _PROMISED,
            "retention_days": _ASSURED_WITH_MORE,
        },
        _log,
    ),
    "credentials": _Kind(
        "credential", ("basis", "subject", "holder", "via"), Direction.RISKIER, {"shared": _GRANTED}, _credential
    ),
}
# What a reader is told by other columns of the same row.
_UNTOLD = frozenset({"table", "basis", "like", "lo", "hi"})


# ----------------------------------------------------------------------------------------------------------- changes


def changes(old: Composition, new: Composition) -> tuple[Change, ...]:
    """Everything that differs between two compositions, the riskier first; each told once.

    Empty when they are equal. Rows that only one side keeps wholly are not compared: nothing is said to be gone because
    it was cut.
    """
    found = [*_models(old, new), *_prompts(old, new), *_purpose(old, new), *_scope(old, new)]
    if old.complete and new.complete:
        found += _rows(old.rows, new.rows)
    elif old.rows != new.rows:
        found.append(Change("configuration", "more rows than are kept: what differs cannot be told", Direction.LOOK))
    return tuple(sorted(set(found), key=lambda change: (list(Direction).index(change.direction), change)))


def _models(old: Composition, new: Composition) -> Iterator[Change]:
    was, now = ({_join(row.get("name"), _through(row)) for row in one.models} for one in (old, new))
    for name in now - was:
        yield Change("model", f"new model {name}", Direction.LOOK)
    for name in was - now:
        yield Change("model", f"model {name} is gone", Direction.LOOK)


def _prompts(old: Composition, new: Composition) -> Iterator[Change]:
    for path in old.prompts.keys() | new.prompts.keys():
        was, now = old.prompts.get(path), new.prompts.get(path)
        if was != now:
            what = "is new" if was is None else "is gone" if now is None else "has other text"
            yield Change("prompt", f"prompt {path} {what}", Direction.LOOK)


def _purpose(old: Composition, new: Composition) -> Iterator[Change]:
    if old.objective != new.objective:
        what = f"objective: {_quoted(new.objective)}, before {_quoted(old.objective)}"
        yield Change("objective", what, Direction.LOOK)
    for name in sorted(old.completion.keys() | new.completion.keys()):
        was, now = old.completion.get(name), new.completion.get(name)
        if was != now:
            lost, come = now is None, was is None
            direction = Direction.RISKIER if lost else Direction.SAFER if come else Direction.LOOK
            yield Change("completion", f"{name.replace('_', ' ')}: {_quoted(now)}, before {_quoted(was)}", direction)


def _quoted(text: str | None) -> str:
    return "none" if text is None else f'"{one_line(text)}"'


def names_changed(was: Collection[str], now: Collection[str]) -> tuple[Change, ...]:
    """The same from the names of the tools alone, which is all that assessments of earlier versions keep."""
    come = (Change("tool", f"new tool {name}", Direction.RISKIER) for name in sorted(set(now) - set(was)))
    gone = (Change("tool", f"tool {name} is gone", Direction.SAFER) for name in sorted(set(was) - set(now)))
    return (*come, *gone)


# -------------------------------------------------------------------------------------------------------------- scope


def _scope(old: Composition, new: Composition) -> Iterator[Change]:
    yield from _targets(set(old.targets), set(new.targets))
    for name in sorted(old.scope.keys() | new.scope.keys()):
        was, now = old.scope.get(name), new.scope.get(name)
        if was != now:
            what = f"{name.replace('_', ' ')} {now or 'not said'}, before {was or 'not said'}"
            yield Change("scope", what, _BOUND.direction(was, now))


def _targets(was: set[str], now: set[str]) -> Iterator[Change]:
    """Targets that came and went; of two networks that hold one another, that the one became the other."""
    gone, come = was - now, now - was
    for wide, narrow in _nested(come, gone):
        come, gone = come - {wide}, gone - {narrow}
        yield Change("scope", f"targets widened from {narrow} to {wide}", Direction.RISKIER)
    for wide, narrow in _nested(gone, come):
        gone, come = gone - {wide}, come - {narrow}
        yield Change("scope", f"targets narrowed from {wide} to {narrow}", Direction.SAFER)
    for name in come:
        yield Change("scope", f"new target {name}", Direction.RISKIER)
    for name in gone:
        yield Change("scope", f"target {name} is gone", Direction.SAFER)


def _nested(wide: Iterable[str], narrow: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of which the first holds the second, each taken once."""
    left = sorted(narrow)
    for outer in sorted(wide):
        inner = next((name for name in left if _holds(outer, name)), None)
        if inner is not None:
            left.remove(inner)
            yield outer, inner


def _holds(outer: str, inner: str) -> bool:
    one, other = _network(outer), _network(inner)
    if one is None or other is None:
        return outer.startswith("*.") and inner.endswith(outer[1:]) and inner != outer
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one != other and other.subnet_of(one)
    return isinstance(other, ipaddress.IPv6Network) and one != other and other.subnet_of(one)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


# --------------------------------------------------------------------------------------------------------------- rows


def _rows(old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    for table, kind in _KINDS.items():
        before, after = _named(old, table, kind), _named(new, table, kind)
        for name in before.keys() | after.keys():
            yield from _paired(kind, before.get(name, []), after.get(name, []))


def _named(rows: Sequence[Row], table: str, kind: _Kind) -> dict[tuple[str | None, ...], list[Row]]:
    found: dict[tuple[str | None, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("table") == table:
            found[tuple(row.get(column) for column in kind.named_by)].append(row)
    return found


def _paired(kind: _Kind, old: list[Row], new: list[Row]) -> Iterator[Change]:
    """Equal rows pair; of the others under one name, the first with the first."""
    was = [row for row in old if row not in new]
    now = [row for row in new if row not in old]
    if "basis" not in kind.named_by and old and new:
        was, now = _by_basis(was), _by_basis(now)
    for before, after in zip_longest(was, now):
        if before is None:
            if not old or kind.noun != "tool":
                yield _came(kind, after)
        elif after is None:
            if not new or kind.noun != "tool":
                yield _went(kind, before)
        else:
            yield from _differences(kind, before, after)


def _by_basis(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.get("basis", ""))


def _came(kind: _Kind, row: Row) -> Change:
    return Change(_noun(kind, row), f"new {_called(kind, row)}", _effect(kind, row))


def _went(kind: _Kind, row: Row) -> Change:
    return Change(_noun(kind, row), f"{_called(kind, row)} is gone", _effect(kind, row).opposite)


def _called(kind: _Kind, row: Row) -> str:
    return f"{_noun(kind, row)} {kind.words(row)}{_value(row)}"


def _noun(kind: _Kind, row: Row) -> str:
    """A capability is called what it is: tool, api, model, network ..."""
    return row.get("kind", kind.noun) if kind.noun == "tool" else kind.noun


def _effect(kind: _Kind, row: Row) -> Direction:
    """Which way the coming of a row goes; what is allowed is reached, unlike what is denied or asked for."""
    if row.get("kind") == "model":
        return Direction.LOOK
    return Direction.RISKIER if kind.noun == "boundary" and row.get("effect") == "allow" else kind.new


def _value(row: Row) -> str:
    amount = row.get("amount") or row.get("threshold")
    unit = row.get("unit") or row.get("resource") or ""
    return f" of {_join(amount, unit)}" if amount else ""


def _differences(kind: _Kind, old: Row, new: Row) -> Iterator[Change]:
    for column in sorted((old.keys() | new.keys()) - _UNTOLD - set(kind.named_by)):
        was, now = old.get(column), new.get(column)
        if was != now:
            rule = kind.columns.get(column)
            direction = Direction.LOOK if rule is None else rule.direction(was, now)
            label = column.replace("_", " ")
            what = f"{_noun(kind, new)} {kind.words(new)}: {label} {now or 'not said'}, before {was or 'not said'}"
            yield Change(_noun(kind, new), what, direction)
