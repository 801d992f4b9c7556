"""The parts of a portfolio in words, as every form for people shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.amounts import money
from psf_audit.fleet.portfolio import Deployment, Portfolio, decide
from psf_audit.model import Verdict
from psf_audit.rendering import day, percentage
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from psf_audit.fleet.portfolio import FailOn

HEADER = ("Deployment", "Release", "Environment", "Verdict", "Score", "Gaps", "Exposure", "Valid until", "Owner")
COMMON_HEADER = ("Control", "Deployments", "Severity", "What it asks", "Statuses")
ENDING_HEADER = ("On", "Deployment", "What")
FAILED_HEADER = ("Manifest", "Exit code", "Why")
MAX_COMMON = 15
MAX_ENDING = 25


def title(portfolio: Portfolio) -> str:
    """How many deployments, of which day."""
    filters = portfolio.selection.words()
    chosen = f" ({filters})" if filters else ""
    return f"{plural(len(portfolio.deployments), 'deployment')}{chosen}, as of {day(portfolio.as_of)}"


def summary(portfolio: Portfolio, fail_on: Collection[FailOn]) -> Iterator[str]:
    """The verdicts, the exposure, what was left out, and the gate."""
    counts = [(verdict, sum(one.verdict is verdict for one in portfolio.deployments)) for verdict in reversed(Verdict)]
    told = [f"{count} {verdict.label}" for verdict, count in counts if count]
    told += [f"{len(portfolio.failed)} not assessed"] if portfolio.failed else []
    yield ", ".join(told) or "nothing to assess was found"
    yield f"Exposure: {exposure(portfolio)}"
    if portfolio.left_out:
        yield f"The filters leave out {plural(portfolio.left_out, 'deployment')}."
    if portfolio.failed and portfolio.selection.words():
        yield "What could not be assessed is listed whatever the filters: nobody can tell whose it is."
    decision = decide(portfolio, fail_on)
    yield f"Gate: exit code {decision.code.value}, {decision.reason}"


def exposure(portfolio: Portfolio) -> str:
    """The sum and the largest of what is bounded, and beside it what has no sum: that never counts as nothing."""
    sums = portfolio.sums
    told = []
    if sums.bounded:
        largest = f", the largest {money(sums.largest[1])} USD ({sums.largest[0]})" if sums.largest else ""
        told.append(f"{money(sums.total)} USD in all of {plural(sums.bounded, 'bounded deployment')}{largest}")
    rest = (
        (sums.unbounded, "unbounded"),
        (sums.unknown, "unknown"),
        (sums.stopped, "stopped, with an overshoot that is not known"),
        (sums.not_computed, "not computed"),
    )
    told += [f"{count} {words}" for count, words in rest if count]
    return "; not in that sum: ".join(part for part in (told[0], ", ".join(told[1:])) if part) if told else "none"


def row(one: Deployment) -> tuple[str, ...]:
    """One deployment, in the columns of `HEADER`."""
    return (
        one.name,
        one.release,
        one.environment,
        one.verdict.label,
        percentage(one.score),
        str(len(one.gaps)),
        "not computed" if one.exposure is None else one.exposure.words,
        day(one.valid_until, "no day"),
        ", ".join(one.owners) or "nobody",
    )


def common(portfolio: Portfolio) -> list[tuple[str, ...]]:
    """The gaps of most deployments, in the columns of `COMMON_HEADER`."""
    return [
        (
            gap.control,
            str(gap.count),
            gap.severity,
            gap.title,
            ", ".join(f"{count} {status.label}" for status, count in gap.by_status),
        )
        for gap in portfolio.common[:MAX_COMMON]
    ]


def ending(portfolio: Portfolio) -> list[tuple[str, ...]]:
    """What runs out first, in the columns of `ENDING_HEADER`."""
    return [(day(ends.on), one.name, ends.what) for one, ends in portfolio.ending[:MAX_ENDING]]


def failed(portfolio: Portfolio) -> list[tuple[str, ...]]:
    """What could not be assessed, in the columns of `FAILED_HEADER`."""
    return [(one.path, str(one.code.value), "; ".join(one.why)) for one in portfolio.failed]


def more(count: int, shown: int) -> str:
    """What is said of the rows that are not listed; empty when all are."""
    return f"and {count - shown} more" if count > shown else ""


def ending_title(portfolio: Portfolio) -> str:
    """The heading over what runs out."""
    return f"Ran out, or runs out within {plural(portfolio.within_days, 'day')}"


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def address(path: str) -> str:
    """A relative path as an address (RFC 3986): nothing in it is markup, a scheme or a host."""
    written = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in path.encode(errors="surrogateescape"))
    return f"./{written}"
