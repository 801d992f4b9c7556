"""From the answers of criteria to a status, a score, a verdict and a waiver: the order in which it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from psf_audit import assess
from psf_audit.model import ControlResult, DomainResult, Expiry, Rest, Severity, Status, Verdict
from psf_audit.query import Answer, Answers
from psf_audit.rubric import Domain, Rubric
from tests import samples
from tests.dossiers import (
    AS_OF,
    CLAIM,
    LOGGED,
    NONE,
    OTHER,
    SHOWN,
    SOURCE,
    STALE,
    ago,
    at,
    broken,
    control,
    document,
    gap,
    judged,
    rows,
    shown,
    status,
    tried,
)

# --------------------------------------------------------------------------------------------------- the order of steps

BREAK = {"breaks": broken()}
FAILED = {"tests": [tried("failed")]}
NOT_APPLIED = {"applies_when": NONE}
ABSENT = {"shows": NONE}
UNCOVERED = {"lacks": rows(Answer(None, "cloud.create"))}
UNHELD = {"gaps": [gap("events", "breaks")]}
UNTRIED: dict[str, Any] = {"tests": []}
UNWRITTEN: dict[str, Any] = {"documents": []}

# What decides, in this order; each step wins against everything after it.
STEPS: list[tuple[dict[str, Any], Status]] = [
    (BREAK, Status.CONTRADICTED),
    (FAILED, Status.CONTRADICTED),
    (NOT_APPLIED, Status.NOT_APPLICABLE),
    (ABSENT, Status.MISSING),
    (UNCOVERED, Status.MISSING),
    (UNHELD, Status.UNKNOWN),
    (UNTRIED, Status.UNTESTED),
    (UNWRITTEN, Status.UNDOCUMENTED),
    ({}, Status.DEMONSTRATED),
]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(9) for b in range(a, 9)])
def test_an_earlier_step_decides_whatever_later_steps_would_say(first: int, second: int) -> None:
    given = {**STEPS[second][0], **STEPS[first][0]}
    assert status(**given) is STEPS[first][1]


def test_all_that_is_wrong_at_once_is_contradicted() -> None:
    assert status(**BREAK, **FAILED, **NOT_APPLIED, **ABSENT, **UNCOVERED, **UNHELD, **UNWRITTEN) is Status.CONTRADICTED


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (BREAK, "the records contradict it: limit passed"),
        (FAILED, "the newest result of stops at the ceiling is a failure"),
        (NOT_APPLIED, "nothing declared or seen makes it apply"),
        (ABSENT, "no artifact shows it"),
        (ABSENT | {"documents": []}, "no artifact shows it"),
        (ABSENT | {"documents": [document()]}, "it is only written down; no artifact shows it"),
        (ABSENT | {"claims": rows(Answer(CLAIM, "usd limit"))}, "it is only claimed; no artifact shows it"),
        (UNCOVERED, "partly covered (usd limit), lacking: cloud.create"),
        (UNHELD, "present, but evidence that could show otherwise is lacking: cloud.json could not be read"),
        (UNTRIED, "present, but no test of it is at hand"),
        (UNWRITTEN, "tested, but no document covers it"),
        ({}, "present, tested, held by the records, and documented"),
    ],
)
def test_the_reason_says_what_decided(given: dict[str, Any], reason: str) -> None:
    defaults: dict[str, Any] = {"documents": []} if given == ABSENT else {}
    assert judged(**{**defaults, **given}).reason == reason


def test_a_reason_names_three_and_counts_the_rest() -> None:
    many = Answers(tuple(Answer(LOGGED, f"call {n}") for n in range(5)), 2_000_000)
    assert "call 0; call 1; call 2 and 1999997 more" in judged(breaks=many).reason


# -------------------------------------------------------------------------------------------------------- breaking rows


@pytest.mark.parametrize(
    ("absent", "carried", "gaps", "expected"),
    [
        (None, {"approval"}, [], Status.CONTRADICTED),
        (None, set(), [gap("events", "breaks")], Status.CONTRADICTED),
        ("events.approval", {"approval"}, [], Status.CONTRADICTED),
        ("events.approval", set(), [], Status.UNKNOWN),
        ("events.approval", {"approval"}, [gap("events.approval", "breaks")], Status.UNKNOWN),
        ("events.approval", {"approval"}, [gap("events", "breaks")], Status.UNKNOWN),
        ("events.approval", {"approval"}, [gap(None, "breaks")], Status.UNKNOWN),
        ("events.approval", {"approval"}, [gap("events.cost_usd")], Status.CONTRADICTED),
        ("records", {"approval"}, [], Status.CONTRADICTED),
        ("records", {"approval"}, [gap("records", "breaks")], Status.UNKNOWN),
    ],
)
def test_a_break_that_rests_on_an_absence_is_excused_by_what_could_hide_it(
    absent: str | None, carried: set[str], gaps: list[Any], expected: Status
) -> None:
    assert status(breaks=broken(absent), carried=frozenset(carried), gaps=gaps) is expected


def test_one_break_that_is_not_excused_suffices() -> None:
    both = rows(Answer(LOGGED, "no approval", absent="events.approval"), Answer(LOGGED, "ceiling passed"))
    result = judged(breaks=both, carried=frozenset())
    assert result.status is Status.CONTRADICTED
    assert result.reason.startswith("the records contradict it: ceiling passed")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (FAILED, Status.CONTRADICTED),
        (ABSENT, Status.MISSING),
        (UNCOVERED, Status.MISSING),
        (NOT_APPLIED, Status.UNKNOWN),
        (UNTRIED, Status.UNKNOWN),
        ({}, Status.UNKNOWN),
    ],
)
def test_an_excused_break_softens_nothing_that_is_proven(given: dict[str, Any], expected: Status) -> None:
    assert status(breaks=broken("events.approval"), carried=frozenset(), **given) is expected


# ------------------------------------------------------------------------------------- criteria that cannot be answered


@pytest.mark.parametrize(
    ("failing", "given", "expected"),
    [
        ("applies_when", {}, Status.UNKNOWN),
        ("claims", {}, Status.UNKNOWN),
        ("shows", {}, Status.UNKNOWN),
        ("lacks", {}, Status.UNKNOWN),
        ("breaks", {}, Status.UNKNOWN),
        ("shows", BREAK, Status.CONTRADICTED),
        ("shows", FAILED, Status.CONTRADICTED),
        ("breaks", FAILED, Status.CONTRADICTED),
        ("lacks", ABSENT, Status.MISSING),
        ("breaks", ABSENT, Status.MISSING),
        ("breaks", UNCOVERED, Status.MISSING),
        ("breaks", UNTRIED, Status.UNKNOWN),
        ("breaks", NOT_APPLIED, Status.UNKNOWN),
        ("shows", NOT_APPLIED, Status.NOT_APPLICABLE),
        ("lacks", UNWRITTEN, Status.UNKNOWN),
    ],
)
def test_a_criterion_without_an_answer_is_unknown_and_softens_nothing(
    failing: str, given: dict[str, Any], expected: Status
) -> None:
    assert status(**{**given, failing: Answers(failure="out of time")}) is expected


def test_the_reason_names_the_criterion_that_failed() -> None:
    reason = judged(breaks=Answers(failure="out of time")).reason
    assert reason == "the criterion breaks could not be answered: out of time"


# ---------------------------------------------------------------------------------------------------------------- shows


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (shown(SHOWN), Status.DEMONSTRATED),
        (shown(LOGGED), Status.DEMONSTRATED),
        (shown(STALE), Status.UNKNOWN),
        (shown(OTHER), Status.UNKNOWN),
        (shown(STALE, at_ms=at(ago(30))), Status.DEMONSTRATED),
        (shown(SHOWN, at_ms=at(ago(31))), Status.UNKNOWN),
        (shown(SHOWN, at_ms=at(AS_OF + timedelta(days=1))), Status.UNKNOWN),
        (rows(Answer(STALE, "old"), Answer(SHOWN, "new")), Status.DEMONSTRATED),
    ],
)
def test_what_shows_it_has_to_be_fresh_and_of_this_release(answers: Answers, expected: Status) -> None:
    assert status(shows=answers) is expected


@pytest.mark.parametrize(("ref", "why"), [(STALE, "older than 30 days"), (OTHER, "of another release")])
def test_it_says_why_nothing_fresh_shows_it(ref: int, why: str) -> None:
    assert why in judged(shows=shown(ref)).reason


@pytest.mark.parametrize(
    ("given", "touched", "expected"),
    [
        (NOT_APPLIED, "applies_when", Status.UNKNOWN),
        (NOT_APPLIED, "shows", Status.NOT_APPLICABLE),
        (ABSENT, "shows", Status.UNKNOWN),
        (ABSENT, "lacks", Status.MISSING),
        (ABSENT, "breaks", Status.MISSING),
        (UNCOVERED, "lacks", Status.UNKNOWN),
        (UNCOVERED, "shows", Status.MISSING),
        ({}, "breaks", Status.UNKNOWN),
        ({}, "tests", Status.UNKNOWN),
        ({}, "documents", Status.UNKNOWN),
        ({}, "shows", Status.DEMONSTRATED),
        ({}, "lacks", Status.UNKNOWN),
        (UNTRIED, "tests", Status.UNKNOWN),
        (UNWRITTEN, "documents", Status.UNKNOWN),
        (BREAK, "breaks", Status.CONTRADICTED),
        (FAILED, "tests", Status.CONTRADICTED),
    ],
)
def test_a_gap_counts_for_the_criterion_that_it_touches(given: dict[str, Any], touched: str, expected: Status) -> None:
    assert status(**given, gaps=[gap("a table", touched)]) is expected


@pytest.mark.parametrize("touched", ["shows", "lacks", "breaks", "tests", "documents"])
def test_a_gap_of_this_very_control_is_unknown_wherever_it_touches_it(touched: str) -> None:
    general = gap("a table", "shows")
    assert status(gaps=[general]) is Status.DEMONSTRATED
    assert status(gaps=[general, gap("a table", touched, control="SPEND-01")]) is Status.UNKNOWN


# ---------------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Status.DEMONSTRATED),
        ({"at_ms": at(ago(90))}, Status.DEMONSTRATED),
        ({"at_ms": at(ago(91))}, Status.UNTESTED),
        ({"at_ms": None}, Status.UNTESTED),
        ({"bound": False}, Status.UNTESTED),
        ({"adversarial": False}, Status.UNTESTED),
        ({"adversarial": None}, Status.UNTESTED),
        ({"link": "manifest"}, Status.UNTESTED),
        ({"outcome": "skipped"}, Status.UNTESTED),
        ({"outcome": "error"}, Status.UNTESTED),
        ({"outcome": "inconclusive"}, Status.UNTESTED),
        ({"basis": "record"}, Status.UNTESTED),
        ({"basis": "record", "run": "run-unseen"}, Status.UNTESTED),
        ({"basis": "record", "run": "run-seen"}, Status.DEMONSTRATED),
        ({"outcome": "failed"}, Status.CONTRADICTED),
        ({"outcome": "failed", "adversarial": False}, Status.CONTRADICTED),
        ({"outcome": "failed", "link": "manifest"}, Status.CONTRADICTED),
        ({"outcome": "failed", "at_ms": at(ago(400))}, Status.CONTRADICTED),
        ({"outcome": "failed", "bound": False}, Status.UNTESTED),
    ],
)
def test_what_counts_as_a_test_of_a_blocking_attackable_control(given: dict[str, Any], expected: Status) -> None:
    assert status(tests=[tried(**{"outcome": "passed", **given})]) is expected


@pytest.mark.parametrize(
    ("severity", "adversarial", "given", "expected"),
    [
        (Severity.HIGH, True, {"link": "manifest"}, Status.DEMONSTRATED),
        (Severity.HIGH, True, {"adversarial": False}, Status.UNTESTED),
        (Severity.HIGH, True, {"basis": "record"}, Status.UNTESTED),
        (Severity.HIGH, False, {"adversarial": False}, Status.DEMONSTRATED),
        (Severity.MEDIUM, False, {"basis": "record", "link": "manifest"}, Status.DEMONSTRATED),
        (Severity.BLOCKING, False, {"basis": "record", "adversarial": None}, Status.DEMONSTRATED),
        (Severity.BLOCKING, False, {"link": "manifest"}, Status.UNTESTED),
    ],
)
def test_the_rules_follow_severity_and_whether_it_can_be_attacked(
    severity: Severity, adversarial: bool, given: dict[str, Any], expected: Status
) -> None:
    own = control(severity=severity, adversarial=adversarial)
    assert status(control=own, tests=[tried(**given)]) is expected


OLD, NEW = at(ago(10)), at(ago(5))


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ({}, {}, Status.DEMONSTRATED),
        ({"outcome": "failed"}, {}, Status.DEMONSTRATED),
        ({}, {"outcome": "failed"}, Status.CONTRADICTED),
        ({}, {"outcome": "skipped"}, Status.UNTESTED),
        ({}, {"outcome": "error"}, Status.UNTESTED),
        ({}, {"outcome": "inconclusive"}, Status.UNTESTED),
        ({"outcome": "failed"}, {"outcome": "skipped"}, Status.CONTRADICTED),
        ({"outcome": "failed"}, {"outcome": "error"}, Status.CONTRADICTED),
        ({"outcome": "failed"}, {"bound": False}, Status.CONTRADICTED),
        ({}, {"outcome": "failed", "bound": False}, Status.UNTESTED),
        ({}, {"bound": False}, Status.DEMONSTRATED),
        ({}, {"adversarial": False}, Status.DEMONSTRATED),
        ({}, {"link": "manifest"}, Status.DEMONSTRATED),
        ({"outcome": "failed"}, {"adversarial": False}, Status.UNTESTED),
    ],
)
def test_of_two_results_of_one_test_the_newer_decides(
    older: dict[str, Any], newer: dict[str, Any], expected: Status
) -> None:
    two = [tried(**{"at_ms": OLD, "ref": 100, **older}), tried(**{"at_ms": NEW, "ref": 101, **newer})]
    assert status(tests=two) is expected
    assert status(tests=two[::-1]) is expected


@pytest.mark.parametrize(
    ("outcome", "expected"), [("failed", Status.CONTRADICTED), ("skipped", Status.UNTESTED), ("error", Status.UNTESTED)]
)
def test_of_results_at_the_same_time_the_worse_decides(outcome: str, expected: Status) -> None:
    both = [tried(ref=100), tried(outcome, ref=101)]
    assert status(tests=both) is expected
    assert status(tests=both[::-1]) is expected


def test_results_of_other_tests_do_not_clear_a_failure() -> None:
    for other in ({"name": "another"}, {"suite": "nightly"}):
        assert status(tests=[tried("failed", at_ms=OLD), tried(at_ms=NEW, **other)]) is Status.CONTRADICTED


def test_one_test_that_counts_suffices() -> None:
    skipped = tried("skipped", name="another")
    assert status(tests=[skipped, tried()]) is Status.DEMONSTRATED


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"outcome": "skipped"}, "the newest result of stops at the ceiling is skipped"),
        ({"bound": False}, "does not name this release"),
        ({"at_ms": None}, "has no date"),
        ({"at_ms": at(ago(91))}, "is older than the rubric allows"),
        ({"adversarial": False}, "does not try to defeat it"),
        ({"link": "manifest"}, "only the manifest says that"),
        ({"basis": "record"}, "names no run in a log that somebody other than the agent wrote"),
        ({"name": None, "bound": False}, "the test does not name this release"),
    ],
)
def test_it_says_why_no_test_counts(given: dict[str, Any], why: str) -> None:
    assert why in judged(tests=[tried(**given)]).reason


# ------------------------------------------------------------------------------------------------------------ documents


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Status.DEMONSTRATED),
        ({"owner": None}, Status.UNDOCUMENTED),
        ({"owner": ""}, Status.UNDOCUMENTED),
        ({"reviewed_ms": None}, Status.UNDOCUMENTED),
        ({"reviewed_ms": at(ago(180))}, Status.DEMONSTRATED),
        ({"reviewed_ms": at(ago(181))}, Status.UNDOCUMENTED),
        ({"reviewed_ms": at(AS_OF + timedelta(days=1))}, Status.UNDOCUMENTED),
    ],
)
def test_a_document_has_an_owner_and_a_fresh_review(given: dict[str, Any], expected: Status) -> None:
    assert status(documents=[document(**given)]) is expected
    assert status(documents=[document(**given), document()]) is Status.DEMONSTRATED


# ---------------------------------------------------------------------------------------------- what the result carries


def test_every_row_carries_where_it_comes_from() -> None:
    result = judged(shows=shown(SHOWN, found=Decimal("50.500000000"), unit="usd", at_ms=at(ago(3))))
    (row,) = result.shows.rows
    assert (row.found, row.unit, row.at, row.source) == ("50.5", "usd", "2026-11-19T12:00:00Z", SOURCE)
    assert result.tests.rows[0].found == "passed"
    assert result.documents.rows[0].what == "Runbook, owner R. Okafor"


def test_lists_are_bounded_and_say_how_many_there_are() -> None:
    many = Answers(tuple(Answer(LOGGED, f"call {n}") for n in range(assess.MAX_ROWS + 20)), 5_000)
    result = judged(breaks=many)
    assert (len(result.breaks.rows), result.breaks.count) == (assess.MAX_ROWS, 5_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), (True, "yes"), (False, "no"), (0.1, "0.1"), (Decimal("50.000000000"), "50"), (7, "7"),
        (Decimal("1E+2"), "100"), ("words", "words"),
    ],
)  # fmt: skip
def test_values_are_plain_text(value: object, text: str | None) -> None:
    assert assess.plain(value) == text


@pytest.mark.parametrize(
    ("events", "breaks", "noted"), [(False, "events", True), (True, "events", False), (False, "records", False)]
)
def test_what_was_never_exercised_is_said_and_does_not_block(events: bool, breaks: str, noted: bool) -> None:
    result = judged(has_events=events, control=control(breaks=breaks))
    assert result.status is Status.DEMONSTRATED
    assert bool(result.notes) is noted


# ---------------------------------------------------------------------------------------------------- how long it holds


def test_a_judgement_holds_until_the_first_piece_runs_out() -> None:
    assert judged().valid_until == AS_OF + timedelta(days=20)  # the configuration: 30 days, 10 old
    assert judged(tests=[tried(at_ms=at(ago(85)))]).valid_until == AS_OF + timedelta(days=5)
    assert judged(documents=[document(reviewed_ms=at(ago(179)))]).valid_until == AS_OF + timedelta(days=1)


def test_of_pieces_that_show_the_same_the_youngest_decides() -> None:
    two = rows(Answer(SHOWN, "new"), Answer(SHOWN, "old", at_ms=at(ago(29))))
    assert judged(shows=two).valid_until == AS_OF + timedelta(days=20)


def test_logs_ask_to_be_refreshed_and_do_not_expire() -> None:
    result = judged(shows=shown(LOGGED), tests=[tried()], documents=[document()])
    assert result.refresh_by == AS_OF - timedelta(days=10)
    assert result.valid_until == AS_OF + timedelta(days=85)


@pytest.mark.parametrize("given", [BREAK, ABSENT, NOT_APPLIED, UNHELD])
def test_what_is_not_evident_has_no_end(given: dict[str, Any]) -> None:
    assert judged(**given).valid_until is None


def test_the_whole_holds_at_most_180_days_and_no_longer_than_a_matched_waiver() -> None:
    late = replace(judged(), expiries=(Expiry(date(2028, 1, 1), Rest.TEST, "drill"),))
    uses = [samples.waiver("SPEND-01", "matched", "covers it", expires="2026-12-01")]
    assert assess.valid_until([late], [], AS_OF) == AS_OF + timedelta(days=180)
    assert assess.valid_until([late], uses, AS_OF) == date(2026, 12, 1)
    assert assess.valid_until([late], [samples.waiver("SPEND-01", "unused", "", expires="2026-12-01")], AS_OF) == (
        AS_OF + timedelta(days=180)
    )
    assert assess.valid_until([judged(**ABSENT)], uses, AS_OF) is None


# --------------------------------------------------------------------------------------------------------------- scores


def result(
    status_: Status, severity: Severity = Severity.BLOCKING, id_: str = "SPEND-01", **given: Any
) -> ControlResult:
    return samples.control(id_, "t", severity, status_, "r", **given)


@pytest.mark.parametrize(
    ("statuses", "score"),
    [
        ([], None),
        ([(Status.NOT_APPLICABLE, Severity.BLOCKING)], None),
        ([(Status.DEMONSTRATED, Severity.BLOCKING)], Fraction(1)),
        ([(Status.UNDOCUMENTED, Severity.BLOCKING)], Fraction(2, 3)),
        ([(Status.UNTESTED, Severity.MEDIUM)], Fraction(1, 3)),
        ([(Status.UNKNOWN, Severity.HIGH)], Fraction(0)),
        ([(Status.MISSING, Severity.HIGH)], Fraction(0)),
        ([(Status.CONTRADICTED, Severity.HIGH)], Fraction(0)),
        ([(Status.DEMONSTRATED, Severity.BLOCKING), (Status.UNTESTED, Severity.HIGH)], Fraction(11, 15)),
        ([(Status.DEMONSTRATED, Severity.MEDIUM), (Status.MISSING, Severity.BLOCKING)], Fraction(1, 4)),
        ([(Status.DEMONSTRATED, Severity.HIGH), (Status.NOT_APPLICABLE, Severity.BLOCKING)], Fraction(1)),
        ([(Status.DEMONSTRATED, Severity.HIGH), (Status.UNKNOWN, Severity.BLOCKING)], Fraction(2, 5)),
    ],
)
def test_a_score_is_an_exact_share_of_the_weight_that_applies(
    statuses: list[tuple[Status, Severity]], score: Fraction | None
) -> None:
    assert assess.domain_score([result(one, severity) for one, severity in statuses]) == score


@pytest.mark.parametrize(
    ("statuses", "share"),
    [
        ([], Fraction(0)),
        ([(Status.NOT_APPLICABLE, Severity.HIGH)], Fraction(0)),
        ([(Status.MISSING, Severity.HIGH)], Fraction(1)),
        ([(Status.UNKNOWN, Severity.BLOCKING), (Status.CONTRADICTED, Severity.HIGH)], Fraction(2, 5)),
        ([(Status.UNKNOWN, Severity.MEDIUM), (Status.NOT_APPLICABLE, Severity.BLOCKING)], Fraction(0)),
    ],
)
def test_coverage_is_the_share_that_could_be_evaluated(
    statuses: list[tuple[Status, Severity]], share: Fraction
) -> None:
    assert assess.coverage([result(one, severity) for one, severity in statuses]) == share


# -------------------------------------------------------------------------------------------------- domains and verdict

B, H, M = Severity.BLOCKING, Severity.HIGH, Severity.MEDIUM
OK = (B, Status.DEMONSTRATED)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], False),
        ([(H, Status.DEMONSTRATED)], False),
        ([(B, Status.NOT_APPLICABLE)], False),
        ([OK], True),
        ([OK, (B, Status.NOT_APPLICABLE)], True),
        *[([OK, (B, one)], False) for one in Status if one.is_gap],
        *[([OK, (H, one)], False) for one in (Status.CONTRADICTED, Status.MISSING, Status.UNKNOWN)],
        *[([OK, (H, one)], True) for one in (Status.UNTESTED, Status.UNDOCUMENTED, Status.NOT_APPLICABLE)],
        ([OK, (M, Status.CONTRADICTED)], False),
        *[([OK, (M, one)], True) for one in Status if one is not Status.CONTRADICTED],
    ],
)
def test_when_a_domain_passes(statuses: list[tuple[Severity, Status]], expected: bool) -> None:
    assert assess.passes(statuses) is expected


def domain(*controls: ControlResult, id_: str = "spend") -> DomainResult:
    passed = assess.passes([(one.severity, one.status) for one in controls])
    return DomainResult(id_, id_.title(), passed, assess.domain_score(controls), controls)


def waived(status_: Status, severity: Severity = B) -> ControlResult:
    return result(status_, severity, waiver=samples.waiver("SPEND-01", "matched", "covers it"))


GOOD = domain(result(Status.DEMONSTRATED), id_="readiness")


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ([], Verdict.NOT_READY),
        ([GOOD], Verdict.READY),
        ([GOOD, domain()], Verdict.NOT_READY),
        ([GOOD, domain(result(Status.MISSING))], Verdict.NOT_READY),
        ([GOOD, domain(waived(Status.MISSING))], Verdict.READY_WITH_WAIVERS),
        ([GOOD, domain(waived(Status.UNTESTED), result(Status.DEMONSTRATED, H))], Verdict.READY_WITH_WAIVERS),
        ([GOOD, domain(waived(Status.MISSING), result(Status.MISSING))], Verdict.NOT_READY),
        ([GOOD, domain(result(Status.UNKNOWN))], Verdict.INCOMPLETE),
        ([GOOD, domain(result(Status.UNKNOWN)), domain(waived(Status.MISSING))], Verdict.INCOMPLETE),
        ([GOOD, domain(result(Status.UNKNOWN), result(Status.MISSING))], Verdict.NOT_READY),
        ([GOOD, domain(result(Status.UNKNOWN)), domain(result(Status.UNTESTED))], Verdict.NOT_READY),
        ([GOOD, domain(result(Status.UNKNOWN)), domain(result(Status.NOT_APPLICABLE))], Verdict.NOT_READY),
        ([GOOD, domain(result(Status.DEMONSTRATED), result(Status.UNKNOWN, M))], Verdict.READY),
        ([GOOD, domain(result(Status.DEMONSTRATED), waived(Status.MISSING, M))], Verdict.READY),
        ([domain(waived(Status.UNTESTED), result(Status.CONTRADICTED, M))], Verdict.NOT_READY),
    ],
)
def test_the_verdict(domains: Sequence[DomainResult], expected: Verdict) -> None:
    assert assess.verdict(domains) is expected


@pytest.mark.parametrize("other", [one for one in Status if one not in {Status.CONTRADICTED, Status.NOT_APPLICABLE}])
@pytest.mark.parametrize("failing", [Status.CONTRADICTED, Status.MISSING, Status.UNTESTED, Status.UNDOCUMENTED])
def test_an_unknown_beside_a_failure_never_softens_it(failing: Status, other: Status) -> None:
    before = assess.verdict([domain(result(failing), result(other))])
    after = assess.verdict([domain(result(failing), result(Status.UNKNOWN))])
    assert before is after is Verdict.NOT_READY


def test_deciding_names_each_domain_that_does_not_pass() -> None:
    held = [result(Status.MISSING, id_=f"SPEND-0{n}") for n in range(1, 6)]
    sentences = assess.deciding([GOOD, domain(*held), domain(result(Status.DEMONSTRATED, M))])
    assert sentences == (
        "Spend: SPEND-01 missing, SPEND-02 missing, SPEND-03 missing and 2 more",
        "Spend: no blocking control applies",
    )


@pytest.mark.parametrize(
    ("severity", "status_", "named"),
    [
        (H, Status.UNTESTED, False),
        (H, Status.MISSING, True),
        (M, Status.MISSING, False),
        (M, Status.CONTRADICTED, True),
        (B, Status.UNDOCUMENTED, True),
        (B, Status.NOT_APPLICABLE, False),
    ],
)
def test_deciding_names_only_what_holds_the_domain_back(severity: Severity, status_: Status, named: bool) -> None:
    sentences = assess.deciding([domain(result(Status.MISSING), result(status_, severity, "SPEND-02"))])
    assert ("SPEND-02" in sentences[0]) is named


def test_domains_are_those_of_the_rubric_in_its_order() -> None:
    rubric = Rubric(
        identity=samples.RUBRIC, domains=(Domain("b", "B"), Domain("spend", "S")), controls=(), waiver_max_days=1
    )
    made = assess.domains(rubric, [result(Status.DEMONSTRATED)])
    assert [(one.id, one.passes, len(one.controls)) for one in made] == [("b", False, 0), ("spend", True, 1)]
