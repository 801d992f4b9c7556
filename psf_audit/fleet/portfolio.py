"""A portfolio: what many assessments say together. Pure, from one summary for each deployment.

What could not be assessed has a place in it, is chosen by every filter, and never passes: nobody can tell whose it is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from psf_audit import assess, gate, standing
from psf_audit.errors import ExitCode
from psf_audit.exposure import Outcome, headline
from psf_audit.gate import Decision
from psf_audit.model import Assessment, Status, Verdict
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

HORIZON_DAYS = 366
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """A control that somebody has to do something about; `waived` when somebody signed for it."""

    control: str
    title: str
    domain: str
    severity: str
    status: Status
    waived: bool


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain of a deployment, judged alone."""

    id: str
    title: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Exposed:
    """The most that one launch can cost, in the worst situation: what can be said of it, the sum where there is one.

    `usd` is the bound where it is `bounded`, and what is let through before any overshoot where it is `stopped`.
    """

    outcome: Outcome
    usd: Decimal | None
    words: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Something that a deployment's assessment rests on, and the last day on which it does."""

    on: date
    what: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One assessment as a portfolio needs it; `code` and `reason` are those of its own gate.

    `exposure` is None where it was not computed, `valid_until` where the assessment holds for no day. `unread` says
    that evidence could not be read.
    """

    path: str
    name: str
    release: str
    environment: str
    owners: tuple[str, ...]
    rubric: str
    verdict: Verdict
    code: ExitCode
    reason: str
    score: Fraction | None
    coverage: Fraction
    valid_until: date | None
    unread: bool
    fingerprint: str
    domains: tuple[Domain, ...] = ()
    gaps: tuple[Gap, ...] = ()
    exposure: Exposed | None = None
    ends: tuple[Ends, ...] = ()
    reports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A manifest that gave no assessment: why, and the exit code that assessing it alone would have given."""

    path: str
    code: ExitCode
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deployments are shown and gated: those that fit every kind of filter given, in any of its values."""

    owners: tuple[str, ...] = ()
    rubrics: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def words(self) -> str:
        """The filters in words; empty without any."""
        kinds = (("owner", self.owners), ("rubric", self.rubrics), ("environment", self.environments))
        told = [f"{kind} {' or '.join(values)}" for kind, values in (*kinds, ("domain", self.domains)) if values]
        return ", ".join(told)


@dataclass(frozen=True, slots=True)
class CommonGap:
    """A control, and in how many deployments it has a gap, by status; `first` names some of them."""

    control: str
    title: str
    severity: str
    count: int
    by_status: tuple[tuple[Status, int], ...]
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sums:
    """The exposure of all: what is bounded in sum, the largest of these, and how many have no such sum, by why."""

    bounded: int
    total: Decimal
    largest: tuple[str, Decimal] | None
    stopped: int
    unknown: int
    unbounded: int
    not_computed: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The deployments that were chosen, the worst first, what failed, and how many the filters left out."""

    as_of: date
    within_days: int
    selection: Selection
    tool: str
    deployments: tuple[Deployment, ...]
    failed: tuple[Failed, ...]
    left_out: int = 0
    sums: Sums = field(default=Sums(0, Decimal(0), None, 0, 0, 0, 0))
    common: tuple[CommonGap, ...] = ()

    @property
    def ending(self) -> tuple[tuple[Deployment, Ends], ...]:
        """What ran out or runs out within the days asked for, the first first."""
        until = self.as_of + timedelta(days=self.within_days)
        found = [(one, ends) for one in self.deployments for ends in one.ends if ends.on <= until]
        return tuple(sorted(found, key=lambda pair: (pair[1].on, pair[0].path, pair[1].what)))

    def is_ending(self, one: Deployment) -> bool:
        """Whether an assessment holds for no more than the days asked for."""
        return one.valid_until is None or one.valid_until <= self.as_of + timedelta(days=self.within_days)


# ---------------------------------------------------------------------------------------------------------- summaries


def summary(path: str, assessment: Assessment) -> Deployment:
    """What a portfolio needs of an assessment; texts are screened already, as all of an assessment is."""
    decision = gate.decide(assessment)
    of = assessment.deployment
    return Deployment(
        path=path,
        name=of.name,
        release=of.release,
        environment=of.environment,
        owners=tuple(name for role, name in of.people if role == "owner"),
        rubric=f"{assessment.rubric.id} {assessment.rubric.version}",
        verdict=assessment.verdict,
        code=decision.code,
        reason=decision.reason,
        score=assessment.score,
        coverage=assessment.coverage,
        valid_until=assessment.valid_until,
        unread=any(not entry.readable for entry in assessment.evidence),
        fingerprint=assessment.fingerprint,
        domains=tuple(Domain(one.id, one.title, assess.verdict([one])) for one in assessment.domains),
        gaps=tuple(
            Gap(one.id, one.title, one.domain, one.severity.value, one.status, one.waiver is not None)
            for one in assessment.controls
            if one.status.is_gap
        ),
        exposure=_exposed(assessment),
        ends=tuple(_ends(assessment)),
    )


def _exposed(assessment: Assessment) -> Exposed | None:
    if assessment.exposure is None:
        return None
    worst = assessment.exposure.enforced.worst.in_all
    sums = {Outcome.BOUNDED: worst.total, Outcome.STOPPED: worst.through}
    return Exposed(worst.outcome, sums.get(worst.outcome), headline(worst))


def _ends(assessment: Assessment) -> Iterator[Ends]:
    stands = standing.standing_of(assessment, assessment.as_of, within_days=HORIZON_DAYS)
    for one in (*stands.ran_out, *stands.runs_out):
        yield Ends(one.on, standing.sentence(one))
    for waiver in stands.waivers:
        yield Ends(waiver.on, f"the waiver of {waiver.control}, owner {waiver.owner}, until {waiver.on.isoformat()}")


# ---------------------------------------------------------------------------------------------------------- together


def portfolio(
    found: Iterable[Deployment | Failed], as_of: date, *, within_days: int, selection: Selection, tool: str
) -> Portfolio:
    """The portfolio of what was found, in whatever order it was found."""
    everything = list(found)
    every = [one for one in everything if isinstance(one, Deployment)]
    chosen = [_narrowed(one, selection) for one in every if _fits(one, selection)]
    ordered = tuple(sorted(chosen, key=_badness))
    return Portfolio(
        as_of=as_of,
        within_days=within_days,
        selection=selection,
        tool=tool,
        deployments=ordered,
        failed=tuple(sorted((one for one in everything if isinstance(one, Failed)), key=lambda one: one.path)),
        left_out=len(every) - len(chosen),
        sums=_sums(ordered),
        common=_common(ordered),
    )


def _fits(one: Deployment, selection: Selection) -> bool:
    owners = {owner.casefold() for owner in one.owners}
    name, _, version = one.rubric.partition(" ")
    rubrics = {name, f"{name}@{version}", one.rubric}
    return (
        (not selection.owners or any(owner.casefold() in owners for owner in selection.owners))
        and (not selection.rubrics or any(rubric in rubrics for rubric in selection.rubrics))
        and (not selection.environments or one.environment in selection.environments)
        and (not selection.domains or any(domain.id in selection.domains for domain in one.domains))
    )


def _narrowed(one: Deployment, selection: Selection) -> Deployment:
    """A deployment judged by the domains asked for alone; whole where none is asked for."""
    if not selection.domains:
        return one
    domains = tuple(domain for domain in one.domains if domain.id in selection.domains)
    verdict = max((domain.verdict for domain in domains), key=_VERDICTS.index)
    code = _CODES[verdict]
    if code is not ExitCode.GATE_NOT_MET and one.unread:
        code = ExitCode.CANNOT_ASSESS
    told = ", ".join(f"{domain.id} {domain.verdict.label}" for domain in domains)
    reason = f"{told}; evidence could not be read" if one.unread else told
    gaps = tuple(gap for gap in one.gaps if gap.domain in selection.domains)
    return replace(one, domains=domains, verdict=verdict, code=code, reason=reason, gaps=gaps)


_VERDICTS = [Verdict.READY, Verdict.READY_WITH_WAIVERS, Verdict.INCOMPLETE, Verdict.NOT_READY]
# A domain alone has no gate: with waivers it is as little ready as the strictest gate says.
_CODES = {
    Verdict.READY: ExitCode.READY,
    Verdict.READY_WITH_WAIVERS: ExitCode.GATE_NOT_MET,
    Verdict.INCOMPLETE: ExitCode.CANNOT_ASSESS,
    Verdict.NOT_READY: ExitCode.GATE_NOT_MET,
}
_OUTCOMES = list(Outcome)


def _badness(one: Deployment) -> tuple[object, ...]:
    """Worst first: by verdict, blocking gaps, whether its gate is met, exposure, score; then by path."""
    exposed = (1, Decimal(0))
    if one.exposure is not None:
        exposed = (-_OUTCOMES.index(one.exposure.outcome), -(one.exposure.usd or Decimal(0)))
    blocking = sum(gap.severity == "blocking" and not gap.waived for gap in one.gaps)
    return (
        -_VERDICTS.index(one.verdict),
        -blocking,
        one.code is ExitCode.READY,
        exposed,
        one.score if one.score is not None else Fraction(-1),
        one.path,
    )


def _sums(deployments: Sequence[Deployment]) -> Sums:
    known = [one.exposure for one in deployments if one.exposure is not None]
    bounded = [
        (one.path, one.exposure.usd)
        for one in deployments
        if one.exposure is not None and one.exposure.outcome is Outcome.BOUNDED and one.exposure.usd is not None
    ]
    counts = {outcome: sum(each.outcome is outcome for each in known) for outcome in Outcome}
    return Sums(
        bounded=len(bounded),
        total=sum((usd for _, usd in bounded), Decimal(0)),
        largest=max(bounded, key=lambda pair: pair[1], default=None),
        stopped=counts[Outcome.STOPPED],
        unknown=counts[Outcome.UNKNOWN],
        unbounded=counts[Outcome.UNBOUNDED],
        not_computed=len(deployments) - len(known),
    )


def _common(deployments: Sequence[Deployment]) -> tuple[CommonGap, ...]:
    """Every control with a gap, that of the most deployments first; a control is one across versions of rubrics."""
    found: dict[str, list[tuple[Deployment, Gap]]] = defaultdict(list)
    for one in deployments:
        for gap in one.gaps:
            found[gap.control].append((one, gap))
    gaps = [
        CommonGap(
            control=control,
            title=pairs[0][1].title,
            severity=pairs[0][1].severity,
            count=len(pairs),
            by_status=tuple(
                (status, count) for status in Status if (count := sum(gap.status is status for _, gap in pairs))
            ),
            first=tuple(one.name for one, _ in pairs[:MAX_NAMED]),
        )
        for control, pairs in found.items()
    ]
    return tuple(sorted(gaps, key=lambda gap: (-gap.count, gap.control)))


# ------------------------------------------------------------------------------------------------------------ the gate


class FailOn(StrEnum):
    """What alone fails a portfolio, where it is given; without any, each deployment has to meet its own gate."""

    NOT_READY = "not_ready"
    INCOMPLETE = "incomplete"
    WAIVERS = "ready_with_waivers"
    EXPIRING = "expiring"
    UNBOUNDED = "unbounded"


def decide(portfolio: Portfolio, fail_on: Collection[FailOn] = ()) -> Decision:
    """Whether the portfolio passes.

    What is proven to fail comes first, so that a deployment that cannot be assessed never softens it; then a bug, then
    what a user has to mend, then what could not be told. Nothing found, or nothing chosen, is never a pass.
    """
    return next(_objections(portfolio, fail_on), Decision(ExitCode.READY, _all_well(portfolio, fail_on)))


def _all_well(portfolio: Portfolio, fail_on: Collection[FailOn]) -> str:
    count = plural(len(portfolio.deployments), "deployment")
    if fail_on:
        return f"{count}, and none is {' or '.join(sorted(one.value.replace('_', ' ') for one in fail_on))}"
    return f"{count}, and all meet their gates"


def _objections(portfolio: Portfolio, fail_on: Collection[FailOn]) -> Iterator[Decision]:
    codes: dict[ExitCode, list[str]] = defaultdict(list)
    for one in portfolio.deployments:
        for code, why in _of_one(one, portfolio, fail_on):
            codes[code].append(f"{one.name} ({why})")
    for failure in portfolio.failed:
        codes[failure.code].append(f"{failure.path} ({failure.why[0] if failure.why else 'not assessed'})")
    order = (
        ExitCode.GATE_NOT_MET,
        ExitCode.BUG,
        ExitCode.INTEGRITY,
        ExitCode.USAGE,
        ExitCode.INTERRUPTED,
        ExitCode.CANNOT_ASSESS,
    )
    for code in order:
        if told := codes[code]:
            more = f"; and {len(told) - 1} more" if told[1:] else ""
            yield Decision(code, f"{_WORDS.get(code, 'could not be assessed')}: {told[0]}{more}")
    if not portfolio.deployments:
        left = f"; the filters leave out {portfolio.left_out}" if portfolio.left_out else ""
        yield Decision(ExitCode.CANNOT_ASSESS, f"no deployment was found{left}")


_WORDS = {ExitCode.GATE_NOT_MET: "the gate is not met", ExitCode.USAGE: "has to be mended first"}


def _of_one(one: Deployment, portfolio: Portfolio, fail_on: Collection[FailOn]) -> Iterator[tuple[ExitCode, str]]:
    if not fail_on:
        if one.code is not ExitCode.READY:
            yield one.code, one.reason
        return
    states = {
        FailOn.NOT_READY: one.verdict is Verdict.NOT_READY,
        FailOn.INCOMPLETE: one.verdict is Verdict.INCOMPLETE,
        FailOn.WAIVERS: one.verdict is Verdict.READY_WITH_WAIVERS,
        FailOn.EXPIRING: portfolio.is_ending(one),
        FailOn.UNBOUNDED: one.exposure is None or one.exposure.outcome in {Outcome.UNBOUNDED, Outcome.UNKNOWN},
    }
    for asked in FailOn:
        if asked in fail_on and states[asked]:
            incomplete = asked is FailOn.INCOMPLETE
            yield ExitCode.CANNOT_ASSESS if incomplete else ExitCode.GATE_NOT_MET, asked.value.replace("_", " ")
    if one.unread:
        yield ExitCode.CANNOT_ASSESS, "evidence could not be read"
