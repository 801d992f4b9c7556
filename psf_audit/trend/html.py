"""A trend as one HTML page, like that of an assessment: it loads nothing, and embeds what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import rendering
from psf_audit.illustrations import drawn
from psf_audit.model import Verdict
from psf_audit.report.html import page
from psf_audit.trend import forms, picture, wire

if TYPE_CHECKING:
    from psf_audit.rendering import View
    from psf_audit.trend.history import Trend

DATA_ID = "psf-trend"
_TONES = {
    Verdict.READY: "good",
    Verdict.READY_WITH_WAIVERS: "warn",
    Verdict.INCOMPLETE: "unsure",
    Verdict.NOT_READY: "bad",
}


def text(trend: Trend, view: View) -> str:
    """The whole page; it looks the same whatever the standard output is."""
    del view
    return page(
        "trend.html.j2",
        wire.to_json(trend),
        DATA_ID,
        {"trend": drawn(lambda: picture.scores(trend))},
        trend=trend,
        verdict_tone=_TONES[trend.points[-1].side.verdict],
        summary=forms.summary(trend),
        points_header=forms.POINTS,
        points=forms.point_rows(trend),
        statuses=rendering.STATUSES,
        absent=forms.ABSENT,
        steps=forms.step_lines(trend),
    )
