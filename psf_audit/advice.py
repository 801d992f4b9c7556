"""What to collect next for a control that is not demonstrated: the exports of the products that were found.

A format is named only if it can give rows of the kind that the control's criteria ask for: not every limit is one on
money, and not every gate is an interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.facts.tables import TABLES
from psf_audit.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psf_audit.artifact import EvidenceFormat
    from psf_audit.rubric import Control

NATIVE = "psf-audit"
_MOST = 3
# The criteria that a status leaves open.
_CRITERIA = {Status.MISSING: ("shows",), Status.UNKNOWN: ("shows", "lacks")}


def stack_of(via: str) -> str:
    """How a product is named where only its gateway is known: `claude-code` is Claude Code."""
    return via.casefold().replace("-", " ")


def collect(
    control: Control, status: Status, formats: Iterable[EvidenceFormat], stacks: frozenset[str]
) -> tuple[str, ...]:
    """The exports to fetch next for a control of this status, those of the products found first; at most three."""
    if status is Status.UNTESTED:
        return (_test(control),)
    if status is Status.UNDOCUMENTED:
        return (f"a document (Markdown) whose front matter has controls: [{control.id}], an owner and a review date",)
    able = fitting(control, _CRITERIA.get(status, ()), formats)
    found = [kind for kind in able if stack_of(kind.stack) in stacks]
    native = [kind for kind in able if kind.stack == NATIVE]
    return tuple(_exports(found or native))


def fitting(control: Control, criteria: Sequence[str], formats: Iterable[EvidenceFormat]) -> tuple[EvidenceFormat, ...]:
    """The formats that can give rows of the kinds that these criteria of the control ask for."""
    asked = wanted(control, criteria)
    return tuple(kind for kind in formats if _gives(kind, asked))


def _test(control: Control) -> str:
    attack = " and psf.adversarial=true" if control.tested.adversarial else ""
    return f"pytest --junitxml=junit.xml, of a test with the properties psf.control={control.id}{attack} (junit-xml)"


def _exports(formats: Sequence[EvidenceFormat]) -> Iterator[str]:
    for kind in formats[:_MOST]:
        if kind.export:
            yield f"{kind.export[0]} ({kind.name})"


def wanted(control: Control, criteria: Sequence[str]) -> dict[str, frozenset[str]]:
    """The tables that criteria read, each with the kinds of rows that they ask for; none when any kind will do."""
    found: dict[str, frozenset[str]] = {}
    for name in criteria:
        if name not in control.criteria:
            continue
        analysis = control.analyses[name]
        for table in analysis.tables & _EVIDENCE:
            found[table] = found.get(table, frozenset()) | (analysis.kinds.get(table) or frozenset())
    # Most criteria look at what the agent can reach or did, to ask for something else that covers it.
    return {table: kinds for table, kinds in found.items() if table not in _ASKED_ABOUT} or found


_ASKED_ABOUT = frozenset({"events", "capabilities"})
# What files can fill; the rest is made when they are loaded.
_EVIDENCE = frozenset({name for name, table in TABLES.items() if table.facts} | {"events"}) - {"gaps", "people"}


def _gives(kind: EvidenceFormat, asked: Mapping[str, frozenset[str]]) -> bool:
    """Whether files of a format can hold rows of any kind that is asked for."""
    own: Mapping[str, frozenset[str]] = {table: frozenset(kind.gives.get(table, ())) for table in kind.tables}
    return any(table in own and (not kinds or not own[table] or kinds & own[table]) for table, kinds in asked.items())
