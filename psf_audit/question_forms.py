"""The written questions as Markdown and as an HTML page: answered from an assessment, or as the form to send out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit import questions, rendering, wire
from psf_audit.markup import code, escape
from psf_audit.report.html import DATA_ID, page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.model import Assessment, Finding
    from psf_audit.questions import Answer, Question, Resting

BLANK_ID = "psf-questions"
FIELDS = ("Provider", "Deployment", "Release", "Answered by (name, role)", "Date")
PLACES = ("Answer", "Evidence: file, place in it, date")
HOW = (
    "Answer each question in writing, and for each answer name the artifact that shows it: the file, the place in it, "
    "and its date. An answer without an artifact is vague. Without an answer to a question marked blocking nothing "
    "should be launched."
)


def markdown(assessment: Assessment) -> str:
    """The questions, each with the answer that the assessment gives."""
    return "\n\n".join(_answered(assessment)) + "\n"


def html(assessment: Assessment) -> str:
    """The same as one page, with the assessment embedded as JSON."""
    found = questions.answers(assessment)
    return page(
        "questions.html.j2",
        wire.to_json(assessment),
        DATA_ID,
        {},
        assessment=assessment,
        answers=found,
        counts=f"{questions.counts(found)}.",
        notes=_notes(assessment, found),
        about=questions.ABOUT,
        answered_by=questions.ANSWERED_BY,
        linked=False,
        **part(),
    )


def part() -> dict[str, Any]:
    """What `templates/questions_part.html.j2` calls."""
    return {name: getattr(questions, name) for name in ("absent_words", "control_words", "row_words")}


def blank_markdown() -> str:
    """The form to send to a provider, with a place for each answer and for its evidence."""
    return "\n\n".join(_blank()) + "\n"


def blank_html() -> str:
    """The same as one page, to be filled in where it is read; it sends nothing."""
    asked = questions.questionnaire().questions
    return page(
        "questions_blank.html.j2",
        {"questions": [{"id": question.id, "question": question.question} for question in asked]},
        BLANK_ID,
        {},
        about=questions.ABOUT,
        how=HOW,
        fields=FIELDS,
        places=PLACES,
        questions=asked,
        names=_names,
    )


def _notes(assessment: Assessment, found: Sequence[Answer]) -> list[str]:
    notes = (
        questions.blocked(found),
        questions.other_rubric(assessment),
        rendering.waiver_notice(assessment),
    )
    return [note for note in notes if note]


def _names(question: Question) -> str:
    """What an answer has to name, the controls it is held against, and whether it can be left open."""
    blocking = " Blocking." if question.blocking else ""
    return f"An answer names {question.answer} Controls: {', '.join(question.controls)}.{blocking}"


# ------------------------------------------------------------------------------------------------------------ Markdown


def _answered(assessment: Assessment) -> Iterator[str]:
    deployment, rubric = assessment.deployment, assessment.rubric
    found = questions.answers(assessment)
    yield f"# Questions to the provider of {escape(deployment.name)} {escape(deployment.release)}"
    yield (
        f"{escape(deployment.environment)}, as of {rendering.day(assessment.as_of)}, assessed by "
        f"{escape(rubric.name)}: **{assessment.verdict.label}**. {questions.counts(found).capitalize()}."
    )
    yield from (escape(note) for note in _notes(assessment, found))
    yield questions.ABOUT
    yield questions.ANSWERED_BY
    for number, answer in enumerate(found, 1):
        yield f"## {number}. {escape(answer.question.question)}"
        blocking = ", blocking" if answer.blocks else ""
        yield f"**{answer.standing.label.capitalize()}{blocking}.** {escape(answer.words)}"
        yield from (escape(words) for words in answer.told)
        absent = questions.absent_words(answer, assessment)
        if absent:
            yield escape(absent)
        rested = [item for one in answer.resting for item in _rested(one)]
        if rested:
            yield "\n".join(rested)
    yield "## What this does not prove"
    yield "\n".join(f"- {escape(limit)}" for limit in assessment.limits_of_assessment)


def _rested(one: Resting) -> Iterator[str]:
    control = one.control
    status = f"{rendering.symbol(control.status)} {control.status.label}"
    yield (
        f"- **{escape(control.id)}** {escape(control.title)}: **{status}**, {escape(questions.control_words(control))}"
    )
    for named in one.named:
        yield f"  - {escape(questions.row_words(named))}{_sources(named.finding)}"
    if one.more:
        yield f"  - and {one.more} more"


def _sources(row: Finding) -> str:
    places = [code(rendering.place(source)) for source in (row.source, row.against) if source is not None]
    return f" {', against '.join(places)}" if places else ""


def _blank() -> Iterator[str]:
    yield "# Questions to the provider of an agent"
    yield questions.ABOUT
    yield HOW
    yield "\n".join(f"- **{field}:** " for field in FIELDS).replace(" \n", "\n").rstrip()
    for number, question in enumerate(questions.questionnaire().questions, 1):
        yield f"## {number}. {question.question}"
        yield _names(question)
        yield from (f"**{place}:**" for place in PLACES)
