"""What each guardrail would have changed: what had been spent, what would not have been, and whom it would have cut.

A normal run is one that the log shows complete, with no alert, no request to stop, no stop by a person and no incident
on record. What a guardrail would have kept from a normal run is interrupted, not saved, and a stop that does so is a
false one. So for every guardrail: what it would have cost + saved + interrupted = what was spent.

The log is read twice: once for what there is, once to play it in a world for each guardrail and in one for all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psf_audit.replay.guardrails import REFUSES, STOPS, Guardrail
from psf_audit.replay.steps import GRAINS, Log, Position, Step
from psf_audit.replay.survey import Survey, survey
from psf_audit.replay.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from psf_audit.replay.guards import Guard
    from psf_audit.replay.lists import Touched
    from psf_audit.replay.triggers import Refused

EDGES = 240
MOST_LISTED = 20


@dataclass(slots=True)
class Split:
    """Grains of money by what would have become of them.

    `spent` is what had been spent when the guardrail first stopped or refused something, `after` what was spent all the
    same later; `running` is the part of saved and interrupted that was running already when it was cut off.
    """

    spent: int = 0
    after: int = 0
    saved: int = 0
    interrupted: int = 0
    running: int = 0

    @property
    def kept(self) -> int:
        """What would not have been spent."""
        return self.saved + self.interrupted

    def keep(self, grains: int, *, normal: bool, running: bool = False) -> None:
        """Write down what would not have been spent."""
        if normal:
            self.interrupted += grains
        else:
            self.saved += grains
        self.running += grains if running else 0


@dataclass(slots=True)
class Held:
    """What a guardrail would have kept one of those that it counts for from doing, from `position` on."""

    position: Position
    money: Split = field(default_factory=Split)
    calls: int = 0
    refs: list[int] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)

    def keep(self, step: Step, *, normal: bool) -> None:
        """A step would not have happened."""
        if step.is_call:
            self.calls += 1
            if len(self.refs) < MOST_LISTED:
                self.refs.append(step.ref)
        self.money.keep(_cost(step), normal=normal)
        self._lose(step, normal=normal and step.is_call)

    def cut_off(self, step: Step, before: int, *, normal: bool) -> None:
        """What a step started would have been cut off when it had cost so much."""
        lost = _cost(step) - before
        self.money.keep(lost, normal=normal, running=True)
        self._lose(step, normal=normal and lost > 0)

    def _lose(self, step: Step, *, normal: bool) -> None:
        if normal and step.run is not None:
            self.cut.add(step.run)


def _cost(step: Step) -> int:
    return step.cost * GRAINS if step.is_charge else 0


@dataclass(slots=True)
class Account:
    """What one guardrail would have changed, alone.

    `acted` is for whom it would have acted, and when first; `times` how often it would have acted in all, the answers
    being those of the log. `unanswered` is the same if nobody had answered: what it stopped stays stopped.
    """

    guardrail: Guardrail
    held: dict[str, Held] = field(default_factory=dict)
    unanswered: dict[str, Held] = field(default_factory=dict)
    times: int = 0
    unseen: int = 0
    unseen_nano: int = 0

    @property
    def counts(self) -> bool:
        """Whether its guardrail is one of those that are tried together: it acts, and is no step of a range."""
        return self.guardrail.effect in {STOPS, REFUSES} and self.guardrail.sweep is None

    @property
    def first(self) -> tuple[Position, str] | None:
        """When and for whom it would first have acted."""
        return min(((held.position, who) for who, held in self.held.items()), default=None)

    def total(self, *, unanswered: bool = False) -> Split:
        """The money of everybody it would have stopped."""
        splits = [held.money for held in (self.unanswered if unanswered else self.held).values()]
        return Split(
            sum(split.spent for split in splits),
            sum(split.after for split in splits),
            sum(split.saved for split in splits),
            sum(split.interrupted for split in splits),
            sum(split.running for split in splits),
        )

    @property
    def false_stops(self) -> int:
        """How many of those it would have stopped lost something of a normal run."""
        return sum(1 for held in self.held.values() if held.cut)

    @property
    def cut(self) -> frozenset[str]:
        """The normal runs that it would have cut."""
        return frozenset[str]().union(*(held.cut for held in self.held.values()))

    @property
    def calls(self) -> int:
        """How many calls would not have happened."""
        return sum(held.calls for held in self.held.values())


@dataclass(slots=True)
class Curve:
    """What had been spent at evenly spaced moments, in nano-dollars."""

    start: int
    end: int
    spent: list[int]


@dataclass(slots=True)
class Result:
    """Everything that a log says of a set of guardrails.

    `together` is what all that count would have changed, in force at once; `together_by` the first of them to act.
    """

    survey: Survey
    accounts: list[Account]
    together: Held | None
    together_by: Guardrail | None
    curve: Curve | None


def replay(
    log: Log,
    guardrails: Sequence[Guardrail],
    incidents: frozenset[str] = frozenset(),
    judge: Callable[[Iterable[Guardrail], Collection[Touched]], Mapping[Guardrail, Refused]] | None = None,
) -> Result:
    """What each guardrail would have done. `judge` says what lists refuse, of what was touched; see `lists`."""
    listed = [each for each in guardrails if each.goes_by_lists]
    found = survey(log, incidents, touches=bool(listed))
    refused = judge(listed, found.touched) if judge is not None and listed else {}
    accounts = [Account(each) for each in guardrails]
    alone = [_Alone(account, found) for account in accounts]
    worlds = [World([books.account.guardrail], books, refused) for books in alone]
    joint = _Joint(found)
    counting = [account.guardrail for account in accounts if account.counts]
    if counting:
        worlds.append(World(counting, joint, refused))
    line = _Line(found)
    for step in log:
        if step.is_charge:
            line.add(step)
        for world in worlds:
            world.begin(step)
    for world in worlds:
        world.finish()
    for books in alone:
        books.close()
    joint.close()
    return Result(found, accounts, joint.held, joint.by, line.curve())


# --------------------------------------------------------------------------------------------------------------- books


class _Alone:
    """The books of a world with one guardrail: for each of whom it counts for, what they spent and did not."""

    def __init__(self, account: Account, found: Survey) -> None:
        self.account = account
        self._found = found
        self._settled: defaultdict[str, int] = defaultdict(int)
        self._accruing: defaultdict[str, dict[int, Step]] = defaultdict(dict)

    def unseen(self, guard: Guard, step: Step) -> None:
        """Count what the guardrail does not see."""
        del guard
        self.account.unseen += 1
        self.account.unseen_nano += step.cost if step.is_charge else 0

    def happens(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what is spent at once."""
        for _, name in who:
            if step.until > step.at:
                self._accruing[name][step.place] = step
            elif step.is_charge:
                self._settled[name] += step.cost * GRAINS
            # Had nobody answered, it would still be stopped.
            stopped = self.account.unanswered.get(name)
            if stopped is not None:
                stopped.keep(step, normal=self._found.is_normal(step.run))

    def ends(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what accrued."""
        self._settle(step, who, _cost(step))

    def cut(self, step: Step, who: Sequence[tuple[Guard, str]], position: Position) -> None:
        """Write down what accrued before it was cut off, and what would have been lost."""
        before = step.accrued(max(step.at, position[0])) if step.is_charge else 0
        self._settle(step, who, before)
        normal = self._found.is_normal(step.run)
        for _, name in who:
            held = self.account.held.get(name) or self._hold(name, position)
            held.cut_off(step, before, normal=normal)
            if name in self.account.unanswered and self.account.unanswered[name].position == position:
                self.account.unanswered[name].cut_off(step, before, normal=normal)

    def _settle(self, step: Step, who: Sequence[tuple[Guard, str]], grains: int) -> None:
        for _, name in who:
            del self._accruing[name][step.place]
            if not self._accruing[name]:
                del self._accruing[name]
            self._settled[name] += grains

    def kept(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what would not have happened."""
        normal = self._found.is_normal(step.run)
        for _, name in who:
            self.account.held[name].keep(step, normal=normal)
            if name in self.account.unanswered:
                self.account.unanswered[name].keep(step, normal=normal)

    def acts(self, guard: Guard, who: str, position: Position) -> None:
        """Count how often it acts; what it refuses is refused at once."""
        self.account.times += 1
        if guard.is_refusing and who not in self.account.held:
            self._hold(who, position)

    def stops(self, guard: Guard, who: str, position: Position) -> None:
        """Note the first stop of somebody."""
        del guard
        if who not in self.account.held:
            self._hold(who, position)

    def _hold(self, who: str, position: Position) -> Held:
        running = sum(step.accrued(max(step.at, position[0])) for step in self._accruing.get(who, {}).values())
        spent = self._settled[who] + running
        held = self.account.held[who] = Held(position, Split(spent=spent))
        if self.account.guardrail.asks:
            self.account.unanswered[who] = Held(position, Split(spent=spent))
        return held

    def close(self) -> None:
        """Write down what was spent after the first stop."""
        for who, held in self.account.held.items():
            held.money.after = self._settled[who] - held.money.spent


class _Joint:
    """The books of the world with all guardrails: one account for everybody."""

    def __init__(self, found: Survey) -> None:
        self.held: Held | None = None
        self.by: Guardrail | None = None
        self._found = found
        self._settled = 0
        self._accruing: dict[int, Step] = {}

    def unseen(self, guard: Guard, step: Step) -> None:
        """It is told of each guardrail alone."""

    def happens(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what is spent at once."""
        del who
        if step.until > step.at:
            self._accruing[step.place] = step
        elif step.is_charge:
            self._settled += step.cost * GRAINS

    def ends(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what accrued."""
        del who
        del self._accruing[step.place]
        self._settled += _cost(step)

    def cut(self, step: Step, who: Sequence[tuple[Guard, str]], position: Position) -> None:
        """Write down what accrued before it was cut off, and what would have been lost."""
        del who
        before = step.accrued(max(step.at, position[0])) if step.is_charge else 0
        held = self.held or self._hold(position)
        del self._accruing[step.place]
        self._settled += before
        held.cut_off(step, before, normal=self._found.is_normal(step.run))

    def kept(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """Write down what would not have happened."""
        del who
        if self.held is not None:
            self.held.keep(step, normal=self._found.is_normal(step.run))

    def acts(self, guard: Guard, who: str, position: Position) -> None:
        """What it refuses is refused at once."""
        if guard.is_refusing:
            self.stops(guard, who, position)

    def stops(self, guard: Guard, who: str, position: Position) -> None:
        """Note which guardrail stops or refuses something first, and what had been spent in all."""
        del who
        if self.held is None:
            self._hold(position)
        if self.by is None:
            self.by = guard.guardrail

    def _hold(self, position: Position) -> Held:
        running = sum(step.accrued(max(step.at, position[0])) for step in self._accruing.values())
        self.held = Held(position, Split(spent=self._settled + running))
        return self.held

    def close(self) -> None:
        """Write down what was spent after the first stop."""
        if self.held is not None:
            self.held.money.after = self._settled - self.held.money.spent


class _Line:
    """What had been spent at evenly spaced moments: each step is written down once, however long it accrues."""

    def __init__(self, found: Survey) -> None:
        self._edges: list[int] = []
        if found.working_from is not None and found.working_until is not None:
            length = found.working_until - found.working_from
            self._edges = [found.working_from + length * edge // (EDGES - 1) for edge in range(EDGES)]
        # At each edge: how much more is settled, how much faster it accrues, and how much of that is before the start.
        self._settled = [0] * (EDGES + 1)
        self._rates = [0] * (EDGES + 1)
        self._offsets = [0] * (EDGES + 1)

    def add(self, step: Step) -> None:
        """Write a step down."""
        start, end = bisect_left(self._edges, step.at), bisect_left(self._edges, step.until)
        self._settled[end] += step.cost * GRAINS
        for edge, sign in ((start, 1), (end, -1)):
            self._rates[edge] += sign * step.rate
            self._offsets[edge] += sign * step.rate * step.at

    def curve(self) -> Curve | None:
        """The line; None where nothing was done."""
        if not self._edges:
            return None
        spent, settled, rate, offset = [], 0, 0, 0
        for index, edge in enumerate(self._edges):
            settled += self._settled[index]
            rate += self._rates[index]
            offset += self._offsets[index]
            spent.append((settled + rate * edge - offset) // GRAINS)
        return Curve(self._edges[0], self._edges[-1], spent)
