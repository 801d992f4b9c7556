"""A replay as one HTML page, like that of an assessment: it loads nothing, runs nothing, and embeds the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import pictures
from psf_audit.activity_words import MARKS_HEADER, SPENT_HEADER
from psf_audit.amounts import clock, money
from psf_audit.illustrations import drawn
from psf_audit.replay import forms, wire
from psf_audit.report.html import page
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.rendering import View
    from psf_audit.replay.story import Line, Replay, Tried

DATA_ID = "psf-replay"
SIDES = ("saved", "interrupted")
MOST_ROWS = 25
MOST_MOMENTS = 48


def text(replay: Replay, view: View) -> str:
    """The whole page; it looks the same whatever the standard output is."""
    del view
    line = replay.line
    header, *rows = forms.table(replay) or [forms.HEADER]
    return page(
        "replay.html.j2",
        wire.to_json(replay),
        DATA_ID,
        {
            "spend": "" if line is None else spend(replay, line),
            **{f"sweep-{number}": sweep(number, tried) for number, tried in enumerate(swept(replay))},
        },
        replay=replay,
        about=forms.title(replay),
        summary=forms.summary(replay),
        spent_header=SPENT_HEADER,
        spent=[] if line is None else list(spent_rows(line)),
        marks_header=MARKS_HEADER,
        marks=[] if line is None else list(mark_rows(line)),
        unmarked="" if line is None or not line.unmarked else f"and {line.unmarked} more that are not listed",
        header=header,
        rows=rows,
        told=[words for words in (forms.unanswered(replay), forms.never(replay)) if words],
        sweep_header=forms.SWEEP_HEADER,
        sweeps=forms.sweeps(replay),
        row_words=forms.row,
        notes=forms.notes(replay),
        most=MOST_ROWS,
    )


def spend(replay: Replay, line: Line) -> str:
    """Spend over time, with ceilings, what happened, and when each guardrail would have stopped it."""
    if not (replay.told.spent or line.marks):
        return ""
    tried = forms.single(replay)
    stops = [
        (letter, each.at)
        for each, letter in zip(tried, forms.letters(tried), strict=True)
        if letter and each.at is not None
    ]
    ceilings = {each.words: each.ceiling for each in tried if each.ceiling is not None and _counts_all(each, replay)}
    picture = pictures.Spend(
        start=line.start,
        end=line.end,
        spent=line.spent,
        ceilings=tuple(ceilings.items()),
        marks=tuple((words, tuple(moments)) for words, moments in happened(line)),
        stops=tuple(stops),
    )
    acted = "; ".join(f"{row[0]} at {row[1]}" for row in forms.table(replay)[1:])
    told = f"{forms.summary(replay)} {f'Would have stopped it: {acted}. ' if acted else ''}The tables have all numbers."
    return drawn(lambda: pictures.spend("spend", "Spend over time", told, picture))


def _counts_all(tried: Tried, replay: Replay) -> bool:
    """Whether all that was spent counts against a ceiling as one sum, as far as a replay tells."""
    if tried.scope == "account":
        return True
    stopped = tried.unanswered or tried.money
    sums = (stopped.spent, stopped.saved, stopped.interrupted)
    return tried.stops == 1 and sum(sums) == replay.told.spent


def happened(line: Line) -> Iterator[tuple[str, list[int]]]:
    """What happened, in words, with its moments."""
    for letter, words in forms.MARK_WORDS.items():
        moments = [at for at, kind in line.marks if forms.MARKS[kind] == letter]
        if moments:
            yield words, moments


def mark_rows(line: Line) -> Iterator[tuple[str, str, str, str]]:
    """How often each thing happened, when first and when last."""
    for words, moments in happened(line):
        yield words, str(len(moments)), clock(moments[0]), clock(moments[-1])


def spent_rows(line: Line) -> Iterator[tuple[str, str]]:
    """What had been spent, at every fifth moment of the picture or so, the first and the last among them."""
    last = len(line.spent) - 1
    for place in dict.fromkeys(last * step // MOST_MOMENTS for step in range(MOST_MOMENTS + 1)):
        yield clock(line.start + (line.end - line.start) * place // max(1, last)), money(line.spent[place])


def swept(replay: Replay) -> list[list[Tried]]:
    """The steps of each range of amounts."""
    flags = dict.fromkeys(tried.sweep for tried in replay.tried if tried.sweep is not None)
    return [[tried for tried in replay.tried if tried.sweep == flag] for flag in flags]


def sweep(number: int, steps: Sequence[Tried]) -> str:
    """What each step of a range would have saved, and beside it what it would have kept from normal runs."""
    rows = [
        (
            each.words,
            (
                pictures.Bar(f"{money(each.money.saved)} USD", (each.money.saved,)),
                pictures.Bar(
                    f"{money(each.money.interrupted)} USD, {plural(each.normal_runs, 'run')}",
                    (each.money.interrupted,),
                ),
            ),
        )
        for each in steps
    ]
    told = "; ".join(f"{words}: {SIDES[0]} {one.words}, {SIDES[1]} {other.words}" for words, (one, other) in rows)
    title = "Saved against interrupted"
    return drawn(lambda: pictures.bars(f"sweep-{number}", title, f"{told}.", SIDES, rows))
