"""Guardrails as flags say them, made into rows of the same tables that manifests and configuration fill.

    --limit AMOUNT UNIT [/SCOPE] [/WINDOW] [,OPTION]...    100usd/session  500usd/account/day,lag=8h  1repeats/run
    --rate  AMOUNT [UNIT] /WINDOW [/SCOPE] [,OPTION]...    60/min  20actions/h/tool  60/min,window=sliding
    --gate  AMOUNT UNIT [,OPTION]...                       30m  50usd  25actions  stop-request  tool=site.publish
    --allow [DIMENSION=]PATTERN[,PATTERN]...               forge.*,irc.join  target=172.20.0.0/14

AMOUNT may be a range, `10..1000`: the guardrail is then tried at both ends and at every 1, 2 and 5 of each power of ten
between them. A flag means what it says or is refused: nothing in it is skipped or guessed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.errors import ConfigurationError
from psf_audit.facts import store
from psf_audit.facts.rows import nearest
from psf_audit.facts.tables import TABLES
from psf_audit.replay.guardrails import Guardrail

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FLAGS = ("--limit", "--rate", "--gate", "--allow", "--deny")
MOST_IN_A_RANGE = 40

_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_WORD = re.compile(r"[A-Za-z]+")
_TIMES = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
_SHOWN_TIMES = ("s", "min", "h", "d")
_RESOURCES = ("usd", "tokens", "requests", "actions", "repeats", "retries", "depth", "fanout", "instances")
_RATED = ("requests", "actions", "tokens", "usd")
_SCOPES = tuple(scope for scope in TABLES["limits"].column("scope").choices if scope != "project")
_BREACHES = TABLES["limits"].column("on_breach").choices
_DIMENSIONS = ("tool", "target")
# A window of a day is a day in UTC; one that slides is the last twenty-four hours.
_WINDOWS = {"fixed": True, "sliding": False}
_DIGITS = 9
_LARGEST = Decimal(10) ** _DIGITS


class _Flag:
    """One flag and how far it has been read; every error names it, the position and what to write."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.at = name, text, 0

    def error(self, what: str, hint: str, at: int | None = None) -> ConfigurationError:
        place = (self.at if at is None else at) + 1
        return ConfigurationError(f"{self.name} {self.text!r}, character {place}: {what}", hint=f"write {hint}")

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def skip(self, text: str) -> bool:
        if not self.rest.startswith(text):
            return False
        self.at += len(text)
        return True

    def amounts(self, example: str) -> list[Decimal]:
        """An amount, or the amounts of a range."""
        start = self.at
        low = self._number(example)
        if not self.skip(".."):
            return [low]
        high = self._number(f"the upper end of the range, as in {example}")
        if low <= 0 or high <= low:
            raise self.error("a range goes from an amount above 0 to a larger one", "for example 10..1000", start)
        steps = series(low, high)
        if len(steps) > MOST_IN_A_RANGE:
            raise self.error(f"the range has {len(steps)} steps", f"a range of at most {MOST_IN_A_RANGE}", start)
        return steps

    def _number(self, example: str) -> Decimal:
        found = self.take(_NUMBER)
        if found is None:
            raise self.error("a number is expected", example)
        digits, _, decimals = found.partition(".")
        start = self.at - len(found)
        if len(digits.lstrip("0")) > _DIGITS:
            raise self.error("the amount is too large", "less than a billion", start)
        if len(decimals) > _DIGITS:
            raise self.error("the amount is too fine", f"at most {_DIGITS} decimals", start)
        return Decimal(found)

    def word(self, known: Iterable[str], what: str) -> str:
        """One of the words that may stand here."""
        choices = tuple(known)
        shown = [choice for choice in choices if choice not in _TIMES or choice in _SHOWN_TIMES]
        start = self.at
        found = self.take(_WORD)
        if found is None:
            raise self.error(f"{what}: nothing stands here", f"one of {', '.join(shown)}")
        if found not in choices:
            raise self.error(f"{found!r} is no {what}{nearest(found, choices)}", f"one of {', '.join(shown)}", start)
        return found

    def time(self, what: str) -> int:
        """A length of time: `15m`, or the name of one unit, `min`."""
        start = self.at
        count = self._number(what) if _NUMBER.match(self.text, start) else Decimal(1)
        found = self.take(_WORD)
        if found not in _TIMES:
            raise self.error(
                f"{what}: {self.text[start:]!r} is no length of time", "a number and s, min, h or d: 15m", start
            )
        seconds = count * _TIMES[found]
        if seconds != seconds.to_integral_value() or seconds < 1:
            raise self.error(f"{what} is not whole seconds", "at least 1s", start)
        return int(seconds)

    def end(self) -> None:
        if self.rest:
            raise self.error(f"{self.rest!r} is left over", "nothing after it, or a comma and lag=, via=, tool= or on=")


def series(low: Decimal, high: Decimal) -> list[Decimal]:
    """Both ends, and the 1, 2 and 5 of every power of ten between them."""
    steps = {low, high}
    power = Decimal(1).scaleb(low.adjusted())
    while power < high:
        steps |= {power * factor for factor in (1, 2, 5) if low < power * factor < high}
        power *= 10
    return sorted(steps)


def guardrails(flags: Sequence[tuple[str, str]]) -> list[Guardrail]:
    """The guardrails that flags name, each a pair of flag and value; all `--allow` and `--deny` of a kind are one list.

    Raises:
        ConfigurationError: a flag does not say what it must; with the flag, the position and what to write.
    """
    found: list[Guardrail] = []
    lists: dict[str, list[dict[str, Any]]] = {}
    origins: dict[str, list[str]] = {}
    for name, text in flags:
        flag = _Flag(name, text)
        if name in {"--allow", "--deny"}:
            dimension, rows = _listed(flag)
            lists.setdefault(dimension, []).extend(rows)
            origins.setdefault(dimension, []).append(f"{name} {text}")
            continue
        table, rows = {"--limit": _limit, "--rate": _rate, "--gate": _gate}[name](flag)
        sweep = f"{name} {text}" if len(rows) > 1 else None
        found += [Guardrail(table, (row,), f"{name} {text}", sweep) for row in rows]
    return found + [
        Guardrail("boundaries", tuple(rows), " ".join(origins[dimension])) for dimension, rows in lists.items()
    ]


def _limit(flag: _Flag) -> tuple[str, list[dict[str, Any]]]:
    amounts = flag.amounts("an amount and a unit, such as 100usd/session")
    unit = flag.word((*_RESOURCES, *_TIMES), "unit")
    if unit in _TIMES:
        amounts = [amount * _TIMES[unit] for amount in amounts]
        unit = "seconds"
    values = _segments(flag, unit)
    values |= _options(flag, ("lag", "via", "tool", "on", *_window_option(values)))
    return "limits", _rows(flag, "limits", "amount", amounts, {"resource": unit, "on_breach": "pause", **values})


def _rate(flag: _Flag) -> tuple[str, list[dict[str, Any]]]:
    amounts = flag.amounts("a number of calls and a window, such as 60/min")
    unit = "requests" if flag.rest.startswith("/") else flag.word(_RATED, "unit")
    start = flag.at
    values = _segments(flag, unit)
    if "per_seconds" not in values:
        raise flag.error("the window is missing", "it after a slash, such as 60/min", start)
    values |= _options(flag, ("lag", "via", "tool", "on", *_window_option(values)))
    return "limits", _rows(flag, "limits", "amount", amounts, {"resource": unit, "on_breach": "deny", **values})


def _gate(flag: _Flag) -> tuple[str, list[dict[str, Any]]]:
    values: dict[str, Any] = {"effect": "interrupt", "on_timeout": "halt"}
    if flag.rest == "stop-request":
        return "gates", [store.typed("gates", {**values, "trigger": "stop_request"})]
    if flag.skip("tool="):
        pattern = flag.rest
        if not pattern or "," in pattern:
            raise flag.error("one pattern is expected", "for example tool=site.*, and a gate for each pattern")
        return "gates", [store.typed("gates", {**values, "trigger": "action", "pattern": pattern})]
    amounts = flag.amounts("30m, 50usd, 25actions, stop-request or tool=PATTERN")
    unit = flag.word(("usd", "actions", *_TIMES), "unit")
    if unit in _TIMES:
        amounts = [amount * _TIMES[unit] for amount in amounts]
        unit = "seconds"
    if any(amount <= 0 for amount in amounts):
        raise flag.error("a gate at 0 would never let anything begin", "more than 0", 0)
    values |= {"trigger": "spend" if unit == "usd" else "interval", "unit": unit, **_options(flag, ("via", "tool"))}
    return "gates", _rows(flag, "gates", "threshold", amounts, values)


def _listed(flag: _Flag) -> tuple[str, list[dict[str, Any]]]:
    dimension = next((name for name in _DIMENSIONS if flag.skip(f"{name}=")), "tool")
    effect = "deny" if flag.name == "--deny" else "allow"
    rows = []
    for pattern in flag.rest.split(","):
        if not pattern.strip():
            raise flag.error("a pattern is expected", "for example forge.*,irc.join or target=172.20.0.0/14")
        if "=" in pattern:
            raise flag.error(f"{pattern!r} is no pattern", "tool= or target= once, at the beginning")
        rows.append(store.typed("boundaries", {"dimension": dimension, "effect": effect, "pattern": pattern.strip()}))
        flag.at += len(pattern) + 1
    return dimension, rows


def _segments(flag: _Flag, unit: str) -> dict[str, Any]:
    """What stands after slashes: for whom it counts, and over which window, in either order."""
    values: dict[str, Any] = {}
    while flag.skip("/"):
        start = flag.at
        key = "scope" if _WORD.match(flag.text, flag.at) and not _is_time(flag) else "per_seconds"
        if key in values:
            raise flag.error(f"a second {'scope' if key == 'scope' else 'window'}", "each of the two once", start)
        values[key] = flag.word(_SCOPES, "scope or window") if key == "scope" else flag.time("window")
    if "per_seconds" in values and unit not in _RATED:
        raise flag.error(f"{unit} are not counted in windows", "the limit without one", 0)
    return {"scope": "account", **values} | ({"aligned": True} if "per_seconds" in values else {})


def _window_option(values: dict[str, Any]) -> tuple[str, ...]:
    return ("window",) if "per_seconds" in values else ()


def _is_time(flag: _Flag) -> bool:
    found = _WORD.match(flag.text, flag.at)
    return found is not None and found[0] in _TIMES


def _options(flag: _Flag, known: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    while flag.skip(","):
        start = flag.at
        key = flag.word(known, "option")
        if key in values:
            raise flag.error(f"{key} twice", "it once", start)
        if not flag.skip("="):
            raise flag.error("= is expected", f"{key}= and its value")
        if key == "lag":
            values[key] = flag.time("lag")
        elif key == "on":
            values[key] = flag.word(_BREACHES, "effect")
        elif key == "window":
            values[key] = _WINDOWS[flag.word(_WINDOWS, "window")]
        else:
            start = flag.at
            values[key] = flag.take(re.compile(r"[^,]+"))
            if values[key] is None:
                raise flag.error("a name is expected", f"{key}= and a name", start)
    flag.end()
    columns = {"lag": "lag_seconds", "on": "on_breach", "tool": "pattern", "via": "via", "window": "aligned"}
    return {columns[key]: value for key, value in values.items()}


def _rows(
    flag: _Flag, table: str, column: str, amounts: Sequence[Decimal], values: dict[str, Any]
) -> list[dict[str, Any]]:
    if any(amount >= _LARGEST for amount in amounts):
        raise flag.error("the amount is too large", "less than a billion", 0)
    return [store.typed(table, {**values, column: amount}) for amount in amounts]
