"""Several assessments of one deployment in a row: pure.

Statuses are told side by side, and never subtracted: where another rubric judged, what stands beside each other was
decided by other criteria, and the point says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from psf_audit.compare import Comparison, Side, compare, side_of
from psf_audit.errors import ConfigurationError
from psf_audit.model import Assessment, Severity, Status
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FEWEST = 3


@dataclass(frozen=True, slots=True)
class Point:
    """One of the assessments: what identifies it, its result, and how many gaps it has."""

    side: Side
    gaps: int
    contradicted: int
    scores: tuple[Fraction | None, ...]
    same_scoring: bool


@dataclass(frozen=True, slots=True)
class ControlHistory:
    """The statuses of one control, one for each assessment; None where its rubric does not have it."""

    id: str
    title: str
    domain: str
    severity: Severity
    statuses: tuple[Status | None, ...]
    days: tuple[date, ...]

    @property
    def first_gap(self) -> date | None:
        """The day of the first assessment that found a gap; None where none did."""
        return next((day for day, status in zip(self.days, self.statuses, strict=True) if _gap(status)), None)

    @property
    def open_since(self) -> date | None:
        """The day since which every assessment found a gap; None where the last one found none.

        An assessment whose rubric lacks the control, or to which it did not apply, ends a gap without closing it: what
        was open before is `first_gap`.
        """
        since = None
        for day, status in zip(reversed(self.days), reversed(self.statuses), strict=True):
            if not _gap(status):
                break
            since = day
        return since

    @property
    def closed(self) -> bool:
        """Whether it had a gap and is demonstrated now."""
        return self.first_gap is not None and self.statuses[-1] is Status.DEMONSTRATED

    @property
    def reopened(self) -> bool:
        """Whether its gap was closed in between, and is open again."""
        since = self.open_since
        return since is not None and since != self.first_gap and Status.DEMONSTRATED in self.statuses


def _gap(status: Status | None) -> bool:
    return status is not None and status.is_gap


@dataclass(frozen=True, slots=True)
class Trend:
    """One deployment over several assessments, the oldest first, with what changed from each to the next."""

    deployment: str
    points: tuple[Point, ...]
    domains: tuple[tuple[str, str], ...]
    controls: tuple[ControlHistory, ...]
    steps: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def ever_open(self) -> tuple[ControlHistory, ...]:
        """The controls that had a gap at any time: those still open first, the longest open before the others."""
        had = [control for control in self.controls if control.first_gap is not None]
        return tuple(sorted(had, key=_most_pressing))


def _most_pressing(control: ControlHistory) -> tuple[bool, int, date, str]:
    since = control.open_since
    return since is None, list(Severity).index(control.severity), since or control.days[-1], control.id


def trend_of(assessments: Sequence[Assessment]) -> Trend:
    """The trend over assessments that are in the order of their days.

    Raises:
        ConfigurationError: there are fewer than three, they are of several deployments, or not in order.
    """
    _check(assessments)
    last = assessments[-1]
    titles = {domain.id: domain.title for made in assessments for domain in made.domains}
    return Trend(
        deployment=last.deployment.name,
        points=tuple(_point(made, last, tuple(titles)) for made in assessments),
        domains=tuple(titles.items()),
        controls=tuple(_histories(assessments)),
        steps=tuple(compare(old, new) for old, new in pairwise(assessments)),
        notes=tuple(_notes(assessments)),
    )


def _check(assessments: Sequence[Assessment]) -> None:
    if len(assessments) < FEWEST:
        raise ConfigurationError(f"a trend needs {FEWEST} assessments, there are {len(assessments)}")
    names = sorted({made.deployment.name for made in assessments})
    if len(names) > 1:
        raise ConfigurationError(
            f"the assessments are of several deployments: {', '.join(names)}", hint="a trend is of one deployment"
        )
    days = [made.as_of for made in assessments]
    if days != sorted(days):
        told = ", ".join(day.isoformat() for day in days)
        raise ConfigurationError(f"the assessments are not in order: {told}", hint="give the oldest first")


def _point(made: Assessment, last: Assessment, domains: tuple[str, ...]) -> Point:
    scores = {domain.id: domain.score for domain in made.domains}
    return Point(
        side=side_of(made),
        gaps=sum(control.status.is_gap for control in made.controls),
        contradicted=len(made.by_status(Status.CONTRADICTED)),
        scores=tuple(scores.get(domain) for domain in domains),
        same_scoring=(made.rubric.id, made.rubric.scoring_digest) == (last.rubric.id, last.rubric.scoring_digest),
    )


def _histories(assessments: Sequence[Assessment]) -> Iterator[ControlHistory]:
    """Every control of any of them: those of the last in the order of its rubric, then those that are gone."""
    by_id = [{control.id: control for control in made.controls} for made in assessments]
    latest = {id_: control for found in by_id for id_, control in found.items()}
    order = [*by_id[-1], *(id_ for id_ in latest if id_ not in by_id[-1])]
    days = tuple(made.as_of for made in assessments)
    for id_ in order:
        control = latest[id_]
        statuses = tuple(found[id_].status if id_ in found else None for found in by_id)
        yield ControlHistory(id_, control.title, control.domain, control.severity, statuses, days)


def _notes(assessments: Sequence[Assessment]) -> Iterator[str]:
    for old, new in pairwise(assessments):
        if (old.rubric.id, old.rubric.scoring_digest) != (new.rubric.id, new.rubric.scoring_digest):
            yield (
                f"From {new.as_of.isoformat()} on, {new.rubric.id} {new.rubric.version} judged instead of "
                f"{old.rubric.id} {old.rubric.version}: a status or score before that was decided by other criteria."
            )
        if old.fingerprint != new.fingerprint:
            yield f"On {new.as_of.isoformat()} the deployment was another one than on {old.as_of.isoformat()}."
    ignoring = sum(made.waivers_ignored for made in assessments)
    if ignoring and ignoring != len(assessments):
        yield f"{plural(ignoring, 'assessment')} ignored waivers, the others used them."
