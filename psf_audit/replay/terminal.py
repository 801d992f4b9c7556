"""A replay on one screen of a terminal: spend over time, what would have stopped it, and what the log shows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from psf_audit import amounts, rendering
from psf_audit.replay import forms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.rendering import View
    from psf_audit.replay.story import Line, Replay

HEIGHT = 3
MOST_FINDINGS = 7
_GAP = "  "
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def text(replay: Replay, view: View) -> str:
    """The whole screen."""
    return "\n".join(line.rstrip() for line in _lines(replay, view)) + "\n"


def _lines(replay: Replay, view: View) -> Iterator[str]:
    yield from (_styled(line, "bold", view) for line in _fill(_title(replay, view), view.width))
    yield from _fill(forms.summary(replay), view.width)
    if replay.line is not None and replay.told.spent:
        yield from _picture(replay, replay.line, view)
    rows = forms.table(replay)
    if rows:
        yield from _table(rows, view)
    told = [forms.unanswered(replay), forms.never(replay)]
    yield from (line for words in told if words for line in _fill(words, view.width))
    for flag, swept in forms.sweeps(replay):
        yield _styled(flag, "bold", view)
        yield from _table([forms.SWEEP_HEADER, *swept], view)
    if replay.findings:
        shown = replay.findings[:MOST_FINDINGS]
        yield from (_cut(f"· {rendering.line(forms.finding(found))}", view.width) for found in shown)
        left = replay.findings[MOST_FINDINGS:]
        if left:
            more = "; ".join(found.title for found in left)
            yield from _fill(f"· and: {more} (-f markdown shows all)", view.width)
    for note in forms.notes(replay):
        yield from (_styled(line, "dim", view) for line in _fill(note, view.width))


def _title(replay: Replay, view: View) -> str:
    """The title, without the folders of the log where they do not fit."""
    title = forms.title(replay)
    return title if len(title) <= view.width else title[title.partition(": ")[0].rfind("/") + 1 :]


def _picture(replay: Replay, line: Line, view: View) -> Iterator[str]:
    top = amounts.money(line.spent[-1])
    margin = len(top) + 1
    width = max(20, view.width - margin)
    for index, bar in enumerate(amounts.bars(line.spent, width, HEIGHT)):
        label = top if index == 0 else ""
        yield f"{label:>{margin - 1}} {_styled(bar.rstrip(), 'red', view)}"
    happened = forms.marks(line, width)
    for letters, style in ((happened, "yellow"), (forms.stop_marks(replay, line, width), "green")):
        if letters:
            yield " " * margin + _styled(letters, style, view)
    yield " " * margin + _styled(forms.axis(line, width), "dim", view)
    if happened:
        yield from (_styled(found, "dim", view) for found in _fill(forms.legend(happened), view.width))


def _table(rows: Sequence[Sequence[str]], view: View) -> Iterator[str]:
    """The header first; names to the left and wrapped where they have to be, numbers to the right."""
    table = [tuple(rendering.line(cell) for cell in each) for each in rows]
    sizes = [max(len(each[index]) for each in table) for index in range(len(table[0]))]
    room = view.width - sum(sizes[1:]) - len(_GAP) * (len(sizes) - 1)
    sizes[0] = max(12, min(sizes[0], room))
    for index, each in enumerate(table):
        name, *cells = each
        parts = textwrap.wrap(name, sizes[0], subsequent_indent="  ") or [""]
        told = [
            cell.rjust(size) if place else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(cells, sizes[1:], strict=True))
        ]
        first = _GAP.join([parts[0].ljust(sizes[0]), *told])
        yield _styled(first, "dim", view) if index == 0 else first
        yield from parts[1:]


def _fill(words: str, width: int) -> list[str]:
    return textwrap.wrap(rendering.line(words), width, subsequent_indent="  ", break_on_hyphens=False) or [""]


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 1] + "…"


def _styled(words: str, style: str, view: View) -> str:
    return f"\x1b[{_STYLES[style]}m{words}\x1b[0m" if view.color and words else words
