"""The report that a buyer holds: one HTML file that loads nothing, is whole without its script, and whole on paper.

The assessment is embedded as JSON, in an element that no browser executes, so that the file can be checked offline.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psf_audit import activity_words, illustrations, plainly, questions, rendering, wire, wire_comparison
from psf_audit.compare import Kind
from psf_audit.model import Status, percent
from psf_audit.questions import Standing
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
_KIND_TONES = {
    Kind.REGRESSED: "bad",
    Kind.NEW: "unsure",
    Kind.GONE: "unsure",
    Kind.INCOMPARABLE: "unsure",
    Kind.IMPROVED: "good",
    Kind.UNCHANGED: "none",
}
_STANDING_TONES = {
    Standing.CONTRADICTED: "bad",
    Standing.NO_EVIDENCE: "bad",
    Standing.NOT_ASSESSED: "unsure",
    Standing.IN_PART: "warn",
    Standing.ANSWERED: "good",
    Standing.DOES_NOT_ARISE: "none",
}
# The icon of a standing is that of the status which means the same.
_STANDING_ICONS = {
    Standing.CONTRADICTED: "contradicted",
    Standing.NO_EVIDENCE: "missing",
    Standing.NOT_ASSESSED: "unknown",
    Standing.IN_PART: "undocumented",
    Standing.ANSWERED: "demonstrated",
    Standing.DOES_NOT_ARISE: "not_applicable",
}
# On paper a list has no more rows than this, and says how many more there are.
ROWS_ON_PAPER = 3
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_NO_ANCHOR = re.compile(r"[^A-Za-z0-9_-]+")
_HELPERS = (
    "first_rows", "more_rows", "place", "short", "sentence", "percentage", "day", "moment", "line", "size", "meaning",
    "collected", "exposure_headline",
    "framework", "counts_words", "effort_words", "gate_words", "gate_result", "waiver_notice", "side_words",
    "change_counts", "verdict_change", "share_change", "score_change", "passes_change", "control_change",
    "exposure_rows", "capability_rows", "lacks", "release_note", "since", "since_title",
    "evidence_change", "waiver_change", "fingerprint_change", "rubric_change", "open_words", "status_counts",
)  # fmt: skip


def data_block(value: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, whatever it says."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def policy_digest(text: str) -> str:
    """The digest of an inline style or script, as a content security policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def answer_icon(answer: str) -> str:
    """The icon beside the answer whether it may go live."""
    return {"Yes": "demonstrated", "Yes, with waivers": "waived", "No": "contradicted"}.get(answer, "unknown")


def answer_tone(answer: str) -> str:
    """The colour of that answer."""
    return {"Yes": "good", "Yes, with waivers": "warn", "No": "bad"}.get(answer, "unsure")


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
        "answer_icon": answer_icon,
        "answer_tone": answer_tone,
        "bars_about": illustrations.BARS,
        "changes": rendering.CHANGES,
        "columns": columns,
        "kind_tone": _KIND_TONES.__getitem__,
        "on_paper": ROWS_ON_PAPER,
        "percent": percent,
        "plainly": plainly,
        "plural": plural,
        "exposure_about": rendering.EXPOSURE,
        "profile": rendering.PROFILE,
        "questions": questions,
        "register": rendering.REGISTER,
        "standing_icon": _STANDING_ICONS.__getitem__,
        "standing_tone": _STANDING_TONES.__getitem__,
        "tone": _TONES.__getitem__,
        "undrawn": illustrations.UNDRAWN,
    }
    return environment


def _as_is(text: str) -> Markup:
    """What needs no escaping: the style sheet and script of the program, a digest, JSON without `<`, a picture."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def page(
    name: str, data: dict[str, Any], data_id: str, pictures: dict[str, str], *, script: str = "", **values: Any
) -> str:
    """A page from a template, with what it shows embedded as JSON; `pictures` are SVG elements, or empty.

    `script` is the one that the policy of the page lets run, by its digest; without one it lets none.
    """
    style = rendering.template("report.css")
    return (
        _environment()
        .get_template(name)
        .render(
            style=_as_is(style),
            style_digest=_as_is(policy_digest(style)),
            script=_as_is(script),
            script_digest=_as_is(policy_digest(script)),
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
        script=rendering.template("report.js"),
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
