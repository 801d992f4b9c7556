"""What becomes of the waivers of a manifest. Pure; no waiver changes a status, a score or the coverage.

A waiver says that somebody knows of a gap and takes the risk for a time. It holds for one control, up to and including
a day, and in the scope that it names. Where one does not hold, its gap says so: an expired waiver must not read as a
problem that nobody knew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from psf_audit.model import ControlResult, DeploymentIdentity, Source, Status, WaiverUse
from psf_audit.text import one_line, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WAIVABLE = frozenset({Status.MISSING, Status.UNTESTED, Status.UNDOCUMENTED})
_NOBODY = frozenset({"", "unknown"})
# Whom the manifest names in one of these roles may take a risk for the deployment.
_APPROVING = frozenset({"owner", "deputy", "approver"})


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver as the manifest has it; it holds up to and including the day `expires`.

    `environment` is the only one it holds in, `release` the only ones: `*` stands for any text. None is any.
    """

    control: str
    reason: str
    owner: str
    approved_by: str
    expires: date
    source: Source
    environment: str | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What waivers are held against: the day, the deployment, and what the rubric allows, in days."""

    as_of: date
    deployment: DeploymentIdentity
    max_days: int
    notice_days: int


def use(
    waivers: Sequence[Waiver], results: Sequence[ControlResult], terms: Terms
) -> tuple[tuple[ControlResult, ...], tuple[WaiverUse, ...]]:
    """The results with the waivers that match, and what became of every waiver.

    Of several that match one control the one that holds longest covers it. The reason of a gap whose waivers do not
    hold ends with why.
    """
    by_id = {result.id: result for result in results}
    uses = [_use(waiver, by_id.get(waiver.control), terms) for waiver in waivers]
    covering = {one.control: one for one in sorted(_matched(uses), key=lambda one: one.expires)}
    uses = [_superseded(one, covering) for one in uses]
    return tuple(_told(result, covering.get(result.id), uses) for result in results), tuple(uses)


def _matched(uses: Sequence[WaiverUse]) -> Iterator[WaiverUse]:
    return (one for one in uses if one.state == "matched")


def _superseded(one: WaiverUse, covering: dict[str, WaiverUse]) -> WaiverUse:
    other = covering.get(one.control)
    if one.state != "matched" or other is None or other is one:
        return one
    note = f"another waiver covers {one.control}, until {other.expires}"
    return replace(one, state="unused", note=note, expires_soon=False)


def _told(result: ControlResult, covering: WaiverUse | None, uses: Sequence[WaiverUse]) -> ControlResult:
    if covering is not None:
        return replace(result, waiver=covering)
    notes = [_why_not(one) for one in uses if one.control == result.id]
    if not notes or not result.status.is_gap:
        return result
    return replace(result, reason="; ".join((result.reason, *notes)))


def _why_not(one: WaiverUse) -> str:
    """Beside a gap: why a waiver of it does not hold."""
    if one.state == "expired":
        return f"the waiver of it expired on {one.expires}"
    # A gap leaves a waiver unused only where the waiver is for something else, and its note says what for.
    return f"the waiver of it is {one.note if one.state == 'unused' else f'{one.state}: {one.note}'}"


def _use(waiver: Waiver, result: ControlResult | None, terms: Terms) -> WaiverUse:
    state, note = _state(waiver, result, terms)
    left = (waiver.expires - terms.as_of).days
    soon = state == "matched" and left <= terms.notice_days
    notes = (note, _time_left(left) if soon else "", _about_approver(waiver.approved_by, terms.deployment))
    made = WaiverUse(
        control=waiver.control,
        state=state,
        reason=waiver.reason,
        owner=waiver.owner,
        approved_by=waiver.approved_by,
        expires=waiver.expires.isoformat(),
        note="; ".join(filter(None, notes)),
        source=waiver.source,
        environment=waiver.environment,
        release=waiver.release,
        expires_soon=soon,
    )
    limited = state == "matched" and made.scope != "anywhere"
    return replace(made, note=f"{made.note}; only for {made.scope}") if limited else made


def _time_left(days: int) -> str:
    return f"it expires in {plural(days, 'day')}" if days else "today is its last day"


def _state(waiver: Waiver, result: ControlResult | None, terms: Terms) -> tuple[str, str]:
    """The state of a waiver and why: the first objection there is."""
    if result is None:
        return "invalid", f"the rubric has no control {waiver.control}"
    outside = _outside(waiver, terms.deployment)
    objections = (
        (_person(waiver.approved_by) in _NOBODY, "invalid", "it names nobody who approved it"),
        (_person(waiver.owner) in _NOBODY, "invalid", "it names no owner"),
        (_person(waiver.owner) == _person(waiver.approved_by), "invalid", "its owner approved it"),
        (outside is not None, "unused", f"out of its scope: {outside}"),
        (waiver.expires < terms.as_of, "expired", _expired(waiver, result)),
        (
            (waiver.expires - terms.as_of).days > terms.max_days,
            "invalid",
            f"it runs longer than the {terms.max_days} days that the rubric allows",
        ),
        (not result.status.is_gap, "unused", f"{result.id} is {result.status.label}"),
        (result.status not in WAIVABLE, "invalid", f"{result.id} is {result.status.label}, which nobody can waive"),
    )
    stays = f"covers {result.id}, which stays {result.status.label}"
    return next(((state, note) for applies, state, note in objections if applies), ("matched", stays))


def _expired(waiver: Waiver, result: ControlResult) -> str:
    then = "the gap is open again" if result.status.is_gap else f"{result.id} is {result.status.label} without it"
    return f"it expired on {waiver.expires.isoformat()}: {then}"


def _outside(waiver: Waiver, deployment: DeploymentIdentity) -> str | None:
    """Why the scope of a waiver leaves a deployment out; None where it does not."""
    if waiver.environment is not None and waiver.environment != deployment.environment:
        return f"it is for the environment {waiver.environment}, and this is {deployment.environment}"
    if waiver.release is not None and not _fits(waiver.release, deployment.release):
        return f"it is for the release {waiver.release}, and this is {deployment.release}"
    return None


def _fits(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    text = text[len(first) :]
    for part in rest[:-1]:
        _, found, text = text.partition(part) if part else ("", "*", text)
        if not found:
            return False
    return text.endswith(rest[-1])


def _person(name: str) -> str:
    """A name as it is compared: case and white space do not make another person."""
    return one_line(name).casefold()


def _about_approver(name: str, deployment: DeploymentIdentity) -> str:
    """A note, no objection: whoever takes a risk for a company may well stand outside of the deployment's people."""
    if _person(name) in _NOBODY:
        return ""
    roles = [role for role, other in deployment.people if _person(other) == _person(name)]
    if not roles:
        return f"the manifest does not name {name} among the people"
    if _APPROVING.isdisjoint(roles):
        return f"the manifest names {name} as {' and '.join(roles)}, not as one who approves"
    return ""
