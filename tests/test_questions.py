"""The written questions, and what assessments answer to them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from psf_audit import question_forms, questions, rubric
from psf_audit.model import Assessment, Finding, Findings, Severity, Status, WaiverUse
from psf_audit.questions import Answer, Origin, Questionnaire, Standing, questionnaire
from tests import samples
from tests.goldens import bare
from tests.strategies import assessments

Golden = Callable[[str, str], None]
DATA = re.compile(r'(<script type="application/json"[^>]*>).*?(</script>)', re.DOTALL)
SHOWN = {Status.UNTESTED, Status.UNDOCUMENTED, Status.DEMONSTRATED}


def asked(*controls: str, told: tuple[str, ...] = (), blocking: bool = False) -> Questionnaire:
    """One question that rests on these controls."""
    question = questions.Question("Q01", "What stops it?", "the stop.", Origin.SEED, controls, told, blocking)
    return Questionnaire("psf-agentic", (question,))


def answer(*statuses: Status, rows: Findings | None = None, blocking: bool = False, **lists: Findings) -> Answer:
    """The answer that rests on a control of each of these statuses; each shows the same rows."""
    shown = samples.findings(samples.finding("usd limit", "config/gateway.yaml", "/limits/0")) if rows is None else rows
    controls = [
        samples.control(f"SPEND-{number:02}", "Ceiling", Severity.BLOCKING, status, "because", shows=shown, **lists)
        for number, status in enumerate(statuses, 1)
    ]
    ids = [control.id for control in controls]
    (given_,) = questions.answers(samples.assessment(controls), asked(*ids, blocking=blocking))
    return given_


def by_id(assessment: Assessment) -> dict[str, Answer]:
    return {one.question.id: one for one in questions.answers(assessment)}


# ----------------------------------------------------------------------------------------------------------- the data


def test_the_questions_name_controls_of_the_newest_rubric_and_only_these() -> None:
    newest = rubric.load(rubric.locate(f"{questionnaire().rubric}@1"))
    known = {control.id for control in newest.controls}
    for question in questionnaire().questions:
        assert question.controls
        assert set(question.controls) <= known, question.id


def test_there_are_twenty_questions_three_of_them_in_the_words_of_the_seed() -> None:
    found = questionnaire().questions
    assert [question.id for question in found] == [f"Q{number:02}" for number in range(1, 21)]
    assert len({question.question for question in found}) == len(found)
    assert [question.id for question in found if question.origin is Origin.SEED] == ["Q01", "Q02", "Q03"]
    assert [question.id for question in found if question.blocking] == ["Q01", "Q02", "Q03"]
    assert all(question.question.endswith("?") and question.answer.endswith(".") for question in found)


def test_everything_that_can_be_told_is_told_by_some_question() -> None:
    named = {name for question in questionnaire().questions for name in question.told}
    assert named == questions._TOLD.keys()


# -------------------------------------------------------------------------------------------------------- standings


@pytest.mark.parametrize(
    ("statuses", "standing"),
    [
        ([Status.DEMONSTRATED], Standing.ANSWERED),
        ([Status.UNTESTED, Status.UNDOCUMENTED], Standing.ANSWERED),
        ([Status.DEMONSTRATED, Status.NOT_APPLICABLE], Standing.ANSWERED),
        ([Status.DEMONSTRATED, Status.MISSING], Standing.IN_PART),
        ([Status.UNTESTED, Status.UNKNOWN], Standing.IN_PART),
        ([Status.MISSING], Standing.NO_EVIDENCE),
        ([Status.UNKNOWN, Status.MISSING], Standing.NO_EVIDENCE),
        ([Status.DEMONSTRATED, Status.CONTRADICTED], Standing.CONTRADICTED),
        ([Status.NOT_APPLICABLE], Standing.DOES_NOT_ARISE),
        ([], Standing.NOT_ASSESSED),
    ],
)
def test_what_the_evidence_makes_of_a_question(statuses: list[Status], standing: Standing) -> None:
    assert answer(*statuses).standing is standing


@pytest.mark.parametrize("standing", list(Standing))
def test_an_answer_that_counts_is_one_that_names_evidence(standing: Standing) -> None:
    assert standing.vague is (standing in {Standing.CONTRADICTED, Standing.NO_EVIDENCE, Standing.NOT_ASSESSED})
    assert standing.label
    assert standing.meaning.endswith(".")


def test_an_artifact_without_a_date_answers_nothing() -> None:
    undated = samples.findings(samples.finding("usd limit", "of-no-register.yaml"))
    assert answer(Status.DEMONSTRATED, rows=undated).standing is Standing.NO_EVIDENCE
    dated = samples.findings(samples.finding("usd limit", "of-no-register.yaml", at="2026-11-20T10:00:00Z"))
    assert answer(Status.DEMONSTRATED, rows=dated).standing is Standing.ANSWERED


def test_the_manifest_and_a_row_without_a_file_are_no_artifact() -> None:
    at = "2026-11-20T10:00:00Z"
    manifest = samples.assessment([]).manifest
    for source in (None, manifest):
        rows = samples.findings(Finding("usd limit", at=at, source=source))
        assert answer(Status.DEMONSTRATED, rows=rows).standing is Standing.NO_EVIDENCE


def test_a_document_alone_answers_nothing() -> None:
    written = samples.findings(samples.finding("Runbook", "docs/oversight.md", at="2026-11-20T00:00:00Z"))
    assert answer(Status.DEMONSTRATED, rows=Findings(), documents=written).standing is Standing.NO_EVIDENCE


def test_a_test_counts_as_evidence_only_where_the_status_says_that_it_does() -> None:
    passed = samples.findings(
        samples.finding("attack", "evidence/drills.xml", at="2026-11-20T00:00:00Z", found="passed", expected="passed")
    )
    for status, standing in (
        (Status.UNTESTED, Standing.NO_EVIDENCE),
        (Status.UNDOCUMENTED, Standing.ANSWERED),
        (Status.DEMONSTRATED, Standing.ANSWERED),
    ):
        assert answer(status, rows=Findings(), tests=passed).standing is standing


def test_only_a_blocking_question_blocks_and_only_without_an_answer() -> None:
    assert answer(Status.MISSING, blocking=True).blocks
    assert answer(Status.CONTRADICTED, blocking=True).blocks
    assert answer(blocking=True).blocks
    assert not answer(Status.MISSING).blocks
    assert not answer(Status.UNTESTED, Status.MISSING, blocking=True).blocks


# -------------------------------------------------------------------------------------------------------------- words


def test_the_words_name_what_is_contradicted_and_what_is_not_shown() -> None:
    assert "contradicts SPEND-02" in answer(Status.DEMONSTRATED, Status.CONTRADICTED).words
    words = answer(Status.DEMONSTRATED, Status.MISSING, Status.UNKNOWN).words
    assert "Not shown: SPEND-02 missing, SPEND-03 unknown." in words
    assert "1 missing" in answer(Status.MISSING).words


@pytest.mark.parametrize("status", [Status.CONTRADICTED, Status.MISSING, Status.UNKNOWN])
def test_evidence_of_a_control_that_is_not_shown_is_not_said_to_show_it(status: Status) -> None:
    parts = {one.part for resting in answer(status).resting for one in resting.named}
    assert parts == {"in evidence, but does not suffice"}


def test_a_failed_test_is_named_as_one() -> None:
    tests = samples.findings(
        samples.finding("attack", "evidence/drills.xml", found="failed", expected="passed"),
        samples.finding("drill", "evidence/drills.xml", found="passed", expected="passed"),
    )
    (resting,) = answer(Status.CONTRADICTED, rows=Findings(), tests=tests).resting
    assert [(one.part, one.finding.what) for one in resting.named] == [
        ("test, which does not suffice", "drill"),
        ("test that did not pass", "attack"),
    ]


def test_rows_with_a_file_come_first_each_once_and_the_rest_is_counted() -> None:
    bare = Finding("a row without a file")
    rows = [samples.finding(f"limit {number}", "config/gateway.yaml") for number in range(4)]
    findings = samples.findings(bare, rows[0], rows[0], *rows[1:], count=12)
    (resting,) = answer(Status.UNTESTED, rows=findings).resting
    assert [one.finding for one in resting.named] == rows[:2]
    assert resting.more == 12 - 1 - 2  # one is there twice, two are named


def test_a_row_has_its_own_date_or_else_that_of_its_file() -> None:
    rows = samples.findings(
        samples.finding("a", "config/gateway.yaml"), samples.finding("b", "x.yaml", at="2026-11-19T10:00:00Z")
    )
    (resting,) = answer(Status.UNTESTED, rows=rows).resting
    collected = next(one.collected for one in samples.assessment([]).evidence if one.path == "config/gateway.yaml")
    assert [one.date for one in resting.named] == [collected, "2026-11-19"]
    assert questions.row_words(resting.named[0]).endswith(f"collected {collected}")
    assert questions.row_words(resting.named[1]).endswith("2026-11-19 10:00:00 UTC")
    (undated,) = answer(Status.UNTESTED, rows=samples.findings(samples.finding("c", "y.yaml"))).resting
    assert questions.row_words(undated.named[0]).endswith("no date")


def test_controls_that_the_rubric_does_not_have_are_said_to_be_absent() -> None:
    small = samples.assessment([samples.control("SPEND-01", "C", Severity.HIGH, Status.DEMONSTRATED, "r")])
    found = by_id(small)
    assert found["Q01"].absent == tuple(f"SPEND-{number:02}" for number in range(2, 8))
    assert found["Q02"].standing is Standing.NOT_ASSESSED
    shown = samples.findings(samples.finding("usd limit", "config/gateway.yaml"))
    one = samples.control("SPEND-01", "C", Severity.HIGH, Status.DEMONSTRATED, "r", shows=shown)
    part = by_id(samples.assessment([one]))["Q01"]
    assert part.standing is Standing.IN_PART
    assert "Not shown: SPEND-02 not assessed," in part.words
    away = samples.control("SPEND-01", "C", Severity.HIGH, Status.NOT_APPLICABLE, "r")
    assert by_id(samples.assessment([away]))["Q01"].standing is Standing.NO_EVIDENCE
    assert "has no SPEND-02" in questions.absent_words(found["Q01"], small)
    assert "SPEND-07" in question_forms.markdown(small)


def test_another_rubric_is_said_to_be_another() -> None:
    ready = samples.ready()
    assert (questions.other_rubric(ready) == "") is (ready.rubric.id == "psf-agentic")
    other = replace(ready, rubric=replace(ready.rubric, id="house-rules"))
    assert "house-rules@" in questions.other_rubric(other)
    assert "house-rules@" in question_forms.markdown(other)
    assert "house-rules@" in question_forms.html(other)


def test_a_waiver_is_named_beside_the_control_and_answers_nothing() -> None:
    use: WaiverUse = samples.waiver("SPEND-01", "matched", "in force")
    one = samples.control("SPEND-01", "C", Severity.HIGH, Status.MISSING, "nothing shows it", waiver=use)
    (found,) = questions.answers(samples.assessment([one]), asked("SPEND-01"))
    assert found.standing is Standing.NO_EVIDENCE
    assert questions.control_words(found.resting[0].control) == f"nothing shows it; waived until {use.expires}"


def test_what_was_not_computed_or_recorded_is_said_not_to_be_there() -> None:
    bare = replace(samples.ready(), exposure=None, activity=None, refresh_by=None, valid_until=None)
    told = {name: " ".join(words) for name, words in ((n, tuple(f(bare))) for n, f in questions._TOLD.items())}
    assert told["exposure"] == told["situations"] == "The exposure was not computed."
    assert "no log" in told["unattended"]
    assert "no log" in told["decisions"]
    assert "valid for no day" in told["void"]


def test_the_exposure_is_not_passed_off_as_that_of_an_hour() -> None:
    told = by_id(samples.small())["Q07"].told
    assert "not for an hour but for one launch" in told[0]


@given(assessment=assessments())
@settings(max_examples=60)
def test_no_answer_says_more_than_the_assessment(assessment: Assessment) -> None:
    for one in questions.answers(assessment):
        applicable = [r.control for r in one.resting if r.control.status is not Status.NOT_APPLICABLE]
        if one.standing is Standing.ANSWERED:
            assert {control.status for control in applicable} <= SHOWN
            assert not one.absent
        if any(control.status is Status.CONTRADICTED for control in applicable):
            assert one.standing is Standing.CONTRADICTED
        for resting in one.resting:
            if resting.control.status not in SHOWN:
                assert not resting.dated
                assert "shown by" not in {named.part for named in resting.named}


# -------------------------------------------------------------------------------------------------------------- forms

FORMS: dict[str, Callable[[Assessment], str]] = {"md": question_forms.markdown, "html": question_forms.html}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("sample", ["small", "hostile"])
def test_answers_are_as_they_were(sample: str, form: str, golden: Golden) -> None:
    text = FORMS[form]({"small": samples.small, "hostile": samples.hostile}[sample]())
    golden(f"questions/{sample}.{form}", bare(text))


def test_the_form_to_send_out_is_as_it_was(golden: Golden) -> None:
    golden("questions/blank.md", question_forms.blank_markdown())
    golden("questions/blank.html", bare(question_forms.blank_html()))


@pytest.mark.parametrize("form", list(FORMS))
def test_nothing_that_acts_survives_even_if_nobody_screened(form: str) -> None:
    visible = DATA.sub("", FORMS[form](samples.hostile()))
    assert {c for c in visible if unicodedata.category(c) in {"Cc", "Cs", "Cf"} and c != "\n"} == set()


@given(assessment=assessments())
@settings(max_examples=15)
def test_any_assessment_gives_the_same_text_twice(assessment: Assessment) -> None:
    for form in FORMS.values():
        text = form(assessment)
        assert text == form(assessment)
        text.encode()


def test_every_field_of_the_form_has_a_label_of_its_own() -> None:
    text = question_forms.blank_html()
    labels = re.findall(r'<label for="([^"]+)"', text)
    fields = re.findall(r'<(?:input|textarea) id="([^"]+)"', text)
    assert labels == fields
    assert len(set(fields)) == len(fields) == len(question_forms.FIELDS) + 2 * 20
    described = re.findall(r'aria-describedby="([^"]+)"', text)
    assert all(f'<h3 class="question" id="{name}"' in text for name in described)
