"""A trend as text for a terminal and as Markdown, and the words that all its forms share."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from psf_audit import rendering
from psf_audit.exposure import headline
from psf_audit.markup import escape, table
from psf_audit.model import Status
from psf_audit.rendering import day, percentage
from psf_audit.text import clean, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.compare import Comparison
    from psf_audit.rendering import View
    from psf_audit.trend.history import ControlHistory, Point, Trend

POINTS = ("", "As of", "Release", "Verdict", "Score", "Gaps", "Exposure", "Rubric")
GAPS = ("Control", "Statuses", "Now", "Open since", "First gap", "What it asks")
LEAST_ROOM = 16
ABSENT = "·"


def summary(trend: Trend) -> str:
    """How it went, in one line."""
    first, last = trend.points[0], trend.points[-1]
    verdicts = f"{first.side.verdict.label} → {last.side.verdict.label}"
    if first.side.verdict is last.side.verdict:
        verdicts = f"{last.side.verdict.label} at first and last"
    closed = sum(control.closed for control in trend.controls)
    still = sum(control.open_since is not None for control in trend.controls)
    return (
        f"{trend.deployment}, {plural(len(trend.points), 'assessment')} from {day(first.side.as_of)} to "
        f"{day(last.side.as_of)}: {verdicts}; {plural(still, 'gap')} open, {closed} closed on the way"
    )


def point_rows(trend: Trend) -> list[tuple[str, ...]]:
    """A row for each assessment, under `POINTS`."""
    return [_point_row(number, point) for number, point in enumerate(trend.points, 1)]


def _point_row(number: int, point: Point) -> tuple[str, ...]:
    side = point.side
    score = percentage(side.score) + ("" if point.same_scoring else " *")
    against = f" ({point.contradicted}{rendering.symbol(Status.CONTRADICTED)})" if point.contradicted else ""
    return (
        str(number),
        day(side.as_of),
        side.release,
        side.verdict.label,
        score,
        f"{point.gaps}{against}",
        headline(side.exposure) if side.exposure else "not said",
        side.rubric.name,
    )


def gap_rows(trend: Trend) -> list[tuple[str, ...]]:
    """A row for each control that ever had a gap, under `GAPS`."""
    return [_gap_row(control) for control in trend.ever_open]


def _gap_row(control: ControlHistory) -> tuple[str, ...]:
    last = control.statuses[-1]
    again = " (again)" if control.reopened else ""
    return (
        control.id,
        "".join(ABSENT if status is None else rendering.symbol(status) for status in control.statuses),
        "not in the rubric" if last is None else last.label,
        day(control.open_since) + again if control.open_since else "closed" if control.closed else "not open",
        day(control.first_gap),
        f"{control.title} ({control.severity.value})",
    )


def step_lines(trend: Trend) -> list[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    """From each assessment to the next: a title, and the headings of the release note with what stands under each."""
    return [(_step_title(step), list(rendering.release_note(step))) for step in trend.steps]


def _step_title(step: Comparison) -> str:
    days = f"{day(step.before.as_of)} → {day(step.after.as_of)}"
    return f"{days}, release {step.after.release}: {rendering.verdict_change(step)}"


LEGEND = f"{ABSENT} not in the rubric; * decided by other criteria than the last"


def legend() -> str:
    """What the signs mean."""
    known = ", ".join(f"{rendering.symbol(status)} {status.label}" for status in rendering.STATUSES)
    return f"{known}, {LEGEND}"


# ------------------------------------------------------------------------------------------------------------- terminal


def text(trend: Trend, view: View) -> str:
    """For a terminal."""
    return clean("\n".join(_text_lines(trend, view.width)))


def _text_lines(trend: Trend, width: int) -> Iterator[str]:
    yield textwrap.fill(summary(trend), width)
    yield ""
    yield from _columns([POINTS, *point_rows(trend)], width)
    if trend.notes:
        yield ""
        yield from (textwrap.fill(f"! {note}", width, subsequent_indent="  ") for note in trend.notes)
    rows = gap_rows(trend)
    if rows:
        yield "\nGaps, those still open first"
        yield from _columns([GAPS, *rows], width)
        yield textwrap.fill(legend(), width)
    for title, told in step_lines(trend):
        yield f"\n{textwrap.fill(title, width)}"
        for heading, sentences in told:
            yield f"  {heading}"
            yield from (_bullet(one, width) for one in sentences)


def _bullet(sentence: str, width: int) -> str:
    return textwrap.fill(f"· {sentence}", width, initial_indent="    ", subsequent_indent="      ")


def _columns(rows: list[tuple[str, ...]], width: int) -> Iterator[str]:
    """Rows in columns, the last of which wraps; where it has no room it stands below the others."""
    sizes = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    indent = sum(sizes) + 2 * len(sizes)
    room = width - indent
    for row in rows:
        start = "".join(f"{cell:<{size}}  " for cell, size in zip(row, sizes, strict=False))
        if room >= LEAST_ROOM:
            first, *rest = textwrap.wrap(row[-1], room) or [""]
            yield (start + first).rstrip()
            yield from (" " * indent + line for line in rest)
        else:
            yield textwrap.fill(start.rstrip(), width)
            yield textwrap.fill(row[-1], width, initial_indent="    ", subsequent_indent="    ")


# ------------------------------------------------------------------------------------------------------------- markdown


def markdown(trend: Trend, view: View) -> str:
    """As GitHub-flavoured Markdown."""
    del view
    return clean("\n\n".join(_blocks(trend)) + "\n")


def _blocks(trend: Trend) -> Iterator[str]:
    yield f"# {escape(trend.deployment)} over time"
    yield escape(summary(trend))
    yield table(list(POINTS), [[escape(cell) for cell in row] for row in point_rows(trend)])
    if trend.notes:
        yield "\n".join(f"- {escape(note)}" for note in trend.notes)
    rows = gap_rows(trend)
    if rows:
        yield "## Gaps, those still open first"
        yield table(list(GAPS), [[escape(cell) for cell in row] for row in rows])
        yield escape(legend())
    for title, told in step_lines(trend):
        yield f"## {escape(title)}"
        for heading, sentences in told:
            yield f"**{heading}**"
            yield "\n".join(f"- {escape(one)}" for one in sentences)
