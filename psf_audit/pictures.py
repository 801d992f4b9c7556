"""The pictures of the reports: spend over time, stretches without a person, and bars of sums.

A picture is an SVG element with a title and a description; the numbers stand in a table beside it. Nothing is told by
colour alone: lines differ in their dashes, bars in their hatching, marks in their row. Money becomes a share of the
axis, which is a place on paper; every number that is written is made of the decimal itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.drawing import FONT, INKS, svg
from psf_audit.text import clean, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    # A name, and for each of the three bars its size and the words for it.
    Measured = tuple[str, Sequence[tuple[Decimal, str]]]

MOST_BARS = 10

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROW = 17
_HEAD, _GAP, _FOOT = 20, 8, 32
_NAME = 22
_MOST_TIMES = 5
_MINUTE, _DAY = 60_000, 86_400_000
_STEPS_OF_TIME = (
    *(_MINUTE * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(_DAY * days for days in (1, 2, 7, 14, 30, 90, 365, 3650)),
)
_LETTER_GAP = 0.03


# --------------------------------------------------------------------------------------------------- spend over time


@dataclass(frozen=True, slots=True)
class Spend:
    """Spend so far at evenly spaced moments from `start` to `end` (milliseconds UTC), and what happened meanwhile.

    `ceilings` are sums with their words, `marks` rows of moments by name, `stops` letters with their moments.
    """

    start: int
    end: int
    spent: tuple[Decimal, ...]
    ceilings: tuple[tuple[str, Decimal], ...] = ()
    marks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    stops: tuple[tuple[str, int], ...] = ()

    @property
    def top(self) -> Decimal:
        """The end of the axis of money: all that was spent, and every ceiling that it can be held against."""
        highest = max(self.spent, default=Decimal(0))
        near = [sum_ for _, sum_ in self.ceilings if sum_ <= 4 * highest]
        return max([highest, *near]) * Decimal("1.1") or Decimal(1)


def spend(name: str, title: str, description: str, picture: Spend) -> str:
    """Spend over time: the sum, ceilings as lines, when something would have stopped it, and a row for each mark."""
    height = _HEAD + 180 + _GAP + _ROW * len(picture.marks) + _FOOT
    return svg(name, title, description, height, lambda figure: _paint_spend(figure, picture, height))


def _paint_spend(figure: Figure, picture: Spend, height: int) -> None:
    left, width = 0.25, 0.7
    below = _FOOT + _ROW * len(picture.marks)
    axes = figure.add_axes((left, (below + _GAP) / height, width, (height - below - _GAP - _HEAD) / height))
    _plain(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_yticks([float(sum_ / picture.top) for sum_ in _ticks(picture.top)])
    axes.set_yticklabels([f"{_number(sum_)} USD" for sum_ in _ticks(picture.top)], color=INKS["muted"])
    axes.grid(axis="y", color=INKS["line"], linewidth=0.8)
    _times(figure.add_axes((left, _FOOT / height, width, 0.001)), picture)
    steps = max(1, len(picture.spent) - 1)
    places = [index / steps for index in range(len(picture.spent))]
    heights = [float(sum_ / picture.top) for sum_ in picture.spent]
    axes.fill_between(places, heights, color=INKS["ink"], alpha=0.12, linewidth=0)
    axes.plot(places, heights, color=INKS["ink"], linewidth=1.8, solid_joinstyle="round")
    for words, sum_ in picture.ceilings:
        if sum_ <= picture.top:
            at = float(sum_ / picture.top)
            axes.plot([0, 1], [at, at], color=INKS["bad"], linewidth=1.4, dashes=(7, 2, 1.5, 2))
            axes.text(0.01, at + 0.02, _short(words, 44), color=INKS["bad"], va="bottom", fontsize=FONT - 1)
    _letters(axes, picture)
    for row, (words, moments) in enumerate(picture.marks):
        lane = figure.add_axes((left, (below - (row + 1) * _ROW) / height, width, _ROW / height))
        _lane(lane, words, moments, picture)


def _letters(axes: Axes, picture: Spend) -> None:
    """A dashed line for each stop; letters that would touch stand beside each other."""
    free = -1.0
    for letter, at in picture.stops:
        place = _place(picture, at)
        if place is None:
            continue
        axes.plot([place, place], [0, 1], color=INKS["good"], linewidth=1.4, dashes=(3, 2.5), clip_on=False)
        free = max(place, free + _LETTER_GAP)
        axes.text(free, 1.02, letter, color=INKS["good"], ha="center", va="bottom", fontweight="bold")


def _place(picture: Spend, at: int) -> float | None:
    if not picture.start <= at <= picture.end:
        return None
    return (at - picture.start) / max(1, picture.end - picture.start)


def _lane(lane: Axes, words: str, moments: Sequence[int], picture: Spend) -> None:
    """One row of marks below the axis, with its name to the left: a tick for each moment."""
    _plain(lane)
    lane.set_xlim(0, 1)
    lane.set_ylim(0, 1)
    lane.spines["bottom"].set_color(INKS["line"])
    for at in moments:
        place = _place(picture, at)
        if place is not None:
            lane.plot([place, place], [0.15, 0.85], color=INKS["ink"], linewidth=2.2, clip_on=False)
    lane.text(-0.015, 0.5, _short(words), ha="right", va="center", color=INKS["muted"], fontsize=FONT - 1.5)


def _times(axes: Axes, picture: Spend) -> None:
    """The axis of time, below the rows of marks: a label at whole hours, days ... with the day where it changes."""
    _plain(axes)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, 1)
    ticks = _moments(picture.start, picture.end)
    axes.set_xticks([_place(picture, at) or 0 for at in ticks])
    axes.set_xticklabels(_labels(ticks), color=INKS["muted"], fontsize=FONT - 1)


def _moments(start: int, end: int) -> list[int]:
    """A few round moments from start to end; start and end themselves where there are not two."""
    size = next((step for step in _STEPS_OF_TIME if (end - start) // step <= _MOST_TIMES), end - start)
    found = list(range(-(-start // size) * size, end + 1, size))
    return found if len(found) > 1 else [start, end]


def _labels(moments: Sequence[int]) -> list[str]:
    """Each moment in words: the time of day, with the day below the first and where another day begins."""
    told, labels = "", []
    whole_days = all(at % _DAY == 0 for at in moments)
    for at in moments:
        when = _EPOCH + timedelta(milliseconds=at)
        day = f"{when:%Y-%m-%d}"
        seconds = f"{when:%H:%M:%S}" if at % _MINUTE else f"{when:%H:%M}"
        labels.append(day if whole_days else f"{seconds}\n{day}" if day != told else seconds)
        told = day
    return labels


# ------------------------------------------------------------------------------------- stretches without a person


def stretches(name: str, title: str, description: str, rows: Sequence[Measured]) -> str:
    """A row for each stretch, and in it three bars on scales of their own: how long, what it cost, what was done."""
    shown = rows[:MOST_BARS]
    height = 26 + _ROW * max(1, len(shown)) + 6
    return svg(name, title, description, height, lambda figure: _paint_stretches(figure, shown, height))


def _paint_stretches(figure: Figure, rows: Sequence[Measured], height: int) -> None:
    left, width = 0.22, 0.26
    names = figure.add_axes((0, 6 / height, left, _ROW * len(rows) / height))
    _lines_of(names, len(rows))
    for index, (words, _) in enumerate(rows):
        names.text(0.01, index, _short(words, 15), va="center", fontsize=FONT - 1)
    for column, header in enumerate(("unattended", "spent, USD", "actions")):
        axes = figure.add_axes((left + column * width, 6 / height, width, _ROW * len(rows) / height))
        _lines_of(axes, len(rows))
        axes.text(0, -0.75, header, va="bottom", color=INKS["muted"], fontsize=FONT - 1)
        most = max((bars[column][0] for _, bars in rows), default=Decimal(0)) or Decimal(1)
        for index, (_, bars) in enumerate(rows):
            size, words = bars[column]
            length = 0.4 * float(size / most)
            axes.barh(index, length, 0.62, color=INKS["ink"], alpha=0.75, linewidth=0)
            axes.text(length + 0.03, index, _short(words), va="center", fontsize=FONT - 1.5)


def _lines_of(axes: Axes, rows: int) -> None:
    _plain(axes)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_ylim(rows - 0.5, -0.5)


# ------------------------------------------------------------------------------------------------------ bars of sums


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its parts in USD, the words at its end, and whether it has an end at all.

    `parts` is None where the sum is not known: no bar is drawn. An `endless` bar has no size: it runs out of the
    picture, and an arrow says so.
    """

    words: str
    parts: tuple[Decimal, ...] | None
    endless: bool = False


def bars(
    name: str, title: str, description: str, sides: tuple[str, str], rows: Sequence[tuple[str, tuple[Bar, Bar]]]
) -> str:
    """Two bars a row, `sides` in words: the first filled, the second hatched."""
    height = 26 + 2 * _ROW * len(rows) + 8 * len(rows) + 4
    return svg(name, title, description, height, lambda figure: _paint_bars(figure, sides, rows, height))


def _paint_bars(
    figure: Figure, sides: tuple[str, str], rows: Sequence[tuple[str, tuple[Bar, Bar]]], height: int
) -> None:
    axes = figure.add_axes((0, 0, 1, 1))
    _plain(axes)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_ylim(height, 0)
    axes.plot([0.25, 0.25], [24, height - 4], color=INKS["muted"], linewidth=1)
    for side, (words, place) in enumerate(zip(sides, (0.25, 0.58), strict=True)):
        _bar(axes, place, 0.05, 12, side)
        axes.text(place + 0.06, 12, words, va="center", color=INKS["muted"], fontsize=FONT - 1)
    sums = [sum(bar.parts, Decimal(0)) for _, pair in rows for bar in pair if bar.parts is not None]
    most = max(sums, default=Decimal(0)) or Decimal(1)
    for row, (words, pair) in enumerate(rows):
        top = 26 + row * (2 * _ROW + 8) + _ROW // 2
        axes.text(0.235, top + _ROW / 2, _short(words), ha="right", va="center")
        for side, bar in enumerate(pair):
            _row(axes, bar, most, top + side * _ROW, side)


def _row(axes: Axes, bar: Bar, most: Decimal, top: float, side: int) -> None:
    """A bar from the axis on; where it has parts, a line stands between each and the next."""
    left, room = 0.25, 0.3
    end = left
    if bar.endless:
        end = left + room + 0.1
        _bar(axes, left, end - left, top, side)
        axes.plot([end - 0.012, end + 0.012, end - 0.012], [top - 7, top, top + 7], color=INKS["bad"], linewidth=2.4)
        end += 0.02
    for size in bar.parts or ():
        length = room * float(size / most)
        if length:
            _bar(axes, end, length, top, side)
            end += length
    axes.text(
        end + 0.015,
        top,
        _short(bar.words, 40),
        va="center",
        color=INKS["bad" if bar.endless else "ink"],
        fontsize=FONT - 1,
    )


def _bar(axes: Axes, left: float, width: float, middle: float, side: int) -> None:
    looks: dict[str, Any] = (
        {"facecolor": INKS["ink"], "alpha": 0.75, "edgecolor": INKS["paper"], "linewidth": 0.8}
        if side == 0
        else {"facecolor": "none", "edgecolor": INKS["ink"], "hatch": "////", "linewidth": 0.9}
    )
    axes.barh(middle, width, _ROW * 0.66, left=left, **looks)


# ---------------------------------------------------------------------------------------------------------- shared


def _plain(axes: Axes) -> None:
    """Axes with nothing but the line below them."""
    axes.patch.set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INKS["muted"])


def _short(words: str, limit: int = _NAME) -> str:
    return cut(" ".join(clean(words).split()), limit)


def _ticks(top: Decimal) -> list[Decimal]:
    """Round sums from 0 on, at most five steps of them."""
    power = Decimal(1).scaleb((top / 4).adjusted())
    size = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 4 >= top * Decimal("0.8"))
    return [size * step for step in range(int(top / size) + 1)]


def _number(value: Decimal) -> str:
    """A number of an axis, without zeros that say nothing."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
