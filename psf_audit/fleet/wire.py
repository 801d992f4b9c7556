"""A portfolio as JSON of the schema `psf-audit/fleet/1`, and the summaries in it read back from a cache."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from psf_audit.errors import ExitCode
from psf_audit.exposure import Outcome
from psf_audit.fleet.portfolio import Deployment, Domain, Ends, Exposed, FailOn, Gap, Portfolio, decide
from psf_audit.model import Status, Verdict
from psf_audit.wire import dumps, share_out

if TYPE_CHECKING:
    from collections.abc import Collection

SCHEMA = "psf-audit/fleet/1"


def json_text(portfolio: Portfolio, fail_on: Collection[FailOn]) -> str:
    """The text of the document: the same portfolio gives the same bytes."""
    return dumps(to_json(portfolio, fail_on))


def to_json(portfolio: Portfolio, fail_on: Collection[FailOn]) -> dict[str, Any]:
    """A portfolio as a JSON document of the schema `psf-audit/fleet/1`."""
    decision, sums, selection = decide(portfolio, fail_on), portfolio.sums, portfolio.selection
    return {
        "schema": SCHEMA,
        "tool": portfolio.tool,
        "as_of": portfolio.as_of.isoformat(),
        "within_days": portfolio.within_days,
        "filters": {
            "owner": list(selection.owners),
            "rubric": list(selection.rubrics),
            "environment": list(selection.environments),
            "domain": list(selection.domains),
        },
        "fail_on": sorted(one.value for one in fail_on),
        "met": decision.code is ExitCode.READY,
        "exit_code": decision.code.value,
        "reason": decision.reason,
        "left_out": portfolio.left_out,
        "verdicts": {
            verdict.value: sum(one.verdict is verdict for one in portfolio.deployments) for verdict in Verdict
        },
        "exposure": {
            "bounded": sums.bounded,
            "total_usd": _usd(sums.total) if sums.bounded else None,
            "largest": None if sums.largest is None else {"path": sums.largest[0], "usd": _usd(sums.largest[1])},
            "stopped": sums.stopped,
            "unknown": sums.unknown,
            "unbounded": sums.unbounded,
            "not_computed": sums.not_computed,
        },
        "common_gaps": [
            {
                "control": gap.control,
                "title": gap.title,
                "severity": gap.severity,
                "deployments": gap.count,
                "statuses": {status.value: count for status, count in gap.by_status},
            }
            for gap in portfolio.common
        ],
        "ending": [{"path": one.path, "on": ends.on.isoformat(), "what": ends.what} for one, ends in portfolio.ending],
        "deployments": [deployment_out(one) for one in portfolio.deployments],
        "failed": [{"path": one.path, "exit_code": one.code.value, "why": list(one.why)} for one in portfolio.failed],
    }


def deployment_out(one: Deployment) -> dict[str, Any]:
    """One deployment of a portfolio."""
    return {
        "path": one.path,
        "name": one.name,
        "release": one.release,
        "environment": one.environment,
        "owners": list(one.owners),
        "rubric": one.rubric,
        "verdict": one.verdict.value,
        "exit_code": one.code.value,
        "reason": one.reason,
        "score": share_out(one.score),
        "coverage": share_out(one.coverage),
        "valid_until": one.valid_until.isoformat() if one.valid_until else None,
        "unread": one.unread,
        "fingerprint": one.fingerprint,
        "domains": [{"id": of.id, "title": of.title, "verdict": of.verdict.value} for of in one.domains],
        "gaps": [
            {
                "control": gap.control,
                "title": gap.title,
                "domain": gap.domain,
                "severity": gap.severity,
                "status": gap.status.value,
                "waived": gap.waived,
            }
            for gap in one.gaps
        ],
        "exposure": None
        if one.exposure is None
        else {
            "outcome": one.exposure.outcome.value,
            "usd": None if one.exposure.usd is None else _usd(one.exposure.usd),
            "words": one.exposure.words,
        },
        "ends": [{"on": ends.on.isoformat(), "what": ends.what} for ends in one.ends],
        "reports": list(one.reports),
    }


def deployment_in(value: dict[str, Any]) -> Deployment:
    """The deployment in such a part.

    Raises:
        KeyError, TypeError, ValueError, ArithmeticError: it is no such part.
    """
    exposed = value["exposure"]
    until = value["valid_until"]
    return Deployment(
        path=value["path"],
        name=value["name"],
        release=value["release"],
        environment=value["environment"],
        owners=tuple(value["owners"]),
        rubric=value["rubric"],
        verdict=Verdict(value["verdict"]),
        code=ExitCode(value["exit_code"]),
        reason=value["reason"],
        score=_share_in(value["score"]),
        coverage=Fraction(value["coverage"]["exact"]),
        valid_until=None if until is None else date.fromisoformat(until),
        unread=value["unread"],
        fingerprint=value["fingerprint"],
        domains=tuple(Domain(of["id"], of["title"], Verdict(of["verdict"])) for of in value["domains"]),
        gaps=tuple(
            Gap(
                gap["control"],
                gap["title"],
                gap["domain"],
                gap["severity"],
                Status(gap["status"]),
                waived=gap["waived"],
            )
            for gap in value["gaps"]
        ),
        exposure=None
        if exposed is None
        else Exposed(
            Outcome(exposed["outcome"]), None if exposed["usd"] is None else Decimal(exposed["usd"]), exposed["words"]
        ),
        ends=tuple(Ends(date.fromisoformat(ends["on"]), ends["what"]) for ends in value["ends"]),
        reports=tuple(value["reports"]),
    )


def _usd(value: Decimal) -> str:
    """A sum exactly: text, as JSON numbers are read as floats."""
    return format(value, "f")


def _share_in(value: dict[str, Any] | None) -> Fraction | None:
    return None if value is None else Fraction(value["exact"])
