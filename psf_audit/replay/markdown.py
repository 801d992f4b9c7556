"""A replay as GitHub-flavoured Markdown, with every row that the checks listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import amounts
from psf_audit.markup import code, escape
from psf_audit.replay import forms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.rendering import View
    from psf_audit.replay.story import Line, Replay

WIDTH = 72
HEIGHT = 4
MOST_ROWS = 25


def text(replay: Replay, view: View) -> str:
    """The whole document; it looks the same whatever it is read on."""
    del view
    return "\n".join(_lines(replay))


def _lines(replay: Replay) -> Iterator[str]:
    yield f"# Replay of {escape(forms.title(replay))}\n"
    yield f"{escape(forms.summary(replay))}\n"
    if replay.line is not None and replay.told.spent:
        yield from _picture(replay, replay.line)
    rows = forms.table(replay)
    if rows:
        yield from _table(rows)
    told = [words for words in (forms.unanswered(replay), forms.never(replay)) if words]
    if told:
        yield from (f"- {escape(words)}" for words in told)
        yield ""
    for flag, swept in forms.sweeps(replay):
        yield f"## {code(flag)}\n"
        yield from _table([forms.SWEEP_HEADER, *swept])
    if replay.findings:
        yield "## What the log shows\n"
        for found in replay.findings:
            yield f"- **{escape(found.title)}** ({found.count})"
            yield from (f"  - {escape(forms.row(row))}" for row in found.rows[:MOST_ROWS])
            if found.count > MOST_ROWS:
                yield f"  - and {found.count - len(found.rows[:MOST_ROWS])} more"
            if found.failure is not None:
                yield f"  - could not be asked: {escape(found.failure)}"
        yield ""
    notes = forms.notes(replay)
    if notes:
        yield "## To be read with it\n"
        yield from (f"- {escape(note)}" for note in notes)
        yield ""
    yield f"{escape(replay.tool)}, as of {escape(replay.as_of)}\n"


def _picture(replay: Replay, line: Line) -> Iterator[str]:
    happened = forms.marks(line, WIDTH)
    letters = [happened, forms.stop_marks(replay, line, WIDTH), forms.axis(line, WIDTH), forms.legend(happened)]
    lines = [*amounts.bars(line.spent, WIDTH, HEIGHT), *(found for found in letters if found)]
    yield "```text"
    yield from (found.rstrip() for found in lines)
    yield "```\n"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    header, *rows = rows
    yield f"| {' | '.join(header)} |"
    yield f"| --- |{' ---: |' * (len(header) - 1)}"
    yield from (f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows)
    yield ""
