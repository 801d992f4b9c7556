"""A log played with guardrails in force: what would have happened, and what they would have kept from happening.

Several guardrails in one world are in force together: what one keeps from happening, no other counts. Whoever is held
does nothing more until a person approves or resumes, where the guardrail lets people decide; nobody knows what they
would have answered, so the answers are those that the log has.

At one moment, what was decided before comes first, then what ends then, then what accrued to an amount by then, then
the steps of the log in their order. A call that is held or refused by one guardrail is not looked at by the others;
several caps act on the same call together. So the order of the guardrails changes nothing.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Protocol

from psf_audit.replay.steps import AFTER
from psf_audit.replay.triggers import Refused, guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.guards import Guard
    from psf_audit.replay.steps import Position, Step

_GOES_ON = frozenset({"approval", "resume"})
# What is decided at a moment that has passed, before what ends and what wakes at the same moment.
_HOLDS, _ENDS, _WAKES = range(3)


class Books(Protocol):
    """Where it is written down what happens. Steps are calls and charges; `who` is for whom each guard counts them."""

    def unseen(self, guard: Guard, step: Step) -> None:
        """The log does not say for whom a guard would count a step."""

    def happens(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """A step happens; if it accrues, its cost comes later."""

    def ends(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """What accrued came to its end."""

    def cut(self, step: Step, who: Sequence[tuple[Guard, str]], position: Position) -> None:
        """What accrued was cut off by a stop."""

    def kept(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        """A step does not happen."""

    def acts(self, guard: Guard, who: str, position: Position) -> None:
        """A guard acts; it stops only later, where it learns things late."""

    def stops(self, guard: Guard, who: str, position: Position) -> None:
        """A guard holds somebody from now on, or tells of them; what ran was cut off."""


class World:
    """One world. Its steps have to come in order; `finish` after the last."""

    def __init__(
        self, guardrails: Sequence[Guardrail], books: Books, refused: Mapping[Guardrail, Refused] | None = None
    ) -> None:
        """Put guardrails in force; `refused` is what the list of each refuses."""
        known = refused or {}
        self.guards = [guard(each, self, known.get(each, frozenset())) for each in guardrails]
        self._refusing = any(each.is_refusing for each in self.guards)
        self._books = books
        self._heap: list[tuple[int, int, int, Guard | None, str, Position]] = []
        self._pushed = 0
        self._running: dict[int, tuple[Step, Sequence[tuple[Guard, str]]]] = {}
        self._running_for: dict[tuple[Guard, str], set[int]] = {}

    # ------------------------------------------------------------------------------------------------- what happens

    def begin(self, step: Step) -> None:
        """A step of the log begins, unless something keeps it from happening."""
        if self._heap and self._heap[0][0] <= step.at:
            self._until(step.at)
        if not step.is_call:
            if step.is_decision and step.kind in _GOES_ON:
                self._let_go_on(step)
            for each in self.guards:
                each.hears(step)
            if not step.is_charge:
                return
        who = []
        is_held = False
        for each in self.guards:
            if each.reaches_all or each.guardrail.reaches(step):
                name = each.name_of(step)
                if name is None:
                    self._books.unseen(each, step)
                else:
                    who.append((each, name))
                    is_held = is_held or name in each.held
        if is_held or (step.is_call and self._is_kept(step, who)):
            self._books.kept(step, who)
        else:
            self._happens(step, who)

    def finish(self) -> None:
        """Let everything end that accrues, and act whoever learns of it late."""
        while self._heap:
            self._next()

    def _is_kept(self, step: Step, who: Sequence[tuple[Guard, str]]) -> bool:
        """Whether a call is refused, or is one too many for what stops on it."""
        if self._refusing:
            refusing = [(each, name) for each, name in who if each.is_refusing and each.refuses(step, name)]
            for each, name in refusing:
                self._books.acts(each, name, (step.at, step.place - 1))
            if refusing:
                return True
        over = []
        for each, name in who:
            if each.looks_ahead:
                position = each.exceeded(step, name)
                if position is not None:
                    over.append((each, name, position))
        for each, name, position in over:
            self.act(each, name, position, step.run)
        return any(name in each.held for each, name, _ in over)

    def _happens(self, step: Step, who: Sequence[tuple[Guard, str]]) -> None:
        self._books.happens(step, who)
        if step.until > step.at:
            self._running[step.place] = (step, who)
            for pair in who:
                self._running_for.setdefault(pair, set()).add(step.place)
            self._push(step.until, _ENDS, None, "", (step.until, step.place))
        for each, name in who:
            each.add(step, name)

    # -------------------------------------------------------------------------------------------------- what guards do

    def act(self, guard: Guard, who: str, position: Position, run: str | None) -> None:
        """Note that a guardrail acts on somebody, unless it did already and nobody let them go on."""
        if who in guard.held or who in guard.pending:
            return
        self._books.acts(guard, who, position)
        if guard.lag:
            guard.pending[who] = run
            late = position[0] + guard.lag
            self._push(late + 1, _HOLDS, guard, who, (late, AFTER))
        else:
            self._stop(guard, who, position, run)

    def wake(self, guard: Guard, who: str, at: int) -> None:
        """Call `woken` at a moment."""
        self._push(at, _WAKES, guard, who, (at, 0))

    def running(self, guard: Guard, who: str) -> bool:
        """Whether anything accrues for whom it counts."""
        places = self._running_for.get((guard, who), ())
        return any(guard.guardrail.covers(self._running[place][0]) for place in places)

    def _stop(self, guard: Guard, who: str, position: Position, run: str | None) -> None:
        if guard.holds:
            guard.held[who] = run
            for place in sorted(self._running_for.get((guard, who), ())):
                # Another guard may stop somebody because of what is cut here, and cut it all before this one does.
                if place in self._running:
                    step, seen = self._running[place]
                    self._over(step, seen, position[0])
                    self._books.cut(step, seen, position)
        self._books.stops(guard, who, position)

    def _over(self, step: Step, who: Sequence[tuple[Guard, str]], at: int) -> None:
        """What a step started accrues no more."""
        del self._running[step.place]
        for pair in who:
            places = self._running_for[pair]
            places.discard(step.place)
            if not places:
                del self._running_for[pair]
        for each, name in who:
            each.ended(step, name, at)

    def _let_go_on(self, step: Step) -> None:
        """A person lets go on what is held: what counts for the account, and what was stopped in their run."""
        for each in self.guards:
            if not each.held or not each.guardrail.asks:
                continue
            if each.guardrail.is_for_all:
                freed = list(each.held)
            else:
                own = each.name_of(step)
                freed = [who for who, run in each.held.items() if run == step.run or who == own]
            for who in freed:
                del each.held[who]
                each.forget(who)

    # ------------------------------------------------------------------------------------------------------------ time

    def _push(self, at: int, what: int, guard: Guard | None, who: str, position: Position) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (at, what, self._pushed, guard, who, position))

    def _until(self, at: int) -> None:
        while self._heap and self._heap[0][0] <= at:
            self._next()

    def _next(self) -> None:
        at, what, _, guard, who, position = heapq.heappop(self._heap)
        if what == _ENDS:
            found = self._running.get(position[1])
            if found is not None:
                self._over(*found, at)
                self._books.ends(*found)
        elif guard is not None and what == _HOLDS:
            self._stop(guard, who, position, guard.pending.pop(who))
        elif guard is not None:
            guard.woken(who, at)
