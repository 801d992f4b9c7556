"""What a log holds, from one look at its steps in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psf_audit.replay.lists import Touched
    from psf_audit.replay.steps import Log, Step

MOST_MARKS = 400

_TROUBLE = frozenset({"alert", "stop_request"})
_MARKED = frozenset(
    {"approval", "refusal", "resume", "checkpoint", "pause", "alert", "warning", "stop_request", "stop", "complete"}
)


@dataclass(slots=True)
class Survey:
    """What the log holds. `touched` is what was called and touched, where that was asked for."""

    events: int = 0
    calls: int = 0
    unpriced: int = 0
    first: int | None = None
    last: int | None = None
    working_from: int | None = None
    working_until: int | None = None
    nano: int = 0
    runs: set[str] = field(default_factory=set)
    complete: set[str] = field(default_factory=set)
    troubled: set[str] = field(default_factory=set)
    marks: list[tuple[int, str]] = field(default_factory=list)
    marked: int = 0
    touched: set[Touched] = field(default_factory=set)

    def is_normal(self, run: str | None) -> bool:
        """Whether a run is a normal one; what stands outside any run is not."""
        return run in self.complete and run not in self.troubled

    @property
    def normal(self) -> int:
        """How many runs are normal."""
        return len(self.complete - self.troubled)

    @property
    def unmarked(self) -> int:
        """How many marks were left out."""
        return self.marked - len(self.marks)

    def look(self, step: Step) -> None:
        """Note one step."""
        self.events += 1
        at = step.at
        if self.first is None or self.last is None:
            self.first = self.last = at
        elif at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at
        if step.run is not None:
            self.runs.add(step.run)
        if step.is_call or step.is_charge:
            self._work(step)
        if step.kind in _MARKED:
            self._mark(step, step.kind)

    def _work(self, step: Step) -> None:
        if self.working_from is None or self.working_until is None:
            self.working_from, self.working_until = step.at, step.until
        self.working_from = min(self.working_from, step.at)
        self.working_until = max(self.working_until, step.until)
        self.nano += step.cost if step.is_charge else 0
        self.calls += step.is_call
        self.unpriced += step.is_call and not step.priced

    def _mark(self, step: Step, kind: str) -> None:
        if step.run is not None:
            if kind == "complete":
                self.complete.add(step.run)
            if kind in _TROUBLE or (kind == "stop" and step.actor_kind in {"operator", None}):
                self.troubled.add(step.run)
        self.marked += 1
        self.marks.append((step.at, kind))
        if len(self.marks) >= 2 * MOST_MARKS:
            self.settle()

    def settle(self) -> None:
        """Keep the first marks."""
        self.marks = sorted(self.marks)[:MOST_MARKS]

    def touch(self, step: Step) -> None:
        """Note one step, and what it was done with and to."""
        self.look(step)
        if step.is_action:
            if step.name is not None:
                self.touched.add(("tool", step.name, step.via))
            if step.target is not None:
                self.touched.add(("target", step.target, step.via))


def survey(log: Log, incidents: frozenset[str], *, touches: bool = False) -> Survey:
    """What the log holds; `incidents` are runs that an incident on record names."""
    found = Survey(troubled=set(incidents))
    log.look_over(found.touch if touches else found.look)
    found.settle()
    return found
