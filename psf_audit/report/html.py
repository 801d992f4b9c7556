"""The report that a buyer holds: one HTML file that loads nothing, runs nothing, and is whole on paper.

The assessment is embedded as JSON, in an element that no browser executes, so that the file can be checked offline.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psf_audit import activity_words, illustrations, rendering, wire, wire_comparison
from psf_audit.compare import Kind
from psf_audit.model import Status, Verdict, percent
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import clean, plural

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from psf_audit.compare import Comparison
    from psf_audit.model import Assessment, Findings

DATA_ID = "psf-assessment"
COMPARISON_ID = "psf-comparison"

_TONES = {
    Status.CONTRADICTED: "bad",
    Status.MISSING: "bad",
    Status.UNTESTED: "warn",
    Status.UNDOCUMENTED: "warn",
    Status.UNKNOWN: "unsure",
    Status.DEMONSTRATED: "good",
    Status.NOT_APPLICABLE: "none",
}
_VERDICT_TONES = {
    Verdict.READY: "good",
    Verdict.READY_WITH_WAIVERS: "warn",
    Verdict.INCOMPLETE: "unsure",
    Verdict.NOT_READY: "bad",
}
_KIND_TONES = {
    Kind.REGRESSED: "bad",
    Kind.NEW: "unsure",
    Kind.GONE: "unsure",
    Kind.INCOMPARABLE: "unsure",
    Kind.IMPROVED: "good",
    Kind.UNCHANGED: "none",
}
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_NO_ANCHOR = re.compile(r"[^A-Za-z0-9_-]+")
_HELPERS = (
    "first_rows", "more_rows", "place", "short", "sentence", "percentage", "day", "moment", "line", "size", "meaning",
    "collected", "exposure_headline",
    "framework", "counts_words", "effort_words", "gate_words", "gate_result", "waiver_notice", "side_words",
    "change_counts", "verdict_change", "share_change", "score_change", "passes_change", "control_change",
    "exposure_rows", "capability_rows", "lacks",
    "evidence_change", "waiver_change", "fingerprint_change", "rubric_change",
)  # fmt: skip


def data_block(value: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, whatever it says."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def style_digest(style: str) -> str:
    """The digest of an inline style, as a content security policy names it."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def anchor(name: str) -> str:
    """A name as a fragment of the page."""
    return _NO_ANCHOR.sub("-", name)


def columns(findings: Findings) -> dict[str, bool]:
    """Which columns of a table of rows hold anything."""
    names = ("found", "expected", "unit", "at", "source")
    return {name: any(getattr(row, name) is not None for row in findings.rows) for name in names}


def _shown(value: Any) -> Any:
    """What a template may write: text without control characters, and nothing that is lacking by mistake."""
    if value is None:
        raise TypeError("a template writes None")
    return clean(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(rendering.template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.globals |= {name: getattr(rendering, name) for name in _HELPERS}
    environment.globals |= {
        "activity_words": activity_words,
        "anchor": anchor,
        "bars_about": illustrations.BARS,
        "changes": rendering.CHANGES,
        "columns": columns,
        "kind_tone": _KIND_TONES.__getitem__,
        "percent": percent,
        "plural": plural,
        "exposure_about": rendering.EXPOSURE,
        "profile": rendering.PROFILE,
        "register": rendering.REGISTER,
        "statuses": rendering.STATUSES,
        "tone": _TONES.__getitem__,
        "undrawn": illustrations.UNDRAWN,
        "verdict_tone": _VERDICT_TONES.__getitem__,
    }
    return environment


def _as_is(text: str) -> Markup:
    """What needs no escaping: the style sheet that ships with the program, a digest, JSON without `<`, a picture."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def page(name: str, data: dict[str, Any], data_id: str, pictures: dict[str, str], **values: Any) -> str:
    """A page from a template, with what it shows embedded as JSON; `pictures` are SVG elements, or empty."""
    style = rendering.template("report.css")
    return (
        _environment()
        .get_template(name)
        .render(
            style=_as_is(style),
            style_digest=_as_is(style_digest(style)),
            data=_as_is(data_block(data)),
            data_id=data_id,
            pictures={name: _as_is(picture) for name, picture in pictures.items()},
            **values,
        )
    )


def _assessment(assessment: Assessment, _view: View) -> str:
    exposure, activity = assessment.exposure, assessment.activity
    return page(
        "assessment.html.j2",
        wire.to_json(assessment),
        DATA_ID,
        {
            "exposure": "" if exposure is None else illustrations.exposure(exposure),
            "spend": "" if activity is None else illustrations.spend(activity),
            "stretches": "" if activity is None else illustrations.stretches(activity),
        },
        assessment=assessment,
        steps=rendering.next_steps(assessment),
    )


def _comparison(comparison: Comparison, _view: View) -> str:
    return page(
        "comparison.html.j2",
        wire_comparison.comparison_to_json(comparison),
        COMPARISON_ID,
        {},
        comparison=comparison,
    )


HTML = ReportFormat(
    name="html",
    title="One HTML file for people: complete, offline, printable",
    suffixes=(".html", ".htm"),
    assessment=_assessment,
    comparison=_comparison,
)
