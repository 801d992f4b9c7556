"""What a guardrail is where it is in force: the base of all guards.

A guard hears of every step that happens, in order, and is asked of every step before it happens. It keeps a few numbers
for each run, session, task or whatever its guardrail counts for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from psf_audit.replay.guardrails import REFUSES, STOPS

if TYPE_CHECKING:
    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.steps import Position, Step


class World(Protocol):
    """Where guards act."""

    def act(self, guard: Guard, who: str, position: Position, run: str | None) -> None:
        """Note that a guardrail acts on somebody, unless it did already and nobody let them go on."""

    def wake(self, guard: Guard, who: str, at: int) -> None:
        """Call `woken` at a moment."""

    def running(self, guard: Guard, who: str) -> bool:
        """Whether anything accrues for whom it counts."""


class Guard:
    """One guardrail in force. The defaults are those of one that never acts."""

    # Whether `exceeded` can say anything.
    looks_ahead = True

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        self.guardrail = guardrail
        self.world = world
        self.lag = 1000 * (guardrail.row.get("lag_seconds") or 0)
        self.holds = guardrail.effect == STOPS
        self.is_refusing = guardrail.effect == REFUSES
        # Asked of every step: for whom it counts it, if it reaches it.
        self.reaches_all = guardrail.reaches_all
        self.name_of = guardrail.name_of
        # Who is held, and who will be when the lag is over; each with the run in which that came about.
        self.held: dict[str, str | None] = {}
        self.pending: dict[str, str | None] = {}

    def refuses(self, step: Step, who: str) -> bool:
        """Whether it refuses a call, one of those that it counts for."""
        del step, who
        return False

    def exceeded(self, step: Step, who: str) -> Position | None:
        """When it acts, if the call is one too many; the moment is before the call."""
        del step, who
        return None

    def add(self, step: Step, who: str) -> None:
        """A step that it counts for happens: a call, or a charge."""

    def ended(self, step: Step, who: str, at: int) -> None:
        """What a step started accrues no more: it is over, or was cut off."""

    def woken(self, who: str, at: int) -> None:
        """The moment has come that it wanted to be told of."""

    def hears(self, step: Step) -> None:
        """Something happened that is neither a call nor a charge."""

    def forget(self, who: str) -> None:
        """Count anew: a person let those go on whom it had stopped."""

    def act(self, step: Step, who: str, position: Position) -> None:
        """Act on somebody."""
        self.world.act(self, who, position, step.run)


def before(step: Step) -> Position:
    """The moment just before a step."""
    return step.at, step.place - 1
