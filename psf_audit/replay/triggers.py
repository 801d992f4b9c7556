"""Guards of every kind but the metered ones, and which guard a guardrail needs.

A cap of N lets N pass and acts on the next one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from psf_audit.replay.guardrails import REFUSES
from psf_audit.replay.guards import Guard, before
from psf_audit.replay.metered import Clock, Metered, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.guards import World
    from psf_audit.replay.steps import Position, Step

KNOWN_CALLS = 100_000

# What a list refuses: whether it is a tool or a target, the value, and the way that the call takes; see `lists`.
Refused = frozenset[tuple[str, str, str | None]]


class Repeats(Guard):
    """A cap on the same call again, or (`retries`) on the same call failing again with no success between.

    It has to know calls again, and knows the last hundred thousand.
    """

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._most = guardrail.known
        self._failing = guardrail.measure == "retries"
        self._seen: OrderedDict[Hashable, int] = OrderedDict()
        # Calls are told apart also by how often a person has let those go on who made them.
        self._turns: dict[str, int] = {}

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before the call that was made too often."""
        call = self._call(step, who)
        if call is None:
            return None
        if self._failing:
            # A cap of N retries lets the first attempt and N more fail; the next attempt is one too many.
            return before(step) if self._seen.get(call, 0) > self._most else None
        return before(step) if self._times(call, step) > self._most else None

    def add(self, step: Step, who: str) -> None:
        """Remember a call."""
        call = self._call(step, who)
        if call is None:
            return
        if self._failing:
            failed = step.outcome in {"error", "timeout"}
            count = self._seen.get(call, 0) + 1 if failed else 0
        else:
            count = self._times(call, step)
        self._seen[call] = count
        self._seen.move_to_end(call)
        if len(self._seen) > KNOWN_CALLS:
            self._seen.popitem(last=False)

    def _times(self, call: Hashable, step: Step) -> int:
        """How often it is made with this call; what was created again was there once before, whoever created it."""
        return self._seen.get(call, 1 if step.duplicate_of is not None else 0) + 1

    def _call(self, step: Step, who: str) -> Hashable:
        if not step.is_action or not self.guardrail.covers(step):
            return None
        turn = self._turns.get(who, 0)
        if step.duplicate_of is not None and not self._failing:
            return who, turn, "again", step.duplicate_of
        return None if step.digest is None else (who, turn, step.name, step.target, step.digest)

    def forget(self, who: str) -> None:
        """Know no call again."""
        self._turns[who] = self._turns.get(who, 0) + 1


class Family(Guard):
    """A cap on how deep tasks stand below each other, or on how many one task starts."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._most = guardrail.known
        self._wide = guardrail.measure == "fanout"
        self._children: dict[str, set[str]] = {}

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before the first call of a task that is one too many, or too deep."""
        del who
        if not step.is_call or not self.guardrail.covers(step):
            return None
        if not self._wide:
            return before(step) if step.depth > self._most else None
        children = self._children.get(step.parent or "", set())
        is_new = step.parent is not None and step.task is not None and step.task not in children
        return before(step) if is_new and len(children) + 1 > self._most else None

    def add(self, step: Step, who: str) -> None:
        """Remember a task, as far as it takes to know that there are too many."""
        del who
        if self._wide and step.is_call and step.parent is not None and step.task is not None:
            children = self._children.setdefault(step.parent, set())
            if self.guardrail.covers(step) and len(children) <= self._most:
                children.add(step.task)


class Alive(Guard):
    """A cap on what runs at once: what was started and has an end in the log."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._most = guardrail.known
        self._alive: dict[str, int] = {}

    def _counts(self, step: Step) -> bool:
        return step.until > step.at and step.is_action and self.guardrail.covers(step)

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before what is one too many."""
        return before(step) if self._counts(step) and self._alive.get(who, 0) + 1 > self._most else None

    def add(self, step: Step, who: str) -> None:
        """Count what a step started."""
        if self._counts(step):
            self._alive[who] = self._alive.get(who, 0) + 1

    def ended(self, step: Step, who: str, at: int) -> None:
        """Count one less."""
        del at
        if self._counts(step):
            self._alive[who] -= 1
            if not self._alive[who]:
                del self._alive[who]


class Size(Guard):
    """A gate at so many different targets in a run; it holds the run before the first that is one too many."""

    def __init__(self, guardrail: Guardrail, world: World) -> None:
        super().__init__(guardrail, world)
        self._most = guardrail.known
        self._targets: dict[str, set[str]] = {}

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before the first call of one target too many."""
        targets = self._targets.get(who, set())
        is_new = self._counts(step) and step.target not in targets
        return before(step) if is_new and len(targets) + 1 > self._most else None

    def add(self, step: Step, who: str) -> None:
        """Remember a target, as far as it takes to know that there are too many."""
        if self._counts(step) and step.target is not None:
            targets = self._targets.setdefault(who, set())
            if len(targets) <= self._most:
                targets.add(step.target)

    def _counts(self, step: Step) -> bool:
        return step.is_action and step.target is not None and self.guardrail.covers(step)

    def forget(self, who: str) -> None:
        """A person has seen how many there are: count from nothing."""
        self._targets.pop(who, None)


# -------------------------------------------------------------------------------------------------------------- people


class Approval(Guard):
    """A gate before calls: it acts on each that rests on no person's earlier approval of that call.

    Of `new_resource` those are the calls that create, and in a run of each only the first with the same arguments; of
    `scope`, those whose target the lists of targets do not allow.
    """

    def __init__(self, guardrail: Guardrail, world: World, refused: Refused) -> None:
        super().__init__(guardrail, world)
        self._given: dict[str, tuple[str | None, str | None, str | None]] = {}
        self._refused = refused if guardrail.measure == "scope" else None
        self._made: OrderedDict[Hashable, None] | None = OrderedDict() if guardrail.measure == "new_resource" else None

    def hears(self, step: Step) -> None:
        """Keep an approval."""
        if step.kind == "approval" and step.actor_kind == "operator" and step.actor and step.id is not None:
            self._given[step.id] = (step.name, step.digest, step.target)

    def refuses(self, step: Step, who: str) -> bool:
        """Whether a call needs an approval that it does not have."""
        return self._asks(step, who)

    def exceeded(self, step: Step, who: str) -> Position | None:
        """Just before a call that needs an approval that it does not have."""
        return before(step) if not self.is_refusing and self._asks(step, who) else None

    def add(self, step: Step, who: str) -> None:
        """Remember what was created."""
        if self._made is not None and step.is_action and self.guardrail.covers(step):
            self._made[who, step.name, step.target, step.digest] = None
            if len(self._made) > KNOWN_CALLS:
                self._made.popitem(last=False)

    def _asks(self, step: Step, who: str) -> bool:
        if not step.is_action or not self.guardrail.covers(step):
            return False
        if self._refused is not None and ("target", step.target, step.via) not in self._refused:
            return False
        if self._made is not None and (who, step.name, step.target, step.digest) in self._made:
            return False
        return not self._approved(step)

    def _approved(self, step: Step) -> bool:
        name, digest, target = self._given.get(step.approval or "", (None, None, None))
        if name is None or name != step.name:
            return False
        pairs = ((digest, step.digest), (target, step.target))
        return all(approved is None or done is None or approved == done for approved, done in pairs)


class StopRequest(Guard):
    """A gate that heeds a request to stop, whoever makes it."""

    looks_ahead = False

    def hears(self, step: Step) -> None:
        """Act on a request."""
        if step.run is not None and step.kind == "stop_request":
            self.act(step, step.run, step.position)


class Listed(Guard):
    """A list of what may be touched and what may not: it refuses what the views say is outside it."""

    looks_ahead = False

    def __init__(self, guardrail: Guardrail, world: World, refused: Refused) -> None:
        super().__init__(guardrail, world)
        self._refused = refused
        self._of_tools = guardrail.row["dimension"] == "tool"

    def refuses(self, step: Step, who: str) -> bool:
        """Whether it refuses a call."""
        del who
        if not step.is_action:
            return False
        value = step.name if self._of_tools else step.target
        return ("tool" if self._of_tools else "target", value, step.via) in self._refused


# ------------------------------------------------------------------------------------------------------------- choosing

_MEASURES: dict[str, Callable[[Guardrail, World], Guard]] = {
    **dict.fromkeys(("usd", "spend", "tokens", "requests", "actions"), Metered),
    "seconds": Clock,
    **dict.fromkeys(("repeats", "retries"), Repeats),
    **dict.fromkeys(("depth", "fanout"), Family),
    "instances": Alive,
    "size": Size,
    "stop_request": StopRequest,
}


def guard(guardrail: Guardrail, world: World, refused: Refused = frozenset()) -> Guard:
    """A guardrail in force in a world; `refused` is what its list refuses, if it has one."""
    if guardrail.table == "boundaries":
        return Listed(guardrail, world, refused)
    if guardrail.measure in {"action", "new_resource", "scope"}:
        return Approval(guardrail, world, refused)
    if guardrail.measure == "interval":
        return (Clock if guardrail.row["unit"] == "seconds" else Metered)(guardrail, world)
    if guardrail.effect == REFUSES:
        return Window(guardrail, world)
    return _MEASURES[guardrail.measure](guardrail, world)
