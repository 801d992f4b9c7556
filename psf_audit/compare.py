"""What changed between two assessments: pure, keyed by control id and evidence path.

Only what was evaluated twice, by the same criteria, can have improved. A gap that is not evaluated any more, does not
apply any more or is gone is not resolved, so hiding evidence never looks like progress; while a proven failure that
was not known before counts as a regression, whatever hid it. What each pair of statuses means is in `kind_of`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from psf_audit.changes import Change, Direction, changes, names_changed
from psf_audit.errors import ExitCode
from psf_audit.exposure import Bound, sentence
from psf_audit.gate import Decision
from psf_audit.model import (
    Assessment,
    ControlResult,
    DomainResult,
    EvidenceEntry,
    Finding,
    Findings,
    RubricIdentity,
    Severity,
    Status,
    Verdict,
    WaiverUse,
    percent,
)
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from psf_audit.migration import Moved

Entry = TypeVar("Entry", EvidenceEntry, WaiverUse)

MAX_NAMES = 3


# ------------------------------------------------------------------------------------------------------------- values


class Kind(StrEnum):
    """What became of a control, of a domain or of the verdict; in the order in which reports list them."""

    REGRESSED = "regressed"
    NEW = "new"
    GONE = "gone"
    INCOMPARABLE = "incomparable"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Kind.REGRESSED: "Worse than before, or proven to fail where that was not known.",
            Kind.NEW: "Only the new assessment has it.",
            Kind.GONE: "Only the old assessment has it; a gap that is gone is not resolved.",
            Kind.INCOMPARABLE: "Not evaluated both times by the same criteria; a gap among them is not resolved.",
            Kind.IMPROVED: "Better than before, evaluated both times.",
            Kind.UNCHANGED: "The same status, and no more rows against it.",
        }[self]


class EvidenceKind(StrEnum):
    """What became of an evidence file."""

    UNREADABLE = "unreadable"
    REMOVED = "removed"
    CHANGED = "changed"
    RESTATED = "restated"
    READABLE = "readable"
    ADDED = "added"

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            EvidenceKind.UNREADABLE: "It was read, and cannot be read any more.",
            EvidenceKind.REMOVED: "Only the old assessment had it.",
            EvidenceKind.CHANGED: "Its bytes are others.",
            EvidenceKind.RESTATED: "The same bytes, but their date, release, producer or format is said to be another.",
            EvidenceKind.READABLE: "It could not be read, and now it is.",
            EvidenceKind.ADDED: "Only the new assessment has it.",
        }[self]


class WaiverKind(StrEnum):
    """What became of a waiver."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Side:
    """What identifies one of the two assessments, and its result."""

    tool: str
    as_of: date
    deployment: str
    release: str
    environment: str
    fingerprint: str
    rubric: RubricIdentity
    verdict: Verdict
    score: Fraction | None
    coverage: Fraction
    valid_until: date | None
    exposure: Bound | None = None


@dataclass(frozen=True, slots=True)
class ControlChange:
    """One control before and after; `because` says what changed in what it rests on, `reason` is the latest one."""

    id: str
    title: str
    domain: str
    severity: Severity
    kind: Kind
    before: Status | None
    after: Status | None
    because: tuple[str, ...] = ()
    reason: str = ""

    @property
    def worsened(self) -> bool:
        """Whether it regressed within its status: it failed before, and more speaks against it now."""
        return self.kind is Kind.REGRESSED and self.before is self.after

    @property
    def unresolved(self) -> bool:
        """Whether a gap is out of sight without being resolved: gone, not applicable or not evaluated any more."""
        hidden = {None, Status.UNKNOWN, Status.NOT_APPLICABLE}
        return self.before is not None and self.before.is_gap and self.after in hidden and self.before is not self.after

    @property
    def transition(self) -> str:
        """`demonstrated → missing`; `absent` where an assessment does not have the control."""
        before, after = (status.label if status else "absent" for status in (self.before, self.after))
        return before if before == after else f"{before} → {after}"


@dataclass(frozen=True, slots=True)
class DomainChange:
    """One domain before and after: whether it passes, and its score; None where an assessment does not have it."""

    id: str
    title: str
    before: bool | None
    after: bool | None
    score_before: Fraction | None
    score_after: Fraction | None
    score_delta: Fraction | None

    @property
    def score_points(self) -> int | None:
        """The change of the score in percentage points, as between the two numbers that reports show."""
        return _points(self.score_before, self.score_after, self.score_delta)

    @property
    def lost(self) -> bool:
        """Whether it passed and does not pass any more."""
        return self.before is True and self.after is False


@dataclass(frozen=True, slots=True)
class EvidenceChange:
    """One evidence file that changed; `what` says what else differs than its bytes."""

    path: str
    kind: EvidenceKind
    before: str | None
    after: str | None
    problem: str | None = None
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """One waiver that changed, or whose use did."""

    control: str
    kind: WaiverKind
    before: WaiverUse | None
    after: WaiverUse | None
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Regression:
    """One thing that `--fail-on regression` counts: of a control, a domain, the verdict or an evidence file."""

    subject: str
    id: str
    what: str


@dataclass(frozen=True, slots=True)
class Rubrics:
    """What is known of the two rubrics that judged: where controls went, and in words what the newer asks otherwise."""

    moved: Mapping[str, Moved] = field(default_factory=dict)
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two assessments; every report of it is made from this value alone.

    `controls` has every control of either assessment, `domains` every domain; `evidence` and `waivers` only changes.
    """

    before: Side
    after: Side
    controls: tuple[ControlChange, ...]
    domains: tuple[DomainChange, ...]
    evidence: tuple[EvidenceChange, ...]
    waivers: tuple[WaiverChange, ...]
    capabilities_added: tuple[str, ...]
    capabilities_removed: tuple[str, ...]
    notes: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    by_rubric: tuple[str, ...] = ()

    @property
    def same_scoring(self) -> bool:
        """Whether one rubric with the same criteria, severities and parameters judged both."""
        return _same_scoring(self.before.rubric, self.after.rubric)

    @property
    def comparable(self) -> bool:
        """Whether the absence of regressions means anything; where it does not, `--fail-on regression` cannot apply."""
        return self.same_scoring and not self.by_kind(Kind.NEW) and not self.by_kind(Kind.GONE)

    @property
    def fingerprint_changed(self) -> bool:
        """Whether the new assessment is of another deployment event, which makes the old one void for it."""
        return self.before.fingerprint != self.after.fingerprint

    @property
    def exposure_grew(self) -> bool | None:
        """Whether the new deployment can cost more before a human must look; None where one of them does not say."""
        before, after = self.before.exposure, self.after.exposure
        return None if before is None or after is None else after.rank > before.rank

    @property
    def score_delta(self) -> Fraction | None:
        """By how much the overall score changed; None unless both have one, by the same scoring."""
        return _delta(self.before.score, self.after.score, same_scoring=self.same_scoring)

    @property
    def score_points(self) -> int | None:
        """The same in percentage points, as between the two numbers that reports show."""
        return _points(self.before.score, self.after.score, self.score_delta)

    @property
    def verdict(self) -> Kind:
        """What became of the verdict."""
        return verdict_kind(self.before.verdict, self.after.verdict, same_scoring=self.same_scoring)

    @property
    def unresolved(self) -> tuple[ControlChange, ...]:
        """The gaps of the old assessment that are out of sight without being resolved."""
        return tuple(change for change in self.controls if change.unresolved)

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """What `--fail-on regression` counts.

        Controls that regressed, evidence that was read and cannot be any more, domains that passed and do not, and a
        verdict that got worse. The last three count under other criteria too: what no longer passes does not pass.
        """
        controls = [Regression("control", change.id, change.transition) for change in self.by_kind(Kind.REGRESSED)]
        domains = [
            Regression("domain", domain.id, "passed, and does not any more") for domain in self.domains if domain.lost
        ]
        evidence = [
            Regression("evidence", change.path, change.problem or "cannot be read any more")
            for change in self.evidence
            if change.kind is EvidenceKind.UNREADABLE
        ]
        worse = f"{self.before.verdict.label} → {self.after.verdict.label}"
        verdict = [Regression("verdict", self.after.deployment, worse)] if self.verdict is Kind.REGRESSED else []
        return (*verdict, *domains, *controls, *evidence)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many controls there are of each kind, zeros included."""
        found = Counter(change.kind for change in self.controls)
        return {kind: found[kind] for kind in Kind}

    @property
    def unchanged(self) -> bool:
        """Whether nothing that matters differs: no control, evidence, waiver, capability, fingerprint or verdict."""
        moved = any(change.kind is not Kind.UNCHANGED for change in self.controls)
        listed = self.evidence or self.waivers or self.capabilities_added or self.capabilities_removed or self.changes
        return not (moved or listed or self.fingerprint_changed or self.before.verdict is not self.after.verdict)

    @property
    def by_direction(self) -> dict[Direction, tuple[str, ...]]:
        """Everything that became riskier, has to be looked at, or became safer, each in a sentence."""
        told: dict[Direction, list[str]] = {direction: [] for direction in Direction}
        for direction, sentence_ in _release_note(self):
            told[direction].append(sentence_)
        return {direction: tuple(dict.fromkeys(sentences)) for direction, sentences in told.items()}

    def by_kind(self, kind: Kind) -> tuple[ControlChange, ...]:
        """The controls of one kind."""
        return tuple(change for change in self.controls if change.kind is kind)


# ------------------------------------------------------------------------------------------------------ release note

_GOES = {
    Kind.REGRESSED: Direction.RISKIER,
    Kind.NEW: Direction.LOOK,
    Kind.GONE: Direction.LOOK,
    Kind.INCOMPARABLE: Direction.LOOK,
    Kind.IMPROVED: Direction.SAFER,
}


def _release_note(comparison: Comparison) -> Iterator[tuple[Direction, str]]:
    """What a reader of a release note has to know, the exposure first, then the deployment, then what was found."""
    if comparison.exposure_grew is not None and comparison.before.exposure and comparison.after.exposure:
        was, now = comparison.before.exposure, comparison.after.exposure
        if was.rank != now.rank:
            direction = Direction.RISKIER if comparison.exposure_grew else Direction.SAFER
            yield direction, f"a launch can cost {sentence(now)}; before, {sentence(was)}"
    for change in comparison.changes:
        yield change.direction, change.what
    for control in comparison.controls:
        direction_of = _GOES.get(control.kind)
        if direction_of is not None and (control.kind is not Kind.NEW or _opens(control)):
            worse = ", and more speaks against it" if control.worsened else ""
            yield direction_of, f"{control.id} {control.title}: {control.transition}{worse}"
    for evidence in comparison.evidence:
        if evidence.kind is EvidenceKind.UNREADABLE:
            yield Direction.RISKIER, f"evidence {evidence.path} cannot be read any more"
        elif evidence.kind is EvidenceKind.REMOVED:
            yield Direction.LOOK, f"evidence {evidence.path} is not there any more"
    for waiver in comparison.waivers:
        yield from _about_waiver(waiver)


def _opens(control: ControlChange) -> bool:
    return control.after is not None and control.after.is_gap


def _about_waiver(change: WaiverChange) -> Iterator[tuple[Direction, str]]:
    """A waiver that comes into force is a risk that somebody took; one that goes leaves its gap to be closed."""
    was, now = ((use is not None and use.state == "matched") for use in (change.before, change.after))
    if now and not was and change.after is not None:
        yield Direction.RISKIER, f"the gap of {change.control} is waived until {change.after.expires}"
    elif was and not now:
        why = change.after.note if change.after is not None else "it was taken back"
        yield Direction.LOOK, f"the waiver of {change.control} is not in force any more: {why}"


# ------------------------------------------------------------------------------------------------- statuses, verdicts

_RANK = {
    Status.CONTRADICTED: 0,
    Status.MISSING: 1,
    Status.UNTESTED: 2,
    Status.UNDOCUMENTED: 3,
    Status.DEMONSTRATED: 4,
}
_VERDICT_RANK = {Verdict.NOT_READY: 0, Verdict.INCOMPLETE: 1, Verdict.READY_WITH_WAIVERS: 2, Verdict.READY: 3}
_FAILING = frozenset({Status.CONTRADICTED, Status.MISSING})


def kind_of(before: Status, after: Status) -> Kind:
    """What a move from one status to another is, given that the same criteria decided both.

    Between evaluated statuses the order decides: contradicted, missing, untested, undocumented, demonstrated. Then:

    - To `unknown`: from `demonstrated` or `undocumented` a regression, for what a test had shown is not known any
      more. From `contradicted`, `missing` or `untested` incomparable: a gap that cannot be seen is not resolved.
    - From `unknown`: to `demonstrated` an improvement. To `contradicted` or `missing` a regression: perhaps it was
      always so, but the new release is the first that is proven to fail, and a gate that lets it pass because nobody
      had looked before would reward not looking. To `untested` or `undocumented` incomparable: a gap that is seen for
      the first time is no progress, and no proof that anything became worse.
    - To `not_applicable`: incomparable, for nothing was evaluated. From `not_applicable` to a gap a regression, for
      the deployment now has a gap that it did not have; to `demonstrated` incomparable, for there was no gap.
    """
    if before is after:
        return Kind.UNCHANGED
    if after is Status.NOT_APPLICABLE:
        return Kind.INCOMPARABLE
    if before is Status.NOT_APPLICABLE:
        return Kind.REGRESSED if after.is_gap else Kind.INCOMPARABLE
    if Status.UNKNOWN in {before, after}:
        return _into_or_out_of_unknown(before, after)
    return Kind.IMPROVED if _RANK[after] > _RANK[before] else Kind.REGRESSED


def _into_or_out_of_unknown(before: Status, after: Status) -> Kind:
    if before in {Status.DEMONSTRATED, Status.UNDOCUMENTED} or after in _FAILING:
        return Kind.REGRESSED
    return Kind.IMPROVED if after is Status.DEMONSTRATED else Kind.INCOMPARABLE


def verdict_kind(before: Verdict, after: Verdict, *, same_scoring: bool) -> Kind:
    """What became of a verdict; `incomplete` after `not_ready` may only be evidence that is lacking: no progress."""
    if before is after:
        return Kind.UNCHANGED
    if _VERDICT_RANK[after] < _VERDICT_RANK[before]:
        return Kind.REGRESSED
    return Kind.INCOMPARABLE if after is Verdict.INCOMPLETE or not same_scoring else Kind.IMPROVED


def _same_scoring(before: RubricIdentity, after: RubricIdentity) -> bool:
    return before.id == after.id and before.scoring_digest == after.scoring_digest


def _delta(before: Fraction | None, after: Fraction | None, *, same_scoring: bool) -> Fraction | None:
    return after - before if same_scoring and before is not None and after is not None else None


def _points(before: Fraction | None, after: Fraction | None, delta: Fraction | None) -> int | None:
    return percent(after) - percent(before) if delta is not None and before is not None and after is not None else None


# --------------------------------------------------------------------------------------------------------- comparison


def compare(old: Assessment, new: Assessment, rubrics: Rubrics | None = None) -> Comparison:
    """What changed from the old assessment to the new one; the order of anything in either does not matter.

    Both were screened when they were made or read, and joining safe texts adds nothing unsafe. `rubrics` says what is
    known of two rubrics that are not the same; a renamed control then stands beside what it was called before.
    """
    known = rubrics or Rubrics()
    same = _same_scoring(old.rubric, new.rubric)
    before, after = set(old.deployment.capabilities), set(new.deployment.capabilities)
    controls = _controls(old, new, known.moved, same_scoring=same)
    return Comparison(
        before=side_of(old),
        after=side_of(new),
        controls=controls,
        domains=_domains(old, new, same_scoring=same),
        evidence=tuple(_evidence(old.evidence, new.evidence)),
        waivers=tuple(_waivers(old.waivers, new.waivers)),
        capabilities_added=tuple(sorted(after - before)),
        capabilities_removed=tuple(sorted(before - after)),
        notes=(*_notes(old, new, controls), *known.told),
        changes=_changes(old, new),
    )


def by_rubric(before: Assessment, after: Assessment, rubrics: Rubrics) -> tuple[str, ...]:
    """What another rubric alone changes on the same evidence: a sentence for each control that moved."""
    found = compare(before, after, rubrics)
    return tuple(
        f"{change.id} {change.title}: {change.transition}"
        for change in found.controls
        if change.before is not change.after
    )


def regression_gate(comparison: Comparison) -> Decision:
    """What `--fail-on regression` decides; where nothing can be compared it cannot apply, so it never passes."""
    if not comparison.comparable:
        why = "one rubric, with the same scoring and the same controls, has to have judged both assessments"
        return Decision(ExitCode.USAGE, f"whether anything regressed cannot be told: {why}")
    found = comparison.regressions
    if not found:
        return Decision(ExitCode.READY, "nothing regressed")
    named = ", ".join(f"{regression.subject} {regression.id}" for regression in found[:MAX_NAMES])
    more = f" and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
    return Decision(ExitCode.GATE_NOT_MET, f"{plural(len(found), 'regression')}: {named}{more}")


def riskier_gate(comparison: Comparison) -> Decision:
    """What `--fail-on riskier` decides: regressions, and whatever else makes the deployment riskier."""
    decision = regression_gate(comparison)
    told = comparison.by_direction[Direction.RISKIER]
    if decision.code is not ExitCode.READY or not told:
        return decision
    more = f"; and {len(told) - MAX_NAMES} more" if len(told) > MAX_NAMES else ""
    return Decision(ExitCode.GATE_NOT_MET, f"riskier: {'; '.join(told[:MAX_NAMES])}{more}")


def _changes(old: Assessment, new: Assessment) -> tuple[Change, ...]:
    """What changed in what the deployment is made of; only in the names of its tools where one does not say more."""
    if old.composition is None or new.composition is None:
        return names_changed(old.deployment.capabilities, new.deployment.capabilities)
    return changes(old.composition, new.composition)


def side_of(assessment: Assessment) -> Side:
    """What identifies an assessment, and its result."""
    return Side(
        tool=assessment.tool,
        as_of=assessment.as_of,
        deployment=assessment.deployment.name,
        release=assessment.deployment.release,
        environment=assessment.deployment.environment,
        fingerprint=assessment.fingerprint,
        rubric=assessment.rubric,
        verdict=assessment.verdict,
        score=assessment.score,
        coverage=assessment.coverage,
        valid_until=assessment.valid_until,
        exposure=assessment.exposure.enforced.worst.in_all if assessment.exposure else None,
    )


# ----------------------------------------------------------------------------------------------------------- controls

_LISTS = ("breaks", "lacks", "shows", "tests", "documents", "gaps")


def _controls(
    old: Assessment, new: Assessment, moved: Mapping[str, Moved], *, same_scoring: bool
) -> tuple[ControlChange, ...]:
    after = {control.id: control for control in new.controls}
    renamed = {name: one.to[0] for name, one in moved.items() if len(one.to) == 1 and one.to[0] in after}
    before = {renamed.get(control.id, control.id): control for control in old.controls}
    found = [_one_sided(control, Kind.NEW) for id_, control in after.items() if id_ not in before]
    found += [_one_sided(control, Kind.GONE) for id_, control in before.items() if id_ not in after]
    found += [_two_sided(before[id_], after[id_], same_scoring=same_scoring) for id_ in before.keys() & after.keys()]
    found = [
        replace(change, because=(*_moves(change, before.get(change.id), moved), *change.because)) for change in found
    ]
    kinds, severities = list(Kind), list(Severity)
    return tuple(
        sorted(found, key=lambda change: (kinds.index(change.kind), severities.index(change.severity), change.id))
    )


def _moves(change: ControlChange, before: ControlResult | None, moved: Mapping[str, Moved]) -> Iterator[str]:
    """Where a control of the older rubric went, at that control; and what a control asks that another asked before."""
    if before is not None and before.id in moved:
        one = moved[before.id]
        others = [to for to in one.to if to != before.id]
        where = f"called {before.id} before" if change.id != before.id else f"asked in {', '.join(others)} now"
        yield f"{where if one.to else 'asked by no control any more'}: {' '.join(one.why)}"
    for name, one in sorted(moved.items()):
        if before is None and change.id in one.to:
            yield f"asks what {name} asked before: {' '.join(one.why)}"


def _one_sided(control: ControlResult, kind: Kind) -> ControlChange:
    because = ("its gap is not resolved: the new assessment does not have the control",)
    return ControlChange(
        id=control.id,
        title=control.title,
        domain=control.domain,
        severity=control.severity,
        kind=kind,
        before=control.status if kind is Kind.GONE else None,
        after=control.status if kind is Kind.NEW else None,
        because=because if kind is Kind.GONE and control.status.is_gap else (),
        reason=control.reason,
    )


def _two_sided(before: ControlResult, after: ControlResult, *, same_scoring: bool) -> ControlChange:
    worsened = tuple(_worsened(before, after)) if same_scoring else ()
    kind = kind_of(before.status, after.status) if same_scoring else Kind.INCOMPARABLE
    return ControlChange(
        id=after.id,
        title=after.title,
        domain=after.domain,
        severity=after.severity,
        kind=Kind.REGRESSED if worsened else kind,
        before=before.status,
        after=after.status,
        because=(*_out_of_sight(before.status, after.status), *worsened, *_rows_changed(before, after)),
        reason=after.reason,
    )


def _worsened(before: ControlResult, after: ControlResult) -> Iterator[str]:
    """Why a control that failed and still fails is worse: more speaks against it, or nothing shows it any more."""
    if before.status is not after.status or after.status not in _FAILING:
        return
    for name in ("breaks", "lacks"):
        was, now = _rows(before, name), _rows(after, name)
        if _only_in(now, was) or now.count > was.count:
            yield f"worsened: {name} has rows that were not there"
    if after.status is Status.CONTRADICTED and _failed(after) - _failed(before):
        yield "worsened: another test failed"
    if before.shows and not after.shows:
        yield "worsened: what showed a part of it is gone"


def _failed(control: ControlResult) -> set[str]:
    return {row.what for row in control.tests.rows if row.found == "failed"}


def _out_of_sight(before: Status, after: Status) -> Iterator[str]:
    if not before.is_gap or before is after:
        return
    if after is Status.UNKNOWN:
        yield "its gap is not resolved: it cannot be evaluated any more"
    elif after is Status.NOT_APPLICABLE:
        yield "its gap is not resolved: it was not evaluated, for nothing makes the control apply any more"


def _rows_changed(before: ControlResult, after: ControlResult) -> Iterator[str]:
    for name in _LISTS:
        yield from _list_changed(name, _rows(before, name), _rows(after, name))


def _rows(control: ControlResult, name: str) -> Findings:
    found: Findings = getattr(control, name)
    return found


def _list_changed(name: str, before: Findings, after: Findings) -> Iterator[str]:
    new, gone = _only_in(after, before), _only_in(before, after)
    if new:
        yield f"{name}: new: {_listed(new)}"
    if gone:
        yield f"{name}: no longer there: {_listed(gone)}"
    if not new and not gone and before.count != after.count:
        yield f"{name}: {plural(after.count, 'row')}, {before.count} before"
    was, now = _values(before), _values(after)
    if _complete(before) and _complete(after):
        differing = [what for what in sorted(was.keys() & now.keys()) if was[what] != now[what]]
        for what in differing[:MAX_NAMES]:
            yield f"{name}: {what}: {_listed(now[what])}, before {_listed(was[what])}"
        if len(differing) > MAX_NAMES:
            yield f"{name}: other values under {plural(len(differing) - MAX_NAMES, 'more name')}"


def _only_in(one: Findings, other: Findings) -> list[str]:
    """The names that only one list has; none where the other was cut, for then nobody can tell."""
    if not _complete(other):
        return []
    return sorted({row.what for row in one.rows} - {row.what for row in other.rows})


def _complete(found: Findings) -> bool:
    return found.count <= len(found.rows)


def _values(found: Findings) -> dict[str, list[str]]:
    """What was found under each name, as a reader sees it."""
    made: dict[str, set[str]] = {}
    for row in found.rows:
        made.setdefault(row.what, set()).add(_value(row))
    return {what: sorted(values) for what, values in made.items()}


def _value(row: Finding) -> str:
    unit = f" {row.unit}" if row.unit else ""
    found = "nothing" if row.found is None else row.found + unit
    return found if row.expected is None else f"{found} (expected {row.expected}{unit})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMES
    return "; ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


# ------------------------------------------------------------------------------------------------------------ domains


def _domains(old: Assessment, new: Assessment, *, same_scoring: bool) -> tuple[DomainChange, ...]:
    """Every domain: those of the new assessment in the order of its rubric, then those that are gone."""
    before = {domain.id: domain for domain in old.domains}
    after = {domain.id: domain for domain in new.domains}
    latest = {**after, **{id_: domain for id_, domain in before.items() if id_ not in after}}
    return tuple(
        _domain(domain, before.get(id_), after.get(id_), same_scoring=same_scoring) for id_, domain in latest.items()
    )


def _domain(
    latest: DomainResult, before: DomainResult | None, after: DomainResult | None, *, same_scoring: bool
) -> DomainChange:
    was = before.score if before else None
    now = after.score if after else None
    return DomainChange(
        id=latest.id,
        title=latest.title,
        before=before.passes if before else None,
        after=after.passes if after else None,
        score_before=was,
        score_after=now,
        score_delta=_delta(was, now, same_scoring=same_scoring),
    )


# ----------------------------------------------------------------------------------------------- evidence and waivers

_EVIDENCE_FIELDS = ("collected", "release", "produced_by", "format", "problem")
_WAIVER_FIELDS = ("state", "expires", "owner", "approved_by", "reason", "scope")


def _evidence(old: Sequence[EvidenceEntry], new: Sequence[EvidenceEntry]) -> Iterator[EvidenceChange]:
    for before, after in _paired(old, new, lambda entry: entry.path):
        kind = _evidence_kind(before, after)
        latest = after or before
        if kind is None or latest is None:
            continue
        yield EvidenceChange(
            path=latest.path,
            kind=kind,
            before=before.sha256 if before else None,
            after=after.sha256 if after else None,
            problem=after.problem if after else None,
            what=tuple(_fields_changed(before, after, _EVIDENCE_FIELDS)),
        )


def _evidence_kind(before: EvidenceEntry | None, after: EvidenceEntry | None) -> EvidenceKind | None:
    if before is None:
        return EvidenceKind.ADDED
    if after is None:
        return EvidenceKind.REMOVED
    if before.readable is not after.readable:
        return EvidenceKind.READABLE if after.readable else EvidenceKind.UNREADABLE
    if before.sha256 != after.sha256:
        return EvidenceKind.CHANGED
    return EvidenceKind.RESTATED if any(_fields_changed(before, after, _EVIDENCE_FIELDS)) else None


def _waivers(old: Sequence[WaiverUse], new: Sequence[WaiverUse]) -> Iterator[WaiverChange]:
    for before, after in _paired(old, new, lambda waiver: waiver.control):
        what = tuple(_fields_changed(before, after, _WAIVER_FIELDS))
        latest = after or before
        if latest is None or (before is not None and after is not None and not what):
            continue
        kind = WaiverKind.ADDED if before is None else WaiverKind.REMOVED if after is None else WaiverKind.CHANGED
        yield WaiverChange(control=latest.control, kind=kind, before=before, after=after, what=what)


def _paired(
    old: Iterable[Entry], new: Iterable[Entry], name: Callable[[Entry], str]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """The entries of both sides by name; of several with one name equal ones pair, then the others in fixed order."""
    before, after = _grouped(old, name), _grouped(new, name)
    for key in sorted(before.keys() | after.keys()):
        was, now = list(before.get(key, ())), list(after.get(key, ()))
        for entry in before.get(key, ()):
            if entry in now:
                was.remove(entry)
                now.remove(entry)
        yield from zip_longest(sorted(was, key=repr), sorted(now, key=repr))


def _grouped(entries: Iterable[Entry], name: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(name(entry), []).append(entry)
    return groups


def _fields_changed(before: Entry | None, after: Entry | None, names: Iterable[str]) -> Iterator[str]:
    """`release 2.4.0, before 2.3.0` for each field that differs."""
    if before is None or after is None:
        return
    for name in names:
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            yield f"{name.replace('_', ' ')}: {now or 'none'}, before {was or 'none'}"


# -------------------------------------------------------------------------------------------------------------- notes


def _notes(old: Assessment, new: Assessment, controls: Sequence[ControlChange]) -> Iterator[str]:
    """What a reader has to know before reading on."""
    yield from _about_deployments(old, new)
    yield from _about_rubrics(old.rubric, new.rubric)
    if _same_scoring(old.rubric, new.rubric) and any(change.kind in {Kind.NEW, Kind.GONE} for change in controls):
        yield (
            "Both assessments name the same scoring but not the same controls: one of them is not as psf-audit wrote "
            "it, and the absence of regressions means nothing."
        )
    yield from _about_exposure(side_of(old).exposure, side_of(new).exposure)
    if old.waivers_ignored is not new.waivers_ignored:
        yield f"The {'old' if old.waivers_ignored else 'new'} assessment ignores waivers, the other one uses them."
    if old.tool != new.tool:
        yield f"The assessments were made by {old.tool} and {new.tool}."
    hidden = sorted(change.id for change in controls if change.unresolved)
    if hidden:
        yield (
            f"{plural(len(hidden), 'gap')} of the old assessment cannot be seen in the new one, and "
            f"{'is' if len(hidden) == 1 else 'are'} not resolved: {', '.join(hidden)}."
        )


def _about_exposure(was: Bound | None, now: Bound | None) -> Iterator[str]:
    if was is not None and now is not None and was.rank != now.rank:
        how = "grew" if now.rank > was.rank else "shrank"
        yield f"The exposure {how}. Before: {sentence(was)}. Now: {sentence(now)}."


def _about_deployments(old: Assessment, new: Assessment) -> Iterator[str]:
    was, now = old.deployment, new.deployment
    if was.name != now.name:
        yield f"Two deployments are compared, {was.name} and {now.name}: what differs did not change over time."
    elif old.fingerprint != new.fingerprint:
        yield "The fingerprint changed: this is another deployment, and the old assessment is void for it."
    if was.environment != now.environment:
        yield f"The environments differ: {was.environment} and {now.environment}."
    if old.as_of > new.as_of:
        yield (
            f"The old assessment is of {old.as_of.isoformat()}, the new one of {new.as_of.isoformat()}: "
            "check that they were not swapped."
        )


def _about_rubrics(old: RubricIdentity, new: RubricIdentity) -> Iterator[str]:
    if old.id != new.id:
        yield (
            f"The rubrics differ, {old.id} {old.version} and {new.id} {new.version}: statuses and scores cannot be "
            "compared. Assess the old evidence again by the new rubric."
        )
    elif old.scoring_digest != new.scoring_digest:
        yield (
            f"{old.id} {old.version}{_with(old)} and {new.version}{_with(new)} decide statuses by other criteria: "
            "statuses and scores cannot be compared. Assess the old evidence again by the new rubric."
        )


def _with(rubric: RubricIdentity) -> str:
    return f" with {rubric.overlay}" if rubric.overlay else ""
