"""The words and the picture that all forms of a replay share."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from psf_audit.amounts import money, span
from psf_audit.replay.guardrails import REFUSES, TELLS
from psf_audit.replay.steps import moment
from psf_audit.replay.story import guardrail_order
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psf_audit.replay.checks import Found, Row
    from psf_audit.replay.story import Line, Replay, Tried

MOST_NAMED = 3
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# The columns of a table; the last is left out where no guardrail interrupts anything.
HEADER = ("would have stopped", "at (UTC)", "spent by then", "saved", "interrupted")
SWEEP_HEADER = ("guardrail", "stops", "false stops", "saved", "if nobody answers", "interrupted")
NORMAL = (
    "A normal run ended complete, with no alert, request to stop, stop by a person or incident on record: what a "
    "guardrail would have kept from it is interrupted, not saved."
)
RUNNING = "ran already when it was stopped: saved only if the stop ends it too."

# What stands on the same column as something else gives way to what decides more.
MARKS = {
    "stop": "S",
    "stop_request": "R",
    "approval": "A",
    "resume": "A",
    "refusal": "N",
    "checkpoint": "C",
    "pause": "C",
    "alert": "!",
    "complete": "E",
    "warning": "W",
}
MARK_WORDS = {
    "A": "approval",
    "N": "refusal",
    "C": "checkpoint",
    "W": "warning",
    "!": "alert",
    "R": "request to stop",
    "E": "complete",
    "S": "stop",
}


def minute(at: int | None) -> str:
    """A moment to the minute, without the year, UTC."""
    text = moment(at)
    return "never" if text is None else text[5:16].replace("T", " ")


def title(replay: Replay) -> str:
    """The log in one line."""
    told = replay.told
    names = replay.logs[0].path if len(replay.logs) == 1 else plural(len(replay.logs), "log")
    first, last = ((moment(at) or "")[:16].replace("T", " ") for at in (told.first, told.last))
    # The year once, where it is the same.
    last = last[5:] if first[:5] == last[:5] else last
    return f"{names}: {plural(told.events, 'event')}, {plural(told.runs, 'run')}, {first} to {last} UTC"


def summary(replay: Replay) -> str:
    """What was spent, and how much and how long with nobody looking; each the most, of any stretch."""
    told = replay.told
    longest = dict(replay.longest)
    most = [span(Decimal(longest["seconds"].found or 0))] if "seconds" in longest else []
    most += [f"{money(Decimal(longest['usd'].found or 0))} USD"] if "usd" in longest else []
    unattended = f"; up to {' and '.join(most)} unattended" if most else ""
    return f"Spent {money(told.spent)} USD in {plural(told.calls, 'call')}{unattended}."


def notes(replay: Replay) -> list[str]:
    """What a reader has to know to read the numbers."""
    told = replay.told
    found = []
    if told.unpriced:
        found.append(f"{_have(told.unpriced, 'call')} no cost in the log: what was spent is at least this.")
    if told.undated:
        found.append(f"{_have(told.undated, 'event')} no time that can be used: left out.")
    found += [f"{count} {reason}: left out." for reason, count in told.left_out]
    if replay.together is not None and replay.together.money.running:
        found.append(f"{money(replay.together.money.running)} USD {RUNNING}")
    for tried in replay.tried:
        if tried.unseen:
            lost = f"{plural(tried.unseen, 'call')}, {money(tried.unseen_usd)} USD, name no {tried.scope}"
            found.append(f"{tried.words}: {lost}, and it would not have seen them.")
    if any(tried.normal_runs for tried in replay.tried):
        found.append(NORMAL)
    if replay.untried:
        found.append(f"Not tried: {_listed(replay.untried)}.")
    return found + [f"Gap: {what}." for what in replay.gaps]


def _have(count: int, noun: str) -> str:
    return f"{plural(count, noun)} {'has' if count == 1 else 'have'}"


def never(replay: Replay) -> str:
    """The guardrails that would not have stopped anything, in one sentence; empty where there is none."""
    idle = list(dict.fromkeys(tried.words for tried in single(replay) if tried.at is None))
    return f"Never reached: {_listed(idle)}." if idle else ""


def _listed(texts: Sequence[str]) -> str:
    left = len(texts) - MOST_NAMED
    return "; ".join(texts[:MOST_NAMED]) + (f"; and {left} more" if left > 0 else "")


# -------------------------------------------------------------------------------------------------------------- tables


def single(replay: Replay) -> list[Tried]:
    """The guardrails that are no step of a range, the first to stop first."""
    return guardrail_order([tried for tried in replay.tried if tried.sweep is None])


def letters(tried: Sequence[Tried]) -> list[str]:
    """A letter for each guardrail that would have stopped it, as it stands in the picture."""
    return [LETTERS[index] if each.at is not None and index < len(LETTERS) else "" for index, each in enumerate(tried)]


def table(replay: Replay) -> list[tuple[str, ...]]:
    """The table of guardrails and of all of them together, its header first; empty where none would have acted."""
    rows = _rows(replay)
    if not rows:
        return []
    whole = [HEADER, *rows]
    interrupts = any(row[-1] not in {"none", "-"} for row in rows)
    return whole if interrupts else [row[:-1] for row in whole]


def _rows(replay: Replay) -> list[tuple[str, ...]]:
    tried = [each for each in single(replay) if each.at is not None]
    rows = []
    for each, letter in zip(tried, letters(tried), strict=True):
        refused = f": {plural(each.calls, 'call')} refused" if each.effect == REFUSES else ""
        rows.append((f"{letter} {each.words}{refused}".strip(), *_cells(each)))
    if replay.together is not None and len(tried) > 1:
        all_ = replay.together
        cells = (minute(all_.at), money(all_.money.spent), money(all_.money.saved))
        rows.append(("all of them together", *cells, _interrupted(all_.money.interrupted, all_.normal_runs)))
    return rows


def _cells(tried: Tried) -> tuple[str, ...]:
    at = minute(tried.at) + (f", {tried.stops} stops" if tried.stops > 1 and tried.effect != REFUSES else "")
    if tried.effect == TELLS:
        return (at, money(tried.money.spent), "only tells", "-")
    interrupted = _interrupted(tried.money.interrupted, tried.normal_runs)
    return (at, money(tried.money.spent), money(tried.money.saved), interrupted)


def _interrupted(value: Decimal, runs: int) -> str:
    return f"{money(value)}, {plural(runs, 'run')}" if runs else "none"


def unanswered(replay: Replay) -> str:
    """Of what asks people: what had been saved if nobody had answered; empty where people changed nothing."""
    tried = [each for each in single(replay) if each.at is not None]
    named = [
        f"{letter or each.words} {money(each.unanswered.saved)}"
        for each, letter in zip(tried, letters(tried), strict=True)
        if each.unanswered is not None
    ]
    return f"Saved if nobody had answered what asks: {', '.join(named)}." if named else ""


def sweeps(replay: Replay) -> list[tuple[str, list[tuple[str, ...]]]]:
    """For each range of amounts its flag and a row an amount."""
    flags = dict.fromkeys(tried.sweep for tried in replay.tried if tried.sweep is not None)
    return [(flag, [_sweep(tried) for tried in replay.tried if tried.sweep == flag]) for flag in flags]


def _sweep(tried: Tried) -> tuple[str, ...]:
    stops = tried.calls if tried.effect == REFUSES else tried.stops
    return (
        tried.words,
        str(stops),
        str(tried.false_stops),
        money(tried.money.saved),
        money((tried.unanswered or tried.money).saved),
        _interrupted(tried.money.interrupted, tried.normal_runs),
    )


def finding(found: Found) -> str:
    """A check and the first row that it found, on one line."""
    if found.failure is not None:
        return f"{found.title}: could not be asked, {found.failure}"
    count = f" ({found.count})" if found.count > 1 else ""
    return f"{found.title}{count}: {row(found.rows[0])}" if found.rows else f"{found.title}{count}"


def row(each: Row) -> str:
    """One row of a check, with its numbers and its place."""
    unit = each.unit or ""
    numbers = ""
    if each.found is not None and unit != "entries":
        numbers = f", {each.found} {unit}".rstrip()
        numbers += f" against {each.expected}" if each.expected not in {None, "0"} else ""
    elif each.found is not None:
        numbers = f", {each.found} of {each.expected} {unit}"
    place = f" ({each.pointer})" if each.pointer else ""
    return f"{each.what}{numbers}{place}"


# ------------------------------------------------------------------------------------------------------------- picture


def column(line: Line, at: int, width: int) -> int | None:
    """The column of a moment; None outside the picture."""
    if not line.start <= at <= line.end:
        return None
    length = max(1, line.end - line.start)
    return min(width - 1, (at - line.start) * width // length)


def marks(line: Line, width: int) -> str:
    """What happened, a letter for each."""
    cells = [" "] * width
    for kind in reversed(MARKS):
        for at, marked in line.marks:
            place = column(line, at, width)
            if marked == kind and place is not None:
                cells[place] = MARKS[kind]
    return "".join(cells).rstrip()


def stop_marks(replay: Replay, line: Line, width: int) -> str:
    """When each guardrail would have stopped it, by its letter; what would stand on another stands beside it."""
    cells = [" "] * width
    tried = single(replay)
    for each, letter in zip(tried, letters(tried), strict=True):
        place = None if each.at is None else column(line, each.at, width)
        if place is None or not letter:
            continue
        free = next((index for index in range(place, width) if cells[index] == " "), None)
        if free is not None:
            cells[free] = letter
    return "".join(cells).rstrip()


def legend(text: str) -> str:
    """The meaning of the letters that stand in a row of marks."""
    return "  ".join(f"{letter} {words}" for letter, words in MARK_WORDS.items() if letter in text)


def axis(line: Line, width: int) -> str:
    """Start and end of the picture."""
    start, end = minute(line.start), minute(line.end)
    return f"{start}{end:>{max(1, width - len(start))}}"
