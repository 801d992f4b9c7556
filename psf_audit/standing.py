"""Whether an assessment still stands: pure, from the assessment, a day, and what the deployment is made of now.

Readiness decays. Evidence runs out, waivers run out, and every change of what the deployment is made of is another
deployment, which nobody has assessed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from psf_audit import gate
from psf_audit.changes import Change, Direction, changes, names_changed
from psf_audit.errors import ConfigurationError, ExitCode
from psf_audit.gate import Decision
from psf_audit.migration import version_key
from psf_audit.model import Assessment, DeploymentIdentity, Rest, RubricIdentity
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from psf_audit.composition import Composition

MAX_NAMES = 3
_AS = {Rest.EVIDENCE: "as evidence", Rest.TEST: "as test", Rest.DOCUMENT: "as document", Rest.LOG: "as log"}


class State(StrEnum):
    """What became of an assessment; of several the first holds."""

    VOID = "void"
    EXPIRED = "expired"
    EXPIRING = "expiring"
    VALID = "valid"

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            State.VOID: "The deployment is not the one that was assessed: assess it again before it goes on.",
            State.EXPIRED: "Something that the assessment rests on has run out: assess again, with fresh evidence.",
            State.EXPIRING: "The assessment stands, and something that it rests on runs out soon.",
            State.VALID: "The assessment stands.",
        }[self]


@dataclass(frozen=True, slots=True)
class Current:
    """What the deployment is now: as its manifest and its configuration have it."""

    deployment: DeploymentIdentity
    fingerprint: str
    composition: Composition


@dataclass(frozen=True, slots=True)
class RunsOut:
    """What of one file the statuses of some controls rest on, and the last day on which it is fresh enough.

    `path` is None where no file is behind it; `what` names the rows.
    """

    on: date
    of: Rest
    path: str | None
    what: tuple[str, ...]
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaiverEnds:
    """A waiver in force, and the last day on which it holds."""

    control: str
    on: date
    owner: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an assessment still stands on a day, and everything that speaks against it.

    `voided` says in words why the deployment is another one, `changes` what changed in it; both are empty where it was
    not compared with a manifest (`compared`). `superseded_by` is the newest version of its rubric, if that is newer.
    """

    assessment: Assessment
    as_of: date
    within_days: int
    state: State
    compared: bool
    voided: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    ran_out: tuple[RunsOut, ...] = ()
    runs_out: tuple[RunsOut, ...] = ()
    waivers: tuple[WaiverEnds, ...] = ()
    reread: tuple[RunsOut, ...] = ()
    superseded_by: str | None = None

    @property
    def days_left(self) -> int | None:
        """Days until it runs out, negative when it has; None where it holds for no day at all."""
        return None if self.assessment.valid_until is None else (self.assessment.valid_until - self.as_of).days

    @property
    def fell_open(self) -> tuple[WaiverEnds, ...]:
        """The waivers that have run out, so that their gaps are open again."""
        return tuple(waiver for waiver in self.waivers if waiver.on < self.as_of)


def standing_of(
    assessment: Assessment, as_of: date, *, within_days: int, current: Current | None = None, newest: str | None = None
) -> Standing:
    """How an assessment stands on a day.

    Args:
        assessment: the assessment.
        as_of: the day, not before that of the assessment.
        within_days: how soon something has to run out to be told.
        current: what the deployment is now; without it nobody can tell whether it is still the one that was assessed.
        newest: the newest version of its rubric that is known.

    Raises:
        ConfigurationError: the day is before that of the assessment, or `current` is another deployment altogether.
    """
    _check(assessment, as_of, current)
    soon = as_of + timedelta(days=within_days)
    resting = _resting(assessment)
    ends = tuple(
        WaiverEnds(use.control, date.fromisoformat(use.expires), use.owner)
        for use in assessment.waivers
        if use.state == "matched" and date.fromisoformat(use.expires) <= soon
    )
    voided = tuple(_voided(assessment, current)) if current else ()
    expired = assessment.valid_until is None or assessment.valid_until < as_of
    expiring = assessment.valid_until is not None and assessment.valid_until <= soon
    return Standing(
        assessment=assessment,
        as_of=as_of,
        within_days=within_days,
        state=State.VOID if voided else State.EXPIRED if expired else State.EXPIRING if expiring else State.VALID,
        compared=current is not None,
        voided=voided,
        changes=changed_since(assessment, current) if current else (),
        ran_out=tuple(one for one in resting if one.of is not Rest.LOG and one.on < as_of),
        runs_out=tuple(one for one in resting if one.of is not Rest.LOG and as_of <= one.on <= soon),
        waivers=ends,
        reread=tuple(one for one in resting if one.of is Rest.LOG and one.on < as_of),
        superseded_by=_newer(newest, assessment.rubric.version),
    )


def _newer(newest: str | None, used: str) -> str | None:
    """The newest version, if it comes after the one that was used."""
    return newest if newest is not None and version_key(newest) > version_key(used) else None


def _check(assessment: Assessment, as_of: date, current: Current | None) -> None:
    if as_of < assessment.as_of:
        raise ConfigurationError(
            f"the assessment is of {assessment.as_of.isoformat()}, after {as_of.isoformat()}",
            hint="ask about that day or a later one",
        )
    if current is not None and current.deployment.name != assessment.deployment.name:
        raise ConfigurationError(
            f"the assessment is of {assessment.deployment.name}, the manifest describes {current.deployment.name}",
            hint="give the manifest of the deployment that was assessed",
        )


def _resting(assessment: Assessment) -> tuple[RunsOut, ...]:
    """What all statuses rest on, by file and day, the first to run out first."""
    found: dict[tuple[date, Rest, str], list[tuple[str, str]]] = defaultdict(list)
    for control in assessment.controls:
        for expiry in control.expiries:
            path = expiry.source.path if expiry.source else ""
            found[expiry.on, expiry.of, path].append((expiry.what, control.id))
    return tuple(
        RunsOut(on, of, path or None, _distinct(what for what, _ in rows), _distinct(control for _, control in rows))
        for (on, of, path), rows in sorted(found.items())
    )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


# --------------------------------------------------------------------------------------------------------------- void


def _voided(assessment: Assessment, current: Current) -> Iterator[str]:
    was, now = assessment.deployment, current.deployment
    if was.environment != now.environment:
        yield f"it was assessed for {was.environment}, and this is {now.environment}"
    if was.release != now.release:
        yield f"release {was.release} was assessed, and this is {now.release}"
    if assessment.fingerprint != current.fingerprint:
        yield "its fingerprint is another one: what it is made of changed"


def changed_since(assessment: Assessment, current: Current) -> tuple[Change, ...]:
    """What has changed since an assessment in what its deployment is made of, in words; empty where nothing has."""
    if assessment.fingerprint == current.fingerprint:
        return ()
    if assessment.composition is None:
        found = names_changed(assessment.deployment.capabilities, current.deployment.capabilities)
        kept = "the assessment was written by a version that did not keep what it is of; only names are compared"
        return (*found, Change("configuration", kept, Direction.LOOK))
    return changes(assessment.composition, current.composition) or (
        Change("configuration", "something that is not kept in words, such as a secret", Direction.LOOK),
    )


# ------------------------------------------------------------------------------------------------------------ the gate


class FailOn(StrEnum):
    """What fails the check though the assessment stands."""

    EXPIRING = "expiring"
    SUPERSEDED = "superseded"


def decide(standing: Standing, fail_on: Collection[FailOn] = ()) -> Decision:
    """Whether a nightly check passes: the assessment stands, and its own gate is met."""
    return next(_objections(standing, fail_on), Decision(ExitCode.READY, _stands(standing)))


def _objections(standing: Standing, fail_on: Collection[FailOn]) -> Iterator[Decision]:
    if standing.state is State.VOID:
        more = _more([*standing.voided, *(change.what for change in standing.changes)])
        yield Decision(ExitCode.GATE_NOT_MET, f"void: {more}")
    if standing.state is State.EXPIRED:
        yield Decision(ExitCode.GATE_NOT_MET, f"expired: {_why_expired(standing)}")
    decision = gate.decide(standing.assessment)
    if decision.code is not ExitCode.READY:
        yield decision
    if FailOn.EXPIRING in fail_on and standing.state is State.EXPIRING:
        yield Decision(ExitCode.GATE_NOT_MET, f"expiring: {_stands(standing)}")
    if FailOn.SUPERSEDED in fail_on and standing.superseded_by is not None:
        yield Decision(
            ExitCode.GATE_NOT_MET, f"superseded: {superseded(standing.assessment.rubric, standing.superseded_by)}"
        )


def superseded(rubric: RubricIdentity, newest: str) -> str:
    """That there is a newer version of the rubric."""
    return f"it was judged by {rubric.id} {rubric.version}, and there is {newest}"


def _stands(standing: Standing) -> str:
    until, left = standing.assessment.valid_until, standing.days_left
    if until is None or left is None:
        return "it holds for no day"
    return f"it stands until {until.isoformat()}, {plural(left, 'day')} from {standing.as_of.isoformat()}"


def _why_expired(standing: Standing) -> str:
    if standing.assessment.valid_until is None:
        return "it holds for no day, for it found no evidence that it could rest on"
    told = [sentence(one) for one in standing.ran_out]
    told += [f"the waiver of {one.control} on {one.on.isoformat()}" for one in standing.fell_open]
    return _more(told) if told else f"on {standing.assessment.valid_until.isoformat()}, {_longest(standing.assessment)}"


def _longest(assessment: Assessment) -> str:
    """Why a day passed without anything that ran out: no assessment holds longer, or an old file does not say."""
    if any(control.expiries for control in assessment.controls):
        return "the longest that any assessment holds"
    return "for what, the version that wrote it did not keep"


def sentence(one: RunsOut) -> str:
    """What runs out, and for which controls: `gateway.yaml, as evidence, until 2026-11-20: SPEND-01, SPEND-02`."""
    named = f" ({one.what[0]})" if len(one.what) == 1 else ""
    controls = ", ".join(one.controls[:MAX_NAMES])
    more = f" and {len(one.controls) - MAX_NAMES} more" if len(one.controls) > MAX_NAMES else ""
    return f"{one.path or 'no file'}, {_AS[one.of]}{named}, until {one.on.isoformat()}: {controls}{more}"


def _more(told: Sequence[str]) -> str:
    left = len(told) - MAX_NAMES
    return "; ".join(told[:MAX_NAMES]) + (f"; and {left} more" if left > 0 else "")
