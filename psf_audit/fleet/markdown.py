"""A portfolio as GitHub-flavoured Markdown: an index that links the report of each deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.fleet import words
from psf_audit.markup import escape, table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from psf_audit.fleet.portfolio import FailOn, Portfolio


def text(portfolio: Portfolio, fail_on: Collection[FailOn], place: Callable[[str], str]) -> str:
    """All of it; `place` says where a report lies, seen from where this text will be."""
    return "\n\n".join(_blocks(portfolio, fail_on, place)) + "\n"


def _blocks(portfolio: Portfolio, fail_on: Collection[FailOn], place: Callable[[str], str]) -> Iterator[str]:
    yield f"# Fleet: {escape(words.title(portfolio))}"
    yield from (escape(part) for part in words.summary(portfolio, fail_on))
    if portfolio.failed:
        yield "## Not assessed"
        yield _table(words.FAILED_HEADER, words.failed(portfolio))
    if portfolio.deployments:
        yield "## Worst first"
        rows = []
        for one in portfolio.deployments:
            name, *cells = (escape(cell) for cell in words.row(one))
            links = [f"[{name}]({words.address(place(one.reports[0]))})"] if one.reports else [name]
            rows.append([*links, *cells])
        yield table(words.HEADER, rows)
    if portfolio.common:
        yield "## Common gaps"
        yield _table(words.COMMON_HEADER, words.common(portfolio))
    if portfolio.ending:
        yield f"## {escape(words.ending_title(portfolio))}"
        yield _table(words.ENDING_HEADER, words.ending(portfolio))
    for count, shown in (
        (len(portfolio.common), words.MAX_COMMON),
        (len(portfolio.ending), words.MAX_ENDING),
    ):
        if told := words.more(count, shown):
            yield f"The tables are cut: {told} rows are in the JSON form."


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return table(header, [[escape(cell) for cell in row] for row in rows])
