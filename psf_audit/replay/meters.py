"""Sums over all time, over fixed windows and over a window that slides; exact, whatever accrues between two looks.

A meter counts whole units: grains of money, tokens or calls. Time is milliseconds and never goes back. What accrues
does so at a whole number of units each millisecond. A fixed window begins at a whole multiple of its length in UTC; a
sliding one is the time since that long ago, and what was counted just that long ago has left it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HELD = 100_000


class Meter:
    """A sum since it began. `total` holds at `at`, and `rate` is what accrues each millisecond."""

    __slots__ = ("at", "full", "rate", "resting", "total")

    def __init__(self, at: int) -> None:
        """Begin with nothing."""
        self.at = at
        self.total = 0
        self.rate = 0
        # Kept for who reads it: whether the amount was reached and is still exceeded, and that nobody need look.
        self.full = False
        self.resting = False

    def advance(self, at: int) -> None:
        """Let time pass."""
        self.total += self.rate * (at - self.at)
        self.at = at

    def add(self, at: int, amount: int) -> None:
        """Count an amount."""
        self.advance(at)
        self.total += amount

    def speed(self, at: int, change: int) -> None:
        """More, or less, accrues from now on."""
        self.advance(at)
        self.rate += change

    def known(self, at: int) -> int:
        """The sum at a moment."""
        if at != self.at:
            self.advance(at)
        return self.total

    def due(self, most: int) -> int | None:
        """When to look whether what accrues has brought the sum to an amount; None for never."""
        return None if self.full or self.rate <= 0 else self.at - (self.total - most) // self.rate

    def clear(self, at: int) -> None:
        """Count from nothing; what accrues goes on accruing."""
        self.advance(at)
        self.total = 0

    def is_idle(self, at: int) -> bool:
        """Whether a new meter would say the same from a moment on."""
        del at
        return False


class Fixed(Meter):
    """A sum that begins anew with each window."""

    __slots__ = ("length", "start")

    def __init__(self, at: int, length: int) -> None:
        super().__init__(at)
        self.length = length
        self.start = at // length * length

    def advance(self, at: int) -> None:
        """Let time pass, whole windows at once."""
        if at >= self.start + self.length:
            self.start = at // self.length * self.length
            self.total, self.at, self.full = 0, self.start, False
        super().advance(at)

    def due(self, most: int) -> int | None:
        """In this window, or else in the next: what does not reach it in a whole one never does."""
        found = super().due(most)
        end = self.start + self.length
        if found is not None and found < end:
            return found
        # A window that ends has ended before it is full.
        return end - (-most // self.rate) if self.rate and self.rate * (self.length - 1) >= most else None

    def is_idle(self, at: int) -> bool:
        """Whether the window is over and nothing accrues."""
        return not self.rate and at >= self.start + self.length


class Sliding(Meter):
    """A sum of what was counted in the time since `length` ago.

    It holds what has yet to leave: beyond a hundred thousand entries two neighbours are held as one, which leaves when
    the later does.
    """

    __slots__ = ("coming", "leaving", "length")

    def __init__(self, at: int, length: int) -> None:
        super().__init__(at)
        self.length = length
        self.coming = 0
        # When it leaves, how much, and how much faster it leaves from then on.
        self.leaving: deque[tuple[int, int, int]] = deque()

    def advance(self, at: int) -> None:
        """Let time pass, and what is too long ago leave."""
        while self.leaving and self.leaving[0][0] <= at:
            when, amount, change = self.leaving.popleft()
            super().advance(when)
            self.total -= amount
            self.rate -= change
        super().advance(at)

    def add(self, at: int, amount: int) -> None:
        """Count an amount until it leaves."""
        super().add(at, amount)
        self._hold(at + self.length, amount, 0)

    def speed(self, at: int, change: int) -> None:
        """What accrues now leaves as it came."""
        super().speed(at, change)
        self.coming += change
        self._hold(at + self.length, 0, change)

    def due(self, most: int) -> int | None:
        """The next moment to look: when it is reached, or before that, when something leaves."""
        if not self.coming:
            return None
        found = super().due(most)
        leaves = self.leaving[0][0] if self.leaving else None
        return min((when for when in (found, leaves) if when is not None), default=None)

    def clear(self, at: int) -> None:
        """Forget what was counted; what accrues goes on, and leaves as it came."""
        self.advance(at)
        self.leaving.clear()
        self.total, self.rate = 0, self.coming
        if self.coming:
            self._hold(at + self.length, 0, self.coming)

    def _hold(self, when: int, amount: int, change: int) -> None:
        held = self.leaving
        if held and held[-1][0] == when:
            _, more, faster = held.pop()
            amount, change = amount + more, change + faster
        held.append((when, amount, change))
        if len(held) > MOST_HELD:
            self._halve()

    def _halve(self) -> None:
        held = list(self.leaving)
        pairs = zip(islice(held, 0, None, 2), islice(held, 1, None, 2), strict=False)
        rest = held[-1:] if len(held) % 2 else []
        # What leaves later than it should has gone on accruing meanwhile: that leaves with it.
        self.leaving = deque([(b, n + m + r * (b - a), r + s) for (a, n, r), (b, m, s) in pairs] + rest)

    def is_idle(self, at: int) -> bool:
        """Whether nothing is in the window."""
        return not self.coming and (not self.leaving or self.leaving[-1][0] <= at)


class Late:
    """A meter that learns everything some time after it happened."""

    __slots__ = ("_lag", "_meter", "_waiting")

    def __init__(self, meter: Meter, lag: int) -> None:
        self._meter, self._lag = meter, lag
        self._waiting: deque[tuple[int, int, int]] = deque()

    def add(self, at: int, amount: int) -> None:
        """Count an amount, later."""
        self._waiting.append((at, amount, 0))

    def speed(self, at: int, change: int) -> None:
        """More, or less, accrues from now on: it will learn that."""
        self._waiting.append((at, 0, change))

    def known(self, at: int) -> int:
        """The sum as it is known at a moment: without what happened less than the lag ago."""
        seen = at - self._lag
        while self._waiting and self._waiting[0][0] < seen:
            when, amount, change = self._waiting.popleft()
            self._meter.add(when, amount)
            if change:
                self._meter.speed(when, change)
        return self._meter.known(max(seen, self._meter.at))

    def is_idle(self, at: int) -> bool:
        """Whether a new one would say the same from a moment on."""
        self.known(at)
        return not self._waiting and self._meter.is_idle(at - self._lag)


def maker(length: int, *, aligned: bool) -> Callable[[int], Meter]:
    """What makes a meter that begins at a moment: for windows of this many milliseconds, 0 for none."""
    if not length:
        return Meter
    kind = Fixed if aligned else Sliding
    return lambda at: kind(at, length)
