"""Which rows of an assessment a second person should look at by hand. Pure: an assessment, its digest and a seed.

A weight says how much a wrong row would cost. It is a product of powers of two, so there are few different weights.
Among rows of one weight every choice is equally likely: the chance to miss what is wrong there is hypergeometric.

The draw needs nothing but SHA-256, so any other program can repeat it. The rows stand in the order of the assessment.
For the draws 1, 2, 3 ... take the digest of `psf-audit/sample/1 ASSESSMENT SEED DRAW ATTEMPT` as a number, with the
attempts 0, 1, 2 ... until it is below the largest multiple of the weight left that 256 bits can hold; its remainder by
the weight left is a point on the weights of the rows left, laid end to end; the row there is drawn and leaves.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate
from math import comb, prod
from typing import TYPE_CHECKING

from psf_audit.model import Assessment, ControlResult, Finding, Findings, Severity, Source, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SPACE = 2**256
_SEVERITY = {Severity.BLOCKING: 4, Severity.HIGH: 2, Severity.MEDIUM: 1}
# A wrong pass costs most. What a control earns nothing by costs least; it is drawn too, for it may be wrong as well.
_STATUS = {Status.DEMONSTRATED: 8, Status.UNDOCUMENTED: 4, Status.UNTESTED: 2, Status.NOT_APPLICABLE: 2}
_OUTSIDERS = frozenset({"gateway", "ci", "cloud", "third-party"})
_BY_INSIDERS = 4
_ALONE = 16
_EXPOSURE = 2


class Part(StrEnum):
    """What a row is to its control."""

    SHOWS = "shows"
    TEST = "tests"
    DOCUMENT = "documents"
    BREAKS = "breaks"
    ABSENT = "absent"
    NOT_APPLICABLE = "not_applicable"


# What a control earns falls to nothing without what shows it, to a third without its test, to two thirds undocumented.
_PART = {
    Part.SHOWS: 4,
    Part.TEST: 2,
    Part.DOCUMENT: 1,
    Part.BREAKS: 1,
    Part.ABSENT: 1,
    Part.NOT_APPLICABLE: 4,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be looked at; `finding` is None where a control has no row, and its status alone is checked.

    `factors` multiply to `weight`: the severity, the status, the part, who wrote it, how few rows there are, and
    whether the exposure rests on it.
    """

    control: ControlResult
    part: Part
    finding: Finding | None
    factors: tuple[int, ...]

    @property
    def weight(self) -> int:
        """How much the row counts in the draw."""
        return prod(self.factors)

    @property
    def source(self) -> Source | None:
        """Where it stands; None where no file is behind it."""
        return self.finding.source if self.finding else None


@dataclass(frozen=True, slots=True)
class Weight:
    """The rows of one weight: how many there are, and how many of them were drawn."""

    weight: int
    rows: int
    drawn: int

    def miss(self, wrong: int) -> Fraction:
        """The chance that none of so many wrong rows of this weight was drawn."""
        return miss(self.rows, self.drawn, wrong)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn, in the order of the draws, and what it was drawn from.

    `digest` is the SHA-256 of the assessment's file; `not_kept` are rows that it counts and does not hold.
    """

    assessment: Assessment
    digest: str
    seed: int
    drawn: tuple[Row, ...]
    weights: tuple[Weight, ...]
    not_kept: int

    @property
    def row_count(self) -> int:
        """How many rows could have been drawn."""
        return sum(one.rows for one in self.weights)

    @property
    def share(self) -> Fraction:
        """The share of the whole weight that was drawn."""
        return Fraction(
            sum(one.weight * one.drawn for one in self.weights), sum(one.weight * one.rows for one in self.weights)
        )


def miss(rows: int, drawn: int, wrong: int) -> Fraction:
    """The chance that none of `wrong` among `rows` is among `drawn` of them, every choice equally likely."""
    return Fraction(comb(rows - wrong, drawn), comb(rows, drawn))


def sample(assessment: Assessment, digest: str, *, seed: int, count: int) -> Sample:
    """A sample of `count` rows, of all where there are fewer.

    Args:
        assessment: what to draw from; it has at least one control.
        digest: SHA-256 of its file, 64 hexadecimal digits.
        seed: whatever whoever looks chose, after the assessment was written.
        count: how many rows to draw.
    """
    found = rows(assessment)
    places = draw([row.weight for row in found], digest, seed, min(count, len(found)))
    drawn = tuple(found[place] for place in places)
    there, taken = Counter(row.weight for row in found), Counter(row.weight for row in drawn)
    return Sample(
        assessment=assessment,
        digest=digest,
        seed=seed,
        drawn=drawn,
        weights=tuple(Weight(weight, there[weight], taken[weight]) for weight in sorted(there, reverse=True)),
        not_kept=sum(own.count - len(own.rows) for control in assessment.controls for own in _lists(control).values()),
    )


def draw(weights: Sequence[int], digest: str, seed: int, count: int) -> list[int]:
    """The places of `count` different weights, each draw in proportion to what is left; weights are 1 or more."""
    left = list(range(len(weights)))
    drawn = []
    for number in range(1, count + 1):
        ends = list(accumulate(weights[place] for place in left))
        drawn.append(left.pop(bisect_right(ends, _point(digest, seed, number, ends[-1]))))
    return drawn


def _point(digest: str, seed: int, number: int, total: int) -> int:
    """A number from 0 to below `total`, each as likely."""
    attempt = 0
    while True:
        text = f"psf-audit/sample/1 {digest} {seed} {number} {attempt}"
        found = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        if found < _SPACE - _SPACE % total:
            return found % total
        attempt += 1


# --------------------------------------------------------------------------------------------------------------- rows


def rows(assessment: Assessment) -> tuple[Row, ...]:
    """Every row that can be looked at, in the order of the assessment; a control without any is one itself."""
    insiders = {entry.id for entry in assessment.evidence if entry.produced_by not in _OUTSIDERS} | {"manifest"}
    bounds = _exposure_rests_on(assessment)
    return tuple(row for control in assessment.controls for row in _rows_of(control, insiders, bounds))


def _exposure_rests_on(assessment: Assessment) -> frozenset[tuple[str, str]]:
    """Evidence and place of what decides the exposure, in any situation."""
    if assessment.exposure is None:
        return frozenset()
    situations = assessment.exposure.enforced.situations
    bounds = [bound for one in situations for bound in (one.in_all, *(own.bound for own in one.capabilities))]
    return frozenset((stop.evidence, stop.pointer) for bound in bounds for stop in bound.decided_by)


def _lists(control: ControlResult) -> dict[Part, Findings]:
    return {
        Part.SHOWS: control.shows,
        Part.TEST: control.tests,
        Part.DOCUMENT: control.documents,
        Part.BREAKS: control.breaks,
    }


def _rows_of(control: ControlResult, insiders: set[str], bounds: frozenset[tuple[str, str]]) -> Iterator[Row]:
    """What can be looked at; what is said to be absent stands nowhere, and is worth a search all the same."""
    own = _SEVERITY[control.severity], _STATUS.get(control.status, 1)
    found = [
        (_part(control, part, row), findings.count, row)
        for part, findings in _lists(control).items()
        for row in findings.rows
        if part is Part.BREAKS or row.source is not None
    ]
    if not found:
        alone = Part.NOT_APPLICABLE if control.status is Status.NOT_APPLICABLE else Part.ABSENT
        yield Row(control, alone, None, (*own, _PART[alone], _BY_INSIDERS, _ALONE, 1))
    for part, count, row in found:
        source = row.source
        by = _BY_INSIDERS if source is None or source.evidence in insiders else 1
        bounding = _EXPOSURE if source is not None and (source.evidence, source.pointer) in bounds else 1
        yield Row(control, part, row, (*own, _PART[part], by, _few(count), bounding))


def _part(control: ControlResult, part: Part, row: Finding) -> Part:
    """A test that failed speaks against its control."""
    failed = part is Part.TEST and control.status is Status.CONTRADICTED and row.found != row.expected
    return Part.BREAKS if failed else part


def _few(count: int) -> int:
    """16 for the only row of a list, halved whenever their number doubles, at least 1."""
    return max(1, _ALONE >> (count.bit_length() - 1))
