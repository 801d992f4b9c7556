from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.compare import (
    Comparison,
    ControlChange,
    EvidenceKind,
    Kind,
    WaiverKind,
    compare,
    kind_of,
    regression_gate,
    verdict_kind,
)
from psf_audit.errors import ExitCode
from psf_audit.gate import Decision
from psf_audit.model import Assessment, Findings, Status, Verdict
from tests import samples
from tests.compare_strategies import (
    EVALUATED,
    OTHER_RUBRIC,
    OTHER_SCORING,
    OTHER_WORDS,
    RUBRIC,
    any_assessments,
    assessment,
    assessments,
    control,
    entry,
    evaluated,
    finding,
    findings,
    pairs,
    shuffled,
    waiver,
)

# Down: before. Across: after. + improved, - regressed, ? incomparable, = unchanged.
STATUSES = """
                contradicted  missing  unknown  untested  undocumented  demonstrated  not_applicable
contradicted    =             +        ?        +         +             +             ?
missing         -             =        ?        +         +             +             ?
unknown         -             -        =        ?         ?             +             ?
untested        -             -        ?        =         +             +             ?
undocumented    -             -        -        -         =             +             ?
demonstrated    -             -        -        -         -             =             ?
not_applicable  -             -        -        -         -             ?             =
"""
VERDICTS = """
                    not_ready  incomplete  ready_with_waivers  ready
not_ready           =          ?           +                   +
incomplete          -          =           +                   +
ready_with_waivers  -          -           =                   +
ready               -          -           -                   =
"""
SIGNS = {"+": Kind.IMPROVED, "-": Kind.REGRESSED, "?": Kind.INCOMPARABLE, "=": Kind.UNCHANGED}


def cells(table: str) -> list[tuple[str, str, Kind]]:
    header, *lines = (line.split() for line in table.strip().splitlines())
    return [(line[0], after, SIGNS[sign]) for line in lines for after, sign in zip(header, line[1:], strict=True)]


def one(before: dict[str, Any], after: dict[str, Any]) -> ControlChange:
    """What became of one control."""
    made = compare(assessment(control(**before)), assessment(control(**after)))
    (change,) = made.controls
    return change


def by_id(made: Comparison) -> dict[str, ControlChange]:
    return {change.id: change for change in made.controls}


# --------------------------------------------------------------------------------------------------- status by status


@pytest.mark.parametrize(("before", "after", "kind"), cells(STATUSES))
def test_what_a_move_between_two_statuses_is(before: str, after: str, kind: Kind) -> None:
    assert kind_of(Status(before), Status(after)) is kind
    change = one({"status": Status(before)}, {"status": Status(after)})
    assert change.kind is kind
    assert (change.before, change.after) == (before, after)


def test_the_tables_are_complete() -> None:
    assert len(cells(STATUSES)) == len(Status) ** 2
    assert len(cells(VERDICTS)) == len(Verdict) ** 2


@pytest.mark.parametrize(("before", "after", "kind"), cells(VERDICTS))
def test_what_a_move_between_two_verdicts_is(before: str, after: str, kind: Kind) -> None:
    assert verdict_kind(Verdict(before), Verdict(after), same_scoring=True) is kind
    other = Kind.INCOMPARABLE if kind is Kind.IMPROVED else kind
    assert verdict_kind(Verdict(before), Verdict(after), same_scoring=False) is other


@pytest.mark.parametrize("after", [Status.UNKNOWN, Status.NOT_APPLICABLE])
@pytest.mark.parametrize("before", [Status.CONTRADICTED, Status.MISSING, Status.UNTESTED])
def test_a_gap_that_is_not_evaluated_is_not_resolved(before: Status, after: Status) -> None:
    made = compare(assessment(control(status=before)), assessment(control(status=after)))
    (change,) = made.controls
    assert change.kind is Kind.INCOMPARABLE
    assert change.unresolved
    assert made.unresolved == (change,)
    assert "not resolved" in change.because[0]
    assert any("SPEND-01" in note and "not resolved" in note for note in made.notes)


def test_a_gap_that_is_gone_is_not_resolved() -> None:
    made = compare(assessment(control(status=Status.MISSING)), assessment(control("AUDIT-01")))
    gone = by_id(made)["SPEND-01"]
    assert (gone.kind, gone.before, gone.after, gone.unresolved) == (Kind.GONE, Status.MISSING, None, True)
    assert gone.transition == "missing → absent"
    assert "not resolved" in gone.because[0]
    assert by_id(made)["AUDIT-01"].transition == "absent → demonstrated"


def test_what_was_met_and_is_gone_leaves_no_gap_behind() -> None:
    made = compare(assessment(control("AUDIT-01"), control("SPEND-01")), assessment(control("AUDIT-01")))
    gone = by_id(made)["SPEND-01"]
    assert (gone.kind, gone.unresolved, gone.because) == (Kind.GONE, False, ())


# --------------------------------------------------------------------------------------- worse within the same status


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        (Status.CONTRADICTED, {"breaks": findings("a")}, {"breaks": findings("b")}),
        (Status.CONTRADICTED, {"breaks": findings("a")}, {"breaks": findings("a", "b")}),
        (Status.CONTRADICTED, {"breaks": findings("a")}, {"breaks": findings("a", "a")}),
        (Status.CONTRADICTED, {"breaks": findings("a")}, {"breaks": findings("a"), "lacks": findings("c")}),
        (Status.CONTRADICTED, {"breaks": findings("a", count=300)}, {"breaks": findings("b", count=301)}),
        (Status.CONTRADICTED, {"tests": findings("t")}, {"tests": Findings((finding("t", "failed"),), 1)}),
        (Status.MISSING, {"lacks": findings("a")}, {"lacks": findings("a", "b")}),
        (Status.MISSING, {"lacks": findings("a", "b")}, {"lacks": findings("c")}),
        (Status.MISSING, {"shows": findings("a"), "lacks": findings("b")}, {"lacks": findings("b")}),
    ],
)
def test_a_failing_control_that_fails_more_regressed(
    status: Status, before: dict[str, Any], after: dict[str, Any]
) -> None:
    made = compare(assessment(control(status=status, **before)), assessment(control(status=status, **after)))
    (change,) = made.controls
    assert (change.kind, change.worsened) == (Kind.REGRESSED, True)
    assert change.because[0].startswith("worsened: ")
    assert ("control", "SPEND-01") in {(regression.subject, regression.id) for regression in made.regressions}


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        (Status.CONTRADICTED, {"breaks": findings("a", "b")}, {"breaks": findings("a")}),
        (Status.CONTRADICTED, {"breaks": findings("a", count=300)}, {"breaks": findings("b", count=300)}),
        (Status.MISSING, {"lacks": findings("a", "b")}, {"lacks": findings("b")}),
        (Status.MISSING, {}, {"tests": Findings((finding("t", "failed"),), 1)}),
        (Status.UNKNOWN, {}, {"lacks": findings("a"), "breaks": findings("b"), "gaps": findings("c")}),
        (Status.DEMONSTRATED, {"shows": findings("a", "b")}, {"shows": findings("a")}),
    ],
)
def test_fewer_rows_or_rows_that_prove_nothing_change_nothing(
    status: Status, before: dict[str, Any], after: dict[str, Any]
) -> None:
    change = one({"status": status, **before}, {"status": status, **after})
    assert (change.kind, change.worsened) == (Kind.UNCHANGED, False)


# ------------------------------------------------------------------------------------------------------------ because


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        (findings("a"), findings("a"), ()),
        (findings(), findings("b", "a"), ("shows: new: a; b",)),
        (findings("a", "b"), findings("a"), ("shows: no longer there: b",)),
        (findings(), findings("d", "c", "b", "a", "e"), ("shows: new: a; b; c and 2 more",)),
        (findings("a"), findings("b"), ("shows: new: b", "shows: no longer there: a")),
        (findings("a", count=9), findings("b", count=9), ()),
        (findings("a", count=9), findings("b", count=8), ("shows: 8 rows, 9 before",)),
        (findings("a"), findings("b", count=9), ("shows: new: b",)),
        (
            Findings((finding("a", "1"),), 9),
            Findings((finding("a", "2"),), 8),
            ("shows: 8 rows, 9 before",),
        ),
        (
            Findings((finding("usd", "50", "100", "usd"),), 1),
            Findings((finding("usd", "5000", None, "usd"),), 1),
            ("shows: usd: 5000 usd, before 50 usd (expected 100 usd)",),
        ),
        (Findings((finding("a"),), 1), Findings((finding("a", "1"),), 1), ("shows: a: 1, before nothing",)),
        (
            Findings(tuple(finding(name, "1") for name in "abcde"), 5),
            Findings(tuple(finding(name, "2") for name in "abcde"), 5),
            (
                "shows: a: 2, before 1",
                "shows: b: 2, before 1",
                "shows: c: 2, before 1",
                "shows: other values under 2 more names",
            ),
        ),
    ],
)
def test_because_says_which_rows_changed(before: Findings, after: Findings, because: tuple[str, ...]) -> None:
    change = one({"shows": before}, {"shows": after})
    assert (change.kind, change.because) == (Kind.UNCHANGED, because)


def test_because_reads_every_list_and_the_reason_is_the_latest() -> None:
    names = ("breaks", "lacks", "shows", "tests", "documents", "gaps")
    change = one(
        {"status": Status.UNTESTED}, {"status": Status.UNDOCUMENTED, **{name: findings("x") for name in names}}
    )
    assert change.because == tuple(f"{name}: new: x" for name in names)
    assert change.reason == "SPEND-01 is undocumented"
    assert change.transition == "untested → undocumented"


# ------------------------------------------------------------------------------------------------------------ rubrics


def test_another_scoring_compares_no_status_and_no_score() -> None:
    old = assessment(control(status=Status.MISSING, lacks=findings("a")), control("AUDIT-01"))
    new = evaluated(replace(old, rubric=OTHER_SCORING), [control(status=Status.DEMONSTRATED), control("AUDIT-01")])
    for before, after in [(old, new), (new, old)]:
        made = compare(before, after)
        assert {change.kind for change in made.controls} == {Kind.INCOMPARABLE}
        assert (made.same_scoring, made.comparable, made.score_delta) == (False, False, None)
        assert {domain.score_delta for domain in made.domains} == {None}
        assert any("other criteria" in note for note in made.notes)
    assert compare(old, new).verdict is Kind.INCOMPARABLE
    assert [(found.subject, found.id) for found in compare(new, old).regressions] == [
        ("verdict", "indexer"),
        ("domain", "spend"),
    ]


def test_another_scoring_hides_no_worsening_behind_a_regression() -> None:
    old = assessment(control(status=Status.MISSING, lacks=findings("a")))
    new = evaluated(replace(old, rubric=OTHER_SCORING), [control(status=Status.MISSING, lacks=findings("b"))])
    (change,) = compare(old, new).controls
    assert (change.kind, change.because) == (Kind.INCOMPARABLE, ("lacks: new: b", "lacks: no longer there: a"))


def test_another_rubric_compares_nothing_even_with_an_equal_digest() -> None:
    old = assessment(control())
    made = compare(old, replace(old, rubric=OTHER_RUBRIC))
    assert [change.kind for change in made.controls] == [Kind.INCOMPARABLE]
    assert (made.comparable, made.score_delta) == (False, None)
    assert any(note.startswith("The rubrics differ, psf-agentic 1.0.0 and homemade 1.0.0") for note in made.notes)


def test_other_words_and_the_same_scoring_compare() -> None:
    old = assessment(control(status=Status.UNTESTED))
    made = compare(old, evaluated(replace(old, rubric=OTHER_WORDS), [control()]))
    assert made.comparable
    assert made.score_delta == Fraction(2, 3)
    assert [change.kind for change in made.controls] == [Kind.IMPROVED]


def test_the_same_scoring_with_other_controls_is_not_believed() -> None:
    made = compare(assessment(control(), control("AUDIT-01")), assessment(control()))
    assert made.same_scoring
    assert not made.comparable
    assert any("not the same controls" in note for note in made.notes)


def test_no_score_no_delta() -> None:
    made = compare(assessment(), assessment(control()))
    assert made.score_delta is None
    (spend, audit) = made.domains
    assert (spend.id, spend.score_before, spend.score_after, spend.score_delta) == ("spend", None, Fraction(1), None)
    assert audit.score_after is None


# ------------------------------------------------------------------------------------- evidence, waivers, deployment


@pytest.mark.parametrize(
    ("before", "after", "kind", "what"),
    [
        ((), (entry(),), EvidenceKind.ADDED, ()),
        ((entry(),), (), EvidenceKind.REMOVED, ()),
        ((entry(),), (entry(sha256="e2"),), EvidenceKind.CHANGED, ()),
        (
            (entry(),),
            (replace(entry(), collected="2026-11-21", release=None),),
            EvidenceKind.RESTATED,
            ("collected: 2026-11-21, before 2026-11-20", "release: none, before 2.4.0"),
        ),
        (
            (entry(),),
            (entry(sha256=None, problem="no such file"),),
            EvidenceKind.UNREADABLE,
            ("problem: no such file, before none",),
        ),
        (
            (entry(problem="not YAML"),),
            (entry(sha256="e2"),),
            EvidenceKind.READABLE,
            ("problem: none, before not YAML",),
        ),
        ((entry(), entry(sha256="e2")), (entry(sha256="e2"),), EvidenceKind.REMOVED, ()),
        ((entry(sha256="e3"), entry(sha256="e2")), (entry(sha256="e2"), entry()), EvidenceKind.CHANGED, ()),
    ],
)
def test_what_became_of_evidence(before: Any, after: Any, kind: EvidenceKind, what: tuple[str, ...]) -> None:
    base = assessment(control())
    (change,) = compare(replace(base, evidence=before), replace(base, evidence=after)).evidence
    assert (change.path, change.kind, change.what) == ("evidence/gateway.yaml", kind, what)


def test_evidence_that_cannot_be_read_any_more_is_a_regression() -> None:
    base = assessment(control())
    old = replace(base, evidence=(entry(),))
    made = compare(old, replace(base, evidence=(entry(sha256=None, problem="no such file"),)))
    assert [(found.subject, found.id, found.what) for found in made.regressions] == [
        ("evidence", "evidence/gateway.yaml", "no such file")
    ]
    (change,) = made.evidence
    assert (change.before, change.after, change.problem) == ("e1", None, "no such file")
    assert compare(old, replace(base, evidence=(entry(sha256="e2"),))).regressions == ()


def test_what_does_not_matter_of_evidence() -> None:
    base = assessment(control())
    moved = replace(entry(), facts=7, bytes=7, id="other")
    made = compare(replace(base, evidence=(entry(),)), replace(base, evidence=(moved,)))
    assert made.evidence == ()
    assert made.unchanged


@pytest.mark.parametrize(
    ("before", "after", "kind", "what"),
    [
        ((), (waiver(),), WaiverKind.ADDED, ()),
        ((waiver(),), (), WaiverKind.REMOVED, ()),
        ((waiver(),), (waiver(state="expired"),), WaiverKind.CHANGED, ("state: expired, before matched",)),
        (
            (waiver(),),
            (waiver(expires="2027-01-31"),),
            WaiverKind.CHANGED,
            ("expires: 2027-01-31, before 2026-12-31",),
        ),
        (
            (waiver(),),
            (replace(waiver(), environment="staging", release="2.4.*"),),
            WaiverKind.CHANGED,
            ("scope: environment staging, release 2.4.*, before anywhere",),
        ),
    ],
)
def test_what_became_of_a_waiver(before: Any, after: Any, kind: WaiverKind, what: tuple[str, ...]) -> None:
    base = assessment(control())
    (change,) = compare(replace(base, waivers=before), replace(base, waivers=after)).waivers
    assert (change.control, change.kind, change.what) == ("SPEND-02", kind, what)
    assert (change.before, change.after) == (before[0] if before else None, after[0] if after else None)


def test_a_waiver_that_only_moved_in_the_manifest_did_not_change() -> None:
    base = assessment(control())
    moved = replace(waiver(), note="other words", source=replace(waiver().source, pointer="/waivers/7"))
    assert compare(replace(base, waivers=(waiver(),)), replace(base, waivers=(moved,))).waivers == ()


def test_another_fingerprint_voids_the_old_assessment() -> None:
    old = assessment(control())
    made = compare(old, replace(old, fingerprint="f2"))
    assert made.fingerprint_changed
    assert not made.unchanged
    assert made.notes == (
        "The fingerprint changed: this is another deployment, and the old assessment is void for it.",
    )
    assert made.regressions == ()


def test_capabilities() -> None:
    old = assessment(control())
    new = replace(old, deployment=replace(old.deployment, capabilities=("cloud.create_stack", "dns.resolve")))
    made = compare(old, new)
    assert made.capabilities_added == ("cloud.create_stack", "dns.resolve")
    assert made.capabilities_removed == ("http.get",)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"as_of": date(2026, 11, 19)}, "check that they were not swapped"),
        ({"waivers_ignored": True}, "The new assessment ignores waivers"),
        ({"tool": "psf-audit 2.0.0"}, "The assessments were made by psf-audit 1.0.0 and psf-audit 2.0.0."),
    ],
)
def test_notes(changes: dict[str, Any], note: str) -> None:
    old = assessment(control())
    (found,) = compare(old, replace(old, **changes)).notes
    assert note in found


def test_two_deployments_may_be_compared_and_it_is_said() -> None:
    old = assessment(control())
    identity = replace(old.deployment, name="crawler", environment="staging")
    made = compare(old, replace(old, deployment=identity, fingerprint="f2"))
    assert made.notes == (
        "Two deployments are compared, indexer and crawler: what differs did not change over time.",
        "The environments differ: production and staging.",
    )


def test_the_old_assessment_may_ignore_waivers() -> None:
    old = replace(assessment(control()), waivers_ignored=True)
    (note,) = compare(old, replace(old, waivers_ignored=False)).notes
    assert note.startswith("The old assessment ignores waivers")


def test_a_change_of_the_exposure_is_told() -> None:
    wide, narrow = samples.small().exposure, samples.ready().exposure
    old = replace(assessment(control()), exposure=narrow)
    grown = compare(old, replace(old, exposure=wide))
    assert grown.exposure_grew is True
    assert grown.notes == (
        (
            "The exposure grew. Before: at most 65.964 USD (50 and 13.464 by lag and 2.5 in flight). Now: unbounded: "
            "nothing stops it; up to 64.6272 USD a day for as long as nobody looks."
        ),
    )
    assert compare(replace(old, exposure=wide), old).notes[0].startswith("The exposure shrank. Before: unbounded")
    assert (compare(old, old).exposure_grew, compare(old, old).notes) == (False, ())
    untold = compare(old, replace(old, exposure=None))
    assert (untold.exposure_grew, untold.notes) == (None, ())


# ------------------------------------------------------------------------------------------------- the whole of it


def test_regressions_lead_with_the_verdict() -> None:
    old = assessment(control(), control("SPEND-02"), control("AUDIT-01"))
    new = assessment(control(status=Status.MISSING), control("SPEND-02", Status.UNTESTED), control("AUDIT-01"))
    made = compare(old, new)
    assert [(found.subject, found.id, found.what) for found in made.regressions] == [
        ("verdict", "indexer", "ready → not ready"),
        ("domain", "spend", "passed, and does not any more"),
        ("control", "SPEND-01", "demonstrated → missing"),
        ("control", "SPEND-02", "demonstrated → untested"),
    ]
    assert made.score_delta == Fraction(2, 15) - 1
    assert made.score_points == 13 - 100
    assert [domain.score_points for domain in made.domains] == [13 - 100, 0]
    assert made.counts == {**dict.fromkeys(Kind, 0), Kind.REGRESSED: 2, Kind.UNCHANGED: 1}
    assert [domain.lost for domain in made.domains] == [True, False]


def test_the_gate_on_regressions() -> None:
    old, worse = assessment(control()), assessment(control(status=Status.UNTESTED))
    assert regression_gate(compare(old, old)) == Decision(ExitCode.READY, "nothing regressed")
    assert regression_gate(compare(worse, old)).code is ExitCode.READY
    assert regression_gate(compare(old, worse)) == Decision(
        ExitCode.GATE_NOT_MET, "2 regressions: domain spend, control SPEND-01"
    )


@pytest.mark.parametrize("back", [False, True])
def test_the_gate_cannot_pass_what_cannot_be_compared(back: bool) -> None:
    old = assessment(control())
    for new in (replace(old, rubric=OTHER_SCORING), replace(old, rubric=OTHER_RUBRIC), assessment(control("AUDIT-01"))):
        decision = regression_gate(compare(new, old) if back else compare(old, new))
        assert decision.code is ExitCode.USAGE
        assert decision.reason.startswith("whether anything regressed cannot be told: ")


def test_controls_are_listed_worst_news_first() -> None:
    old = assessment(control("AUDIT-02"), control("SPEND-02", Status.UNTESTED), control("AUDIT-01"), control())
    new = assessment(control("AUDIT-02", Status.UNKNOWN), control("SPEND-02"), control("AUDIT-01"), control())
    assert [change.id for change in compare(old, new).controls] == ["AUDIT-02", "SPEND-02", "AUDIT-01", "SPEND-01"]
    worse = assessment(*(control(id_, Status.MISSING) for id_ in ("AUDIT-02", "SPEND-02", "SPEND-01", "AUDIT-01")))
    assert [change.id for change in compare(old, worse).controls] == ["AUDIT-01", "SPEND-01", "SPEND-02", "AUDIT-02"]


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": (entry(),)},
        {"waivers": (waiver(),)},
        {"fingerprint": "f2"},
        {"verdict": Verdict.READY},
        {"deployment": replace(assessment().deployment, capabilities=())},
        {"deployment": replace(assessment().deployment, capabilities=("http.get", "dns.resolve"))},
    ],
)
def test_what_matters_beside_the_controls(changes: dict[str, Any]) -> None:
    old = assessment(control())
    assert compare(old, replace(old, as_of=date(2026, 11, 21), tool="psf-audit 2.0.0")).unchanged
    assert not compare(old, replace(old, **changes)).unchanged


def test_domains_keep_the_order_of_the_new_rubric() -> None:
    old = assessment(control())
    new = replace(old, domains=(replace(old.domains[1], id="zeal", title="Zeal"), old.domains[0]))
    made = compare(old, new)
    assert [(domain.id, domain.before, domain.after) for domain in made.domains] == [
        ("zeal", None, False),
        ("spend", True, True),
        ("audit", False, None),
    ]
    gone = compare(old, replace(old, domains=old.domains[1:]))
    assert [(domain.id, domain.after, domain.lost) for domain in gone.domains] == [
        ("audit", False, False),
        ("spend", None, False),
    ]


def test_names_that_look_like_secrets_stay_readable() -> None:
    old = control(shows=Findings((finding("quota of aws-api-key", "4000"),), 1))
    new = control(shows=Findings((finding("quota of aws-api-key", "5000"),), 1))
    (change,) = compare(assessment(old), assessment(new)).controls
    assert change.because == ("shows: quota of aws-api-key: 5000, before 4000",)


@pytest.mark.parametrize("kind", [*Kind, *EvidenceKind])
def test_every_kind_has_a_meaning(kind: Kind | EvidenceKind) -> None:
    assert kind.meaning.endswith(".")


# --------------------------------------------------------------------------------------------------------- properties


@given(any_assessments())
def test_nothing_changed_from_an_assessment_to_itself(whole: Assessment) -> None:
    made = compare(whole, whole)
    assert made.unchanged
    for listed in (made.regressions, made.unresolved, made.notes, made.evidence, made.waivers):
        assert not listed
    assert {change.kind for change in made.controls} <= {Kind.UNCHANGED}
    assert all(change.because == () for change in made.controls)
    assert made.score_delta == (None if whole.score is None else 0)
    assert made.verdict is Kind.UNCHANGED
    assert made.comparable


MIRRORED_EVIDENCE = {
    EvidenceKind.ADDED: EvidenceKind.REMOVED,
    EvidenceKind.UNREADABLE: EvidenceKind.READABLE,
    EvidenceKind.CHANGED: EvidenceKind.CHANGED,
    EvidenceKind.RESTATED: EvidenceKind.RESTATED,
    EvidenceKind.REMOVED: EvidenceKind.ADDED,
    EvidenceKind.READABLE: EvidenceKind.UNREADABLE,
}


@given(pairs())
def test_the_way_back_mirrors_the_way_there(pair: tuple[Assessment, Assessment]) -> None:
    old, new = pair
    there, back = compare(old, new), compare(new, old)
    assert there.score_delta == (None if back.score_delta is None else -back.score_delta)
    assert (there.before, there.after) == (back.after, back.before)
    assert there.capabilities_added == back.capabilities_removed
    assert {(change.path, change.kind, change.before, change.after) for change in there.evidence} == {
        (change.path, MIRRORED_EVIDENCE[change.kind], change.after, change.before) for change in back.evidence
    }
    assert [(change.control, change.before) for change in there.waivers] == [
        (change.control, change.after) for change in back.waivers
    ]
    reverse = by_id(back)
    for change in there.controls:
        assert_mirrored(change, reverse[change.id])


def assert_mirrored(change: ControlChange, back: ControlChange) -> None:
    assert (change.before, change.after) == (back.after, back.before)
    evaluated_twice = change.before is not change.after and {change.before, change.after} <= EVALUATED
    allowed = {
        Kind.NEW: {Kind.GONE},
        Kind.GONE: {Kind.NEW},
        Kind.IMPROVED: {Kind.REGRESSED},
        Kind.REGRESSED: {Kind.IMPROVED} if evaluated_twice else set(Kind) - {Kind.NEW, Kind.GONE},
        Kind.INCOMPARABLE: {Kind.INCOMPARABLE, Kind.REGRESSED},
        Kind.UNCHANGED: {Kind.UNCHANGED, Kind.REGRESSED},
    }
    assert back.kind in allowed[change.kind]


@given(pairs())
def test_only_what_was_evaluated_by_the_same_criteria_improved(pair: tuple[Assessment, Assessment]) -> None:
    made = compare(*pair)
    for change in made.by_kind(Kind.IMPROVED):
        assert made.same_scoring
        assert change.after in EVALUATED
        assert not change.unresolved
    for change in made.controls:
        hidden = change.after in {None, Status.UNKNOWN, Status.NOT_APPLICABLE} and change.after is not change.before
        gap = change.before is not None and change.before.is_gap
        assert change.unresolved is (hidden and gap)


@given(assessments(), assessments())
def test_nothing_is_newly_proven_to_fail_without_a_regression(old: Assessment, new: Assessment) -> None:
    made = compare(old, new)
    failing = {Status.CONTRADICTED, Status.MISSING}
    counted = {found.id for found in made.regressions if found.subject == "control"}
    assert {
        change.id for change in made.controls if change.after in failing and change.before not in failing
    } <= counted
    worse = new.verdict is Verdict.NOT_READY and old.verdict is not Verdict.NOT_READY
    assert not worse or made.regressions[0].subject == "verdict"


@given(st.data())
def test_the_order_of_anything_does_not_matter(data: st.DataObject) -> None:
    old, new = data.draw(pairs())
    assert compare(data.draw(shuffled(old)), data.draw(shuffled(new))) == compare(old, new)


@given(assessments(), assessments((OTHER_SCORING, OTHER_RUBRIC)))
def test_no_delta_across_scorings(old: Assessment, new: Assessment) -> None:
    made = compare(old, new)
    assert made.score_delta is None
    assert all(domain.score_delta is None for domain in made.domains)
    assert not made.comparable
    assert RUBRIC.id in " ".join(made.notes)
