"""A guardrail as replay tries it: rows of the evidence tables, what they count, what they stop, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psf_audit.replay.steps import Step

STOPS, REFUSES, TELLS = "stops", "refuses", "tells"
EVERYTHING = "*"

STOPPING = frozenset({"deny", "pause"})
_COUNTED = frozenset({"tokens", "requests", "actions"})
METERED = _COUNTED | {"usd"}
BEFORE_CALLS = frozenset({"action", "new_resource", "scope"})
_NOUNS = {
    "usd": "USD",
    "seconds": "running",
    "instances": "running at once",
    "repeats": "of the same call",
    "retries": "retries of a call",
}
_PLACES = {"account": "in all", "project": "in all", "agent": "an agent", "task": "a task", "key": "a key"}
_COUNTED_BY = {"agent": "actor", "key": "credential", "task": "root", "tool": "name"}
_MOST_KNOWN = 10_000
_TIMES = ((86_400, "day"), (3_600, "hour"), (60, "min"), (1, "second"))


@dataclass(frozen=True, eq=False)
class Guardrail:
    """One guardrail. `rows` are rows of `table`: several only for a list of what may be touched.

    `origin` is the flag, or where the row was found. `sweep` names the range of amounts that it was made from. `names`
    are the tools that it is for, where its row does not say it. `lists` are the lists of targets that a gate on what is
    out of scope goes by.
    """

    table: str
    rows: tuple[Mapping[str, Any], ...]
    origin: str
    sweep: str | None = None
    names: frozenset[str] | None = None
    lists: tuple[tuple[Mapping[str, Any], ...], ...] = ()

    @property
    def row(self) -> Mapping[str, Any]:
        """Its only row, or the first of its list."""
        return self.rows[0]

    @cached_property
    def measure(self) -> str:
        """What it goes by: a resource of `limits`, a trigger of `gates`, or `list`."""
        return str(self.row.get({"limits": "resource", "gates": "trigger"}.get(self.table, ""), "list"))

    @cached_property
    def effect(self) -> str:
        """Whether it stops its scope, refuses single calls, or only tells somebody."""
        if self.table == "boundaries":
            return REFUSES
        if self.table == "gates":
            # What goes on without an answer would have gone on: nobody was asked when the log was written.
            if self.row.get("effect") == "notify" or self.row.get("on_timeout") == "continue":
                return TELLS
            return REFUSES if self.row.get("effect") == "deny" and self.measure in BEFORE_CALLS else STOPS
        breach = self.row.get("on_breach") or "deny"
        refusing = {"deny", "throttle"} if self.measure in _COUNTED else {"deny"}
        if self.row.get("per_seconds") is not None and self.measure in METERED and breach in refusing:
            return REFUSES
        return STOPS if breach in STOPPING else TELLS

    @cached_property
    def asks(self) -> bool:
        """Whether a person lets go on what it stopped; a limit that denies has nobody to ask."""
        return self.effect == STOPS and (self.table == "gates" or self.row.get("on_breach") == "pause")

    @property
    def goes_by_lists(self) -> bool:
        """Whether it has to know what lists refuse."""
        return self.table == "boundaries" or self.measure == "scope"

    @cached_property
    def scope(self) -> str:
        """What it counts for: a scope of `limits`; gates count for each run."""
        if self.table == "limits":
            return self.row.get("scope") or "account"
        return "run" if self.table == "gates" else "account"

    @cached_property
    def is_for_all(self) -> bool:
        """Whether it counts all in one."""
        return self.scope in {"account", "project"}

    @cached_property
    def name_of(self) -> Callable[[Step], str | None]:
        """What says for whom it counts a step; None where the log does not say."""
        return _all if self.is_for_all else attrgetter(_COUNTED_BY.get(self.scope, self.scope))

    def covers(self, step: Step) -> bool:
        """Whether a step passes where it sits, and is one of the calls that it is for."""
        if self._covers_all:
            return True
        key = (step.name, step.via)
        found = self._covered.get(key)
        if found is None:
            if len(self._covered) >= _MOST_KNOWN:
                self._covered.clear()
            found = self._covered[key] = self._is_for(*key)
        return found

    @cached_property
    def _covered(self) -> dict[tuple[str | None, str | None], bool]:
        return {}

    @cached_property
    def _covers_all(self) -> bool:
        return self._via is None and self._like is None and self.names is None

    def _is_for(self, name: str | None, via: str | None) -> bool:
        if self._via is not None and self._via != via:
            return False
        if self.names is not None and name not in self.names:
            return False
        return self._like is None or (name is not None and self._like.matches(name))

    @cached_property
    def _via(self) -> str | None:
        via: str | None = self.row.get("via")
        return None if via == EVERYTHING else via

    @property
    def reaches_all(self) -> bool:
        """Whether a stop would hold any step."""
        return self.table == "gates" or self._covers_all

    def reaches(self, step: Step) -> bool:
        """Whether a stop would hold a step: a gate halts its whole run, a limit what passes through it."""
        return self.table == "gates" or self.covers(step)

    @cached_property
    def _like(self) -> Like | None:
        like = self.row.get("like") if self.table != "boundaries" else None
        return None if like is None else Like(like)

    @cached_property
    def words(self) -> str:
        """What it is, in the words of a report."""
        text = {"limits": _limit_words, "gates": _gate_words, "boundaries": _list_words}[self.table](self.rows)
        name = self.row.get("pattern") if self.table != "boundaries" else None
        via = self.row.get("via")
        where = "" if via in {None, EVERYTHING} else f" via {via}"
        named = f", {name}" if name not in {None, EVERYTHING} else ""
        return safe(one_line(f"{text}{named}{where}"), limit=200)

    @property
    def amount(self) -> Decimal | None:
        """The number in it."""
        found: Decimal | None = self.row.get("amount" if self.table == "limits" else "threshold")
        return found

    @property
    def known(self) -> Decimal:
        """The number in one that was found to have it."""
        return self.amount if self.amount is not None else Decimal(0)


def _all(_: Step) -> str:
    return EVERYTHING


class Like:
    """A LIKE pattern (ESCAPE '!'), matched in time that grows with text times pattern, whoever wrote the two."""

    def __init__(self, like: str) -> None:
        """Take the pattern apart: None is any text, an empty text any one character."""
        parts: list[str | None] = []
        escaped = False
        for character in like:
            if not escaped and character == "!":
                escaped = True
                continue
            parts.append(character if escaped or character not in "%_" else None if character == "%" else "")
            escaped = False
        self._parts = parts

    def matches(self, text: str) -> bool:
        """Whether it matches all of a text."""
        parts, at, back, kept = self._parts, 0, -1, 0
        index = 0
        while index < len(text):
            if at < len(parts) and parts[at] is None:
                back, kept, at = at, index, at + 1
            elif at < len(parts) and parts[at] in {"", text[index]}:
                at, index = at + 1, index + 1
            elif back >= 0:
                kept += 1
                at, index = back + 1, kept
            else:
                return False
        return all(part is None for part in parts[at:])


# -------------------------------------------------------------------------------------------------------------- words


def duration(seconds: Decimal | int) -> str:
    """Seconds as `30 min`, `2 hours`, `1 day`."""
    for size, name in _TIMES:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count != 1 and name != 'min' else ''}"
    return f"{number(seconds)} seconds"


def number(value: Decimal | int) -> str:
    """A number as people write it: no zeros after the point that say nothing."""
    text = f"{value:,f}" if not isinstance(value, int) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _limit_words(rows: tuple[Mapping[str, Any], ...]) -> str:
    row = rows[0]
    resource, amount = row["resource"], row.get("amount")
    scope, window = row.get("scope") or "account", row.get("per_seconds")
    place = _PLACES.get(scope, f"a {scope}")
    if amount is None:
        return f"{resource} {place}"
    if resource == "seconds":
        return f"{duration(amount)} {place}"
    noun = _NOUNS.get(resource, resource)
    per = "" if window is None else _window_words(window, sliding=not row.get("aligned"))
    lag = row.get("lag_seconds")
    return f"{number(amount)} {noun}{per} {place}{f', {duration(lag)} late' if lag else ''}"


def _window_words(window: int, *, sliding: bool) -> str:
    word = dict(_TIMES).get(window, "").replace("min", "minute")
    if sliding:
        return f" in any {word or duration(window)}"
    return f" {'an' if word == 'hour' else 'a'} {word}" if word else f" in {duration(window)}"


def _gate_words(rows: tuple[Mapping[str, Any], ...]) -> str:
    row = rows[0]
    trigger, threshold, unit = row["trigger"], row.get("threshold"), row.get("unit")
    if trigger == "interval" and threshold is not None:
        told = duration(threshold) if unit == "seconds" else f"{number(threshold)} actions"
        return f"{told} without a person"
    if trigger == "spend" and threshold is not None:
        return f"{number(threshold)} {'USD' if unit == 'usd' else unit} without a person"
    if unit == "targets" and threshold is not None:
        return f"{number(threshold)} targets without a person"
    return _GATES.get(trigger, f"{trigger} gate")


_GATES = {
    "action": "approval first",
    "new_resource": "approval first of what is new",
    "scope": "approval first outside the scope",
    "stop_request": "a request to stop",
}


def _list_words(rows: tuple[Mapping[str, Any], ...]) -> str:
    verb = "only" if any(row["effect"] != "deny" for row in rows) else "never"
    named = [row.get("pattern") or "" for row in rows if (row["effect"] == "deny") is (verb == "never")]
    more = f" and {len(named) - 2} more" if len(named) > 2 else ""  # noqa: PLR2004
    return f"{verb} the {rows[0]['dimension']}s {', '.join(named[:2])}{more}" if named != [""] else "everything"
