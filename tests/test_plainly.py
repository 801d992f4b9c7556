"""An assessment in plain words: the answer is that of the gate, the sum that of the exposure."""

from dataclasses import replace
from decimal import Decimal

import pytest

from psf_audit import gate, plainly
from psf_audit.errors import ExitCode
from psf_audit.exposure import Bound, Exposure, Outcome
from psf_audit.model import Assessment, Finding, Findings, Gate, Severity, Status, Verdict
from tests import samples

READY, NOT_READY = samples.ready(), samples.small()

FAILING = "3 of 5 domains fail, 3 of 6 blocking controls are not demonstrated and the evidence contradicts 1 control."


def waived(**given: object) -> Assessment:
    made = replace(READY, verdict=Verdict.READY_WITH_WAIVERS, waivers=NOT_READY.waivers[:1])
    return replace(made, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("assessment", "answer", "why"),
    [
        (READY, "Yes", "Every blocking control in every domain is demonstrated by the evidence."),
        (
            NOT_READY,
            "No",
            FAILING,
        ),
        (waived(gate=Gate(require=Verdict.READY_WITH_WAIVERS)), "Yes, with waivers",
         "It would not be ready without 1 waiver, signed for by M. Lindqvist."),
        (waived(), "No", f"The verdict is ready with waivers, but {gate.decide(waived()).reason}."),
        (replace(READY, verdict=Verdict.INCOMPLETE, deciding=()), "Cannot be told",
         "The evidence does not suffice: Nothing is proven to fail, but the evidence does not suffice to tell."),
        (replace(READY, evidence=()), "Cannot be told", "Nothing to audit: the manifest names no evidence."),
    ],
)  # fmt: skip
def test_the_answer_is_that_of_the_gate(assessment: Assessment, answer: str, why: str) -> None:
    assert plainly.go_live(assessment) == plainly.Told(answer, why)
    words = {ExitCode.READY: "Yes", ExitCode.GATE_NOT_MET: "No", ExitCode.CANNOT_ASSESS: "Cannot be told"}
    assert answer.startswith(words[gate.decide(assessment).code])


def test_what_fails_is_counted() -> None:
    controls = [
        samples.control(f"SPEND-0{number}", "t", Severity.BLOCKING, status, "r")
        for number, status in enumerate((Status.MISSING, Status.UNTESTED), 1)
    ]
    told = plainly.go_live(samples.assessment(controls)).why
    assert "none of 2 blocking controls is demonstrated" in told
    assert "contradicts" not in told


CLAIMED = " By its claims alone: over 50.00 USD."


@pytest.mark.parametrize(
    ("bound", "answer", "why"),
    [
        (samples.BOUNDED, "65.97 USD at most", "Before a human must look, in the worst situation (as declared)."),
        (Bound(Outcome.STOPPED, through=Decimal("50.009")), "Over 50.00 USD",
         "Before a human must look, in the worst situation (as declared); how far over is not known."),
        (Bound(Outcome.UNKNOWN), "Not known", Outcome.UNKNOWN.meaning),
        (Bound(Outcome.UNBOUNDED), "No limit", "Nothing that is shown to be enforced stops it."),
        (samples.UNBOUNDED, "No limit",
         "Nothing that is shown to be enforced stops it, up to 64.63 USD a day for as long as nobody looks."),
    ],
)  # fmt: skip
def test_the_sum_is_that_of_the_exposure(bound: Bound, answer: str, why: str) -> None:
    found = replace(READY, exposure=Exposure(samples.side(bound), samples.CLAIMED))
    assert plainly.cost(found) == plainly.Told(answer, why + CLAIMED)


def test_without_an_exposure_there_is_no_sum() -> None:
    assert plainly.cost(replace(READY, exposure=None)).answer == "Not worked out"


def test_what_was_spent_is_told_where_a_log_states_it() -> None:
    assert plainly.spent(NOT_READY) == "The log shows at least 2,304.00 USD spent in 1201 calls."
    assert plainly.spent(READY) == ""


def test_assessors_are_those_whom_the_manifest_names() -> None:
    assert plainly.assessors(READY) == "nobody is named"
    people = (("owner", "A"), ("assessor", "B"), ("assessor", "C"))
    assert plainly.assessors(replace(READY, deployment=replace(READY.deployment, people=people))) == "B, C"


def test_an_overlay_is_named_with_its_rubric() -> None:
    found = replace(READY, rubric=replace(READY.rubric, overlay="acme@1"))
    assert found.rubric.name == "psf-agentic@1.0.0 with acme@1"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Set a limit. Then test it.", "Set a limit."),
        ("Put it at 1.5 usd; drill it", "Put it at 1.5 usd."),
        ("one", "one."),
        ("", "."),
    ],
)
def test_the_first_sentence(text: str, first: str) -> None:
    assert plainly.first_sentence(text) == first


def test_history_is_in_order_of_time() -> None:
    (control, *_) = [one for one in NOT_READY.controls if one.id == "SPEND-01"]
    found = plainly.history(control, NOT_READY)
    assert [(row.at[:10], row.kind) for row in found.rows] == [
        ("2026-11-12", "tested, passed"),
        ("2026-11-13", "contradicted"),
        ("2026-11-20", "collected"),
        ("2026-11-20", "collected"),
        ("2026-11-21", "collected"),
    ]
    assert found.earlier == 0


def test_a_long_history_keeps_its_latest_and_counts_the_rest() -> None:
    rows = tuple(Finding(f"row {number}", at=f"2026-11-{number:02}T00:00:00Z") for number in range(1, 31))
    control = replace(READY.controls[0], shows=Findings(rows, 30), tests=Findings(), documents=Findings())
    found = plainly.history(control, READY)
    assert [row.what for row in found.rows] == [f"row {number}" for number in range(19, 31)]
    assert found.earlier == 18


def test_a_waiver_ends_in_the_history() -> None:
    (control,) = [one for one in NOT_READY.controls if one.waiver is not None]
    assert plainly.history(control, NOT_READY).rows[-1] == plainly.Dated(
        "2026-12-31", "waiver ends", "The reviewer starts in December.", None
    )


def test_every_status_and_verdict_is_in_the_glossary() -> None:
    terms = dict(pair for _, group in plainly.glossary() for pair in group)
    assert {status.label for status in Status} <= terms.keys()
    assert {verdict.label for verdict in Verdict} <= terms.keys()
    assert all(told.endswith(".") for told in terms.values())
