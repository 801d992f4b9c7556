"""What all report formats share: their type, the order of what to do first, and the words for what was found.

A format is a pure function from an assessment, or a comparison of two, to text. Everything here is pure too, except
that `template` reads the files that ship with the program.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache

from psf_audit import gate, resources
from psf_audit.changes import Direction
from psf_audit.compare import Comparison, ControlChange, EvidenceChange, Kind, Side, WaiverChange
from psf_audit.errors import ExitCode
from psf_audit.exposure import Bound, CapabilityBound, Exposure, Lack, Outcome, headline
from psf_audit.exposure import sentence as bound_words
from psf_audit.model import (
    Assessment,
    ControlResult,
    Earlier,
    EvidenceEntry,
    Finding,
    Findings,
    Gate,
    Severity,
    Source,
    Status,
    Verdict,
    percent,
)
from psf_audit.text import clean, one_line, plural

PROFILE = (
    "The rubric is a profile that the Production AI Institute has not endorsed. The published Production Safety "
    "Framework has other domains; the references of each control name those it lies on."
)


@dataclass(frozen=True, slots=True)
class View:
    """Where a report will be read: how many columns there are, and whether colour means anything there.

    `folder` is that of the manifest, below the top of the repository that the report speaks of; empty at the top.
    """

    width: int = 100
    color: bool = False
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One output format; `comparison` is None when the format has no form for a comparison."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    assessment: Callable[[Assessment, View], str]
    comparison: Callable[[Comparison, View], str] | None = None
    exposure: Callable[[Exposure, View], str] | None = None


# ------------------------------------------------------------------------------------------------ what to do first

_URGENCY = (Status.CONTRADICTED, Status.MISSING, Status.UNTESTED, Status.UNDOCUMENTED, Status.UNKNOWN)
_SEVERITIES = (Severity.BLOCKING, Severity.HIGH, Severity.MEDIUM)
_EFFORTS = ("hours", "days", "weeks")
MAX_OPEN = 3

STATUSES = (*_URGENCY, Status.DEMONSTRATED, Status.NOT_APPLICABLE)


def next_steps(assessment: Assessment) -> tuple[ControlResult, ...]:
    """Every gap, the first thing to do first.

    Blocking before high before medium; then what leaves open the most that nothing bounds; then what takes hours
    before days before weeks; then what is proven wrong, absent, untried, unwritten and untold; then the order of the
    rubric.
    """
    gaps = sorted((control for control in assessment.controls if control.status.is_gap), key=_work)
    gaps.sort(key=lambda control: _open_ranks(control, assessment.exposure), reverse=True)
    return tuple(sorted(gaps, key=lambda control: _SEVERITIES.index(control.severity)))


def _work(control: ControlResult) -> tuple[int, int]:
    effort = control.remedy.effort
    return _EFFORTS.index(effort) if effort in _EFFORTS else len(_EFFORTS), _URGENCY.index(control.status)


def left_open(control: ControlResult, exposure: Exposure | None) -> tuple[CapabilityBound, ...]:
    """What costs money, is not bounded by what is enforced, and is what the control lacks; the dearest first.

    A control lacks a capability when a row of what it lacks begins with its name. To close such a gap removes exposure;
    how much is known only as far as the bounds are.
    """
    if exposure is None or not control.status.is_gap:
        return ()
    return tuple(
        one
        for one in sorted(exposure.enforced.worst.capabilities, key=lambda one: one.bound.rank, reverse=True)
        if one.bound.outcome is not Outcome.BOUNDED
        and any(f"{row.what} ".startswith(f"{one.name} ") for row in control.lacks.rows)
    )


def _open_ranks(control: ControlResult, exposure: Exposure | None) -> tuple[tuple[int, Decimal], ...]:
    """The dearest decides, then the next; of the same ones more are more."""
    return tuple(one.bound.rank for one in left_open(control, exposure))


def open_words(control: ControlResult, exposure: Exposure | None) -> str:
    """What the control leaves without a bound, as many as fit; empty when it is nothing."""
    names = [one.name for one in left_open(control, exposure)]
    more = len(names) - MAX_OPEN
    return ", ".join(names[:MAX_OPEN]) + (f" and {more} more" if more > 0 else "")


def status_counts(controls: Iterable[ControlResult]) -> tuple[tuple[Status, int], ...]:
    """How many controls have each status that occurs, most urgent first."""
    found = Counter(control.status for control in controls)
    return tuple((status, found[status]) for status in STATUSES if found[status])


MAX_ROWS = 25


def first_rows(findings: Findings) -> Findings:
    """As many rows as a report for people lists; the count stays that of all."""
    return Findings(findings.rows[:MAX_ROWS], findings.count)


REGISTER = (
    "For each file: who wrote it, how old it is, which controls something in it speaks for, and why it shows nothing."
)


def collected(entry: EvidenceEntry, as_of: date) -> str:
    """The day a file was collected, and how long ago that was."""
    if entry.collected is None:
        return "no date"
    try:
        days = (as_of - date.fromisoformat(entry.collected)).days
    except ValueError:  # a stored assessment may say anything
        return entry.collected
    return f"{entry.collected} ({plural(days, 'day')} old)"


def more_rows(findings: Findings) -> str:
    """What is said of the rows that are not listed; empty when all are."""
    left = findings.count - len(findings.rows[:MAX_ROWS])
    return f"and {left} more" if left > 0 else ""


# ------------------------------------------------------------------------------------------------------------ exposure

EXPOSURE = (
    "The most that one launch can cost before a human must look: from what is enforced, and beside it from the claims "
    "of the manifest alone. The agent spends as fast as it can, and nobody reads an alert."
)
MAX_LACKING = 12


def exposure_words(exposure: Exposure | None) -> str:
    """The exposure in one line; empty where it was not computed."""
    if exposure is None:
        return ""
    worst = exposure.enforced.worst
    by = stops_words(worst.in_all)
    told = f" ({worst.situation.label}; {by})" if by else ""
    return f"{bound_words(worst.in_all)}{told}; by the claims alone {bound_words(exposure.claimed.worst.in_all)}"


def exposure_headline(exposure: Exposure) -> tuple[str, str]:
    """The exposure in two or three words: by what is enforced, and by the claims alone."""
    return headline(exposure.enforced.worst.in_all), headline(exposure.claimed.worst.in_all)


def stops_words(bound: Bound) -> str:
    """What decides a bound, with its place."""
    return ", ".join(f"{stop.what} in {stop.evidence} {stop.pointer}".rstrip() for stop in bound.decided_by)


def exposure_rows(exposure: Exposure) -> tuple[tuple[str, str, str, str], ...]:
    """Situation, bound from what is enforced, what decides it, and the bound from the claims alone."""
    return tuple(
        (one.situation.label, bound_words(one.in_all), stops_words(one.in_all) or "nothing", bound_words(other.in_all))
        for one, other in zip(exposure.enforced.situations, exposure.claimed.situations, strict=True)
    )


def capability_rows(exposure: Exposure) -> tuple[tuple[str, str, str, str], ...]:
    """The same of each capability alone, in the worst situation."""
    worst = exposure.enforced.worst
    claimed = {
        one.name: one.bound
        for found in exposure.claimed.situations
        if found.situation is worst.situation
        for one in found.capabilities
    }
    return tuple(
        (
            one.name,
            bound_words(one.bound),
            stops_words(one.bound) or "nothing",
            bound_words(claimed[one.name]) if one.name in claimed else "",
        )
        for one in worst.capabilities
    )


def lack_words(lack: Lack) -> str:
    """Something that would bound it, with the row to begin at."""
    return f"{lack.what} ({lack.evidence} {lack.pointer})" if lack.evidence else lack.what


def lacks(exposure: Exposure) -> tuple[str, ...]:
    """What would bound it, as many as a report for people lists."""
    found = [lack_words(lack) for lack in exposure.enforced.lacking]
    more = len(found) - MAX_LACKING
    return (*found[:MAX_LACKING], *([f"and {more} more"] if more > 0 else []))


# The lists of a control that best show why it has its status, the most telling first.
_TELLING = {
    Status.CONTRADICTED: ("breaks", "tests", "shows", "claims"),
    Status.MISSING: ("lacks", "claims", "documents", "gaps"),
    Status.UNKNOWN: ("gaps", "breaks", "lacks", "shows", "claims"),
    Status.UNTESTED: ("tests", "shows", "claims"),
    Status.UNDOCUMENTED: ("documents", "tests", "shows"),
    Status.DEMONSTRATED: ("tests", "shows"),
    Status.NOT_APPLICABLE: (),
}


def first_evidence(control: ControlResult) -> Finding | None:
    """The row that best shows why a control has its status, one with a source if there is any; None without rows."""
    rows = [row for name in _TELLING[control.status] for row in _telling_rows(control, name)]
    return next((row for row in rows if row.source is not None), rows[0] if rows else None)


def _telling_rows(control: ControlResult, name: str) -> Iterator[Finding]:
    findings: Findings = getattr(control, name)
    for row in findings.rows:
        if name != "tests" or control.status is not Status.CONTRADICTED or row.found != row.expected:
            yield row


# ------------------------------------------------------------------------------------------- since an earlier one


def since_title(earlier: Earlier) -> str:
    """The heading over what has changed since an earlier assessment."""
    return f"Since the assessment of {day(earlier.as_of)} (release {earlier.release}, {earlier.verdict.label})"


def since(assessment: Assessment, earlier: Earlier) -> tuple[str, ...]:
    """What has changed since an earlier assessment: in the deployment, the riskier first, then in its controls."""
    told = [f"{change.direction.label}: {change.what}" for change in earlier.changes]
    if assessment.fingerprint == earlier.fingerprint:
        told.append("the deployment is the one that was assessed: its fingerprint is the same")
    else:
        told.append("the fingerprint is another one: that assessment does not speak for this deployment")
    if earlier.valid_until is None or earlier.valid_until < assessment.as_of:
        told.append(f"that assessment had run out: it was {_valid_until(earlier.valid_until)}")
    here = assessment.rubric.name
    if earlier.rubric != here:
        told.append(f"it was judged by {earlier.rubric}, this one by {here}: statuses may differ by that")
    moved = [(control, earlier.statuses.get(control.id)) for control in assessment.controls]
    return (
        *told,
        *(
            f"{control.id} {control.title}: {Status(was).label} → {control.status.label}"
            for control, was in moved
            if was is not None and was != control.status.value
        ),
    )


# ------------------------------------------------------------------------------------------------------------ words


_MEANINGS = {
    Status.CONTRADICTED: "Records, a failed test or the evidence itself contradict it.",
    Status.MISSING: "No artifact shows it, or it leaves out some of what it has to cover.",
    Status.UNKNOWN: "The evidence at hand does not suffice to tell.",
    Status.UNTESTED: "It is there, but no test that counts has tried it on this release.",
    Status.UNDOCUMENTED: "It is there and tested, but nothing owned and lately reviewed describes it.",
    Status.DEMONSTRATED: "It is there, tested, held by the records, and documented.",
    Status.NOT_APPLICABLE: "Nothing declared or seen makes it apply.",
}
_SYMBOLS = {
    Status.CONTRADICTED: "✗",
    Status.MISSING: "○",
    Status.UNKNOWN: "?",
    Status.UNTESTED: "◔",
    Status.UNDOCUMENTED: "◑",
    Status.DEMONSTRATED: "●",
    Status.NOT_APPLICABLE: "-",
}


def meaning(status: Status) -> str:
    """A status in one plain sentence."""
    return _MEANINGS[status]


def symbol(status: Status) -> str:
    """One character for a status; it always stands beside the word, never for it."""
    return _SYMBOLS[status]


def verdict_symbol(verdict: Verdict) -> str:
    """One character for a verdict; it always stands beside the words, never for them."""
    match verdict:
        case Verdict.READY:
            return "✓"
        case Verdict.READY_WITH_WAIVERS:
            return "!"
        case Verdict.INCOMPLETE:
            return "?"
        case Verdict.NOT_READY:
            return "✗"


def validity(assessment: Assessment) -> str:
    """Until when the assessment holds."""
    return _valid_until(assessment.valid_until)


def _valid_until(last: date | None) -> str:
    return "valid for no day: no evidence that it could rest on" if last is None else f"valid until {day(last)}"


def passes_words(passes: bool) -> str:  # noqa: FBT001  the word for this very value
    """Whether a domain passes, as a reader sees it."""
    return "passes" if passes else "does not pass"


def counts_words(controls: Iterable[ControlResult]) -> str:
    """`2 missing, 1 untested, 4 demonstrated`."""
    return ", ".join(f"{count} {status.label}" for status, count in status_counts(controls)) or "no controls"


def gate_words(wanted: Gate) -> str:
    """What the gate asks for, in words."""
    asked = [f"verdict {wanted.require.label}", f"coverage at least {wanted.min_coverage}%"]
    if wanted.min_score is not None:
        asked.append(f"score at least {wanted.min_score}%")
    if wanted.fail_on:
        asked.append(f"no control {' or '.join(status.label for status in wanted.fail_on)}")
    return ", ".join(asked)


def gate_result(assessment: Assessment) -> str:
    """Whether the gate is met, the exit code that follows, and why unless the deciding sentences say so already."""
    decision = gate.decide(assessment)
    words = {ExitCode.READY: "met", ExitCode.GATE_NOT_MET: "not met"}.get(decision.code, "cannot be decided")
    told = any(said.rstrip(".") in decision.reason for said in (assessment.verdict.meaning, *assessment.deciding))
    return f"{words} (exit code {decision.code.value})" + ("" if told else f": {decision.reason}")


def waiver_notice(assessment: Assessment) -> str | None:
    """What a reader must know about waivers before anything else."""
    if assessment.waivers_ignored:
        return "The waivers of the manifest were ignored, as asked."
    told = []
    matched = [waiver for waiver in assessment.waivers if waiver.state == "matched"]
    if matched:
        named = ", ".join(waiver.control for waiver in matched)
        told.append(f"{plural(len(matched), 'waiver')} in force: {named}. Status and score do not change by it.")
    soon = [f"{waiver.control} on {waiver.expires}" for waiver in matched if waiver.expires_soon]
    if soon:
        told.append(f"Expiring soon: {', '.join(soon)}.")
    gaps = {control.id for control in assessment.controls if control.status.is_gap}
    expired = [waiver for waiver in assessment.waivers if waiver.state == "expired" and waiver.control in gaps]
    if expired:
        named = ", ".join(f"{waiver.control} on {waiver.expires}" for waiver in expired)
        told.append(f"Expired, so that the gap is open again: {named}.")
    others = [f"{one.control} ({one.state})" for one in assessment.waivers if one.state in {"invalid", "unused"}]
    if others:
        told.append(f"Not in force: {', '.join(others)}.")
    return " ".join(told) or None


def quantities(finding: Finding) -> str:
    """The numbers of a row: `found 61.2, expected 50 (usd)`; empty when it has none, whatever their unit would be."""
    parts = []
    if finding.found is not None:
        parts.append(f"found {finding.found}" if finding.expected is not None else finding.found)
    if finding.expected is not None:
        parts.append(f"expected {finding.expected}")
    text = ", ".join(parts)
    return f"{text} ({finding.unit})" if text and finding.unit else text


def sentence(finding: Finding) -> str:
    """A row on one line: what, its numbers, and when."""
    parts = [finding.what, quantities(finding), moment(finding.at) if finding.at else ""]
    return one_line("; ".join(part for part in parts if part))


def place(source: Source) -> str:
    """The file and the place in it: `gateway.yaml#/budget`, `log.jsonl, line 3`."""
    if not source.pointer:
        return source.path
    return f"{source.path}{'#' if source.pointer.startswith('/') else ', '}{source.pointer}"


def framework(name: str) -> str:
    """The key of a framework as a reader sees it."""
    return name.replace("_", " ").upper()


def effort_words(effort: str | None) -> str:
    """How much work a remedy is, roughly."""
    return f"{effort} of work" if effort else "effort not estimated"


# ------------------------------------------------------------------------------------------------------ comparisons

CHANGES = tuple(kind for kind in Kind if kind is not Kind.UNCHANGED)


def side_words(side: Side) -> str:
    """One of two assessments: `2.4.0 in production, as of 2026-11-22`."""
    return f"{side.release} in {side.environment}, as of {day(side.as_of)}"


def change_counts(comparison: Comparison) -> str:
    """`2 regressed, 1 improved, 12 unchanged`."""
    found = [f"{count} {kind.value}" for kind, count in comparison.counts.items() if count]
    return ", ".join(found) or "no controls"


def verdict_change(comparison: Comparison) -> str:
    """The verdict before and after."""
    before, after = comparison.before.verdict, comparison.after.verdict
    return f"still {after.label}" if before is after else f"{before.label} → {after.label}"


def share_change(before: Fraction | None, after: Fraction | None, points: int | None) -> str:
    """A score before and after; without a difference when there is none that means anything."""
    if before == after:
        return f"{percentage(after)}, unchanged"
    told = f"{percentage(before)} → {percentage(after)}"
    if points is None:
        return told
    by = "less than one point" if points == 0 else f"{points:+d} {'point' if abs(points) == 1 else 'points'}"
    return f"{told}, {by}"


def score_change(comparison: Comparison) -> str:
    """The overall score before and after; no difference between scores of different scoring."""
    before, after = comparison.before, comparison.after
    told = share_change(before.score, after.score, comparison.score_points)
    if comparison.same_scoring:
        return told
    digests = f"{short(before.rubric.scoring_digest)} and {short(after.rubric.scoring_digest)}"
    return f"{told}; no difference is given, for the scoring is not the same ({digests})"


def passes_change(before: bool | None, after: bool | None) -> str:  # noqa: FBT001  the words for these very values
    """Whether a domain passes, before and after."""
    words = {True: "passes", False: "does not pass", None: "not there"}
    return f"still {words[after]}" if before is after else f"{words[before]} → {words[after]}"


def control_change(change: ControlChange) -> str:
    """What became of a control, with a word when it got worse within its status."""
    worse = ", and more speaks against it" if change.worsened else ""
    hidden = ", not resolved" if change.unresolved else ""
    return f"{change.transition}{worse}{hidden}"


def evidence_change(change: EvidenceChange) -> str:
    """What became of an evidence file."""
    digests = f"{short(change.before)} → {short(change.after)}" if change.before and change.after else ""
    parts = [change.kind.value, digests if change.before != change.after else "", change.problem or "", *change.what]
    return "; ".join(part for part in parts if part)


RELEASE_NOTE = {
    Direction.RISKIER: "What became riskier",
    Direction.LOOK: "What must be looked at before shipping",
    Direction.SAFER: "What became safer",
}


BY_RUBRIC = "What the newer rubric alone changes, on the same evidence"


def release_note(comparison: Comparison) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The headings of a release note with what stands under each; a heading with nothing under it is left out."""
    told = comparison.by_direction
    sections = [(title, told[direction]) for direction, title in RELEASE_NOTE.items()]
    return tuple((title, rows) for title, rows in (*sections, (BY_RUBRIC, comparison.by_rubric)) if rows)


def waiver_change(change: WaiverChange) -> str:
    """What became of a waiver."""
    latest = change.after or change.before
    told = f"{change.kind.value}, until {latest.expires}: {latest.reason}" if latest else change.kind.value
    return "; ".join((told, *change.what))


def fingerprint_change(comparison: Comparison) -> str:
    """Whether both assessments are of one deployment event."""
    before, after = short(comparison.before.fingerprint), short(comparison.after.fingerprint)
    return f"{before} → {after}: another deployment event" if comparison.fingerprint_changed else f"{after}, the same"


def rubric_change(comparison: Comparison) -> str:
    """Which rubrics judged, once if it was one."""
    named = [side.rubric.name for side in (comparison.before, comparison.after)]
    return named[1] if comparison.before.rubric == comparison.after.rubric else " → ".join(named)


# ---------------------------------------------------------------------------------------- numbers, dates and digests


def short(digest: str | None) -> str:
    """The first twelve characters of a digest."""
    if not digest:
        return "no digest"
    return digest.removeprefix("sha256:")[:12]


def percentage(share: Fraction | None) -> str:
    """A share in whole percent, rounded down; `no score` without one."""
    return "no score" if share is None else f"{percent(share)}%"


def day(value: date | None, otherwise: str = "no date") -> str:
    """A day as YYYY-MM-DD."""
    return otherwise if value is None else value.isoformat()


_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})Z\Z")


def moment(text: str) -> str:
    """An RFC 3339 time as people read it; midnight, which stands for a whole day, without the time."""
    found = _MOMENT.match(text)
    if found is None:
        return text
    return found[1] if found[2] == "00:00:00" else f"{found[1]} {found[2]} UTC"


def size(count: int) -> str:
    """A number of bytes as people read it."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count * 10 // factor / 10:g} {unit}"
    return plural(count, "byte")


def line(text: str) -> str:
    """Text that a format may put on one line: no terminal sequence, control or directional character, folded."""
    return one_line(clean(text))


# --------------------------------------------------------------------------------------------------------- templates


@cache
def template(name: str) -> str:
    """The text of a file in `templates/`."""
    return (resources.templates_dir() / name).read_text(encoding="utf-8")
