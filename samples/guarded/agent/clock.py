"""Simulated time: nothing in this sample waits, and nothing reads the wall clock."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that moves only when told to, and runs what is due on the way."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` once that much time has passed, even in the middle of somebody else's call."""
        heapq.heappush(self._due, (self.now + timedelta(seconds=seconds), next(self._order), action))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.advance_to(self.now + timedelta(seconds=seconds))

    def advance_to(self, until: datetime) -> None:
        """Let time pass up to a moment; a moment already gone changes nothing."""
        while self._due and self._due[0][0] <= until:
            at, _, action = heapq.heappop(self._due)
            self.now = max(self.now, at)
            action()
        self.now = max(self.now, until)


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond where there are any."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")
