"""The written questions to a provider, and the answers that an assessment gives to them.

The questions are data (`questions.yaml`): their words, the controls of the rubric that an answer rests on, and what of
the assessment is told beside them. An answer says no more than the assessment: it counts as far as a control is shown
by an artifact that has a date, and a control that is contradicted, missing or unknown is named as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from psf_audit import activity_words, rendering
from psf_audit.activity import MarkKind
from psf_audit.amounts import clock, span
from psf_audit.exposure import Situation
from psf_audit.model import Status
from psf_audit.reading import parse_yaml
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psf_audit.model import Assessment, ControlResult, Finding, Findings

MOST_ROWS = 2
# What is shown by evidence, whether or not it was tried and written down.
SHOWN = frozenset({Status.UNTESTED, Status.UNDOCUMENTED, Status.DEMONSTRATED})

ABOUT = (
    "The questions are those that a buyer should have answered in writing before an agent gets live credentials. "
    "An answer counts as far as it names a control and an artifact with a date; anything else is vague."
)
ANSWERED_BY = (
    "The answers are read off the evidence, not given by the provider. Where there is no evidence, the provider may "
    "still have an answer; ask for it in writing, and for the artifact that shows it."
)


class Origin(StrEnum):
    """Where a question comes from."""

    SEED = "seed"
    IMPLIED = "implied"
    DERIVED = "derived"

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Origin.SEED: "The article behind the rubric asks it.",
            Origin.IMPLIED: "The article behind the rubric asks for what answers it.",
            Origin.DERIVED: "This project adds it.",
        }[self]


class Standing(StrEnum):
    """What the evidence makes of a question, worst first."""

    CONTRADICTED = "contradicted"
    NO_EVIDENCE = "no_evidence"
    NOT_ASSESSED = "not_assessed"
    IN_PART = "in_part"
    ANSWERED = "answered"
    DOES_NOT_ARISE = "does_not_arise"

    @property
    def label(self) -> str:
        """The standing as a reader sees it."""
        return {Standing.IN_PART: "answered in part"}.get(self, self.value.replace("_", " "))

    @property
    def meaning(self) -> str:
        """One plain sentence."""
        return {
            Standing.CONTRADICTED: "Evidence contradicts at least one control that the answer rests on.",
            Standing.NO_EVIDENCE: "No artifact with a date shows any of them.",
            Standing.NOT_ASSESSED: "The rubric that was used has none of them.",
            Standing.IN_PART: "An artifact with a date shows some of them, and not all.",
            Standing.ANSWERED: "An artifact with a date shows each of them that applies.",
            Standing.DOES_NOT_ARISE: "None of them applies to this deployment.",
        }[self]

    @property
    def vague(self) -> bool:
        """Whether there is no answer that counts: none that names a control and an artifact with a date."""
        return self in {Standing.CONTRADICTED, Standing.NO_EVIDENCE, Standing.NOT_ASSESSED}


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its words, what an answer names, and the controls that it rests on.

    `told` names what else of an assessment is told; without an answer to a `blocking` one nothing should be launched.
    """

    id: str
    question: str
    answer: str
    origin: Origin
    controls: tuple[str, ...]
    told: tuple[str, ...] = ()
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions in their order, and the id of the rubric whose controls they name."""

    rubric: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A row of evidence that an answer names: what part it plays, and its date as YYYY-MM-DD where it has one."""

    part: str
    finding: Finding
    date: str | None


@dataclass(frozen=True, slots=True)
class Resting:
    """A control that an answer rests on: its result, the rows to name, and how many more of them there are.

    `dated` says that evidence shows it, by an artifact that has a date.
    """

    control: ControlResult
    named: tuple[Named, ...]
    more: int
    dated: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that an assessment gives to a question.

    `words` is the answer in one or two sentences, `told` what else the assessment says, `absent` are the ids of
    controls that the rubric it was made with does not have.
    """

    question: Question
    standing: Standing
    words: str
    told: tuple[str, ...]
    resting: tuple[Resting, ...]
    absent: tuple[str, ...]

    @property
    def blocks(self) -> bool:
        """Whether nothing should be launched before somebody answers it."""
        return self.question.blocking and self.standing.vague


@cache
def questionnaire() -> Questionnaire:
    """The questions that ship with the program."""
    text = files("psf_audit").joinpath("questions.yaml").read_text(encoding="utf-8")
    value = parse_yaml(text).value
    return Questionnaire(
        value["rubric"],
        tuple(
            Question(
                id=entry["id"],
                question=entry["question"],
                answer=entry["answer"],
                origin=Origin(entry["origin"]),
                controls=tuple(entry["controls"]),
                told=tuple(entry.get("told", ())),
                blocking=entry.get("blocking", False),
            )
            for entry in value["questions"]
        ),
    )


def answers(assessment: Assessment, asked: Questionnaire | None = None) -> tuple[Answer, ...]:
    """What the assessment answers to each question, those that ship with the program if none are given."""
    controls = {control.id: control for control in assessment.controls}
    days = {entry.id: entry.collected for entry in assessment.evidence}
    found = []
    for question in (asked or questionnaire()).questions:
        resting = tuple(
            _resting(controls[name], days, assessment.manifest.evidence)
            for name in question.controls
            if name in controls
        )
        absent = tuple(name for name in question.controls if name not in controls)
        standing = _standing(resting, absent)
        found.append(
            Answer(
                question=question,
                standing=standing,
                words=_words(standing, resting, absent),
                told=tuple(words for name in question.told for words in _TOLD[name](assessment)),
                resting=resting,
                absent=absent,
            )
        )
    return tuple(found)


def counts(found: Sequence[Answer]) -> str:
    """`3 answered, 2 answered in part, 15 no evidence`, the worst first."""
    numbers = [(standing, sum(answer.standing is standing for answer in found)) for standing in Standing]
    return ", ".join(f"{count} {standing.label}" for standing, count in numbers if count)


def blocked(found: Sequence[Answer]) -> str:
    """What is said of blocking questions that are without an answer; empty when there are none."""
    numbers = [str(number) for number, answer in enumerate(found, 1) if answer.blocks]
    if not numbers:
        return ""
    named = f"question{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
    return f"Blocking, and not answered: {named}. Nothing should be launched before."


def row_words(named: Named) -> str:
    """A row of evidence in words, without its place: what part it plays, what it is, and its date."""
    told = rendering.sentence(named.finding)
    if named.finding.at is None:
        undated = "" if named.part in _NO_ARTIFACT else "no date"
        told = "; ".join(part for part in (told, f"collected {named.date}" if named.date else undated) if part)
    return f"{named.part}: {told}" if told else named.part


def control_words(control: ControlResult) -> str:
    """Why a control has its status, and whether somebody signed for living without it."""
    waived = "" if control.waiver is None else f"; waived until {control.waiver.expires}"
    return f"{control.reason}{waived}"


def absent_words(answer: Answer, assessment: Assessment) -> str:
    """What is said of controls that the rubric does not have; empty when it has all."""
    if not answer.absent:
        return ""
    rubric = assessment.rubric
    return f"{rubric.name} has no {', '.join(answer.absent)}: nothing is said of it."


def other_rubric(assessment: Assessment) -> str:
    """What a reader must know when the assessment used another rubric than the questions name; empty otherwise."""
    rubric, named = assessment.rubric, questionnaire().rubric
    if rubric.id == named:
        return ""
    return (
        f"The questions name controls of {named}; this assessment used {rubric.name}. Controls are "
        "matched by their ids, and may ask for something else there."
    )


# ------------------------------------------------------------------------------------------------- what it rests on


_NOT_COVERED = "not covered"
_LACKING = "evidence that is lacking"
_CLAIMED = "only claimed"
# Rows that name no artifact, so that nobody looks for their date.
_NO_ARTIFACT = frozenset({_NOT_COVERED, _LACKING, _CLAIMED})


def _resting(control: ControlResult, days: dict[str, str | None], manifest: str) -> Resting:
    named: list[Named] = []
    more = 0
    dated = False
    for part in _parts(control):
        # Rows with a source first: an answer has to name an artifact.
        rows = sorted(dict.fromkeys(part.rows), key=lambda row: row.source is None)
        found = [Named(part.words, row, _date(row, days)) for row in rows]
        named += found[:MOST_ROWS]
        more += max(0, part.count - (len(part.rows) - len(rows)) - MOST_ROWS)
        dated = dated or (part.shows and any(_is_dated_artifact(one, manifest) for one in found))
    return Resting(control, tuple(named), more, dated)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a control that play one part; `shows` says that an answer can rest on them."""

    words: str
    rows: tuple[Finding, ...]
    count: int
    shows: bool = False


def _parts(control: ControlResult) -> Iterator[_Part]:
    """The rows to name, by what the status of the control allows to say of them."""
    status = control.status
    if status is Status.NOT_APPLICABLE:
        return
    shown = status in SHOWN
    yield _part("contradicted by", control.breaks)
    yield _part(_NOT_COVERED, control.lacks)
    yield _part(_LACKING, control.gaps)
    yield _part("shown by" if shown else "in evidence, but does not suffice", control.shows, shows=shown)
    passed, others = (
        tuple(row for row in control.tests.rows if (row.found == row.expected) is wanted) for wanted in (True, False)
    )
    tested = shown and status is not Status.UNTESTED
    unseen = control.tests.count - len(control.tests.rows)
    yield _Part("tested by" if tested else "test, which does not suffice", passed, len(passed) + unseen, tested)
    yield _Part("test that did not pass", others, len(others))
    documented = status in {Status.DEMONSTRATED, Status.UNTESTED}
    yield _part("document" if documented else "document, which does not suffice", control.documents)
    if not control.shows:
        yield _part(_CLAIMED, control.claims)


def _part(words: str, findings: Findings, *, shows: bool = False) -> _Part:
    return _Part(words, findings.rows, findings.count, shows)


def _is_dated_artifact(named: Named, manifest: str) -> bool:
    """Whether it is a file with a date; the manifest is a claim."""
    source = named.finding.source
    return named.date is not None and source is not None and source.evidence != manifest


def _date(row: Finding, days: dict[str, str | None]) -> str | None:
    """The day of the row itself, else the day its file was collected."""
    if row.at is not None:
        return row.at[:10]
    return None if row.source is None else days.get(row.source.evidence)


def _standing(resting: Sequence[Resting], absent: Sequence[str]) -> Standing:
    if not resting:
        return Standing.NOT_ASSESSED
    if any(one.control.status is Status.CONTRADICTED for one in resting):
        return Standing.CONTRADICTED
    applicable = [one for one in resting if one.control.status is not Status.NOT_APPLICABLE]
    if not applicable and not absent:
        return Standing.DOES_NOT_ARISE
    dated = sum(one.dated for one in applicable)
    if not dated:
        return Standing.NO_EVIDENCE
    return Standing.ANSWERED if dated == len(applicable) and not absent else Standing.IN_PART


def _words(standing: Standing, resting: Sequence[Resting], absent: Sequence[str]) -> str:
    controls = [one.control for one in resting]
    told = rendering.counts_words(controls)
    against = [control.id for control in controls if control.status is Status.CONTRADICTED]
    open_ = [
        *(
            f"{one.control.id} {one.control.status.label}"
            for one in resting
            if not one.dated and one.control.status is not Status.NOT_APPLICABLE
        ),
        *(f"{name} not assessed" for name in absent),
    ]
    return {
        Standing.CONTRADICTED: f"The evidence contradicts {', '.join(against)}. Of what the answer rests on: {told}.",
        Standing.NO_EVIDENCE: f"No artifact with a date shows what the answer rests on ({told}).",
        Standing.NOT_ASSESSED: "The rubric that was used has no control that the answer rests on.",
        Standing.IN_PART: f"Of what the answer rests on: {told}. Not shown: {', '.join(open_)}.",
        Standing.ANSWERED: f"Artifacts with a date show what the answer rests on: {told}.",
        Standing.DOES_NOT_ARISE: "Nothing that was declared or seen makes the question apply.",
    }[standing]


# --------------------------------------------------------------------------------------------------------- what is told


def _exposure(assessment: Assessment) -> Iterator[str]:
    if assessment.exposure is None:
        yield "The exposure was not computed."
    else:
        yield (
            "Computed by this assessment, not for an hour but for one launch until a human must look: "
            f"{rendering.exposure_words(assessment.exposure)}. Prices, rates and retries are those that the manifest "
            "states."
        )


def _situations(assessment: Assessment) -> Iterator[str]:
    if assessment.exposure is None:
        yield "The exposure was not computed."
        return
    rows = rendering.exposure_rows(assessment.exposure)
    for situation, (label, bound, _, _) in zip(Situation, rows, strict=True):
        if situation is not Situation.AS_DECLARED:
            yield f"Computed, what it can cost, {label}: {bound}."


def _people(assessment: Assessment) -> Iterator[str]:
    named = ", ".join(f"{name} ({role})" for role, name in assessment.deployment.people)
    yield f"The manifest names {named}; that is its claim." if named else "The manifest names nobody."


def _reach(assessment: Assessment) -> Iterator[str]:
    names = assessment.deployment.capabilities
    shown = ", ".join(names[: rendering.MAX_ROWS])
    left = len(names) - len(names[: rendering.MAX_ROWS])
    yield f"Declared or seen in a log, the agent can reach {shown}{f' and {left} more' if left else ''}."


def _unattended(assessment: Assessment) -> Iterator[str]:
    activity = assessment.activity
    if activity is None:
        yield activity_words.NOTHING
    elif not activity.stretches:
        yield "The log shows no stretch between two decisions of a person."
    else:
        longest = activity.stretches[0]
        yield (
            f"Longest in the log without a decision of a person: {span(longest.seconds)}, in {longest.run} from "
            f"{clock(longest.at)} UTC, {plural(longest.calls, 'call')}."
        )


def _decisions(assessment: Assessment) -> Iterator[str]:
    if assessment.activity is None:
        yield activity_words.NOTHING
        return
    approved, refused = (
        sum(mark.count for mark in assessment.activity.marks if mark.kind is kind)
        for kind in (MarkKind.APPROVAL, MarkKind.REFUSAL)
    )
    yield f"In the log: {plural(approved, 'approval')} and {plural(refused, 'refusal')} by a person."


def _domains(assessment: Assessment) -> Iterator[str]:
    for domain in assessment.domains:
        yield (
            f"{domain.title}: {rendering.passes_words(domain.passes)}, {rendering.percentage(domain.score)}, "
            f"{rendering.counts_words(domain.controls)}."
        )


def _profile(assessment: Assessment) -> Iterator[str]:
    rubric = assessment.rubric
    yield f"This assessment used {rubric.name}, and is no certificate."
    yield rubric.about or rendering.PROFILE


def _void(assessment: Assessment) -> Iterator[str]:
    yield (
        f"This assessment is of release {assessment.deployment.release}, {rendering.validity(assessment)}. It is void "
        f"under another fingerprint than {rendering.short(assessment.fingerprint)}: models, prompts, capabilities, "
        "scope, guardrails and configuration make the fingerprint."
    )
    if assessment.refresh_by is not None:
        yield f"Its logs have to be renewed by {rendering.day(assessment.refresh_by)}."


_TOLD: dict[str, Callable[[Assessment], Iterator[str]]] = {
    "exposure": _exposure,
    "situations": _situations,
    "people": _people,
    "reach": _reach,
    "unattended": _unattended,
    "decisions": _decisions,
    "domains": _domains,
    "profile": _profile,
    "void": _void,
}
