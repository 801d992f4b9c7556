"""An assessment in the words of somebody who has never seen the tool: the answer, the sum, the history, the terms.

It decides nothing: the answer is that of the gate, in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from psf_audit import gate, rendering
from psf_audit.amounts import money
from psf_audit.errors import ExitCode
from psf_audit.exposure import Bound, Outcome, Situation
from psf_audit.model import Severity, Status, Verdict
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.model import Assessment, ControlResult, Source

MAX_DATED = 12
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


# ------------------------------------------------------------------------------------------------- the first screen


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in a word or two, and one sentence that says why."""

    answer: str
    why: str


def go_live(assessment: Assessment) -> Told:
    """Whether the deployment may go live: the decision of the gate, as yes, no, or cannot be told."""
    decision = gate.decide(assessment)
    match decision.code:
        case ExitCode.READY if assessment.verdict is Verdict.READY:
            return Told("Yes", assessment.verdict.meaning)
        case ExitCode.READY:
            return Told("Yes, with waivers", _waived(assessment))
        case ExitCode.GATE_NOT_MET if assessment.verdict is Verdict.NOT_READY:
            return Told("No", _failing(assessment))
        case ExitCode.GATE_NOT_MET:
            return Told("No", f"The verdict is {assessment.verdict.label}, but {decision.reason}.")
        case _:
            return Told("Cannot be told", f"{_capital(decision.reason).rstrip('.')}.")


def _waived(assessment: Assessment) -> str:
    matched = [waiver for waiver in assessment.waivers if waiver.state == "matched"]
    names = ", ".join(dict.fromkeys(waiver.approved_by for waiver in matched))
    return f"It would not be ready without {plural(len(matched), 'waiver')}, signed for by {names}."


def _failing(assessment: Assessment) -> str:
    """How much fails, in one sentence."""
    failing = sum(not domain.passes for domain in assessment.domains)
    asked = [
        control
        for control in assessment.controls
        if control.severity is Severity.BLOCKING and control.status is not Status.NOT_APPLICABLE
    ]
    short = sum(control.status is not Status.DEMONSTRATED for control in asked)
    against = len(assessment.by_status(Status.CONTRADICTED))
    parts = [f"{failing} of {plural(len(assessment.domains), 'domain')} {'fails' if failing == 1 else 'fail'}"]
    if short == len(asked) > 1:
        parts.append(f"none of {len(asked)} blocking controls is demonstrated")
    elif short:
        are = "is" if short == 1 else "are"
        parts.append(f"{short} of {plural(len(asked), 'blocking control')} {are} not demonstrated")
    if against:
        parts.append(f"the evidence contradicts {plural(against, 'control')}")
    return f"{', '.join(parts[:-1])} and {parts[-1]}." if parts[1:] else f"{parts[0]}."


def cost(assessment: Assessment) -> Told:
    """What one launch can cost before a human must look, by what is enforced."""
    if assessment.exposure is None:
        return Told("Not worked out", "This assessment has no exposure.")
    worst = assessment.exposure.enforced.worst
    claimed = _brief(assessment.exposure.claimed.worst.in_all)
    why = _bound_by(worst.in_all, f"before a human must look, in the worst situation ({worst.situation.label})")
    answer = _brief(worst.in_all) + (" at most" if worst.in_all.outcome is Outcome.BOUNDED else "")
    return Told(_capital(answer), f"{_capital(why).rstrip('.')}. By its claims alone: {claimed}.")


def _bound_by(bound: Bound, before: str) -> str:
    match bound.outcome:
        case Outcome.BOUNDED:
            return before
        case Outcome.STOPPED:
            return f"{before}; how far over is not known"
        case Outcome.UNKNOWN:
            return bound.outcome.meaning
        case Outcome.UNBOUNDED:
            never = bound.outcome.meaning.rstrip(".")
            if bound.a_day is None:
                return never
            return f"{never}, up to {_cents(bound.a_day, ROUND_UP)} USD a day for as long as nobody looks"


def _brief(bound: Bound) -> str:
    """A bound in two or three words, to the cent."""
    match bound.outcome:
        case Outcome.BOUNDED:
            return "not known" if bound.total is None else f"{_cents(bound.total, ROUND_UP)} USD"
        case Outcome.STOPPED:
            return f"over {_cents(bound.through or Decimal(0), ROUND_DOWN)} USD"
        case Outcome.UNKNOWN:
            return "not known"
        case Outcome.UNBOUNDED:
            return "no limit"


def _cents(value: Decimal, rounding: str) -> str:
    """To the cent, and to the side on which it stays true: the most is rounded up, what is passed is rounded down."""
    return money(value.quantize(Decimal("0.01"), rounding))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def spent(assessment: Assessment) -> str:
    """What the log shows to have been spent; empty where there is no log, or nothing stated in it."""
    activity = assessment.activity
    if activity is None or not activity.total:
        return ""
    least = "at least " if activity.unpriced else ""
    return f"The log shows {least}{money(activity.total)} USD spent in {plural(activity.calls, 'call')}."


def assessors(assessment: Assessment) -> str:
    """Who assessed, by the manifest's word; that nobody is named, otherwise."""
    named = [name for role, name in assessment.deployment.people if role == "assessor"]
    return ", ".join(named) or "nobody is named"


_SENTENCE = re.compile(r"(?<=[a-z)][.;!])\s")


def first_sentence(text: str) -> str:
    """The first sentence of a text, or the part of it before a semicolon."""
    return _SENTENCE.split(rendering.line(text), maxsplit=1)[0].rstrip(".;") + "."


# ------------------------------------------------------------------------------------------------------------ history


@dataclass(frozen=True, slots=True)
class Dated:
    """Something that has a date in the dossier of a control: a moment as RFC 3339 or a day, and what happened then."""

    at: str
    kind: str
    what: str
    source: Source | None


@dataclass(frozen=True, slots=True)
class History:
    """The latest dated rows of a control, in order of time, and how many earlier ones there are."""

    rows: tuple[Dated, ...]
    earlier: int


_KINDS = (
    ("shows", "shown"),
    ("lacks", "found lacking"),
    ("breaks", "contradicted"),
    ("tests", "tested"),
    ("documents", "reviewed"),
)


def history(control: ControlResult, assessment: Assessment) -> History:
    """What of a control was found, tested and reviewed when."""
    found = sorted(dict.fromkeys(_dated(control, assessment)), key=lambda one: (one.at, one.kind, one.what))
    return History(tuple(found[-MAX_DATED:]), max(0, len(found) - MAX_DATED))


def _dated(control: ControlResult, assessment: Assessment) -> Iterator[Dated]:
    cited = set()
    for name, kind in _KINDS:
        for row in getattr(control, name).rows:
            if row.source is not None:
                cited.add(row.source.evidence)
            if row.at is not None:
                told = f"{kind}, {row.found}" if name == "tests" and row.found else kind
                yield Dated(row.at, told, row.what, row.source)
    earlier = assessment.earlier
    if earlier is not None and control.id in earlier.statuses:
        was = Status(earlier.statuses[control.id]).label
        yield Dated(earlier.as_of.isoformat(), "assessed", was, earlier.source)
    for entry in assessment.evidence:
        if entry.id in cited and entry.collected is not None and _DAY.fullmatch(entry.collected):
            yield Dated(entry.collected, "collected", entry.path, None)
    if control.waiver is not None and _DAY.fullmatch(control.waiver.expires):
        yield Dated(control.waiver.expires, "waiver ends", control.waiver.reason, None)


# ----------------------------------------------------------------------------------------------------------- glossary

TERMS = (
    ("Control", "One thing that a deployment has to be able to show, with a requirement that can be tested."),
    ("Domain", "A group of controls. One that does not pass decides the verdict, however well the others do."),
    ("Blocking, high, medium", "How much a control weighs: 3, 2, 1. A gap in a blocking one keeps its domain failing."),
    ("Claim", "What the manifest says of itself. It counts for nothing until evidence shows it."),
    (
        "Evidence",
        "Files by their digests: configuration, logs, test results, approvals, documents.",
    ),
    ("Enforced", "Held by infrastructure, a gateway or the harness, not by a prompt that the agent may ignore."),
    ("Exposure", "The most that one launch can cost before a human must look."),
    (
        "Score",
        "What share of its weight a domain earned by its controls; of a deployment, that of its lowest domain.",
    ),
    ("Coverage", "The share of the weight that could be evaluated at all."),
    ("Gate", "What the manifest asks for beyond the verdict; a pipeline passes or stops by it."),
    ("Waiver", "A gap that a named person accepts until a day. It changes neither status nor score."),
    ("Fingerprint", "A digest of models, prompts, capabilities, scope, guardrails and configuration."),
    ("Digest", "A number computed from a file (SHA-256): another file has another one."),
)


def glossary() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The words of the page and what they mean, in groups."""
    return (
        ("Terms", TERMS),
        ("Statuses of a control", tuple((status.label, rendering.meaning(status)) for status in rendering.STATUSES)),
        ("Verdicts", tuple((verdict.label, verdict.meaning) for verdict in Verdict)),
        ("Situations of the exposure", tuple((each.label, each.meaning) for each in Situation)),
        ("What can be said of a sum", tuple((each.value, each.meaning) for each in Outcome)),
    )
