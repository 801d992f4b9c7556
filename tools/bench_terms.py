"""What follows from the terms of the generated log, for those that check it without psf-audit.

Only small things are decided here, once for each distinct value: which ceilings bind a call, what may be touched, what
is wrong with an approval. What it takes to come from millions of lines to these is left to each of them.
"""

import ipaddress
import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.planted import terms
from tests.planted.terms import Limit, Terms

NANO = 10**9
GRACE_SECONDS = 60
UNATTENDED_SECONDS = 7_200
STOP_MS = 60_000
HASTY_MS = 5_000
CLOCK_MS = 1_000
MOST_REPEATS, MOST_REPEATS_UNHEARD, MOST_CREATED_UNHEARD = 50, 20, 5
TASK_USD = 100
ALERT_GRACE_MS, ALERT_MS = 300_000, 86_400_000
FREE_NAMES = terms.FREE
# What names of tools mean: a loop without an alert matters where the tool costs or changes something.
_FREE_READS = terms.FREE - terms.CHANGING


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A ceiling as it is counted, in nano-dollars, tokens or calls.

    `key` is the column that says whose it is, or None where all share one. `reach` is what has to be spent in a bucket
    of the clock to be past it: an unaligned window can touch two buckets, so only twice its amount proves a break.
    """

    number: int
    limit: Limit
    key: str | None
    amount: int
    factor: int
    reach: int
    lag_minutes: int

    def exceeds(self, used: int, dearest: int) -> bool:
        """Whether so much was spent at once that ten of the dearest calls in flight do not explain it."""
        return used > (self.amount + 10 * dearest) * self.factor and not self.limit.lag_seconds


_KEYS = {"session": "session", "run": "run", "task": "root", "agent": "actor", "key": "credential", "tool": "name"}


def _ceiling(number: int, limit: Limit) -> Ceiling:
    amount = limit.amount * NANO if limit.resource == "usd" else limit.amount
    factor = 1 if limit.per_seconds is None or limit.aligned else 2
    return Ceiling(
        number, limit, _KEYS.get(limit.scope), amount, factor, amount * factor, math.ceil(limit.lag_seconds / 60)
    )


CEILINGS = tuple(_ceiling(number, limit) for number, limit in enumerate(terms.CEILINGS))


def binding(kind: str, name: str | None, via: str | None) -> tuple[Ceiling, ...]:
    """The ceilings that a call counts against."""
    return tuple(
        each
        for each in CEILINGS
        if each.limit.via == via
        and (each.limit.pattern == "*" or (name is not None and fnmatchcase(name, each.limit.pattern)))
        and (each.limit.resource != "actions" or kind == "action")
    )


def passed(ceiling: Ceiling, used: int) -> list[str]:
    """The controls that speak of work past a ceiling."""
    found = []
    limit, window, hour, day = ceiling.limit, ceiling.limit.per_seconds, 3_600, 86_400
    if limit.resource == "usd":
        if limit.scope in {"session", "run"}:
            found.append("SPEND-03")
        elif limit.scope == "task":
            found.append("SPEND-04")
        elif window is None or window >= day:
            found.append("SPEND-01")
        if (used - ceiling.amount) * 20 > ceiling.amount:
            found.append("SPEND-02")
    if limit.resource in {"usd", "tokens"} and window is not None and window <= hour:
        found.append("SPEND-07")
    if limit.resource in {"actions", "requests"} and (window is None or window >= day):
        found.append("BOUND-03")
    if limit.resource != "usd" and window is not None and window < day:
        found.append("BOUND-04")
    return found


def is_unheard(at_ms: int, alerts: list[int]) -> bool:
    """Whether no alert came before, or soon after, work past a ceiling."""
    return not any(at_ms - ALERT_MS <= alert <= at_ms + ALERT_GRACE_MS for alert in alerts)


def matters(name: str | None) -> bool:
    """Whether repeating a call costs or changes something."""
    return name not in _FREE_READS


@cache
def _networks() -> list[Any]:
    return [ipaddress.ip_network(pattern) for pattern in terms.TARGETS if "/" in pattern]


def is_outside_tool(name: str) -> bool:
    """Whether a tool is refused, or stands on no list."""
    return any(fnmatchcase(name, each) for each in terms.REFUSED_TOOLS) or name not in terms.TOOLS


def is_outside_target(target: str) -> bool:
    """Whether a host, an address or a path is refused, or stands on no list."""
    if is_path(target):
        return not any(fnmatchcase(target, each) for each in terms.PATHS)
    try:
        address = ipaddress.ip_address(target)
    except ValueError:
        refused = any(fnmatchcase(target, each) for each in terms.REFUSED_TARGETS)
        return refused or not any(fnmatchcase(target, each) for each in terms.TARGETS)
    return not any(address in network for network in _networks())


def is_path(target: str) -> bool:
    """Whether a target is a path."""
    return "/" in target


def fault(act: Mapping[str, Any], given: Mapping[str, Any] | None, at_ms: int, given_ms: int) -> bool:
    """Whether what was done behind a gate rests on an approval that does not hold."""
    if given is None or given.get("actor_kind") != "operator" or given_ms > at_ms:
        return True
    if given.get("name") != act.get("name") or given.get("actor") is None:
        return True
    return any(
        given.get(key) is not None and act.get(key) is not None and given[key] != act[key]
        for key in ("args_digest", "target")
    )


def lacks_of_approval(given: Mapping[str, Any]) -> bool:
    """Whether an approval by a person lacks who, what was seen, why, or what it is for."""
    is_loose = given.get("answers") is None and (given.get("id") is None or given.get("name") is None)
    return is_loose or any(given.get(key) is None for key in ("actor", "shown", "reason"))


class Verdicts:
    """The findings that small sums decide, by control."""

    def __init__(self, made_under: Terms) -> None:
        self.found: Counter[str] = Counter()
        self._terms = made_under

    def touched(self, tools: set[str], targets: set[str]) -> None:
        """Tools and targets that were reached through the gateway."""
        self.found["BOUND-02"] += sum(map(is_outside_tool, tools))
        self.found["BOUND-01"] += sum(map(is_outside_target, targets))

    def reach(self, targets: set[str]) -> None:
        """All targets: whether there are far more than were declared."""
        count = sum(not is_path(target) for target in targets)
        self.found["BOUND-09"] += count > self._terms.expected_size * 10

    def credentials(self, last_used: Mapping[str, int]) -> None:
        """When each credential was last used."""
        known = {row["name"]: row for row in self._terms.credentials}
        for name, last_ms in last_used.items():
            row = known.get(name)
            if row is None or row["holder"] == "root" or row.get("shared"):
                self.found["BOUND-05"] += 1
            elif "expires" in row:
                expires = datetime.fromisoformat(row["expires"]).replace(tzinfo=UTC).timestamp() * 1_000
                self.found["BOUND-05"] += last_ms > expires

    def bills(self, spent: Mapping[str | None, int]) -> None:
        """What the log says that was spent through each provider, in nano-dollars."""
        if not self._terms.planted:
            return
        for via, dollars in terms.BILLS.items():
            billed, used = dollars * NANO, spent.get(via, 0)
            self.found["AUDIT-06"] += abs(used - billed) > billed // 20 + NANO

    def free(self, spent: Mapping[str | None, int]) -> None:
        """What the log says that each name cost: of those that are declared free it is a break."""
        declared = {*FREE_NAMES, *(f"free.{number}" for number in range(self._terms.planted))}
        self.found["SPEND-01"] += sum(1 for name, cost in spent.items() if name in declared and cost > 0)

    def estimates(self, spent: Mapping[str | None, int]) -> None:
        """What the log says that each first task with those below it cost."""
        for task, cost in spent.items():
            of = [
                usd for subject, usd in terms.ESTIMATES.items() if task is not None and task.startswith(f"{subject}-")
            ]
            if task is not None:
                self.found["SPEND-08"] += any(cost > usd * NANO for usd in of) if of else cost > TASK_USD * NANO

    def families(self, parents: Mapping[str, str | None], depths: Mapping[str, int]) -> None:
        """The tree of tasks."""
        children = Counter(parent for parent in parents.values() if parent is not None)
        self.found["SPEND-09"] += sum(1 for count in children.values() if count > terms.FANOUT.amount)
        deep = {parents[task] for task, depth in depths.items() if depth > terms.DEPTH.amount}
        self.found["SPEND-09"] += len(deep)

    def uses(self, first_ms: int | None, last_ms: int | None) -> None:
        """When the agent was first and last used: only the records beside a planted log are stale."""
        if first_ms is not None and last_ms is not None and self._terms.planted:
            self.found.update(("READY-01", "READY-05", "READY-06", "READY-07"))
