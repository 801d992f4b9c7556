"""A portfolio as one HTML page, like that of an assessment: it loads nothing, runs nothing, and links the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.fleet import wire, words
from psf_audit.report.html import page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from psf_audit.fleet.portfolio import FailOn, Portfolio

DATA_ID = "psf-fleet"


def text(portfolio: Portfolio, fail_on: Collection[FailOn], place: Callable[[str], str]) -> str:
    """The whole page; `place` says where a report lies, seen from where the page will be."""
    first, *rest = words.summary(portfolio, fail_on)
    return page(
        "fleet.html.j2",
        wire.to_json(portfolio, fail_on),
        DATA_ID,
        {},
        portfolio=portfolio,
        about=words.title(portfolio),
        verdicts=first,
        summary=rest,
        header=words.HEADER,
        rows=[(one, words.row(one), _address(one.reports, place)) for one in portfolio.deployments],
        common_header=words.COMMON_HEADER,
        common=words.common(portfolio),
        more_common=words.more(len(portfolio.common), words.MAX_COMMON),
        ending_title=words.ending_title(portfolio),
        ending_header=words.ENDING_HEADER,
        ending=words.ending(portfolio),
        more_ending=words.more(len(portfolio.ending), words.MAX_ENDING),
        failed_header=words.FAILED_HEADER,
        failed=words.failed(portfolio),
    )


def _address(reports: tuple[str, ...], place: Callable[[str], str]) -> str:
    """A relative address, so that no name can make it lead to another host or scheme."""
    return words.address(place(reports[0])) if reports else ""
