import json
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psf_audit import manifest
from psf_audit.errors import ConfigurationError, ExitCode
from psf_audit.facts.model import Fact, Gap
from psf_audit.facts.store import typed
from psf_audit.manifest import EvidenceReference, Manifest, MissingEvidence, WaiverRequest
from psf_audit.model import Gate, Status, Verdict

SMALL = """\
schema: psf-audit/manifest/1
deployment: {name: acme, release: "2.4.0", environment: production}
agent:
  capabilities:
    - {name: http.get, cost: free}
"""
FULL = """\
schema: psf-audit/manifest/1
deployment: {name: acme, release: "2.4.0", environment: production, description: An indexer.}
people:
  - {name: R. Okafor, role: owner, org: Acme, contact: "r@acme.example"}
  - {name: " Unknown ", role: deputy}
rubric: psf-agentic@1.0
agent:
  objective: Index it.
  completion: {done: all seen}
  models: [{name: m1, provider: p, via: litellm}, {name: http.get}]
  prompts: [prompts/system.md, prompts/b.md]
  capabilities:
    - {name: http.get, kind: tool, effect: read, via: proxy, reversible: true, cost: free, max_per_hour: 2, retries: 3}
    - {name: cloud.create, cost: {usd: 13.46, per: hour}}
    - {name: model.call, cost: unknown}
  credentials: [{name: key, holder: agent, issued: 2026-11-01, expires: "2026-12-01T00:00:00Z"}]
  scope: {targets: ["172.20.0.0/14"], expected_size: 2000}
guardrails:
  limits: [{resource: usd, amount: 50.5, scope: run}]
  gates:
    - {trigger: interval, threshold: 1800, unit: seconds, effect: interrupt, approvers: [R. Okafor, B]}
  boundaries: [{dimension: tool, effect: allow, patterns: [http.get, "dns.*"], layer: gateway}]
  alerts: [{trigger: spend}]
  logs: [{sink: s3, append_only: true}]
evidence:
  - {path: a.yaml, format: records, collected: 2026-11-20, release: "2.4.0", produced_by: ci, controls: {A-1: ["*x*"]}}
  - {path: b.yaml}
  - {missing: CloudTrail, would_show: [AUDIT-01, AUDIT-02]}
  - {missing: bills}
waivers:
  - {control: AUDIT-06, reason: later, owner: R. Okafor, approved_by: B, expires: 2026-12-31}
gate: {require: ready_with_waivers, min_coverage: 90, min_score: 50, fail_on: [contradicted]}
"""


def load(folder: Path, text: str) -> Manifest:
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return manifest.load(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.problems
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def facts(loaded: Manifest, table: str) -> list[dict[str, Any]]:
    return [dict(claim.values) for claim in loaded.claims if isinstance(claim, Fact) and claim.table == table]


# ------------------------------------------------------------------------------------------------------ what it holds


def test_the_least_that_a_manifest_says(tmp_path: Path) -> None:
    loaded = load(tmp_path, SMALL)

    assert loaded.rubric == "psf-agentic@1"
    assert loaded.gate == Gate(Verdict.READY, 100, None, ())
    assert (loaded.evidence, loaded.missing, loaded.waivers, loaded.prompts) == ((), (), (), ())
    assert [fact.table for fact in loaded.claims if isinstance(fact, Fact)] == ["capabilities"]
    assert loaded.deployment["release"] == "2.4.0"
    assert loaded.agent["capabilities"] == [{"name": "http.get", "cost": "free"}]


def test_evidence_waivers_and_gate(tmp_path: Path) -> None:
    loaded = load(tmp_path, FULL)

    assert loaded.evidence == (
        EvidenceReference("a.yaml", 26, "records", date(2026, 11, 20), "2.4.0", "ci", {"A-1": ("*x*",)}),
        EvidenceReference("b.yaml", 27),
    )
    assert loaded.missing == (
        MissingEvidence("CloudTrail", ("AUDIT-01", "AUDIT-02"), 28),
        MissingEvidence("bills", (), 29),
    )
    assert loaded.waivers == (WaiverRequest("AUDIT-06", "later", "R. Okafor", "B", date(2026, 12, 31), 31),)
    assert loaded.gate == Gate(Verdict.READY_WITH_WAIVERS, 90, 50, (Status.CONTRADICTED,), 32)
    assert loaded.prompts == ("prompts/system.md", "prompts/b.md")
    assert loaded.rubric == "psf-agentic@1.0"
    assert loaded.lines["/rubric"] == 6
    assert loaded.lines["/agent/prompts/1"] == 11


def test_every_claim_is_a_fact_with_its_line(tmp_path: Path) -> None:
    loaded = load(tmp_path, FULL)
    claims = [claim for claim in loaded.claims if isinstance(claim, Fact)]

    assert {claim.basis for claim in claims} == {"claim"}
    for claim in claims:
        typed(claim.table, claim.values)
    lines = {claim.table: claim.pointer for claim in claims}
    assert lines == {
        "people": "line 5",
        "capabilities": "line 10",
        "credentials": "line 16",
        "limits": "line 19",
        "gates": "line 21",
        "boundaries": "line 22",
        "alerts": "line 23",
        "logs": "line 24",
    }
    assert facts(loaded, "limits") == [{"resource": "usd", "amount": Decimal("50.5"), "scope": "run"}]
    assert facts(loaded, "gates")[0]["approvers"] == "R. Okafor, B"
    assert [values["pattern"] for values in facts(loaded, "boundaries")] == ["http.get", "dns.*"]
    assert facts(loaded, "credentials") == [
        {"subject": "key", "holder": "agent", "issued_ms": 1_793_491_200_000, "expires_ms": 1_796_083_200_000}
    ]


def test_costs_of_capabilities(tmp_path: Path) -> None:
    found = {values["name"]: values for values in facts(load(tmp_path, FULL), "capabilities")}

    assert (found["http.get"]["cost_usd"], found["http.get"]["cost_per"]) == (Decimal(0), None)
    assert (found["cloud.create"]["cost_usd"], found["cloud.create"]["cost_per"]) == (Decimal("13.46"), "hour")
    assert (found["model.call"]["cost_usd"], found["model.call"]["cost_per"]) == (None, None)
    assert (found["http.get"]["max_per_hour"], found["http.get"]["retries"]) == (2, 3)


def test_models_are_capabilities_unless_one_of_the_name_is_declared(tmp_path: Path) -> None:
    found = [values for values in facts(load(tmp_path, FULL), "capabilities") if values["kind"] == "model"]
    assert found == [{"name": "m1", "kind": "model", "effect": "read", "via": "litellm"}]


def test_a_person_who_is_unknown_has_no_name(tmp_path: Path) -> None:
    assert [values["name"] for values in facts(load(tmp_path, FULL), "people")] == ["R. Okafor", None]


def test_what_is_known_to_be_missing_is_a_gap_for_each_control(tmp_path: Path) -> None:
    gaps = [claim for claim in load(tmp_path, FULL).claims if isinstance(claim, Gap)]
    assert gaps == [
        Gap("not_supplied", "CloudTrail", None, "line 28", "AUDIT-01"),
        Gap("not_supplied", "CloudTrail", None, "line 28", "AUDIT-02"),
        Gap("not_supplied", "bills", None, "line 29", None),
    ]


def test_dates_and_versions_are_text_and_never_retyped(tmp_path: Path) -> None:
    loaded = load(tmp_path, SMALL.replace('"2.4.0"', "2026-11-20").replace("production", "no"))
    assert (loaded.deployment["release"], loaded.deployment["environment"]) == ("2026-11-20", "no")


# ---------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("deployment:", "deploymnt:", ["m.yaml:1:1: the document lacks deployment, add it"]),
        ("deployment:", "deploymnt:", ["m.yaml:2:1: unknown key 'deploymnt', did you mean 'deployment'?"]),
        ("environment", "enviroment", ["m.yaml:2:44: unknown key 'enviroment', did you mean 'environment'?"]),
        ("/1", "/2", ["m.yaml:1:1: schema must be 'psf-audit/manifest/1'"]),
        ('"2.4.0"', "2.4", ["m.yaml:2:26: release must be text, put it in quotes"]),
        ('"2.4.0"', '""', ["m.yaml:2:26: release must not be empty"]),
        ('"2.4.0"', "~", ["m.yaml:2:26: release must be text"]),
        ("free", "fre", ["m.yaml:5:24: cost cannot be 'fre', write free, unknown, or {usd: 0.25, per: call}"]),
        (", cost: free", "", ["m.yaml:5:7: entry 1 lacks cost, add it"]),
        ("free", "{usd: -1, per: call}", ["m.yaml:5:31: usd is out of range: -1, minimum is 0"]),
        ("free", "{usd: 1e400, per: call}", ["usd is out of range: 1E+400, exclusiveMaximum is 1000000000"]),
        ("free", "{usd: .nan, per: call}", ["m.yaml:5:31: usd must be a number"]),
        ("free", "{usd: NaN, per: call}", ["m.yaml:5:31: usd must be a number"]),
        ("free", "{usd: 1, per: cal}", ["m.yaml:5:39: per cannot be 'cal', did you mean 'call'?"]),
        ("free", "free, retries: 9999999999999999999", ["retries is out of range: 9999999999999999999"]),
        ("free", "free, retries: -1", ["retries is out of range: -1, minimum is 0"]),
        ("free", "free, retries: 1.5", ["retries must be a whole number"]),
        ("free", "free, reversible: yes", ["reversible must be true or false"]),
        ("    - {name: http.get, cost: free}", "    []", ["m.yaml:4:3: capabilities must not be empty"]),
        ("    - {name: http.get, cost: free}", "    - 7", ["m.yaml:5:7: entry 1 must be a mapping"]),
        (SMALL, "", ["m.yaml:1:1: the document must be a mapping"]),
        (SMALL, "- a", ["m.yaml:1:1: the document must be a mapping"]),
        (SMALL, "a: [", ["is not YAML"]),
        (SMALL, SMALL + "schema: x", ["m.yaml:6:1: has the key 'schema' twice, only one of them can be meant"]),
        (SMALL, SMALL + "---\n", ["holds several YAML documents"]),
        (SMALL, SMALL + "x: !!python/name:os.system y", ["m.yaml:6: uses the YAML tag"]),
    ],
)
def test_each_mistake_has_its_place_and_what_to_do(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    found = problems(tmp_path, SMALL.replace(old, new))
    for message in expected:
        assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("people: [{name: B, role: boss}]", ["role cannot be 'boss', use one of owner, deputy"]),
        ("people: [{role: owner}]", ["entry 1 lacks name, add it"]),
        ("rubric: psf agentic", ["m.yaml:6:1: rubric cannot be 'psf agentic', write it as psf-agentic@1"]),
        ("gate: {require: redy}", ["require cannot be 'redy', did you mean 'ready'?"]),
        ("gate: {require: not_ready}", ["require cannot be 'not_ready'"]),
        ("gate: {min_coverage: 101}", ["min_coverage is out of range: 101, maximum is 100"]),
        ("gate: {fail_on: [mising]}", ["entry 1 cannot be 'mising', did you mean 'missing'?"]),
        ("evidence: [{path: a, collected: 2026-02-30}]", ["m.yaml:6:22: 2026-02-30 is no day of the calendar"]),
        (
            "evidence: [{path: a, collected: 20.11.2026}]",
            ["collected cannot be '20.11.2026', write the day as YYYY-MM-DD"],
        ),
        ("evidence: [{pat: a}]", ["entry 1 cannot be {'pat': 'a'}, write {path: FILE, collected: DAY}, or {missing"]),
        ("evidence: [{path: a, missing: b}]", ["entry 1 cannot be {'path': 'a', 'missing': 'b'}"]),
        ("evidence: [{missing: a, would_show: []}]", ["would_show must not be empty"]),
        ("evidence: [{path: a}, {path: b}, {path: a}]", ["m.yaml:6:35: 'a' stands here a second time, keep one"]),
        ("evidence: [{path: a, produced_by: me}]", ["produced_by cannot be 'me', use one of agent, gateway"]),
        ("waivers: [{control: A}]", ["entry 1 lacks approved_by, expires, owner, reason, add it"]),
        ("guardrails: {limits: [{amount: 5}]}", ["entry 1 lacks resource, add it"]),
        ("guardrails: {limits: [{resource: usd, amount: -5}]}", ["amount is out of range: -5, minimum is 0"]),
        ("guardrails: {limits: [{resource: usd, amount: 1e400}]}", ["amount is out of range: 1E+400"]),
        (
            "guardrails: {limits: [{resource: usd, amount: 5, scop: run}]}",
            ["unknown key 'scop', did you mean 'scope'?"],
        ),
        ("guardrails: {gates: [{trigger: spend, effect: interupt}]}", ["did you mean 'interrupt'?"]),
        ("guardrails: {boundaries: [{dimension: tool, effect: allow, like: x}]}", ["unknown key 'like', known keys:"]),
        ("guardrails: {limts: []}", ["unknown key 'limts', did you mean 'limits'?"]),
        ("guardrails: {limits: ~}", ["m.yaml:6:14: limits must be a list"]),
    ],
)
def test_each_mistake_in_a_block_has_its_place(tmp_path: Path, block: str, expected: list[str]) -> None:
    found = problems(tmp_path, SMALL + block + "\n")
    for message in expected:
        assert any(message in problem for problem in found), found


def test_mistakes_of_all_kinds_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = SMALL.replace("/1", "/2").replace("cost: free", "cost: cheap").replace("production}", "p, descripton: x}")
    text += "    - {name: http.get, cost: free}\n"
    text += "  credentials: [{name: k, issued: 2026-02-30}, {name: l, expires: 2026-11-01T10:00:00}]\n"
    text += "evidence: [{path: a, collected: 2026-02-30}, {path: a}]\n"
    text += "waivers:\n  - {control: A, reason: r, owner: o, approved_by: p, expires: 2026-02-31}\n"

    assert problems(tmp_path, text) == [
        "m.yaml:1:1: schema must be 'psf-audit/manifest/1'",
        "m.yaml:2:60: unknown key 'descripton', did you mean 'description'?",
        "m.yaml:5:24: cost cannot be 'cheap', write free, unknown, or {usd: 0.25, per: call}",
        "m.yaml:6:8: 'http.get' stands here a second time, keep one",
        "m.yaml:7:27: issued must be a date or a time with zone, in the years 2000 to 2099",
        "m.yaml:7:58: expires cannot be '2026-11-01T10:00:00', write a day as YYYY-MM-DD, or a time with its zone",
        "m.yaml:8:22: 2026-02-30 is no day of the calendar",
        "m.yaml:8:47: 'a' stands here a second time, keep one",
        "m.yaml:10:55: 2026-02-31 is no day of the calendar",
    ]


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL + f"rubric: {'x' * 3000} y\n")
    assert len(found) < 200


@pytest.mark.parametrize("data", [b"\xff", b"\xfe\xff\x00a"])
def test_a_manifest_that_is_not_utf8(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.yaml").write_bytes(data)
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        manifest.load(tmp_path / "m.yaml")


def test_no_manifest_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        manifest.load(tmp_path / "m.yaml")
    with pytest.raises(ConfigurationError, match="is a folder"):
        manifest.load(tmp_path)


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        "",
        "x",
        "unknown",
        "free",
        "2026-02-30",
        "2026-11-20",
        [],
        [[]],
        {},
        {"": 1},
        [{}],
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_anywhere_it_is_refused_or_makes_facts_that_fit(tmp_path: Path, data: st.DataObject) -> None:
    value: Any = {"": load(tmp_path, FULL).value}
    value = json.loads(json.dumps(value, default=float))
    *above, last = data.draw(st.sampled_from(places(value)[1:]))
    holder = value
    for key in above:
        holder = holder[key]
    holder[last] = data.draw(JUNK)
    with suppress(ConfigurationError):
        for claim in load(tmp_path, json.dumps(value[""])).claims:
            if isinstance(claim, Fact):
                typed(claim.table, claim.values)


def test_what_a_table_holds_is_declared_at_the_line_nearest_to_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, FULL)
    lines = {table: loaded.line_for([table]) for table in ("people", "capabilities", "credentials", "limits", "logs")}
    assert lines == {"people": 3, "capabilities": 12, "credentials": 16, "limits": 19, "logs": 24}
    assert loaded.line_for(["people", "gates"]) == 20
    assert loaded.line_for(["documents", "records"]) == 25
    assert load(tmp_path, FULL.replace("  logs: [{sink: s3, append_only: true}]\n", "")).line_for(["logs"]) == 18
    assert load(tmp_path, SMALL).line_for(["limits"]) == 1
