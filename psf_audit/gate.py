"""The gate: from an assessment to the exit code that a pipeline reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit.errors import ExitCode
from psf_audit.model import Verdict, percent
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.model import Assessment

_ACCEPTED = {
    Verdict.READY: frozenset({Verdict.READY}),
    Verdict.READY_WITH_WAIVERS: frozenset({Verdict.READY, Verdict.READY_WITH_WAIVERS}),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says: an exit code and the reason that decided it."""

    code: ExitCode
    reason: str


def decide(assessment: Assessment) -> Decision:
    """The first reason against passing; thresholds add to the verdict, they never replace it.

    What is proven to fail comes before what could not be told, so that hiding evidence never softens a failure.
    """
    return next(_objections(assessment), Decision(ExitCode.READY, assessment.verdict.meaning.rstrip(".")))


def _objections(assessment: Assessment) -> Iterator[Decision]:
    gate, covered = assessment.gate, percent(assessment.coverage)
    if not assessment.evidence:
        yield Decision(ExitCode.CANNOT_ASSESS, "nothing to audit: the manifest names no evidence")
    if assessment.verdict is Verdict.NOT_READY:
        yield Decision(ExitCode.GATE_NOT_MET, _first(assessment))
    if assessment.verdict is Verdict.INCOMPLETE:
        yield Decision(ExitCode.CANNOT_ASSESS, f"the evidence does not suffice: {_first(assessment)}")
    unread = [entry.path for entry in assessment.evidence if not entry.readable]
    if unread:
        more = f" and {plural(len(unread) - 1, 'other file')}" if unread[1:] else ""
        yield Decision(ExitCode.CANNOT_ASSESS, f"{unread[0]}{more} could not be read")
    if covered < gate.min_coverage:
        yield Decision(ExitCode.CANNOT_ASSESS, f"coverage {covered} % is below the floor of {gate.min_coverage} %")
    if assessment.verdict not in _ACCEPTED.get(gate.require, frozenset()):
        reason = "it is ready only with waivers, and the gate requires ready (gate.require: ready_with_waivers)"
        yield Decision(ExitCode.GATE_NOT_MET, reason)
    yield from _thresholds(assessment)


def _thresholds(assessment: Assessment) -> Iterator[Decision]:
    gate = assessment.gate
    for status in gate.fail_on:
        controls = assessment.by_status(status)
        if controls:
            named = ", ".join(control.id for control in controls[:4])
            yield Decision(ExitCode.GATE_NOT_MET, f"{plural(len(controls), 'control')} {status.label}: {named}")
    if gate.min_score is not None and assessment.score is None:
        yield Decision(ExitCode.CANNOT_ASSESS, "there is no score to hold against the floor")
    elif gate.min_score is not None and assessment.score is not None and percent(assessment.score) < gate.min_score:
        reason = f"score {percent(assessment.score)} % is below the floor of {gate.min_score} %"
        yield Decision(ExitCode.GATE_NOT_MET, reason)


def _first(assessment: Assessment) -> str:
    if not assessment.deciding:
        return assessment.verdict.meaning.rstrip(".")
    more = len(assessment.deciding) - 1
    return assessment.deciding[0] + (f"; and {plural(more, 'other domain')}" if more else "")
