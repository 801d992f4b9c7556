"""The verdict and every gap as short Markdown: for the summary of a GitHub job, or a comment on a pull request.

GitHub takes 1 MiB for the summary of a step ("Workflow commands", docs.github.com, November 2026) and shows nothing of
a longer one, and a comment has at most 65,536 characters: rows that would go beyond that are counted instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit import notices, rendering
from psf_audit.markup import code, escape, table
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psf_audit.compare import Comparison, ControlChange
    from psf_audit.model import Assessment, ControlResult, DomainResult
    from psf_audit.notices import Notice

SUMMARY_BYTES = 1_000_000
COMMENT_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Rows:
    """A table whose rows may be left out where there is no room for them; its cells are escaped."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def fitted(blocks: Iterable[str | Rows], limit: int) -> str:
    """The blocks as one text of at most so many bytes, if the plain ones alone have room; rows left out are counted."""
    parts = list(blocks)
    room = limit - sum(len(_whole(part, 0).encode()) + 2 for part in parts)
    made = []
    for part in parts:
        kept = 0
        for row in part.rows if isinstance(part, Rows) else ():
            room -= len(" | ".join(row).encode()) + 5
            if room < 0:
                break
            kept += 1
        made.append(_whole(part, kept))
    return "\n\n".join(made) + "\n"


def _whole(part: str | Rows, kept: int) -> str:
    if isinstance(part, str):
        return part
    left = len(part.rows) - kept
    return table(part.header, part.rows[:kept]) + (f"\n\nand {left} more" if left else "")


# --------------------------------------------------------------------------------------------------------- assessment


def _assessment(assessment: Assessment, view: View) -> str:
    return fitted(_blocks(assessment, view.folder), SUMMARY_BYTES)


def _blocks(assessment: Assessment, folder: str) -> Iterator[str | Rows]:
    deployment = assessment.deployment
    symbol = rendering.verdict_symbol(assessment.verdict)
    name = f"{deployment.name} {deployment.release} in {deployment.environment}"
    yield f"## {symbol} {escape(name)}: {assessment.verdict.label}"
    yield f"{assessment.verdict.meaning} Gate {escape(rendering.gate_result(assessment))}."
    if assessment.deciding:
        yield "\n".join(f"- {escape(reason)}" for reason in assessment.deciding)
    yield (
        f"Score {rendering.percentage(assessment.score)}, coverage {rendering.percentage(assessment.coverage)}, "
        f"{escape(rendering.validity(assessment))}. Controls: {rendering.counts_words(assessment.controls)}."
    )
    if assessment.exposure is not None:
        yield f"Exposure: {escape(rendering.exposure_words(assessment.exposure))}."
    notice = rendering.waiver_notice(assessment)
    if notice:
        yield escape(notice)
    yield Rows(("Domain", "Passes", "Score", "Controls"), tuple(_domain(domain) for domain in assessment.domains))
    found = [(one, one.control) for one in notices.notices(assessment, folder) if one.control is not None]
    gaps = tuple(_gap(one, control) for one, control in found if not one.waived)
    if gaps:
        yield f"### What to do first ({plural(len(gaps), 'open gap')})"
        yield Rows(("Control", "Severity", "Status", "Why", "Where", "To do"), gaps)
    else:
        yield "No control has an open gap."
    waived = tuple(_waived(one, control) for one, control in found if one.waived)
    if waived:
        yield f"### Waived ({len(waived)})"
        yield Rows(("Control", "Status", "Waiver"), waived)
    others = [about for about in notices.disclosed(assessment, folder) if about.control is None or about.idle]
    if others:
        yield f"### To know ({len(others)})"
        yield "\n".join(f"- {escape(notices.told(about))}" for about in others)
    yield escape(f"{assessment.tool}, {assessment.rubric.name}, as of {rendering.day(assessment.as_of)}")


def _domain(domain: DomainResult) -> tuple[str, ...]:
    passes = "✓ yes" if domain.passes else "✗ **no**"
    score = rendering.percentage(domain.score)
    return escape(domain.title), passes, score, rendering.counts_words(domain.controls)


def _gap(notice: Notice, control: ControlResult) -> tuple[str, ...]:
    return (
        _named(notice),
        control.severity.value,
        _status(control),
        escape(control.reason),
        code(str(notice.place)),
        escape(control.remedy.text),
    )


def _waived(notice: Notice, control: ControlResult) -> tuple[str, ...]:
    return _named(notice), _status(control), escape(notices.waived_words(control))


def _named(notice: Notice) -> str:
    return f"**{escape(notice.id)}** {escape(notice.title)}"


def _status(control: ControlResult) -> str:
    return f"{rendering.symbol(control.status)} {control.status.label}"


# --------------------------------------------------------------------------------------------------------- comparison


def _comparison(comparison: Comparison, _view: View) -> str:
    return fitted(_changes(comparison), COMMENT_BYTES)


def _changes(comparison: Comparison) -> Iterator[str | Rows]:
    before, after = comparison.before, comparison.after
    yield f"## {escape(after.deployment)}: {escape(rendering.verdict_change(comparison))}"
    yield escape(f"From {rendering.side_words(before)} to {rendering.side_words(after)}.")
    yield f"Controls: {rendering.change_counts(comparison)}. Score {escape(rendering.score_change(comparison))}."
    yield from (escape(note) for note in comparison.notes)
    for kind in rendering.CHANGES:
        changes = comparison.by_kind(kind)
        if changes:
            yield f"### {kind.value.capitalize()} ({len(changes)})"
            yield escape(kind.meaning)
            yield Rows(("Control", "Severity", "Change", "Why"), tuple(_change(change) for change in changes))


def _change(change: ControlChange) -> tuple[str, ...]:
    return (
        f"**{escape(change.id)}** {escape(change.title)}",
        change.severity.value,
        escape(rendering.control_change(change)),
        "<br>".join(escape(cause) for cause in (change.reason, *change.because)),
    )


GITHUB_SUMMARY = ReportFormat(
    name="github-summary",
    title="The verdict and every gap as short Markdown, for a job summary or a pull request comment",
    suffixes=(".summary.md",),
    assessment=_assessment,
    comparison=_comparison,
)
