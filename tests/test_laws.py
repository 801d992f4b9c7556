"""What holds of every assessment, whatever the evidence: more of it never hurts, less of it never helps.

Each law is stated as it truly holds. `credit` is what a status earns; `rank` orders the statuses from contradicted to
demonstrated, with not applicable apart from all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from psf_audit import assess, audit, cases, gate, rubric
from psf_audit import manifest as manifests
from psf_audit.model import ControlResult, Gate, Severity, Status, Verdict
from psf_audit.query import Answer, Answers
from psf_audit.rubric import Rubric
from psf_audit.waivers import Terms, Waiver, use
from tests import deployments, dossiers, samples
from tests.deployments import AS_OF, DAY, IDS, Deployment
from tests.dossiers import CLAIM, LOGGED, OTHER, SHOWN, STALE, ago, at, document, gap, judged, tried

RANK = {
    status: rank
    for rank, status in enumerate(
        (Status.CONTRADICTED, Status.MISSING, Status.UNKNOWN, Status.UNTESTED, Status.UNDOCUMENTED, Status.DEMONSTRATED)
    )
}
ACCEPTED = {Verdict.READY, Verdict.READY_WITH_WAIVERS}


def not_lower(before: Status, after: Status) -> bool:
    """Whether the status did not fall; what does not apply stays so."""
    if Status.NOT_APPLICABLE in {before, after}:
        return before is after
    return RANK[after] >= RANK[before]


def not_better(before: Status, after: Status) -> bool:
    """Whether nothing was gained: no credit, and no way out of having to show anything."""
    return after.credit <= before.credit and (after is not Status.NOT_APPLICABLE or before is after)


# -------------------------------------------------------------------------------------------- one control, any evidence

REFS = st.sampled_from([SHOWN, STALE, OTHER, LOGGED, CLAIM, None])
ANSWERS = st.builds(
    Answer,
    ref=REFS,
    what=st.sampled_from(["a", "b"]),
    absent=st.sampled_from([None, None, "events.approval", "records"]),
)


def answers(*, may_fail: bool = True) -> st.SearchStrategy[Answers]:
    found = st.lists(ANSWERS, max_size=2).map(lambda made: Answers(tuple(made), len(made)))
    return found | st.just(Answers(failure="out of time")) if may_fail else found


TESTS = st.builds(
    tried,
    st.sampled_from(["passed", "passed", "failed", "skipped", "error", "inconclusive"]),
    name=st.sampled_from(["one", "two"]),
    at_ms=st.sampled_from([at(ago(days)) for days in (1, 5, 89, 91)] + [None]),
    bound=st.booleans(),
    adversarial=st.sampled_from([True, False, None]),
    link=st.sampled_from(["artifact", "manifest"]),
    basis=st.sampled_from(["test", "record"]),
    run=st.sampled_from([None, "run-seen", "run-unseen"]),
    ref=st.integers(100, 120),
)
DOCUMENTS = st.builds(
    document,
    owner=st.sampled_from([None, "R. Okafor"]),
    reviewed_ms=st.sampled_from([at(ago(days)) for days in (1, 180, 181)] + [None]),
)
TOUCHED = st.sets(st.sampled_from(["applies_when", "shows", "lacks", "breaks", "tests", "documents"]), min_size=1)
GAPS = st.builds(
    lambda facts, touched, own: gap(facts, *touched, control="SPEND-01" if own else None),
    st.sampled_from([None, "events", "events.approval", "records", "limits"]),
    TOUCHED,
    st.booleans(),
)


@st.composite
def any_evidence(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that one control is judged on."""
    return {
        "control": dossiers.control(severity=draw(st.sampled_from(list(Severity))), adversarial=draw(st.booleans())),
        "applies_when": draw(answers()),
        "claims": draw(answers()),
        "shows": draw(answers()),
        "lacks": draw(answers()),
        "breaks": draw(answers()),
        "tests": draw(st.lists(TESTS, max_size=4)),
        "documents": draw(st.lists(DOCUMENTS, max_size=2)),
        "gaps": draw(st.lists(GAPS, max_size=2)),
        "carried": frozenset(draw(st.sets(st.just("approval")))),
    }


def status(evidence: dict[str, Any], **changed: Any) -> Status:
    return judged(**{**evidence, **changed}).status


@given(any_evidence(), TESTS)
def test_adding_a_passing_result_never_lowers_and_removing_one_never_raises(
    evidence: dict[str, Any], added: dict[str, Any]
) -> None:
    """Whatever its date, release, link or way: a result that passed takes nothing away.

    Where the control does not apply and a test of it failed, a later pass leaves that it does not apply.
    """
    before = status(evidence)
    after = status(evidence, tests=[*evidence["tests"], {**added, "outcome": "passed"}])
    assert not_lower(before, after) or (before, after) == (Status.CONTRADICTED, Status.NOT_APPLICABLE)


@given(any_evidence(), TESTS)
def test_adding_a_result_that_did_not_pass_never_raises(evidence: dict[str, Any], added: dict[str, Any]) -> None:
    """Neither a skip nor an error clears a failure; a failure counts even where the control did not apply."""
    assume(added["outcome"] != "passed")
    before, after = status(evidence), status(evidence, tests=[*evidence["tests"], added])
    assert not_lower(after, before) or (before, after) == (Status.NOT_APPLICABLE, Status.CONTRADICTED)


@given(any_evidence(), DOCUMENTS)
def test_adding_a_document_never_lowers_and_removing_one_never_raises(
    evidence: dict[str, Any], added: dict[str, Any]
) -> None:
    """Even one without owner or review."""
    assert not_lower(status(evidence), status(evidence, documents=[*evidence["documents"], added]))


def more(found: Answers, row: Answer) -> Answers:
    return replace(found, rows=(*found.rows, row), count=found.count + 1)


@given(any_evidence(), REFS)
def test_adding_what_shows_it_never_lowers(evidence: dict[str, Any], ref: int | None) -> None:
    """Stale rows and rows of another release included: they take nothing away from fresh ones.

    One step down there is: what was unknown because nothing showed it can turn out to be covered in part, and so
    missing. It earned nothing before either.
    """
    before, after = status(evidence), status(evidence, shows=more(evidence["shows"], Answer(ref, "another")))
    assert not_lower(before, after) or (before, after) == (Status.UNKNOWN, Status.MISSING)


@given(any_evidence(), ANSWERS, st.sampled_from(["lacks", "breaks"]))
def test_adding_what_is_lacking_or_breaks_it_gains_nothing(
    evidence: dict[str, Any], row: Answer, criterion: str
) -> None:
    """An excused break can make an unknown of what did not apply, never anything better than unknown."""
    after = status(evidence, **{criterion: more(evidence[criterion], row)})
    assert not_better(status(evidence), after)


@given(any_evidence(), GAPS)
def test_a_gap_gains_nothing(evidence: dict[str, Any], added: Any) -> None:
    """It makes unknown what would be better or was only absent; it never earns credit or makes a control not apply."""
    assert not_better(status(evidence), status(evidence, gaps=[*evidence["gaps"], added]))


@given(any_evidence(), st.sampled_from(["applies_when", "claims", "shows", "lacks", "breaks"]))
def test_a_criterion_that_cannot_be_answered_gains_nothing(evidence: dict[str, Any], criterion: str) -> None:
    """Whoever makes a criterion run out of time gets no better status for it, and no way out."""
    assert not_better(status(evidence), status(evidence, **{criterion: Answers(failure="out of time")}))


@given(any_evidence(), st.lists(ANSWERS, max_size=2))
def test_claims_decide_nothing(evidence: dict[str, Any], claims: list[Answer]) -> None:
    """What the manifest says of a control changes the words at most."""
    assume(not evidence["claims"].failure)
    assert status(evidence, claims=Answers(tuple(claims), len(claims))) is status(evidence)


@given(any_evidence(), st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_decides_nothing(evidence: dict[str, Any], random: Any) -> None:
    """Tests, documents and gaps may come in any order."""
    shuffled = {name: random.sample(evidence[name], len(evidence[name])) for name in ("tests", "documents", "gaps")}
    assert status(evidence, **shuffled) is status(evidence)


# -------------------------------------------------------------------------------------------------- verdict and waivers

STATUSES = st.sampled_from(list(Status))
RESULTS = st.lists(
    st.tuples(st.sampled_from(["SPEND", "CHECK"]), st.sampled_from(list(Severity)), STATUSES), min_size=1, max_size=8
).map(
    lambda made: [
        samples.control(f"{prefix}-{number:02}", "t", severity, found, "r")
        for number, (prefix, severity, found) in enumerate(made)
    ]
)
RUBRIC = Rubric(
    identity=samples.RUBRIC,
    domains=(rubric.Domain("spend", "S"), rubric.Domain("checkpoints", "C")),
    controls=(),
    waiver_max_days=90,
)


def verdict(results: Iterable[ControlResult]) -> Verdict:
    return assess.verdict(assess.domains(RUBRIC, list(results)))


@st.composite
def waivers(draw: st.DrawFn) -> list[Waiver]:
    ids = draw(st.sets(st.integers(0, 8), max_size=6))
    return [
        Waiver(
            control=f"{prefix}-{number:02}",
            reason="r",
            owner=draw(st.sampled_from(["A", "B"])),
            approved_by="B",
            expires=AS_OF + timedelta(days=draw(st.sampled_from([-1, 0, 90, 91]))),
            source=dossiers.SOURCE,
            environment=draw(st.sampled_from([None, "production", "staging"])),
            release=draw(st.sampled_from([None, "2.*", "1.*"])),
        )
        for number in sorted(ids)
        for prefix in ("SPEND", "CHECK")
    ]


TERMS = Terms(AS_OF, samples.DEPLOYMENT, max_days=90, notice_days=30)
BETTER = [Verdict.NOT_READY, Verdict.INCOMPLETE, Verdict.READY_WITH_WAIVERS, Verdict.READY]


@given(RESULTS, waivers(), st.data())
def test_a_waiver_more_earns_ready_with_waivers_at_most_and_one_less_gains_nothing(
    results: list[ControlResult], given_: list[Waiver], data: st.DataObject
) -> None:
    kept = [one for one in given_ if data.draw(st.booleans())]
    without, fewer, more = (verdict(use(some, results, TERMS)[0]) for some in ([], kept, given_))
    assert BETTER.index(without) <= BETTER.index(fewer) <= BETTER.index(more)
    assert more is without or BETTER.index(more) <= BETTER.index(Verdict.READY_WITH_WAIVERS)


@given(RESULTS, waivers())
def test_waivers_change_no_status_score_or_coverage_and_never_make_it_ready(
    results: list[ControlResult], given_: list[Waiver]
) -> None:
    """All that a waiver can do is to turn not ready, or incomplete, into ready with waivers or incomplete."""
    after, uses = use(given_, results, TERMS)
    assert [replace(one, waiver=None, reason="") for one in after] == [replace(one, reason="") for one in results]
    assert all(new.reason.startswith(old.reason) for new, old in zip(after, results, strict=True))
    assert assess.domain_score(after) == assess.domain_score(results)
    assert assess.coverage(after) == assess.coverage(results)
    assert len(uses) == len(given_)
    assert (verdict(after) is Verdict.READY) is (verdict(results) is Verdict.READY)
    if not any(use.state == "matched" for use in uses):
        assert verdict(after) is verdict(results)


@given(RESULTS, waivers(), st.integers(0, 7))
def test_to_know_less_of_one_control_is_never_accepted_instead(
    results: list[ControlResult], given_: list[Waiver], number: int
) -> None:
    """Turning a status into unknown never makes a deployment pass that did not, waivers included."""
    index = number % len(results)
    hidden = [replace(one, status=Status.UNKNOWN) if n == index else one for n, one in enumerate(results)]
    before, _ = use(given_, results, TERMS)
    after, _ = use(given_, hidden, TERMS)
    assert verdict(after) not in ACCEPTED or verdict(before) in ACCEPTED


@given(RESULTS, st.integers(0, 7), STATUSES)
def test_a_better_status_never_gives_a_worse_verdict_or_score(
    results: list[ControlResult], number: int, better: Status
) -> None:
    """Where both statuses apply. That an unknown becomes missing may show that it is not ready after all."""
    index = number % len(results)
    assume(Status.NOT_APPLICABLE not in {better, results[index].status} and better is not Status.UNKNOWN)
    assume(results[index].status is not Status.UNKNOWN and not_lower(results[index].status, better))
    after = [replace(one, status=better) if n == index else one for n, one in enumerate(results)]
    order = [Verdict.NOT_READY, Verdict.INCOMPLETE, Verdict.READY_WITH_WAIVERS, Verdict.READY]
    assert order.index(verdict(after)) >= order.index(verdict(results))
    assert (assess.domain_score(after) or 0) >= (assess.domain_score(results) or 0)


# ---------------------------------------------------------------------------------------- the shipped rubric, its cases

# Under `make test` a few cases for each law; all 958 were gone through once when the laws were written.
EXAMPLES = 10


@cache
def shipped() -> tuple[Rubric, cases.CaseFile]:
    path = rubric.locate("psf-agentic@1.0.0")
    loaded = rubric.load(path)
    return loaded, cases.load(cases.beside(path), loaded)


def becomes(case: cases.Case, **rows: list[dict[str, Any]]) -> Status:
    """The status of the case's control with these tables in place of its own."""
    loaded, file = shipped()
    own = loaded.control(case.control)
    assert own is not None
    changed = replace(case, rows={**case.rows, **rows})
    return cases.run_one(loaded, own, changed, file.as_of, audit.engine("duckdb")).status


def test_of(control_id: str, **given_: Any) -> dict[str, Any]:
    made = {"suite": "more", "name": "another", "how": "attack", "outcome": "passed", "adversarial": True}
    return {**made, "control": control_id, "link": "artifact", **given_}


test_of.__test__ = False  # type: ignore[attr-defined]

CASES = st.deferred(lambda: st.sampled_from(shipped()[1].cases))
IN_A_FILE = (
    "limits",
    "gates",
    "boundaries",
    "alerts",
    "logs",
    "credentials",
    "records",
    "tests",
    "documents",
    "events",
)
CLAIMABLE = ("limits", "gates", "boundaries", "alerts", "logs", "credentials")


@settings(max_examples=EXAMPLES)
@given(CASES)
def test_on_the_rubric_more_passing_tests_and_documents_never_lower(case: cases.Case) -> None:
    """Of the control itself."""
    more = {"kind": "runbook", "title": "More", "owner": "X", "control": case.control}
    assert not_lower(case.status, becomes(case, tests=[*case.rows.get("tests", []), test_of(case.control)]))
    assert not_lower(case.status, becomes(case, documents=[*case.rows.get("documents", []), more]))


@settings(max_examples=EXAMPLES)
@given(CASES)
def test_on_the_rubric_fewer_passing_tests_and_documents_never_raise(case: cases.Case) -> None:
    """Of tests that name no run; one that does takes that run, as a drill, out of the log."""
    tests = [{**row, "run": None} for row in case.rows.get("tests", [])]
    before = becomes(case, tests=tests)
    assert not_lower(becomes(case, tests=[row for row in tests if row.get("outcome") != "passed"]), before)
    assert not_lower(becomes(case, documents=[]), case.status)


@settings(max_examples=EXAMPLES)
@given(CASES)
def test_on_the_rubric_what_is_about_another_control_changes_nothing(case: cases.Case) -> None:
    """A test without a run, and a document, of another control."""
    other = next(one.id for one in shipped()[0].controls if one.id != case.control)
    tests = [*case.rows.get("tests", []), test_of(other, outcome="failed")]
    documents = [*case.rows.get("documents", []), {"kind": "policy", "title": "x", "owner": "X", "control": other}]
    gaps = [*case.rows.get("gaps", []), {"what": "something else", "control": other}]
    assume(not {"tests", "documents"} & reads(case.control))
    assert becomes(case, tests=tests, documents=documents, gaps=gaps) is case.status


def reads(control_id: str) -> set[str]:
    own = shipped()[0].control(control_id)
    assert own is not None
    return {table for analysis in own.analyses.values() for table in analysis.tables}


@settings(max_examples=EXAMPLES)
@given(CASES, st.data())
def test_on_the_rubric_facts_of_a_table_that_no_criterion_reads_change_nothing(
    case: cases.Case, data: st.DataObject
) -> None:
    """Unrelated evidence, such as an alert, changes only controls that read its table, be it through a view."""
    table = data.draw(st.sampled_from(sorted({*CLAIMABLE, "records", "people", "events"})))
    assume(table not in reads(case.control))
    donors = [other.rows[table] for other in shipped()[1].cases if other.rows.get(table)]
    rows = [*case.rows.get(table, []), *data.draw(st.sampled_from(donors))]
    assert becomes(case, **{table: rows}) is case.status


@settings(max_examples=EXAMPLES)
@given(CASES, st.data())
def test_on_the_rubric_hiding_a_table_gains_nothing(case: cases.Case, data: st.DataObject) -> None:
    """Facts that are gone and known to be gone: no credit, and the control still applies."""
    table = data.draw(st.sampled_from([name for name in IN_A_FILE if case.rows.get(name)] or ["tests"]))
    gone = {table: [], "gaps": [*case.rows.get("gaps", []), {"facts": table, "what": "a file that is gone"}]}
    assert not_better(case.status, becomes(case, **gone))


@settings(max_examples=EXAMPLES)
@given(CASES, st.data())
def test_on_the_rubric_a_claim_earns_nothing(case: cases.Case, data: st.DataObject) -> None:
    """Configuration that is only claimed earns no more than none at all.

    A claim can answer a contradiction: a credential that is declared is no longer one that nobody declared. What is
    left is missing, which earns as little.
    """
    table = data.draw(st.sampled_from([name for name in CLAIMABLE if case.rows.get(name)] or ["limits"]))
    rows = case.rows.get(table, [])
    claimed = [{name: value for name, value in row.items() if name != "age_days"} | {"basis": "claim"} for row in rows]
    without = becomes(case, **{table: [row for row in rows if row.get("basis") == "claim"]})
    assert not_better(without, becomes(case, **{table: claimed}))


# ---------------------------------------------------------------------------------------------------- files, end to end

CONFIG = ["good", "stale", "other release", "absent"]
LOG = ["good", "forbidden", "excerpt", "absent"]
DRILLS = ["passed", "failed", "skipped", "absent"]
RUNBOOK = ["good", "old", "absent"]
FILES = {
    "config": "config/gateway.yaml",
    "log": "evidence/log.jsonl",
    "drills": "evidence/drills.xml",
    "docs": "docs/runbook.md",
}


def make(folder: Path, config: str, log: str, drills: str, docs: str) -> Deployment:
    """A deployment in one of 192 states."""
    deployment = deployments.guarded(folder)
    text = deployments.GATEWAY.replace("2.4.0", "2.3.0") if config == "other release" else deployments.GATEWAY
    deployment.put(FILES["config"], text, **({"collected": "2026-01-01"} if config == "stale" else {}))
    last = deployments.event(name="forbidden.call") if log == "forbidden" else deployments.call()
    coverage = {"coverage": "excerpt"} if log == "excerpt" else {}
    deployment.put(FILES["log"], deployments.log(deployments.started(text), last, **coverage))
    outcome = "passed" if drills == "absent" else drills
    deployment.put(FILES["drills"], deployments.junit(*(deployments.tried(one, outcome) for one in IDS)))
    reviewed = "2025-01-01" if docs == "old" else "2026-11-01"
    deployment.put(FILES["docs"], deployments.runbook(*IDS, reviewed=reviewed))
    for name, state in (("config", config), ("log", log), ("drills", drills), ("docs", docs)):
        if state == "absent":
            deployment.drop(FILES[name], keep=True)
    return deployment


STATES = st.tuples(*map(st.sampled_from, (CONFIG, LOG, DRILLS, RUNBOOK)))
on_disk = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_disk
@given(STATES, st.sampled_from(sorted(FILES)))
def test_deleting_a_listed_file_gains_nothing_and_never_exits_0(
    tmp_path: Path, state: tuple[str, str, str, str], name: str
) -> None:
    """No control earns more, no verdict is accepted that was not, and the exit code is not 0.

    The verdict may turn from not ready into incomplete: what only that file proved is no longer known.
    """
    deployment = make(tmp_path, *state)
    assume(any(entry["path"] == FILES[name] for entry in deployment.manifest["evidence"]))
    before, _ = deployment.decided()
    (tmp_path / FILES[name]).unlink()
    after, code = deployment.decided()
    assert code != 0
    assert after.verdict not in ACCEPTED or before.verdict in ACCEPTED
    for old, new in zip(before.controls, after.controls, strict=True):
        assert not_better(old.status, new.status), old.id


@on_disk
@given(STATES, st.sampled_from(["config", "drills", "docs"]))
def test_no_longer_listing_a_file_that_passes_never_raises(
    tmp_path: Path, state: tuple[str, str, str, str], name: str
) -> None:
    """A file that holds failures or gaps, or a log, may well raise when it is left out: nobody can see that it is."""
    good = {"config": "good", "drills": "passed", "docs": "good"}
    whole = dict(zip(("config", "log", "drills", "docs"), state, strict=True)) | {name: good[name]}
    before = make(tmp_path, **whole).statuses()
    after = make(tmp_path, **{**whole, name: "absent"}).statuses()
    for id_, old in before.items():
        assert not_lower(after[id_], old), id_


@on_disk
@given(STATES)
def test_more_passing_evidence_never_lowers(tmp_path: Path, state: tuple[str, str, str, str]) -> None:
    """Tests that pass later, of this and of another release, and another document."""
    deployment = make(tmp_path, *state)
    before = deployment.statuses()
    passing = deployments.junit(*map(deployments.tried, IDS), at="2026-11-21T08:00:00Z")
    deployment.put("evidence/more.xml", passing)
    deployment.put("evidence/other.xml", passing.replace("2.4.0", "2.5.0").replace("T08", "T09"))
    deployment.put("docs/more.md", deployments.runbook(*IDS))
    for id_, new in deployment.statuses().items():
        assert not_lower(before[id_], new), id_


@on_disk
@given(STATES, st.sets(st.sampled_from(IDS)), st.sampled_from(["2026-11-21", "2026-11-22", "2027-12-31"]))
def test_waivers_in_a_manifest_change_no_status_score_or_coverage(
    tmp_path: Path, state: tuple[str, str, str, str], waived: set[str], expires: str
) -> None:
    """And the exit code becomes 0 by them only where the gate accepts waivers."""
    deployment = make(tmp_path, *state)
    before, without = deployment.decided()
    deployment.manifest["waivers"] = [
        {"control": one, "reason": "r", "owner": "A", "approved_by": "B", "expires": expires} for one in sorted(waived)
    ]
    after, code = deployment.decided()
    assert deployments.statuses(after) == deployments.statuses(before)
    assert (after.score, after.coverage) == (before.score, before.coverage)
    assert (code == 0) is (without == 0)
    accepting = replace(after, gate=Gate(require=Verdict.READY_WITH_WAIVERS))
    assert gate.decide(accepting).code.value in {code, 0}


@on_disk
@given(STATES, st.sampled_from(["document", "test", "claim", "alert", "record"]))
def test_unrelated_evidence_changes_nothing(tmp_path: Path, state: tuple[str, str, str, str], kind: str) -> None:
    """A document or test of no control here, a claim, an alert of another kind, a record."""
    deployment = make(tmp_path, *state)
    before = deployment.statuses()
    if kind == "document":
        deployment.put("docs/other.md", deployments.runbook("OTHER-01"))
    elif kind == "test":
        deployment.put("evidence/other.xml", deployments.junit(deployments.tried("OTHER-01", "failed")))
    elif kind == "claim":
        limit = {
            "resource": "usd",
            "amount": 1,
            "scope": "account",
            "on_breach": "deny",
            "layer": "gateway",
            "via": "*",
        }
        deployment.manifest["guardrails"] = {"limits": [limit]}
    elif kind == "alert":
        alert = {"kind": "alert_rule", "at": DAY, "release": "2.4.0", "fields": {"trigger": "loop", "recipient": "X"}}
        deployment.put("evidence/alert.yaml", deployments.records(alert))
    else:
        deployment.put("evidence/bill.yaml", deployments.records({"kind": "bill", "at": DAY, "amount_usd": 3}))
    assert deployment.statuses() == before


# --------------------------------------------------------------------------------------------------- the guarded sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, repo: Path) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "guarded"
    shutil.copytree(repo / "samples" / "guarded", folder)
    return folder


def test_whatever_file_of_the_guarded_sample_is_gone_it_is_not_accepted(sample: Path) -> None:
    """Every third listed file in turn; each is there for something."""
    options = audit.Options(as_of=AS_OF)
    manifest = manifests.load(sample / "manifest.yaml")
    assert audit.assess_manifest(manifest, options).verdict is Verdict.READY
    for entry in manifest.evidence[::3]:
        path = sample / entry.path
        data = path.read_bytes()
        path.unlink()
        made = audit.assess_manifest(manifest, options)
        path.write_bytes(data)
        assert made.verdict not in ACCEPTED, entry.path
        assert gate.decide(made).code.value in {1, 3}, entry.path
