from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from psf_audit import rendering
from psf_audit.compare import compare
from psf_audit.exposure import Bound, CapabilityBound, Exposure, Outcome, Side, Situation, SituationBound
from psf_audit.model import ControlResult, Finding, Findings, Gate, Remedy, Severity, Status, Verdict
from tests import samples


def _order(*made: tuple[Severity, Status, str | None]) -> list[str]:
    controls = [
        samples.control(f"SPEND-{number:02}", "t", severity, status, "r", remedy=Remedy("do", {}, effort))
        for number, (severity, status, effort) in enumerate(made, 1)
    ]
    return [control.id.removeprefix("SPEND-") for control in rendering.next_steps(samples.assessment(controls))]


def test_severity_comes_first_then_effort_then_status_then_the_rubric() -> None:
    blocking, high, medium = Severity.BLOCKING, Severity.HIGH, Severity.MEDIUM
    first = (medium, Status.CONTRADICTED, None), (high, Status.MISSING, None), (blocking, Status.UNKNOWN, None)
    assert _order(*first) == ["03", "02", "01"]
    urgency = (Status.UNKNOWN, Status.UNDOCUMENTED, Status.UNTESTED, Status.MISSING, Status.CONTRADICTED)
    assert _order(*((high, status, None) for status in urgency)) == ["05", "04", "03", "02", "01"]
    assert _order(*((high, Status.MISSING, effort) for effort in (None, "weeks", "days", "hours", "hours"))) == [
        "04", "05", "03", "02", "01",
    ]  # fmt: skip
    assert _order((high, Status.CONTRADICTED, "days"), (high, Status.UNKNOWN, "hours")) == ["02", "01"]
    assert _order((high, Status.DEMONSTRATED, None), (high, Status.NOT_APPLICABLE, None)) == []


def _bounds(**bounds: Bound) -> Exposure:
    worst = Bound(Outcome.UNBOUNDED)
    own = tuple(CapabilityBound(name, bound) for name, bound in bounds.items())
    enforced = Side(tuple(SituationBound(situation, worst, own) for situation in Situation))
    return Exposure(enforced, enforced)


def _lacking(id_: str, *names: str, severity: Severity = Severity.HIGH, effort: str = "days") -> ControlResult:
    lacks = Findings(tuple(Finding(f"{name} has no ceiling") for name in names), len(names))
    return samples.control(id_, "t", severity, Status.MISSING, "r", lacks=lacks, remedy=Remedy("do", {}, effort))


def test_what_leaves_the_dearest_open_comes_before_what_is_less_work() -> None:
    exposure = _bounds(
        vm=Bound(Outcome.UNBOUNDED, a_day=Decimal(300)),
        model=Bound(Outcome.UNBOUNDED, a_day=Decimal(10)),
        mail=Bound(Outcome.BOUNDED, total=Decimal(9000)),
        dns=Bound(Outcome.UNKNOWN),
    )
    controls = [
        _lacking("SPEND-01", "mail", "other", effort="hours"),
        _lacking("SPEND-02", "model"),
        _lacking("SPEND-03", "vm"),
        _lacking("SPEND-04", "model", "vm"),
        _lacking("SPEND-05", "vm", effort="hours"),
        _lacking("SPEND-06", "vmware", effort="hours"),
        _lacking("SPEND-07", severity=Severity.BLOCKING, effort="weeks"),
        _lacking("SPEND-08", "dns"),
    ]
    order = [control.id[-2:] for control in rendering.next_steps(samples.assessment(controls, exposure=exposure))]
    assert order == ["07", "04", "05", "03", "02", "08", "01", "06"]
    assert rendering.open_words(controls[3], exposure) == "vm, model"
    assert [rendering.open_words(control, exposure) for control in (controls[0], controls[5])] == ["", ""]
    assert rendering.open_words(controls[3], None) == ""


def test_many_names_are_counted() -> None:
    exposure = _bounds(**{name: Bound(Outcome.UNBOUNDED) for name in "abcde"})
    assert rendering.open_words(_lacking("SPEND-01", *"abcde"), exposure) == "a, b, c and 2 more"


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_sentence_and_a_symbol_of_its_own(status: Status) -> None:
    assert rendering.meaning(status).endswith(".")
    assert [rendering.symbol(other) for other in Status].count(rendering.symbol(status)) == 1


def test_every_verdict_has_a_symbol_of_its_own() -> None:
    assert len({rendering.verdict_symbol(verdict) for verdict in Verdict}) == len(Verdict)


def test_all_statuses_are_listed_once() -> None:
    assert sorted(rendering.STATUSES) == sorted(Status)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding("w", found="61.2", expected="50", unit="usd"), "found 61.2, expected 50 (usd)"),
        (Finding("w", found="50", unit="pause"), "50 (pause)"),
        (Finding("w", expected="50"), "expected 50"),
        (Finding("w", unit="seconds"), ""),
        (Finding("w"), ""),
    ],
)
def test_quantities(finding: Finding, expected: str) -> None:
    assert rendering.quantities(finding) == expected


def test_a_place_is_a_file_and_where_in_it() -> None:
    assert rendering.place(samples.source("a.yaml", "/x/0")) == "a.yaml#/x/0"
    assert rendering.place(samples.source("a.jsonl", "line 3")) == "a.jsonl, line 3"
    assert rendering.place(samples.source("a.md")) == "a.md"


def test_numbers_dates_and_digests() -> None:
    assert rendering.percentage(Fraction(2, 3)) == "66%"
    assert rendering.percentage(None) == "no score"
    assert rendering.day(date(2026, 1, 2)) == "2026-01-02"
    assert rendering.day(None, "never") == "never"
    assert rendering.short("sha256:0123456789abcdef") == "0123456789ab"
    assert rendering.short(None) == "no digest"
    assert rendering.moment("2026-11-13T02:10:44Z") == "2026-11-13 02:10:44 UTC"
    assert rendering.moment("2026-11-13T00:00:00Z") == "2026-11-13"
    assert rendering.moment("yesterday") == "yesterday"
    assert [rendering.size(count) for count in (1, 999, 1843, 48_112_004, 2**31)] == [
        "1 byte", "999 bytes", "1.7 KiB", "45.8 MiB", "2 GiB",
    ]  # fmt: skip


def test_the_first_evidence_fits_the_status() -> None:
    found = {control.id: rendering.first_evidence(control) for control in samples.small().controls}
    named = {id_: row.what if row else None for id_, row in found.items()}
    assert named["SPEND-01"] == "usd limit for each session passed by run-7f"
    assert named["SPEND-02"] == "cloud.create_stack"
    assert named["CHECK-01"] == "test_gate (test)"
    assert named["BOUND-05"] == "evidence/plan.json is not JSON: Expecting value (line 1)"
    assert named["READY-06"] is None


def test_of_a_contradicting_test_the_failure_is_shown() -> None:
    tests = Findings(
        (Finding("a", found="passed", expected="passed"), Finding("b", found="failed", expected="passed")), 2
    )
    control = samples.control("SPEND-01", "t", Severity.HIGH, Status.CONTRADICTED, "r", tests=tests)
    row = rendering.first_evidence(control)
    assert row is not None
    assert row.what == "b"


def test_gate_words() -> None:
    wanted = Gate(require=Verdict.READY_WITH_WAIVERS, min_score=80, fail_on=(Status.UNKNOWN, Status.MISSING))
    assert rendering.gate_words(wanted) == (
        "verdict ready with waivers, coverage at least 100%, score at least 80%, no control unknown or missing"
    )


def test_the_gate_says_why_only_where_nothing_else_does() -> None:
    assert rendering.gate_result(samples.small()) == "not met (exit code 1)"
    assert rendering.gate_result(samples.ready()) == "met (exit code 0)"
    nothing = replace(samples.small(), evidence=())
    assert rendering.gate_result(nothing).startswith("cannot be decided (exit code 3): nothing to audit")


def test_waivers_are_told_at_the_top() -> None:
    assert rendering.waiver_notice(samples.ready()) is None
    assert "CHECK-04" in str(rendering.waiver_notice(samples.small()))
    assert "ignored" in str(rendering.waiver_notice(replace(samples.small(), waivers_ignored=True)))


def test_scores_of_different_scoring_have_no_difference() -> None:
    small, ready = samples.small(), samples.ready()
    assert rendering.score_change(compare(small, ready)) == "14% → 100%, +86 points"
    assert rendering.score_change(compare(small, small)) == "14%, unchanged"
    other = replace(ready, rubric=replace(ready.rubric, scoring_digest="sha256:" + "8" * 64))
    told = rendering.score_change(compare(small, other))
    assert "+86" not in told
    assert "no difference is given" in told
    assert "777777777777 and 888888888888" in told


def test_a_difference_too_small_to_see_is_no_unchanged() -> None:
    assert rendering.share_change(Fraction(141, 1000), Fraction(149, 1000), 0) == "14% → 14%, less than one point"
    assert rendering.share_change(Fraction(1, 100), Fraction(2, 100), 1) == "1% → 2%, +1 point"
    assert rendering.share_change(None, Fraction(1, 2), None) == "no score → 50%"


def test_what_is_hidden_is_not_resolved() -> None:
    small = samples.small()
    gone = samples.assessment([control for control in small.controls if control.id != "SPEND-01"])
    (change,) = [change for change in compare(small, gone).controls if change.id == "SPEND-01"]
    assert rendering.control_change(change) == "contradicted → absent, not resolved"


def test_long_lists_are_cut_and_counted() -> None:
    rows = tuple(Finding(f"row {number}") for number in range(100))
    assert rendering.first_rows(Findings(rows, 5_000)) == Findings(rows[:25], 5_000)
    assert rendering.more_rows(Findings(rows, 5_000)) == "and 4975 more"
    assert rendering.more_rows(Findings(rows[:25], 25)) == ""
