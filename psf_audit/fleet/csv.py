"""A portfolio as CSV: one line a deployment, failed ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.model import percent
from psf_audit.rendering import line
from psf_audit.spreadsheet import cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.fleet.portfolio import Portfolio

HEADER = (
    "path", "name", "release", "environment", "owners", "rubric", "verdict", "exit_code", "reason", "score_percent",
    "coverage_percent", "valid_until", "gaps", "blocking_gaps", "exposure", "exposure_usd", "fingerprint", "report",
)  # fmt: skip


def text(portfolio: Portfolio) -> str:
    """All of it, lines ended as RFC 4180 ends them."""
    return "".join(",".join(cell(line(value)) for value in row) + "\r\n" for row in (HEADER, *_rows(portfolio)))


def _rows(portfolio: Portfolio) -> Iterator[tuple[str, ...]]:
    for one in portfolio.deployments:
        exposure = one.exposure
        yield (
            one.path,
            one.name,
            one.release,
            one.environment,
            "; ".join(one.owners),
            one.rubric,
            one.verdict.value,
            str(one.code.value),
            one.reason,
            "" if one.score is None else str(percent(one.score)),
            str(percent(one.coverage)),
            one.valid_until.isoformat() if one.valid_until else "",
            str(len(one.gaps)),
            str(sum(gap.severity == "blocking" for gap in one.gaps)),
            "not computed" if exposure is None else exposure.outcome.value,
            "" if exposure is None or exposure.usd is None else format(exposure.usd, "f"),
            one.fingerprint,
            one.reports[0] if one.reports else "",
        )
    for failure in portfolio.failed:
        empty = ("",) * (len(HEADER) - 9)
        yield (failure.path, *("",) * 5, "not assessed", str(failure.code.value), "; ".join(failure.why), *empty)
