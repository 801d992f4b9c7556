"""A portfolio on a terminal: tables as wide as it is, no colour, for the words say all."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from psf_audit.fleet import words
from psf_audit.rendering import line
from psf_audit.text import cut

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from psf_audit.fleet.portfolio import FailOn, Portfolio
    from psf_audit.rendering import View

MAX_ROWS = 40
_LEAST = 6
# Of the columns of a deployment those that a narrow terminal can do without, the last first.
_SPARED = ("Owner", "Environment", "Release", "Valid until")
_NARROW = 28


def text(portfolio: Portfolio, view: View, fail_on: Collection[FailOn]) -> str:
    """The whole of it, deployments beyond the first forty counted only."""
    return "\n".join(_lines(portfolio, view.width, fail_on)) + "\n"


def _lines(portfolio: Portfolio, width: int, fail_on: Collection[FailOn]) -> Iterator[str]:
    for part in (words.title(portfolio), *words.summary(portfolio, fail_on)):
        yield from textwrap.wrap(line(part), width) or [""]
    if portfolio.failed:
        yield from ("", "Not assessed")
        for path, code, why in words.failed(portfolio):
            said = line(f"{path}: {why} (exit code {code})")
            yield from textwrap.wrap(said, width, initial_indent="  ", subsequent_indent="    ")
    if portfolio.deployments:
        yield from ("", "Worst first")
        shown = portfolio.deployments[:MAX_ROWS]
        yield from _deployments([words.row(one) for one in shown], width)
        yield from _rest(len(portfolio.deployments), len(shown))
    for title, header, rows, count in (
        ("Common gaps", words.COMMON_HEADER, words.common(portfolio), len(portfolio.common)),
        (words.ending_title(portfolio), words.ENDING_HEADER, words.ending(portfolio), len(portfolio.ending)),
    ):
        if rows:
            yield from ("", title)
            yield from _table(header, rows, width)
            yield from _rest(count, len(rows))


def _rest(count: int, shown: int) -> Iterator[str]:
    told = words.more(count, shown)
    if told:
        yield f"  {told}"


def _deployments(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    kept = list(range(len(words.HEADER)))
    for name in _SPARED:
        if sum(_widths(words.HEADER, rows)[column] + 2 for column in kept) > max(width, _NARROW):
            kept.remove(words.HEADER.index(name))
    yield from _table([words.HEADER[column] for column in kept], [[row[c] for c in kept] for row in rows], width)


def _widths(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(line(cell)) for cell in column) for column in zip(header, *rows, strict=True)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Columns side by side; the widest give way, cell by cell, until all fit."""
    widths = _widths(header, rows)
    while sum(widths) + 2 * len(widths) > width and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    for cells in (header, *rows):
        yield ("  " + "  ".join(cut(line(c), w).ljust(w) for c, w in zip(cells, widths, strict=True))).rstrip()
