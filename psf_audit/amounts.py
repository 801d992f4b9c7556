"""Numbers as people read them: dollars, lengths of time, moments, and bars of characters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def money(value: Decimal) -> str:
    """Dollars and cents; what is less than half a cent and not nothing says so."""
    if 0 < value < Decimal("0.005"):
        return "<0.01"
    return f"{value.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def span(seconds: Decimal | int) -> str:
    """A length of time in its two largest units."""
    left = int(seconds)
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def clock(at: int) -> str:
    """A moment, milliseconds UTC, to the second: `2026-05-10 00:14:07`."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"


def bars(values: Sequence[Decimal], width: int, height: int) -> list[str]:
    """Sums so far as bars of eighths of a line, the top row first; the last value is the highest."""
    most = values[-1]
    sizes = []
    for column in range(width):
        value = values[(len(values) - 1) * (column + 1) // width]
        eighths = int(value * height * 8 / most) if most else 0
        # Something is not nothing, however small.
        sizes.append(max(eighths, 1 if value else 0))
    return ["".join(_EIGHTHS[min(8, max(0, size - 8 * level))] for size in sizes) for level in reversed(range(height))]
