"""The picture of a trend: the scores of the domains over time, and how many gaps there were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.drawing import FONT, INKS, svg
from psf_audit.text import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from psf_audit.trend.history import Trend

_DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2), (1, 1.5))
_SIGNS = "os^Dv"
_HEIGHT = 250
_LEFT, _RIGHT = 0.1, 0.97


def scores(trend: Trend) -> str:
    """The score of each domain at each assessment, in percent, with the number of gaps below."""
    told = "; ".join(
        f"{point.side.as_of.isoformat()}: {plural(point.gaps, 'gap')}, score "
        f"{'none' if point.side.score is None else f'{int(point.side.score * 100)}%'}"
        for point in trend.points
    )
    return svg("trend", "Scores of the domains over time", told, _HEIGHT, lambda figure: _paint(figure, trend))


def _paint(figure: Figure, trend: Trend) -> None:
    axes = figure.add_axes((_LEFT, 0.2, _RIGHT - _LEFT, 0.56))
    days = [point.side.as_of.toordinal() for point in trend.points]
    spread = max(1, days[-1] - days[0])
    places = [(one - days[0]) / spread for one in days] if days[-1] > days[0] else _even(len(days))
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.06)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INKS["line"])
    axes.tick_params(length=0, colors=INKS["muted"])
    axes.set_yticks([0, 0.5, 1])
    axes.set_yticklabels(["0 %", "50 %", "100 %"], color=INKS["muted"])
    axes.grid(axis="y", color=INKS["line"], linewidth=0.8)
    shown = _spaced(places)
    axes.set_xticks([places[index] for index in shown])
    axes.set_xticklabels(
        [f"{trend.points[index].side.as_of.isoformat()}\n{plural(trend.points[index].gaps, 'gap')}" for index in shown],
        color=INKS["muted"],
        fontsize=FONT - 2,
    )
    for index, (_, title) in enumerate(trend.domains):
        known = [(place, point.scores[index]) for place, point in zip(places, trend.points, strict=True)]
        drawn = [(place, float(score)) for place, score in known if score is not None]
        axes.plot(
            [place for place, _ in drawn],
            [height for _, height in drawn],
            color=INKS["ink"],
            linewidth=1.4,
            dashes=_DASHES[index % len(_DASHES)] or (None, None),
            marker=_SIGNS[index % len(_SIGNS)],
            markersize=5,
            markerfacecolor=INKS["paper"],
            label=title,
        )
    figure.legend(loc="upper left", ncols=2, frameon=False, fontsize=FONT - 2.5, labelcolor=INKS["muted"])


def _even(count: int) -> list[float]:
    return [index / max(1, count - 1) for index in range(count)]


def _spaced(places: list[float]) -> list[int]:
    """The points whose day can be written without running into the one before; the last always is."""
    kept = [len(places) - 1]
    for index in range(len(places) - 2, -1, -1):
        if places[kept[-1]] - places[index] >= _ROOM:
            kept.append(index)
    return kept


_ROOM = 0.18
