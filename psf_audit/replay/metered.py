"""Guards that go by sums and by time: ceilings, caps and rates over all time or in windows, and gates at so much.

A ceiling on what is known only afterwards, money and tokens, is reached by the step that makes the sum, or between
steps by what accrues. A cap on calls lets its number pass and acts on the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from psf_audit.replay.guards import Guard, before
from psf_audit.replay.meters import Late, Meter, Sliding, maker
from psf_audit.replay.steps import BEFORE, GRAINS, nano

if TYPE_CHECKING:
    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.guards import World
    from psf_audit.replay.steps import Position, Step

MANY_METERS = 10_000

M = TypeVar("M", bound="Meter | Late")


class _Metering(Guard, Generic[M]):
    """What is counted, and the meters of those for whom it is counted."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        row = guardrail.row
        self._of = {"spend": "usd", "interval": "actions"}.get(guardrail.measure, guardrail.measure)
        self._caps = self._of in {"requests", "actions"}
        # Of calls it is the number that may pass: two and a half lets two.
        whole = int(guardrail.known) if self._caps else int(-(-guardrail.known // 1))
        self._most = nano(guardrail.known) * GRAINS if self._of == "usd" else whole
        self._make = maker(1000 * (row.get("per_seconds") or 0), aligned=bool(row.get("aligned")))
        self._meters: dict[str, M] = {}
        self._sweep_at = MANY_METERS

    def _counts(self, step: Step) -> bool:
        if self._of == "usd":
            return step.is_charge and self.guardrail.covers(step)
        return (step.is_action if self._of == "actions" else step.is_call) and self.guardrail.covers(step)

    def _count(self, meter: M, step: Step) -> None:
        """Count a step; what accrues, from when it began."""
        if self._of == "usd" and step.until > step.at:
            meter.speed(step.at, step.rate)
        else:
            meter.add(step.at, step.cost * GRAINS if self._of == "usd" else step.tokens if self._of == "tokens" else 1)

    def _stop_counting(self, meter: M, step: Step, at: int) -> None:
        """Count that it accrues no more, and what is left if it came to its end."""
        meter.speed(at, -step.rate)
        if at == step.until:
            meter.add(at, step.rest)

    def _keep(self, who: str, meter: M, at: int) -> M:
        """Keep a new meter; when there are many, let go of those whose windows are empty again."""
        if len(self._meters) >= self._sweep_at:
            self._meters = {known: old for known, old in self._meters.items() if not old.is_idle(at)}
            self._sweep_at = max(MANY_METERS, 2 * len(self._meters))
        self._meters[who] = meter
        return meter


class Window(_Metering["Meter | Late"]):
    """A limit in a window that refuses single calls while the window is full, and lets work go on when there is room.

    What was started before goes on accruing. With a lag it refuses by what is known: the sum as it was then.
    """

    looks_ahead = False

    def refuses(self, step: Step, who: str) -> bool:
        """Whether the window is full, as far as is known."""
        if not self.guardrail.covers(step) or (self._of == "actions" and not step.is_action):
            return False
        meter = self._meters.get(who)
        return (0 if meter is None else meter.known(step.at)) >= self._most

    def add(self, step: Step, who: str) -> None:
        """Count a step."""
        if self._counts(step):
            meter = self._meters.get(who)
            if meter is None:
                made = self._make(step.at)
                meter = self._keep(who, Late(made, self.lag) if self.lag else made, step.at)
            self._count(meter, step)

    def ended(self, step: Step, who: str, at: int) -> None:
        """Count that what a step started is over."""
        if self._of == "usd" and self._counts(step):
            self._stop_counting(self._meters[who], step, at)


class Metered(_Metering[Meter]):
    """A limit on money, tokens or calls that stops, or a gate at so much since a person decided."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._is_gate = guardrail.table == "gates"
        self.looks_ahead = self._caps
        # The earliest moment at which it asked to be told, and in which run what it counts came about last.
        self._timers: dict[str, int] = {}
        self._runs: dict[str, str | None] = {}

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before the call that is one too many."""
        if not self._caps or not self._counts(step):
            return None
        meter = self._meters.get(who)
        total = 0 if meter is None else meter.known(step.at)
        if total < self._most:
            if meter is not None:
                meter.full = False
            return None
        meter = meter or self._keep(who, self._make(step.at), step.at)
        told, meter.full = meter.full, True
        return None if told else before(step)

    def add(self, step: Step, who: str) -> None:
        """Count a step, and act if it makes the sum."""
        if not self._counts(step):
            return
        meter = self._meters.get(who) or self._keep(who, self._make(step.at), step.at)
        meter.resting = meter.resting and not step.is_call
        self._count(meter, step)
        if self._caps:
            return
        self._runs[who] = step.run
        accrues = step.until > step.at and self._of == "usd"
        if not accrues and (step.cost or self._of == "tokens") and self._reached(meter, meter.total):
            self.act(step, who, step.position)
        self._wind(meter, who)

    def ended(self, step: Step, who: str, at: int) -> None:
        """Count what is left, and act if the sum is made by then."""
        if self._of == "usd" and self._counts(step):
            meter = self._meters[who]
            self._stop_counting(meter, step, at)
            if self._reached(meter, meter.total):
                self.world.act(self, who, (at, BEFORE), self._runs.get(who))
            self._wind(meter, who)

    def woken(self, who: str, at: int) -> None:
        """What accrues has reached the amount, or something has left a sliding window."""
        if self._timers.get(who) != at:
            return
        del self._timers[who]
        meter = self._meters.get(who)
        if meter is None or meter.at > at:
            return
        if self._reached(meter, meter.known(at)):
            self.world.act(self, who, (at, BEFORE), self._runs.get(who))
        self._wind(meter, who)

    def hears(self, step: Step) -> None:
        """A gate begins anew when a person decides; who was stopped needs none until the agent goes on all the same."""
        if self._is_gate and step.is_decision and step.run is not None and step.run in self._meters:
            meter = self._meters[step.run]
            meter.clear(step.at)
            meter.full, meter.resting = False, step.kind == "stop"
            self._wind(meter, step.run)

    def forget(self, who: str) -> None:
        """What ran was cut off when it was stopped, so that a new meter is as good."""
        self._meters.pop(who, None)

    def _reached(self, meter: Meter, total: int) -> bool:
        """Whether a sum is reached that was not reached before."""
        if total < self._most:
            meter.full = False
            return False
        new = not meter.full and not meter.resting
        meter.full = meter.full or new
        return new

    def _wind(self, meter: Meter, who: str) -> None:
        """Ask to be told when what accrues may reach the amount."""
        if meter.resting or (not meter.rate and not isinstance(meter, Sliding)):
            return
        at = meter.due(self._most)
        if at is not None and at < self._timers.get(who, at + 1):
            self._timers[who] = at
            self.world.wake(self, who, at)


class Clock(Guard):
    """A limit on how long it runs, or on how long it runs without a person: it acts only on what is still at work."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._most = int(guardrail.known * 1000)
        self._is_gate = guardrail.table == "gates"
        self._since: dict[str, int] = {}
        self._runs: dict[str, str | None] = {}

    def exceeded(self, step: Step, who: str) -> Position | None:
        """When the time ran out, if it did before this call."""
        since = self._since.get(who)
        if since is None or not self.guardrail.covers(step) or since + self._most > step.at:
            return None
        del self._since[who]
        return since + self._most, BEFORE

    def add(self, step: Step, who: str) -> None:
        """Begin to count, if it is not counted yet: after a decision an agent that waits needs nobody to look at it."""
        if not self.guardrail.covers(step):
            return
        if step.is_call and who not in self._since:
            self._since[who] = step.at
            self._runs[who] = step.run
            if self.world.running(self, who):
                self.world.wake(self, who, step.at + self._most)
        elif step.until > step.at and who in self._since:
            self.world.wake(self, who, max(step.at, self._since[who] + self._most))

    def woken(self, who: str, at: int) -> None:
        """The time ran out if something still accrues."""
        since = self._since.get(who)
        if since is not None and since + self._most <= at and self.world.running(self, who):
            del self._since[who]
            self.world.act(self, who, (since + self._most, BEFORE), self._runs.get(who))

    def hears(self, step: Step) -> None:
        """Nobody has to look at a run when a person just did, or when it is complete."""
        if self._is_gate and step.run is not None and (step.is_decision or step.kind == "complete"):
            self._since.pop(step.run, None)

    def forget(self, who: str) -> None:
        """Count from the next call."""
        self._since.pop(who, None)
