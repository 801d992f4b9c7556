"""What one rubric asks otherwise than another, as text, Markdown and JSON (pure)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from psf_audit.markup import escape
from psf_audit.text import clean, plural
from psf_audit.wire import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.rendering import View
    from psf_audit.revision import Became, Revised, Revision
    from psf_audit.rubric import Control

SCHEMA = "psf-audit/rubric-diff/1"


def summary(revision: Revision) -> str:
    """Both rubrics, and how much there is."""
    counts = [
        plural(len(revision.added), "control") + " added",
        f"{len(revision.removed)} removed",
        f"{len(revision.revised)} changed",
    ]
    end = "no status can differ" if revision.same_scoring else "scores of the two are not comparable"
    return f"{revision.before} to {revision.after}: {', '.join(counts)}; {end}"


def _sections(revision: Revision) -> Iterator[tuple[str, list[str]]]:
    """What there is to tell, under headings; those without a line are left out."""
    sections = (
        ("What its authors say", list(revision.changelog)),
        ("What became of controls", [_became(one) for one in revision.became]),
        ("Added", [_control(control) for control in revision.added]),
        ("Removed", [_control(control) for control in revision.removed]),
        ("Changed", [_revised(one) for one in revision.revised]),
        ("Besides", list(revision.other)),
    )
    yield from ((title, lines) for title, lines in sections if lines)


def _became(one: Became) -> str:
    to = f" into {', '.join(one.to)}" if one.to else ""
    return f"{one.control} {one.kind}{to}: {one.why}"


def _control(control: Control) -> str:
    return f"{control.id}  {control.title} ({control.severity.value}, {control.lifecycle}): {control.requirement}"


def _revised(one: Revised) -> str:
    name = one.after if one.before == one.after else f"{one.before}, now {one.after}"
    parts = [*one.decides, *(sql.words for sql in one.criteria)]
    if one.wording:
        parts.append(f"worded anew: {', '.join(one.wording)}")
    return f"{name}  {one.title}: {'; '.join(parts)}"


def text(revision: Revision, view: View) -> str:
    """For a terminal."""
    made = [textwrap.fill(summary(revision), view.width)]
    for title, lines in _sections(revision):
        made.append(f"\n{title}")
        made += [_row(line, view.width) for line in lines]
    return clean("\n".join(made))


def _row(line: str, width: int) -> str:
    folded = " ".join(line.split(" "))
    return textwrap.fill(folded, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def markdown(revision: Revision, view: View) -> str:
    """As Markdown; the same words."""
    del view
    made = [f"# {escape(revision.before)} to {escape(revision.after)}\n", f"{escape(summary(revision))}\n"]
    for title, lines in _sections(revision):
        made += [f"## {title}\n", *(f"- {escape(line)}" for line in lines), ""]
    return clean("\n".join(made))


def json_text(revision: Revision, view: View) -> str:
    """As JSON of the schema `psf-audit/rubric-diff/1`, with the SQL before and after."""
    del view
    return dumps(to_json(revision))


def to_json(revision: Revision) -> dict[str, Any]:
    """As a JSON document of the schema `psf-audit/rubric-diff/1`."""
    return {
        "schema": SCHEMA,
        "before": revision.before,
        "after": revision.after,
        "same_scoring": revision.same_scoring,
        "changelog": list(revision.changelog),
        "became": [
            {"control": one.control, "kind": one.kind, "to": list(one.to), "why": one.why} for one in revision.became
        ],
        "added": [_control_out(control) for control in revision.added],
        "removed": [_control_out(control) for control in revision.removed],
        "changed": [
            {
                "before": one.before,
                "after": one.after,
                "title": one.title,
                "decides": list(one.decides),
                "criteria": [
                    {"criterion": sql.criterion, "before": sql.before, "after": sql.after} for sql in one.criteria
                ],
                "wording": list(one.wording),
            }
            for one in revision.revised
        ],
        "other": list(revision.other),
    }


def _control_out(control: Control) -> dict[str, str]:
    return {
        "id": control.id,
        "title": control.title,
        "severity": control.severity.value,
        "status": control.lifecycle,
        "requirement": control.requirement,
    }
