"""A spot check as a worksheet for a terminal, as Markdown and as JSON, and as records to be filled in."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Any

from psf_audit import rendering
from psf_audit.markup import code, escape, table
from psf_audit.model import percent
from psf_audit.spot_check import Part
from psf_audit.text import clean, one_line, plural
from psf_audit.wire import dumps, share_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psf_audit.rendering import View
    from psf_audit.spot_check import Row, Sample, Weight

SCHEMA = "psf-audit/sample/1"
OUTCOMES = ("confirmed", "refuted", "could_not_tell")
_BOXES = tuple(f"[ ] {outcome.replace('_', ' ')}" for outcome in OUTCOMES)
_INDENT = " " * 12

_CLAIMED = {
    Part.SHOWS: "shows that it is there",
    Part.TEST: "a test of it",
    Part.DOCUMENT: "describes it",
    Part.BREAKS: "contradicts it",
}
_LOOK = {
    Part.SHOWS: "Open the file at that place. Does it say so, of this release, and is it what runs there?",
    Part.TEST: "Open the result at that place. Read the test, and run it again, once with the control switched off.",
    Part.DOCUMENT: "Open the document. Ask its owner what they do when it happens.",
    Part.BREAKS: "Open the place, or where none is named search all files for it. Did it happen so?",
    Part.ABSENT: "Search all the evidence, and what runs, for what would show it.",
    Part.NOT_APPLICABLE: "Search what the agent can reach and what the logs show for what would make it apply.",
}
_REFUTES = {
    Part.SHOWS: "It says something else, is not in force, can be changed by the agent, or covers less than is asked.",
    Part.TEST: "It did not end so, was of another release, or passes without the control too.",
    Part.DOCUMENT: "It is about something else, the owner does not know it, or nobody reviewed it on that day.",
    Part.BREAKS: "It did not happen, or it was not this deployment.",
    Part.ABSENT: "Something in force shows it.",
    Part.NOT_APPLICABLE: "Something that the agent can do makes it apply.",
}


class AtHand(StrEnum):
    """Whether a file is there as it was assessed."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    NOT_COMPARED = "not_compared"

    @property
    def words(self) -> str:
        """As a reader sees it."""
        return {
            AtHand.SAME: "the file at hand is the one that was assessed",
            AtHand.CHANGED: "THE FILE AT HAND IS ANOTHER ONE: its digest differs",
            AtHand.MISSING: "the file is not at hand",
            AtHand.NOT_COMPARED: "not compared with a file: compare the digest",
        }[self]


@dataclass(frozen=True, slots=True)
class Worksheet:
    """A sample, and by path whether the files that it names are at hand; empty where nobody looked."""

    sample: Sample
    files: Mapping[str, AtHand]

    def at_hand(self, row: Row) -> AtHand:
        """Whether the file of a row is there as it was assessed."""
        return self.files.get(row.source.path, AtHand.NOT_COMPARED) if row.source else AtHand.NOT_COMPARED


def claimed(row: Row) -> str:
    """What a row is said to be, in one line."""
    if row.finding is None:
        return f"it is {row.control.status.label}: {row.control.reason}"
    return f"{_CLAIMED[row.part]}: {rendering.sentence(row.finding)}"


def _place(row: Row) -> str:
    return rendering.place(row.source) if row.source is not None else "none: search all the evidence"


def _subject(row: Row) -> str:
    """What a record of the check is about: the same words whoever checks the same row."""
    what = f": {row.finding.what}" if row.finding is not None else ""
    where = f" ({rendering.place(row.source)})" if row.source is not None else ""
    return one_line(f"{row.control.id} {row.part.value.replace('_', ' ')}{what}{where}")


# ---------------------------------------------------------------------------------------------------- what was drawn


def head(sheet: Worksheet) -> tuple[str, ...]:
    """What the sample is of, who must not check it, and what it can tell."""
    made, of = sheet.sample, sheet.sample.assessment.deployment
    people = ", ".join(f"{name} ({role})" for role, name in _named(sheet))
    of_day, verdict = rendering.day(made.assessment.as_of), made.assessment.verdict.label
    left_out = f" {plural(made.not_kept, 'more row')}, counted there and not kept, cannot be drawn."
    not_for = f", so not for {people}" if people else ""
    return (
        f"{of.name} {of.release} in {of.environment}, as of {of_day}: {verdict}.",
        f"Assessment sha256 {made.digest}, seed {made.seed}.",
        f"{len(made.drawn)} of {plural(made.row_count, 'row')}, with {percent(made.share)}% of the weight."
        + (left_out if made.not_kept else ""),
        f"For somebody who wrote none of the evidence and did not make the assessment{not_for}.",
    )


def _named(sheet: Worksheet) -> list[tuple[str, str]]:
    """Role and name of whom the manifest names."""
    people = sheet.sample.assessment.deployment.people
    return [(role, name) for role, name in people if name.casefold() != "unknown"]


MISSES = (
    "If some rows were wrong, the chance that none of them was drawn: by weight, for among rows of one weight every "
    "choice is equally likely. Percentages are rounded up."
)
MISS_HEADER = ("weight", "rows", "drawn", "1 wrong", "1 in 10 wrong", "1 in 4 wrong")


def wrong_rows(weight: Weight) -> tuple[int, ...]:
    """How many wrong rows the three columns stand for: one, a tenth and a quarter of them, rounded up."""
    return 1, ceil(weight.rows / 10), ceil(weight.rows / 4)


def miss_rows(sample: Sample) -> tuple[tuple[str, ...], ...]:
    """The chances to miss, a line for each weight."""
    return tuple(
        (
            str(one.weight),
            str(one.rows),
            str(one.drawn),
            *(f"{ceil(one.miss(wrong) * 100)}%" for wrong in wrong_rows(one)),
        )
        for one in sample.weights
    )


# --------------------------------------------------------------------------------------------------------------- forms


def text(sheet: Worksheet, view: View) -> str:
    """For a terminal, and for paper."""
    lines = [textwrap.fill(line, view.width, break_on_hyphens=False) for line in ("SPOT CHECK", *head(sheet))]
    for number, row in enumerate(sheet.sample.drawn, 1):
        lines += ["", *_item(sheet, number, row, view.width)]
    lines += ["", textwrap.fill(MISSES, view.width), *_aligned([MISS_HEADER, *miss_rows(sheet.sample)])]
    return clean("\n".join(lines))


def _item(sheet: Worksheet, number: int, row: Row, width: int) -> Iterator[str]:
    control = row.control
    yield textwrap.fill(
        one_line(f"{number}. {control.id} {control.title} ({control.severity.value}, {control.status.label})"), width
    )
    for name, said in _told(sheet, row):
        yield textwrap.fill(
            one_line(said), width, initial_indent=f"   {name:<9}", subsequent_indent=_INDENT, break_on_hyphens=False
        )
    yield f"   {'outcome':<9}{'   '.join(_BOXES)}"
    yield f"   {'by, on':<9}{'_' * 40}"


def _told(sheet: Worksheet, row: Row) -> Iterator[tuple[str, str]]:
    yield "claimed", claimed(row)
    yield "place", _place(row)
    if row.source is not None:
        yield "sha256", row.source.sha256 or "no digest"
        yield "file", sheet.at_hand(row).words
    yield "asked", row.control.requirement
    yield "look", _LOOK[row.part]
    yield "refuted", f"if: {_REFUTES[row.part]}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def markdown(sheet: Worksheet, view: View) -> str:
    """As Markdown, with boxes to tick."""
    del view
    blocks = [f"# Spot check: {escape(sheet.sample.assessment.deployment.name)}", *map(escape, head(sheet))]
    for number, row in enumerate(sheet.sample.drawn, 1):
        control = row.control
        state = f"{control.severity.value}, {control.status.label}"
        blocks += [
            f"## {number}. {escape(f'{control.id} {control.title}')} ({state})",
            table(["", ""], ([name, _cell(name, said)] for name, said in _told(sheet, row))),
            "\n".join(f"- {box}" for box in _BOXES),
            "By, on: ",
        ]
    blocks += ["## What it can miss", MISSES, table(list(MISS_HEADER), map(list, miss_rows(sheet.sample)))]
    return "\n\n".join(blocks) + "\n"


def _cell(name: str, said: str) -> str:
    return code(said) if name in {"place", "sha256"} else escape(said)


def json_text(sheet: Worksheet) -> str:
    """As JSON of the schema `psf-audit/sample/1`."""
    return dumps(to_json(sheet))


def to_json(sheet: Worksheet) -> dict[str, Any]:
    """As a JSON document of the schema `psf-audit/sample/1`."""
    made, of = sheet.sample, sheet.sample.assessment.deployment
    return {
        "schema": SCHEMA,
        "assessment": {"sha256": made.digest, "as_of": made.assessment.as_of.isoformat(),
                       "verdict": made.assessment.verdict.value, "fingerprint": made.assessment.fingerprint},
        "deployment": {"name": of.name, "release": of.release, "environment": of.environment},
        "seed": made.seed,
        "rows": made.row_count,
        "not_kept": made.not_kept,
        "share": share_out(made.share),
        "not_by": [{"name": name, "role": role} for role, name in _named(sheet)],
        "drawn": [_row_out(sheet, number, row) for number, row in enumerate(made.drawn, 1)],
        "weights": [
            {"weight": one.weight, "rows": one.rows, "drawn": one.drawn,
             "miss": [{"wrong": wrong, "chance": str(one.miss(wrong))} for wrong in wrong_rows(one)]}
            for one in made.weights
        ],
    }  # fmt: skip


def _row_out(sheet: Worksheet, number: int, row: Row) -> dict[str, Any]:
    source = row.source
    return {
        "draw": number,
        "weight": row.weight,
        "control": row.control.id,
        "title": row.control.title,
        "severity": row.control.severity.value,
        "status": row.control.status.value,
        "part": row.part.value,
        "claimed": claimed(row),
        "path": source.path if source else None,
        "place": source.pointer if source else None,
        "sha256": source.sha256 if source else None,
        "at_hand": sheet.at_hand(row).value,
        "requirement": row.control.requirement,
        "look": _LOOK[row.part],
        "refuted_if": _REFUTES[row.part],
    }


_SKELETON = """\
# Whoever looks fills in, for each row: at (a day, or a time with zone), by, and decision: {outcomes}.
# Take out the rows that nobody looked at, then list this file as evidence. The digest is that of the file looked at.
schema: psf-audit/records/1
records:
"""


def records(sheet: Worksheet, view: View) -> str:
    """As records of the kind `spot_check`, to be filled in; text is quoted as JSON, which is YAML too."""
    del view
    made = sheet.sample
    parts = [_SKELETON.format(outcomes=", ".join(OUTCOMES))]
    for number, row in enumerate(made.drawn, 1):
        source = row.source
        fields = {"assessment": made.digest, "seed": made.seed, "draw": number, "part": row.part.value}
        digest = {"sha256": source.sha256} if source is not None and source.sha256 else {}
        values = {
            "kind": "spot_check",
            "at": "TODO",
            "by": "TODO",
            "decision": "TODO",
            "controls": [row.control.id],
            "release": made.assessment.deployment.release,
            "fingerprint": made.assessment.fingerprint,
            "subject": _subject(row),
            "fields": fields | digest,
        }
        lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
        parts.append(f"  # {number}. {one_line(claimed(row))}\n  - " + "\n    ".join(lines) + "\n")
    return clean("".join(parts))
