"""The values that stages hand to each other; all frozen, none of them knows a file or a format."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from fractions import Fraction

from psf_audit.activity import Activity
from psf_audit.changes import Change
from psf_audit.composition import Composition
from psf_audit.exposure import Exposure


class Status(StrEnum):
    """What the evidence says of one control, worst first."""

    CONTRADICTED = "contradicted"
    MISSING = "missing"
    UNKNOWN = "unknown"
    UNTESTED = "untested"
    UNDOCUMENTED = "undocumented"
    DEMONSTRATED = "demonstrated"
    NOT_APPLICABLE = "not_applicable"

    @property
    def credit(self) -> Fraction:
        """The share of a control's weight that the status earns."""
        return {
            Status.UNTESTED: Fraction(1, 3),
            Status.UNDOCUMENTED: Fraction(2, 3),
            Status.DEMONSTRATED: Fraction(1),
        }.get(self, Fraction(0))

    @property
    def label(self) -> str:
        """The status as a reader sees it."""
        return self.value.replace("_", " ")

    @property
    def is_gap(self) -> bool:
        """Whether somebody has to do something about it."""
        return self not in {Status.DEMONSTRATED, Status.NOT_APPLICABLE}


class Severity(StrEnum):
    """How much a control weighs."""

    BLOCKING = "blocking"
    HIGH = "high"
    MEDIUM = "medium"

    @property
    def weight(self) -> int:
        """Its weight in the score of the domain."""
        return {Severity.BLOCKING: 3, Severity.HIGH: 2, Severity.MEDIUM: 1}[self]


class Verdict(StrEnum):
    """The answer of an assessment."""

    READY = "ready"
    READY_WITH_WAIVERS = "ready_with_waivers"
    INCOMPLETE = "incomplete"
    NOT_READY = "not_ready"

    @property
    def label(self) -> str:
        """The verdict as a reader sees it."""
        return self.value.replace("_", " ")

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Verdict.READY: "Every blocking control in every domain is demonstrated by the evidence.",
            Verdict.READY_WITH_WAIVERS: "It would not be ready without the waivers that somebody signed for.",
            Verdict.INCOMPLETE: "Nothing is proven to fail, but the evidence does not suffice to tell.",
            Verdict.NOT_READY: "The evidence shows that at least one domain fails.",
        }[self]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a sentence comes from: evidence id, path below the evidence root, pointer in it, SHA-256 of the file."""

    evidence: str
    path: str
    pointer: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that a control's result rests on; `found` and `expected` are numbers or words in `unit`, `at` is UTC.

    `against` is where the other side stands of two that do not agree.
    """

    what: str
    found: str | None = None
    expected: str | None = None
    unit: str | None = None
    at: str | None = None
    source: Source | None = None
    against: Source | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """The first rows of a list, and how many there are in all."""

    rows: tuple[Finding, ...] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about a gap: in words, as snippets by stack, and roughly how much work it is."""

    text: str
    snippets: dict[str, str] = field(default_factory=dict)
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver as an assessment found it: matched, unused, expired or invalid, and why.

    `environment` and `release` are its scope, None where it has none; `expires_soon` is said of matched ones only.
    """

    control: str
    state: str
    reason: str
    owner: str
    approved_by: str
    expires: str
    note: str
    source: Source
    environment: str | None = None
    release: str | None = None
    expires_soon: bool = False

    @property
    def scope(self) -> str:
        """Where it holds: `environment production, release 2.4.*`, or `anywhere`."""
        named = (("environment", self.environment), ("release", self.release))
        return ", ".join(f"{name} {value}" for name, value in named if value is not None) or "anywhere"


class Rest(StrEnum):
    """What a status rests on for a time."""

    EVIDENCE = "evidence"
    TEST = "test"
    DOCUMENT = "document"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Expiry:
    """The last day on which something that a control's status rests on is fresh enough.

    A log does not expire, because it is read anew in every assessment; its day is the one to read it again by.
    """

    on: date
    of: Rest
    what: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class ControlResult:
    """One control: what it asks, what was claimed, what the evidence shows, and the status that follows.

    `collect` names the exports that would show more. `manifest_line` is the line of the manifest nearest to which the
    control would be declared; None where that is not known. `expiries` is empty where the status rests on nothing that
    ages.
    """

    id: str
    title: str
    domain: str
    severity: Severity
    status: Status
    reason: str
    requirement: str
    why: str
    question: str
    remedy: Remedy
    references: dict[str, tuple[str, ...]]
    claims: Findings = Findings()
    shows: Findings = Findings()
    lacks: Findings = Findings()
    breaks: Findings = Findings()
    tests: Findings = Findings()
    documents: Findings = Findings()
    gaps: Findings = Findings()
    waiver: WaiverUse | None = None
    notes: tuple[str, ...] = ()
    collect: tuple[str, ...] = ()
    manifest_line: int | None = None
    expiries: tuple[Expiry, ...] = ()

    @property
    def lists(self) -> tuple[tuple[str, Findings], ...]:
        """Every list of rows, with its name."""
        values = ((field_.name, getattr(self, field_.name)) for field_ in fields(self))
        return tuple((name, value) for name, value in values if isinstance(value, Findings))

    @property
    def valid_until(self) -> date | None:
        """The day the first of what it needs runs out; None where nothing does."""
        return min((expiry.on for expiry in self.expiries if expiry.of is not Rest.LOG), default=None)

    @property
    def refresh_by(self) -> date | None:
        """The day by which the log that it rests on should be read anew; None where it rests on none."""
        return min((expiry.on for expiry in self.expiries if expiry.of is Rest.LOG), default=None)


@dataclass(frozen=True, slots=True)
class DomainResult:
    """One domain: whether it passes, its score (None when no control applies), and its controls."""

    id: str
    title: str
    passes: bool
    score: Fraction | None
    controls: tuple[ControlResult, ...]


@dataclass(frozen=True, slots=True)
class RubricIdentity:
    """Which rubric an assessment used: content digest of its text, scoring digest of what decides a status.

    With an `overlay` (its id and version) both digests are of what came of it; `loosened` has what it asks less.
    """

    id: str
    version: str
    title: str
    content_digest: str
    scoring_digest: str
    about: str = ""
    overlay: str | None = None
    loosened: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`psf-agentic@1.3.0`, with its overlay where there is one."""
        overlay = f" with {self.overlay}" if self.overlay else ""
        return f"{self.id}@{self.version}{overlay}"

    @property
    def spec(self) -> str:
        """What asks for it by name: an overlay says itself which rubric it extends."""
        return self.overlay or f"{self.id}@{self.version}"


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """One line of the evidence register.

    `shows` are the controls that something in the file speaks for, `contradicts` those that something in it
    contradicts. `problem` says why it counts for less than it could; `note` why nothing in it bears on a control.
    `manifest_line` is the line of the manifest that lists it.
    """

    id: str
    path: str
    format: str | None
    sha256: str | None
    bytes: int
    collected: str | None
    release: str | None
    produced_by: str | None
    readable: bool
    problem: str | None
    facts: int = 0
    shows: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    note: str | None = None
    manifest_line: int | None = None


@dataclass(frozen=True, slots=True)
class DeploymentIdentity:
    """What was assessed."""

    name: str
    release: str
    environment: str
    description: str | None = None
    objective: str | None = None
    people: tuple[tuple[str, str], ...] = ()
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier assessment of the same deployment that this one is held against.

    `statuses` are those of its controls by id; `changes` is what has changed since in what the deployment is made of.
    """

    source: Source
    as_of: date
    release: str
    verdict: Verdict
    fingerprint: str
    valid_until: date | None
    rubric: str
    statuses: dict[str, str]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """What a pipeline asks for: the least verdict, coverage and score (percent), and the statuses that must not be.

    `manifest_line` is the line of the manifest where it stands.
    """

    require: Verdict = Verdict.READY
    min_coverage: int = 100
    min_score: int | None = None
    fail_on: tuple[Status, ...] = ()
    manifest_line: int | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that an assessment found; every report is made from this value alone."""

    tool: str
    as_of: date
    deployment: DeploymentIdentity
    fingerprint: str
    manifest: Source
    rubric: RubricIdentity
    verdict: Verdict
    deciding: tuple[str, ...]
    score: Fraction | None
    coverage: Fraction
    valid_until: date | None
    refresh_by: date | None
    domains: tuple[DomainResult, ...]
    evidence: tuple[EvidenceEntry, ...]
    waivers: tuple[WaiverUse, ...]
    limits_of_assessment: tuple[str, ...]
    gate: Gate = Gate()
    waivers_ignored: bool = False
    exposure: Exposure | None = None
    activity: Activity | None = None
    composition: Composition | None = None
    earlier: Earlier | None = None

    @property
    def controls(self) -> tuple[ControlResult, ...]:
        """Every control, in the order of the rubric."""
        return tuple(control for domain in self.domains for control in domain.controls)

    def by_status(self, status: Status) -> tuple[ControlResult, ...]:
        """The controls of one status."""
        return tuple(control for control in self.controls if control.status is status)


def percent(share: Fraction) -> int:
    """A share as whole percent, rounded down: nothing short of the whole is 100 %."""
    return int(share * 100)
