"""The most that several things can come to together, when each of some sums of them is limited: exact, by simplex.

Every weight and every limit is a fraction and none is negative, so that doing nothing is always allowed and no first
phase is needed. Bland's rule picks the pivot: the same input takes the same steps, and it always ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True)
class Limit:
    """The sum of the things named in `weights`, each times its weight, is at most `most`; no weight is zero."""

    weights: Mapping[int, Fraction]
    most: Fraction


@dataclass(frozen=True, slots=True)
class Packing:
    """The largest sum of all things, and the price of each limit: by how much the sum grows with it.

    The sum is that of every limit times its price.
    """

    most: Fraction
    prices: tuple[Fraction, ...]


def pack(things: Sequence[int], limits: Sequence[Limit]) -> Packing:
    """The largest sum of the things under the limits.

    Raises:
        ValueError: something stands in no limit: the sum has no largest value.
    """
    limited = {thing for limit in limits for thing in limit.weights}
    if not limited.issuperset(things):
        raise ValueError("something is not limited at all")
    kept, which = _strictest(limits)
    columns = _distinct(things, kept)
    table = [
        [limit.weights.get(thing, _ZERO) for thing in columns]
        + [_ONE if row == other else _ZERO for other in range(len(kept))]
        + [limit.most]
        for row, limit in enumerate(kept)
    ]
    gains = [-_ONE] * len(columns) + [_ZERO] * (len(kept) + 1)
    _climb(table, gains, list(range(len(columns), len(columns) + len(kept))))
    prices = [_ZERO] * len(limits)
    for row, price in enumerate(gains[len(columns) : -1]):
        prices[which[row]] = price
    return Packing(gains[-1], tuple(prices))


def _strictest(limits: Sequence[Limit]) -> tuple[list[Limit], list[int]]:
    """Of limits on the same sum only the lowest one matters; of equal ones the first is taken."""
    lowest: dict[tuple[tuple[int, Fraction], ...], int] = {}
    for index, limit in enumerate(limits):
        key = tuple(sorted(limit.weights.items()))
        if key not in lowest or limit.most < limits[lowest[key]].most:
            lowest[key] = index
    which = sorted(lowest.values())
    return [limits[index] for index in which], which


def _distinct(things: Sequence[int], limits: Sequence[Limit]) -> list[int]:
    """One of each kind of things that stand in the same limits with the same weights: they can take its place."""
    kinds: dict[tuple[Fraction, ...], int] = {}
    for thing in things:
        kinds.setdefault(tuple(limit.weights.get(thing, _ZERO) for limit in limits), thing)
    return list(kinds.values())


def _climb(table: list[list[Fraction]], gains: list[Fraction], basis: list[int]) -> None:
    while True:
        entering = next((column for column, gain in enumerate(gains[:-1]) if gain < 0), None)
        if entering is None:
            return
        ratios = [(line[-1] / line[entering], basis[row], row) for row, line in enumerate(table) if line[entering] > 0]
        _, _, leaving = min(ratios)
        pivot = table[leaving][entering]
        table[leaving] = [value / pivot for value in table[leaving]]
        for line in (*(line for row, line in enumerate(table) if row != leaving), gains):
            factor = line[entering]
            if factor:
                line[:] = [value - factor * other for value, other in zip(line, table[leaving], strict=True)]
        basis[leaving] = entering
