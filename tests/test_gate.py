"""From an assessment to the exit code: which objection comes first, and that none is ever lost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from psf_audit.errors import ExitCode
from psf_audit.gate import decide
from psf_audit.model import Assessment, Gate, Severity, Status, Verdict
from tests import samples

READY = samples.ready()


def decided(**given: Any) -> tuple[int, str]:
    """Exit code and reason for the ready sample with what is given put in place."""
    decision = decide(replace(READY, **given))
    return decision.code.value, decision.reason


def assessed(verdict: Verdict, coverage: Fraction, *, evidence: bool = True, readable: bool = True) -> Assessment:
    entries = samples.EVIDENCE[:4] if readable else samples.EVIDENCE
    return replace(
        READY, verdict=verdict, coverage=coverage, evidence=entries if evidence else (), deciding=("Spend: x",)
    )


def test_ready_is_zero() -> None:
    assert decided() == (0, "Every blocking control in every domain is demonstrated by the evidence")


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"verdict": Verdict.NOT_READY, "deciding": ("Spend: SPEND-01 missing",)}, 1, "Spend: SPEND-01 missing"),
        ({"verdict": Verdict.NOT_READY, "deciding": ("Spend: a", "B: b", "C: c")}, 1, "Spend: a; and 2 other domains"),
        ({"verdict": Verdict.NOT_READY, "deciding": ()}, 1, "The evidence shows that at least one domain fails"),
        ({"verdict": Verdict.INCOMPLETE, "deciding": ("Spend: a",)}, 3, "the evidence does not suffice: Spend: a"),
        ({"verdict": Verdict.READY_WITH_WAIVERS}, 1, "it is ready only with waivers"),
        ({"evidence": ()}, 3, "nothing to audit"),
        ({"coverage": Fraction(99, 100)}, 3, "coverage 99 % is below the floor of 100 %"),
        ({"coverage": Fraction(9999, 10000)}, 3, "coverage 99 % is below the floor of 100 %"),
        ({"evidence": samples.EVIDENCE}, 3, "evidence/plan.json could not be read"),
        ({"score": Fraction(79, 100), "gate": Gate(min_score=80)}, 1, "score 79 % is below the floor of 80 %"),
        ({"score": Fraction(799, 1000), "gate": Gate(min_score=80)}, 1, "score 79 % is below the floor of 80 %"),
        ({"score": None, "gate": Gate(min_score=0)}, 3, "there is no score to hold against the floor"),
    ],
)
def test_each_reason_has_its_code(given: dict[str, Any], code: int, reason: str) -> None:
    found, why = decided(**given)
    assert found == code
    assert reason in why


@pytest.mark.parametrize(
    "given",
    [
        {"verdict": Verdict.READY_WITH_WAIVERS, "gate": Gate(require=Verdict.READY_WITH_WAIVERS)},
        {"gate": Gate(require=Verdict.READY_WITH_WAIVERS)},
        {"coverage": Fraction(1, 2), "gate": Gate(min_coverage=50)},
        {"coverage": Fraction(0), "gate": Gate(min_coverage=0)},
        {"score": Fraction(80, 100), "gate": Gate(min_score=80)},
        {"gate": Gate(fail_on=(Status.MISSING, Status.UNTESTED))},
    ],
)
def test_what_meets_the_gate(given: dict[str, Any]) -> None:
    assert decided(**given)[0] == 0


@pytest.mark.parametrize("status", [status for status in Status if status.is_gap])
def test_fail_on_finds_its_status_in_any_severity(status: Status) -> None:
    controls = [
        samples.control("SPEND-01", "t", Severity.BLOCKING, Status.DEMONSTRATED, "r"),
        samples.control("SPEND-02", "t", Severity.MEDIUM, status, "r"),
    ]
    made = replace(samples.assessment(controls), verdict=Verdict.READY, evidence=samples.EVIDENCE[:4])
    wanted = Gate(min_coverage=0, fail_on=(status,))
    decision = decide(replace(made, gate=wanted))
    assert (decision.code, decision.reason) == (ExitCode.GATE_NOT_MET, f"1 control {status.label}: SPEND-02")
    others = tuple(other for other in Status if other.is_gap and other is not status)
    assert decide(replace(made, gate=replace(wanted, fail_on=others))).code is ExitCode.READY


def test_a_proven_failure_comes_before_what_could_not_be_told() -> None:
    assert decide(assessed(Verdict.NOT_READY, Fraction(1, 10), readable=False)).code is ExitCode.GATE_NOT_MET


def test_without_evidence_nothing_is_proven() -> None:
    for verdict in Verdict:
        assert decide(assessed(verdict, Fraction(1), evidence=False)).code is ExitCode.CANNOT_ASSESS


GATES = [
    Gate(require, coverage, score, fail_on)
    for require, coverage, score, fail_on in product(
        (Verdict.READY, Verdict.READY_WITH_WAIVERS), (0, 50, 100), (None, 0, 100), ((), (Status.UNTESTED,))
    )
]
CASES = [
    assessed(verdict, coverage, evidence=evidence, readable=readable)
    for verdict, coverage, evidence, readable in product(
        Verdict, (Fraction(0), Fraction(1, 2), Fraction(1)), (True, False), (True, False)
    )
]


@pytest.mark.parametrize("gate", GATES)
def test_a_threshold_adds_to_the_verdict_and_never_replaces_it(gate: Gate) -> None:
    base = replace(gate, min_coverage=0, min_score=None, fail_on=())
    for case in CASES:
        without, with_it = decide(replace(case, gate=base)).code, decide(replace(case, gate=gate)).code
        assert without is ExitCode.READY or with_it is not ExitCode.READY, case.verdict
        # --exit-zero turns 1 into 0: a threshold must not make a 1 of what could not be assessed.
        assert without is not ExitCode.CANNOT_ASSESS or with_it is without, case.verdict


@pytest.mark.parametrize("gate", GATES)
def test_zero_needs_an_accepted_verdict_evidence_that_was_read_and_coverage(gate: Gate) -> None:
    for case in CASES:
        if decide(replace(case, gate=gate)).code is ExitCode.READY:
            assert case.verdict in {Verdict.READY, gate.require}
            assert case.evidence
            assert all(entry.readable for entry in case.evidence)
            assert case.coverage * 100 >= gate.min_coverage
