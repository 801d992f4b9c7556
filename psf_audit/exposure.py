"""The most that a deployment can cost before a human must look: from what it can reach and what enforces a stop.

It is pure: rows of the evidence tables come in, a value comes out. `docs/exposure.md` explains all of it with examples.

The adversary. One launch, from a human's decision to the moment at which nothing more can be spent without another one.
The agent uses every way it has, all at once and as fast as each allows, reads no prompt, and heeds no alert; nobody
answers a question and nobody presses a button. It cannot change what is enforced, nor launch itself again.

What counts as a stop is what the views `enforced_limits`, `enforced_gates` and `bounded_paths` count: configuration of
this release, in the infrastructure, the gateway or the harness, that denies or pauses (a gate: that halts when nobody
answers), on the way (`via`) and the name (`like`) of the call. A limit with a window bounds what is spent in a window,
so it bounds a sum only together with something that ends the run; a throttle does so too, but never alone.

What is bounded. Let x be what each way costs. Each stop gives an inequality over the ways it covers, and the bound is
the largest sum of all x (`simplex`): exact for the inequalities, also where limits overlap. An inequality reads

    sum of x  <=  windows * counters * (amount + lag + in flight)

- windows: a stretch of T seconds touches at most ceil(T / W) + 1 windows of W seconds, aligned or not.
- counters: a limit for each key counts once for each credential; for each tool, once for each name; for each task or
  target as often as the situation has them.
- lag: the most that the ways it covers can spend in `lag_seconds` under the stops that have no lag. `max_per_hour` says
  how many calls any hour holds; nothing says that they come evenly, so a part of an hour counts as an hour.
- in flight: the dearest call, once for each agent that can act at the same moment, and what is billed by the hour for
  one started hour.

What is not known (a price, a rate, a lag, how many agents or keys there are) stays unknown, and is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from psf_audit.simplex import Limit, pack
from psf_audit.stops import METERED, ONCE, UNNAMED, Guardrails, Stop, guardrails, measured, named, plain, sits_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Row = Mapping[str, Any]
    Tables = Mapping[str, Sequence[Row]]

MAX_AGE_DAYS = 30
LARGER = 100
UNNAMED_CALLS = "calls without a name"

_SUSPENDING = frozenset({"infrastructure", "gateway"})
_DAY, _HOUR = 86_400, 3_600
_MANY_AGENTS = 10**6
_DEEP = 32
_NANO = 10**9
_MAX_LACKING = 24
_ZERO = Fraction(0)


# ------------------------------------------------------------------------------------------------------------- values


class Situation(StrEnum):
    """The four situations in which the bound is computed."""

    AS_DECLARED = "as_declared"
    LARGER_TARGET = "larger_target"
    NEVER_DONE = "never_done"
    SLOW_API = "slow_api"

    @property
    def label(self) -> str:
        """The situation as a reader sees it."""
        return self.value.replace("_", " ").replace("api", "API")

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Situation.AS_DECLARED: "One task, on as many targets as expected; every call is answered.",
            Situation.LARGER_TARGET: f"One task, on {LARGER} times as many targets as expected.",
            Situation.NEVER_DONE: "The objective is ambiguous: there is always another task and another target.",
            Situation.SLOW_API: "Calls time out and are tried again as often as they may be, and every try is charged.",
        }[self]


class Outcome(StrEnum):
    """What can be said of a sum, best first."""

    BOUNDED = "bounded"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    UNBOUNDED = "unbounded"

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Outcome.BOUNDED: "What is enforced bounds the sum, overshoot included.",
            Outcome.STOPPED: "What is enforced stops it at a sum, but how far it overshoots is not known.",
            Outcome.UNKNOWN: "What is enforced ends it, but a price, a rate or a number that decides is not known.",
            Outcome.UNBOUNDED: "Nothing that is shown to be enforced stops it.",
        }[self]


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that something can cost: an interval from `through` (what the stops let through) to `total`.

    `total` is `through + lag + in_flight`; it is None where one of them is not known, and where nothing bounds the sum.
    `a_day` is the most a day of what nothing ends, for as long as nobody looks; None where that is not known either.
    """

    outcome: Outcome
    through: Decimal | None = None
    lag: Decimal | None = None
    in_flight: Decimal | None = None
    total: Decimal | None = None
    decided_by: tuple[Stop, ...] = ()
    a_day: Decimal | None = None

    @property
    def rank(self) -> tuple[int, Decimal]:
        """A sort key: a higher one is worse. Where nobody can tell how much it is, only the outcome counts."""
        known = {
            Outcome.BOUNDED: self.total,
            Outcome.STOPPED: self.through,
            Outcome.UNKNOWN: Decimal(0),
            Outcome.UNBOUNDED: Decimal("Infinity") if self.a_day is None else self.a_day,
        }[self.outcome]
        return list(Outcome).index(self.outcome), known or Decimal(0)


@dataclass(frozen=True, slots=True)
class CapabilityBound:
    """The most that one capability can cost, were it the only one that is used."""

    name: str
    bound: Bound


@dataclass(frozen=True, slots=True)
class SituationBound:
    """The bound in one situation: in all, and of each capability that can cost anything."""

    situation: Situation
    in_all: Bound
    capabilities: tuple[CapabilityBound, ...] = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that would bound what is not bounded, or make known what is not; perhaps there is a row to begin at."""

    what: str
    evidence: str | None = None
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """The bounds from one kind of guardrail (enforced, or claimed) in every situation, and what they lack."""

    situations: tuple[SituationBound, ...]
    lacking: tuple[Lack, ...] = ()

    @property
    def worst(self) -> SituationBound:
        """The situation that costs most; of equal ones the first."""
        return max(self.situations, key=lambda found: found.in_all.rank)


@dataclass(frozen=True, slots=True)
class Exposure:
    """The exposure of a deployment from what is enforced, and beside it what it would be if the claims were true.

    `rests_on` names what was taken from the manifest's word: prices, rates and retries are the deployment's own.
    """

    enforced: Side
    claimed: Side
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A way that the log shows the agent to have used; `paid` if it cost something there, `hourly` if by the hour."""

    name: str | None
    via: str | None
    paid: bool = True
    hourly: bool = False


# --------------------------------------------------------------------------------------------------------- entry point


def exposure_of(
    tables: Tables, seen: Iterable[Seen] = (), *, complete: bool = True, max_age_days: int = MAX_AGE_DAYS
) -> Exposure:
    """The exposure of the deployment in these evidence tables.

    `seen` adds the ways that its log shows; `complete` is false when there are more of them than were given.
    """
    used = (*seen, *(() if complete else (Seen(None, None),)))
    ways = _ways(tables, used)
    enforced, claimed = (_side(guardrails(tables, basis, max_age_days), ways, tables) for basis in ("config", "claim"))
    unread = tuple(_unread(tables["gaps"]))
    if enforced.lacking:
        enforced = replace(enforced, lacking=(*unread, *enforced.lacking)[:_MAX_LACKING])
    return Exposure(enforced, claimed, tuple(_rests_on(ways)))


def _unread(gaps: Iterable[Row]) -> Iterator[Lack]:
    """Evidence that could hold a limit or a gate, and could not be read or was not supplied."""
    for gap in gaps:
        table = (gap["facts"] or "").partition(".")[0]
        if table in {"limits", "gates"} or (not table and gap["control"] is None):
            yield Lack(f"evidence that is lacking: {gap['what']}", gap["source"], gap["pointer"])


def _side(rules: Guardrails, ways: Sequence[_Way], tables: Tables) -> Side:
    found: list[SituationBound] = []
    lacks: dict[Lack, None] = {}
    for situation in Situation:
        world = _World(rules, ways, tables, situation)
        alone: dict[str, list[int]] = {way.name or "": [] for way in ways if way.paid}
        for number in world.paid:
            alone[ways[number].name or ""].append(number)
        bounds = tuple(CapabilityBound(name or UNNAMED_CALLS, world.bound(own)) for name, own in alone.items())
        found.append(SituationBound(situation, world.bound(world.paid), bounds))
        lacks |= dict.fromkeys(world.lacking())
    return Side(tuple(found), tuple(lacks)[:_MAX_LACKING])


# ------------------------------------------------------------------------------------------------- what it can reach


@dataclass(frozen=True, slots=True)
class _Way:
    """One capability through one `via`, with its price: a unit of `per`, None where it is not known."""

    name: str | None
    via: str | None
    kind: str | None
    effect: str | None
    price: Fraction | None
    per: str | None
    rate: int | None
    retries: int | None
    place: str = ""

    @property
    def paid(self) -> bool:
        """Whether a call can cost anything."""
        return self.price != 0

    @property
    def hourly(self) -> bool:
        """Whether it bills for as long as it runs."""
        return self.per == "hour"

    @property
    def label(self) -> str:
        """Its name and way in words."""
        return f"{self.name or UNNAMED_CALLS}{f' via {self.via}' if self.via else ' by an unnamed way'}"


def _ways(tables: Tables, seen: Sequence[Seen]) -> list[_Way]:
    """Every capability, declared or seen, with each via it has: the view `paths`."""
    declared: dict[str, list[Row]] = {}
    for row in tables["capabilities"]:
        if row["name"] is not None:
            declared.setdefault(row["name"], []).append(row)
    vias: dict[str | None, set[str | None]] = {
        name: {row["via"] for row in rows if row["via"] is not None} for name, rows in declared.items()
    }
    for way in seen:
        vias.setdefault(way.name, set()).add(way.via)
    costs = {way.name for way in seen if way.paid}
    hourly = {way.name for way in seen if way.hourly}
    return [
        _way(name, via, declared.get(name or "", []), costs=name in costs, hourly=name in hourly)
        for name in sorted(vias, key=lambda name: (name is None, name or ""))
        for via in sorted(vias[name] or {None}, key=lambda via: (via is None, via or ""))
    ]


def _way(name: str | None, via: str | None, rows: Sequence[Row], *, costs: bool, hourly: bool) -> _Way:
    price, per = _price(rows, costs=costs)
    if hourly and per != "hour":
        price, per = None, "hour"
    rates = [row["max_per_hour"] for row in rows if row["max_per_hour"] is not None]
    retries = [row["retries"] for row in rows if row["retries"] is not None]
    kinds = {row["kind"] for row in rows} - {None}
    return _Way(
        name=name,
        via=via,
        kind="agent" if "agent" in kinds else "model" if "model" in kinds else min(kinds, default=None),
        effect=max((row["effect"] for row in rows if row["effect"] is not None), default=None),
        price=price,
        per=per,
        rate=max(rates, default=None),
        retries=max(retries, default=None),
        place=next((row["pointer"] for row in rows if row["basis"] == "claim"), ""),
    )


def _price(rows: Sequence[Row], *, costs: bool) -> tuple[Fraction | None, str | None]:
    """The dearest price; free only where nothing says otherwise. A model is paid, as in the view `reach`."""
    stated = {(row["cost_usd"], row["cost_per"]) for row in rows if row["cost_usd"] is not None and row["cost_usd"] > 0}
    units = {per for _, per in stated}
    hourly = "hour" if any(row["cost_per"] == "hour" for row in rows) else None
    if stated:
        (unit, *others) = units
        if others or unit not in {"call", "1k_tokens", "hour"}:
            return None, hourly
        return max(Fraction(price) for price, _ in stated), unit
    unsaid = any(row["cost_usd"] is None or row["kind"] == "model" for row in rows)
    return (None, hourly) if costs or unsaid else (_ZERO, None)


def _rests_on(ways: Iterable[_Way]) -> Iterator[str]:
    told: dict[str, None] = {}
    for way in ways:
        if way.paid and way.place:
            price = "an unknown price" if way.price is None else f"{_number(way.price)} USD per {way.per}"
            rate = "no stated rate" if way.rate is None else f"at most {way.rate} calls an hour"
            retries = "unstated retries" if way.retries is None else f"{way.retries} retries"
            told[f"{way.name}: {price}, {rate}, {retries} (manifest, {way.place})"] = None
    yield from told


# ---------------------------------------------------------------------------------------------------- the inequalities


@dataclass(frozen=True, slots=True)
class _Inequality:
    """The sum of what some ways cost, each times its weight, is at most `base + lag + in_flight`."""

    weights: Mapping[int, Fraction]
    base: Fraction
    lag: Fraction | None
    in_flight: Fraction | None
    stop: Stop

    @property
    def most(self) -> Fraction | None:
        """The right side; None where a part of it is not known."""
        return None if self.lag is None or self.in_flight is None else self.base + self.lag + self.in_flight


@dataclass(frozen=True, slots=True)
class _Meter:
    """A limit, or a gate on an amount, as something that counts what passes and stops it at an amount."""

    row: Row
    resource: str
    amount: Fraction
    scope: str
    window: int | None
    lag_seconds: int | None
    suspends: bool
    stop: Stop

    @property
    def harness(self) -> bool:
        """Whether it counts calls, not each try of one: the harness makes the tries itself."""
        return bool(self.row["layer"] == "harness")


@dataclass(frozen=True, slots=True)
class _Span:
    """For how long ways are used: seconds a way, None without end. A part of a day stands for the long run."""

    seconds: Mapping[int, Fraction | None]
    long_run: bool = False
    lagging: bool = True

    def windows(self, seconds: Fraction, window: int) -> Fraction:
        """How many windows that length can touch at most; in the long run, how many a day has."""
        return Fraction(_DAY, window) if self.long_run else Fraction(ceil(seconds / window) + 1)

    def hours(self, seconds: Fraction) -> Fraction:
        """How many hours' worth of calls fit in that length."""
        return Fraction(24) if self.long_run else Fraction(ceil(seconds / _HOUR))


class _World:
    """The ways of a deployment under the guardrails of one basis in one situation."""

    def __init__(self, rules: Guardrails, ways: Sequence[_Way], tables: Tables, situation: Situation) -> None:
        self.rules, self.ways, self.situation = rules, ways, situation
        self._sits: dict[tuple[str | None, ...], bool] = {}
        self.credentials = [row for row in tables["credentials"] if row["subject"] is not None]
        self.expected = next((row["expected_size"] for row in tables["deployment"]), None)
        self.paid = [number for number, way in enumerate(ways) if way.paid and not self._waits(way)]
        self.meters = [*self._limit_meters(), *self._gate_meters()]
        self.tries = {number: self._tries(ways[number]) for number in self.paid}
        self.a_call = {number: self._a_call(ways[number]) for number in self.paid}
        self.ends = {number: self._end(ways[number]) for number in self.paid}
        self.agents = self._agents()
        self._bounds: dict[tuple[int, ...], Bound] = {}
        self._spent: dict[tuple[tuple[int, ...], int], Fraction | None] = {}

    def _on(self, row: Row, way: _Way) -> bool:
        key = row["via"], row["like"], way.name, way.via
        if key not in self._sits:
            self._sits[key] = sits_on(row, way.name, way.via)
        return self._sits[key]

    # --- facts of one way ------------------------------------------------------------------------------------------

    def _waits(self, way: _Way) -> bool:
        """Whether each call waits for a human, so that none of it is spent without one."""
        return any(
            self._on(gate, way)
            and (gate["trigger"] == "action" or (gate["trigger"] == "new_resource" and way.effect == "create"))
            for gate in self.rules.gates
        )

    def _tries(self, way: _Way) -> int | None:
        """How often one call is charged at most."""
        if self.situation is not Situation.SLOW_API:
            return 1
        limits = [int(limit["amount"]) for limit in self._limits("retries") if self._on(limit, way)]
        known = [*limits, *([way.retries] if way.retries is not None else [])]
        return 1 + min(known) if known else None

    def _a_call(self, way: _Way) -> Fraction | None:
        """The most that one try of a call costs; where tokens are priced, as many as a token limit lets through."""
        if way.hourly:
            return _ZERO if way.price is not None else None
        if way.price is None or way.per == "call":
            return way.price
        sizes = [
            Fraction(limit["amount"])
            for limit in self._limits("tokens")
            if self._on(limit, way) and limit["lag_seconds"] == 0
        ]
        return way.price * min(sizes) / 1000 if sizes else None

    def _running(self, number: int) -> Fraction | None:
        """What a way that is billed by the hour costs an hour with as much running as an enforced limit allows."""
        way = self.ways[number]
        if way.price is None:
            return None
        most = [
            int(limit["amount"]) * count
            for limit in self._limits("instances")
            if self._on(limit, way) and limit["per_seconds"] is None and limit["lag_seconds"] == 0
            if (count := self._counters(limit["scope"], limit, [number])) is not None and count > 0
        ]
        return way.price * min(most) if most else None

    def _end(self, way: _Way) -> tuple[Fraction | None, Stop | None, bool]:
        """After how many seconds the run is stopped, by what, and whether something of unknown lag would."""
        if way.hourly:
            return None, None, False
        ends = [
            (Fraction(gate["threshold"]), named(gate))
            for gate in self.rules.gates
            if gate["trigger"] == "interval" and gate["unit"] == "seconds" and self._on(gate, way)
        ]
        unknown = False
        for limit in self._limits("seconds"):
            if limit["scope"] in ONCE and limit["per_seconds"] is None and self._on(limit, way):
                unknown = unknown or limit["lag_seconds"] is None
                if limit["lag_seconds"] is not None:
                    ends.append((Fraction(limit["amount"]) + limit["lag_seconds"], named(limit)))
        if not ends:
            return None, None, unknown
        seconds, stop = min(ends, key=lambda end: end[0])
        return seconds, stop, False

    def _agents(self) -> int | None:
        """How many agents can act at the same moment; None where nothing limits or tells it."""
        spawning = [way for way in self.ways if way.kind == "agent" and not self._waits(way)]
        if not spawning:
            return 1
        spread: dict[str, int] = {}
        for resource in ("fanout", "depth"):
            for way in spawning:
                most = [int(limit["amount"]) for limit in self._limits(resource) if self._on(limit, way)]
                if not most:
                    return None
                spread[resource] = max(spread.get(resource, 0), min(most))
        wide, deep = spread["fanout"], spread["depth"]
        if wide and deep > _DEEP:
            return None
        agents = sum(wide**level for level in range(min(deep, _DEEP) + 1))
        return agents if agents <= _MANY_AGENTS else None

    # --- meters ----------------------------------------------------------------------------------------------------

    def _limits(self, resource: str) -> list[Row]:
        return [
            limit
            for limit in self.rules.limits
            if limit["resource"] == resource and (resource in METERED or limit["on_breach"] != "throttle")
        ]

    def _limit_meters(self) -> Iterator[_Meter]:
        for limit in self.rules.limits:
            if limit["resource"] in METERED:
                yield _Meter(
                    row=limit,
                    resource=limit["resource"],
                    amount=Fraction(limit["amount"]),
                    scope=limit["scope"],
                    window=limit["per_seconds"],
                    lag_seconds=limit["lag_seconds"],
                    suspends=limit["on_breach"] == "pause" and limit["layer"] in _SUSPENDING,
                    stop=named(limit),
                )

    def _gate_meters(self) -> Iterator[_Meter]:
        for gate in self.rules.gates:
            found = measured(gate, self.rules.limits)
            if found is not None:
                resource, amount = found
                yield _Meter(gate, resource, amount, "run", None, 0, suspends=False, stop=named(gate))

    def _covers(self, meter: _Meter, way: _Way) -> bool:
        """Whether a meter counts what goes this way, and stops it."""
        if not self._on(meter.row, way):
            return False
        if way.hourly:
            return meter.resource == "usd" and meter.suspends
        if meter.resource == "tokens":
            return way.per == "1k_tokens" or (way.price is None and way.kind == "model")
        return meter.resource != "actions" or way.kind != "model"

    def _counters(self, scope: str, row: Row, numbers: Sequence[int]) -> int | None:
        """How many counters a scope has in one launch; 0 if there is always another one, None if that is not known."""
        match scope:
            case "account" | "project" | "run" | "session" | "tool":
                return 1
            case "key":
                return self._keys(row, numbers) or None
            case "agent":
                return 0 if any(way.kind == "agent" for way in self.ways) else 1
            case "task":
                return 0 if self.situation is Situation.NEVER_DONE else 1
            case "target":
                return self._targets()
            case _:
                return 0

    def _keys(self, row: Row, numbers: Sequence[int]) -> int:
        vias = {self.ways[number].via for number in numbers}
        return len(
            {
                found["subject"]
                for found in self.credentials
                if found["via"] in vias or found["via"] in {None, "*"} or row["via"] == "*"
            }
        )

    def _targets(self) -> int | None:
        if self.situation is Situation.NEVER_DONE:
            return 0
        if not self.expected:
            return None
        size: int = self.expected
        return size * LARGER if self.situation is Situation.LARGER_TARGET else size

    # --- inequalities ----------------------------------------------------------------------------------------------

    def _inequalities(self, numbers: Sequence[int], span: _Span) -> tuple[list[_Inequality], set[int]]:
        """What bounds these ways, and which of them something finite bounds by an amount that is not known."""
        found: list[_Inequality] = []
        vague: set[int] = set()
        for family in self._families(numbers, span):
            for cover in self._covers_of(family[0], numbers):
                made, doubtful = self._metered(family, cover, span)
                found += made
                vague |= doubtful
        for number in numbers:
            timed, doubtful_time = self._timed(number, span)
            found += [timed] if timed else []
            vague |= {number} if doubtful_time else set()
        return found, vague

    def _families(self, numbers: Sequence[int], span: _Span) -> list[list[_Meter]]:
        """The meters, those together of which no row says whose they are: only the weakest of them is sure to hold."""
        families: dict[tuple[Any, ...], list[_Meter]] = {}
        for index, meter in enumerate(self.meters):
            if not span.lagging and meter.lag_seconds != 0:
                continue
            if any(self._covers(meter, self.ways[number]) for number in numbers):
                unnamed = meter.scope in UNNAMED
                key = (meter.scope, meter.resource, meter.row["via"], meter.row["like"]) if unnamed else (index,)
                families.setdefault(key, []).append(meter)
        return list(families.values())

    def _covers_of(self, meter: _Meter, numbers: Sequence[int]) -> list[list[int]]:
        cover = [number for number in numbers if self._covers(meter, self.ways[number])]
        if meter.scope != "tool":
            return [cover]
        names = {self.ways[number].name for number in cover}
        ordered = sorted(names, key=lambda name: (name is None, name or ""))
        return [[number for number in cover if self.ways[number].name == name] for name in ordered]

    def _metered(
        self, family: Sequence[_Meter], cover: Sequence[int], span: _Span
    ) -> tuple[list[_Inequality], set[int]]:
        meter = family[0]
        counters = self._counters(meter.scope, meter.row, cover)
        if counters == 0:
            return [], set()
        weights = {number: weight for number in cover if (weight := self._weight(meter, number)) is not None}
        if any(not self._covers(other, self.ways[number]) for other in family for number in cover):
            return [], set()
        always = all(other.window is None for other in family)
        ending = {number: end for number in cover if (end := span.seconds[number]) is not None}
        counted = set(cover) if always else set(ending)
        if counters is None:
            return [], counted
        levels: list[Fraction | None] = [None] if always else [*sorted(set(ending.values()))]
        made = []
        for level in levels:
            within = {
                number: weight
                for number, weight in weights.items()
                if level is None or (number in ending and ending[number] <= level)
            }
            if within:
                made.append(self._weakest(family, cover, within, (span, level, counters)))
        return made, counted - set(weights)

    def _weakest(
        self,
        family: Sequence[_Meter],
        cover: Sequence[int],
        within: Mapping[int, Fraction],
        over: tuple[_Span, Fraction | None, int],
    ) -> _Inequality:
        """The inequality of the weakest of several meters: part by part the largest, unknown if one of them is."""
        span, level, counters = over
        base, lags, flights = [], [], []
        for meter in family:
            windows = Fraction(1) if meter.window is None or level is None else span.windows(level, meter.window)
            times = windows * counters
            base.append((times * meter.amount, meter.stop))
            lags.append(_times(times, self._lag(meter, cover)))
            flights.append(_times(times, self._in_flight(meter, cover)))
        amount, stop = max(base, key=lambda found: found[0])
        return _Inequality(within, amount, _largest(lags), _largest(flights), stop)

    def _weight(self, meter: _Meter, number: int) -> Fraction | None:
        """By how much the meter moves when the way costs one USD; None where that is not known."""
        way = self.ways[number]
        tries = self.tries[number] if meter.harness else 1
        if tries is None:
            return None
        if meter.resource == "usd":
            return Fraction(1, tries)
        if meter.resource == "tokens":
            return Fraction(1000) / (way.price * tries) if way.price else None
        call = self.a_call[number]
        return 1 / (call * tries) if call else None

    def _moves(self, meter: _Meter, number: int) -> Fraction | None:
        """By how much the meter moves for one call, with all tries of it that it sees."""
        tries = 1 if meter.harness else self.tries[number]
        call, price = self.a_call[number], self.ways[number].price
        if tries is None:
            return None
        if meter.resource in {"requests", "actions"}:
            return Fraction(tries)
        if call is None or price is None:
            return None
        return call * tries if meter.resource == "usd" else 1000 * call * tries / price

    def _in_flight(self, meter: _Meter, cover: Sequence[int]) -> Fraction | None:
        """By how much the meter moves for what is under way when it stops: a call of each agent, a started hour."""
        moves = [self._moves(meter, number) for number in cover]
        dearest = _largest([_ZERO, *moves])
        running = [self._running(number) for number in cover if self.ways[number].hourly]
        if self.agents is None or dearest is None or None in running:
            return None
        return self.agents * dearest + sum((cost for cost in running if cost is not None), _ZERO)

    def _lag(self, meter: _Meter, cover: Sequence[int]) -> Fraction | None:
        """By how much the meter can move before it knows that its amount is reached."""
        if not meter.lag_seconds:
            return None if meter.lag_seconds is None else _ZERO
        if meter.resource == "usd":
            return self.spent_in(cover, meter.lag_seconds)
        moved = _ZERO
        for number in cover:
            rate, move = self.ways[number].rate, self._moves(meter, number)
            if rate is None or move is None:
                return None
            moved += move * rate * ceil(Fraction(meter.lag_seconds, _HOUR))
        return moved

    def _timed(self, number: int, span: _Span) -> tuple[_Inequality | None, bool]:
        """What a way can cost in its time at its rate; or whether it would be bounded so, were everything known."""
        way, seconds = self.ways[number], span.seconds[number]
        if seconds is None:
            return None, self.ends[number][2]
        each = self._in_time(number, span, seconds)
        if each is None:
            return None, not span.long_run
        stop = self.ends[number][1] or Stop("the rate that is declared", "manifest", way.place)
        told = replace(stop, what=f"{stop.what}, at the rate that is declared for {way.name}")
        return _Inequality({number: Fraction(1)}, each, _ZERO, _ZERO, told), False

    def _in_time(self, number: int, span: _Span, seconds: Fraction) -> Fraction | None:
        way = self.ways[number]
        if way.hourly:
            running = self._running(number)
            return None if running is None else running * (24 if span.long_run else ceil(seconds / _HOUR) + 1)
        call, tries = self.a_call[number], self.tries[number]
        if call is None or tries is None or way.rate is None:
            return None
        return call * tries * way.rate * span.hours(seconds)

    # --- bounds ----------------------------------------------------------------------------------------------------

    def spent_in(self, numbers: Sequence[int], seconds: int) -> Fraction | None:
        """The most that these ways can cost in a time, under what has no lag; None where that is not known."""
        key = tuple(numbers), seconds
        if key not in self._spent:
            span = _Span(dict.fromkeys(numbers, Fraction(seconds)), lagging=False)
            self._spent[key] = self._most(numbers, span)
        return self._spent[key]

    def _most(self, numbers: Sequence[int], span: _Span) -> Fraction | None:
        found, _ = self._inequalities(numbers, span)
        limits = [Limit(one.weights, most) for one in found if (most := one.most) is not None]
        covered = {number for limit in limits for number in limit.weights}
        return pack(numbers, limits).most if covered.issuperset(numbers) else None

    def bound(self, numbers: Sequence[int]) -> Bound:
        """The bound of these ways together."""
        key = tuple(numbers)
        if key not in self._bounds:
            self._bounds[key] = self._bound(numbers)
        return self._bounds[key]

    def _bound(self, numbers: Sequence[int]) -> Bound:
        if not numbers:
            return Bound(Outcome.BOUNDED, Decimal(0), Decimal(0), Decimal(0), Decimal(0))
        found, vague = self._inequalities(numbers, _Span({number: self.ends[number][0] for number in numbers}))
        whole = [one for one in found if one.most is not None]
        sure = {number for one in whole for number in one.weights}
        stopped = {number for one in found for number in one.weights}
        if sure.issuperset(numbers):
            return _bounded(numbers, whole)
        if stopped.issuperset(numbers):
            return _stopped(numbers, found)
        if (stopped | vague).issuperset(numbers):
            return Bound(Outcome.UNKNOWN, through=_stopped(sorted(stopped), found).through)
        endless = [number for number in numbers if number not in stopped and number not in vague]
        day = self._most(endless, _Span(dict.fromkeys(endless, Fraction(_DAY)), long_run=True))
        return Bound(Outcome.UNBOUNDED, a_day=None if day is None else _usd(day))

    # --- what is lacking -------------------------------------------------------------------------------------------

    def lacking(self) -> Iterator[Lack]:
        """What would bound the ways that are not bounded, the rows that come near it first."""
        loose = [number for number in self.paid if self.bound([number]).outcome is not Outcome.BOUNDED]
        if not loose:
            return
        for row, stop, why in self.rules.near:
            if row["via"] is None or any(self._on(row, self.ways[number]) for number in loose):
                yield Lack(f"{stop.what} {why}", stop.evidence, stop.pointer)
        for meter in self.meters:
            ways = [number for number in loose if self._on(meter.row, self.ways[number])]
            yield from (
                Lack(f"{meter.stop.what} {why}", meter.stop.evidence, meter.stop.pointer)
                for why in self._why_weak(meter, ways)
            )
        for number in loose:
            yield from self._would_stop(number)
            yield from self._would_tell(number)
        if self.agents is None:
            yield Lack("an enforced limit on how many agents an agent starts (fanout), and on how deep (depth)")

    def _why_weak(self, meter: _Meter, numbers: Sequence[int]) -> Iterator[str]:
        """Why a meter counts what these ways cost and does not bound it."""
        if not numbers:
            return
        counters = self._counters(meter.scope, meter.row, numbers)
        covered = [number for number in numbers if self._covers(meter, self.ways[number])]
        whose = "credentials" if meter.scope == "key" else "targets"
        running = meter.resource == "usd" and any(number not in covered for number in numbers)
        endless = meter.window is not None and any(self.ends[number][0] is None for number in covered)
        late = meter.lag_seconds and self._lag(meter, covered) is None
        reasons = (
            (f"counts for each {meter.scope}: say how many {whose} there are", counters is None),
            (f"counts for each {meter.scope}, and there can always be another one", counters == 0),
            ("refuses new calls and leaves running what bills by the hour: let it suspend that", running),
            (f"renews every {meter.window} s and adds up: nothing ends the run", endless),
            ("does not say how late it measures", meter.lag_seconds is None),
            ("measures late, and what can be spent meanwhile is not known", bool(late)),
        )
        yield from (why for why, holds in reasons if holds)

    def _would_stop(self, number: int) -> Iterator[Lack]:
        way = self.ways[number]
        if self.bound([number]).outcome is not Outcome.UNBOUNDED:
            return
        through = f"on {way.via}" if way.via else "on a way that is named (via)"
        how = "suspends what is billed by the hour" if way.hourly else "is enforced before each call"
        yield Lack(f"{way.label}: a ceiling in USD without a window, {through}, that {how}")
        if not way.hourly:
            yield Lack(f"{way.label}: or a spend gate, {through}, that halts when nobody answers")

    def _would_tell(self, number: int) -> Iterator[Lack]:
        """What is not known of a way."""
        way, timed = self.ways[number], self.ends[number][0] is not None
        tokens = way.per == "1k_tokens" and self.a_call[number] is None
        lacks = (
            ("a limit on the number of instances, enforced without lag", way.hourly and self._running(number) is None),
            ("its price, by call, hour or 1,000 tokens", way.price is None),
            ("a limit on tokens that is enforced before each call", tokens),
            ("the most calls an hour (max_per_hour)", way.rate is None and timed),
            ("how often a call is retried, or an enforced limit on that", self.tries[number] is None),
        )
        yield from (Lack(f"{way.label}: {what}") for what, holds in lacks if holds)


def _times(factor: Fraction, amount: Fraction | None) -> Fraction | None:
    return None if amount is None else factor * amount


def _largest(amounts: Sequence[Fraction | None]) -> Fraction | None:
    """The largest amount; None if one is not known."""
    known = [amount for amount in amounts if amount is not None]
    return max(known) if len(known) == len(amounts) else None


def _bounded(numbers: Sequence[int], found: Sequence[_Inequality]) -> Bound:
    """The bound from inequalities of which everything is known."""
    most = [one.most or _ZERO for one in found]
    packing = pack(numbers, [Limit(one.weights, right) for one, right in zip(found, most, strict=True)])
    prices = [(price, one, right) for price, one, right in zip(packing.prices, found, most, strict=True) if price]
    total = _usd(packing.most)
    lag = min(_usd(sum((price * (one.lag or _ZERO) for price, one, _ in prices), _ZERO)), total)
    late = sum((price * (one.in_flight or _ZERO) for price, one, _ in prices), _ZERO)
    in_flight = min(_usd(late), _minus(total, lag))
    stops = tuple(replace(one.stop, usd=_usd(price * right)) for price, one, right in prices)
    return Bound(Outcome.BOUNDED, _minus(_minus(total, lag), in_flight), lag, in_flight, total, stops)


def _stopped(numbers: Sequence[int], found: Sequence[_Inequality]) -> Bound:
    """The bound from inequalities of which the overshoot is not known."""
    packing = pack(numbers, [Limit(one.weights, one.base) for one in found])
    prices = [(price, one) for price, one in zip(packing.prices, found, strict=True) if price]
    lags = [None if one.lag is None else price * one.lag for price, one in prices]
    flights = [None if one.in_flight is None else price * one.in_flight for price, one in prices]
    stops = tuple(replace(one.stop, usd=_usd(price * one.base)) for price, one in prices)
    return Bound(Outcome.STOPPED, _usd(packing.most), _all(lags), _all(flights), None, stops)


def _all(parts: Sequence[Fraction | None]) -> Decimal | None:
    """The sum; None if a part of it is not known."""
    known = [part for part in parts if part is not None]
    return _usd(sum(known, _ZERO)) if len(known) == len(parts) else None


# --------------------------------------------------------------------------------------------------------------- words


def _number(amount: Fraction) -> str:
    return plain(_usd(amount))


def _usd(amount: Fraction) -> Decimal:
    """The sum as an exact decimal, rounded up to a billionth: a bound is never rounded down."""
    whole, rest = divmod(ceil(amount * _NANO), _NANO)
    return Decimal(plain(Decimal(f"{whole}.{rest:09d}")))


def _minus(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference: sums may have more digits than the usual context keeps."""
    return _usd(Fraction(one) - Fraction(other))


def headline(bound: Bound) -> str:
    """A bound in two or three words."""
    if bound.outcome is Outcome.STOPPED:
        return f"over {plain(bound.through or Decimal(0))} USD"
    return f"{plain(bound.total)} USD" if bound.total is not None else bound.outcome.value


def sentence(bound: Bound) -> str:
    """A bound in one line."""
    if bound.outcome is Outcome.UNBOUNDED:
        rate = "" if bound.a_day is None else f"; up to {plain(bound.a_day)} USD a day for as long as nobody looks"
        return f"unbounded: nothing stops it{rate}"
    if bound.outcome is Outcome.UNKNOWN:
        return "unknown: a price, a rate or a number that decides is not known"
    if bound.outcome is Outcome.STOPPED:
        return f"{plain(bound.through or Decimal(0))} USD, and an overshoot that is not known"
    parts = (("by lag", bound.lag), ("in flight", bound.in_flight))
    over = [f"{plain(sum_)} {words}" for words, sum_ in parts if sum_]
    told = f" ({plain(bound.through or Decimal(0))} and {' and '.join(over)})" if over else ""
    return f"at most {plain(bound.total or Decimal(0))} USD{told}"
