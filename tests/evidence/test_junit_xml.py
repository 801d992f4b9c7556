import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence import junit_xml
from psf_audit.evidence.junit_xml import JUNIT_XML
from psf_audit.facts.model import Fact, Gap, Item, Loaded, Remark
from psf_audit.facts.store import typed

FIXTURES = Path(__file__).parent / "fixtures" / "junit-xml"
TAGS = ["testsuites", "testsuite", "testcase", "failure", "skipped", "flakyFailure", "properties", "property", "other"]
ATTRIBUTES = ["name", "classname", "value", "tests", "failures", "timestamp", "status"]
WORDS = [
    "psf.control",
    "psf.how",
    "psf.config",
    "psf.adversarial",
    "SPEND-04",
    "-1",
    "notrun",
    "2026-11-20T10:00:00",
    "",
]
ELEMENTS = st.recursive(
    st.text(alphabet="ab ", max_size=3),
    lambda inner: st.builds(
        lambda tag, attributes, children: (
            f"<{tag} "
            + " ".join(f'{name}="{value}"' for name, value in attributes.items())
            + f">{''.join(children)}</{tag}>"
        ),
        st.sampled_from(TAGS),
        st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(WORDS), max_size=3),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


def artifact(text: str | bytes) -> Artifact:
    data = text.encode() if isinstance(text, str) else text
    return Artifact("results.xml", data, hashlib.sha256(data).hexdigest())


def read(inside: str, attributes: str = 'name="s" timestamp="2026-11-20T10:00:00Z"') -> list[Item]:
    """What the reader gives for a suite."""
    return list(JUNIT_XML.read(artifact(f"<testsuite {attributes}>{inside}</testsuite>")))


def facts(items: list[Item]) -> list[dict[str, Any]]:
    return [dict(item.values) for item in items if isinstance(item, Fact)]


def gaps(items: list[Item]) -> list[str]:
    return [item.what for item in items if isinstance(item, Gap)]


@pytest.fixture
def fixture() -> list[Item]:
    return list(JUNIT_XML.read(artifact((FIXTURES / "results.xml").read_bytes())))


def test_reads_the_cases_of_nested_suites(fixture: list[Item]) -> None:
    rows = facts(fixture)
    assert [(row["suite"], row["name"], row["outcome"], row["control"]) for row in rows] == [
        ("guardrails", "tests.spend.test_budget_stops_the_task", "passed", "SPEND-04"),
        ("guardrails", "tests.spend.test_budget_stops_the_task", "passed", "SPEND-05"),
        ("guardrails", "tests.spend.test_spend_02_alerts", "passed", "SPEND-02"),
        ("guardrails", "tests.spend.test_spend_02_alerts", "passed", None),
        ("guardrails", "BOUND-01: unknown hosts are refused", "failed", "BOUND-01"),
        ("guardrails", "BOUND-01: unknown hosts are refused", "failed", None),
        ("inner", "a", "error", None),
        ("inner", "b", "skipped", None),
        ("inner", "c", "passed", None),
    ]
    assert [row["link"] for row in rows] == ["artifact" if row["control"] else None for row in rows]
    assert gaps(fixture) == []


def test_properties_hold_for_what_is_inside(fixture: list[Item]) -> None:
    first, *_, last = [item for item in fixture if isinstance(item, Fact)]
    assert (first.basis, first.on, first.release) == ("test", date(2026, 11, 20), "2.4.0")
    assert first.pointer == "testcase[1] tests.spend.test_budget_stops_the_task"
    assert {name: first.values[name] for name in ("how", "adversarial", "at_ms", "environment", "run")} == {
        "how": "attack",
        "adversarial": True,
        "at_ms": 1795162526000,
        "environment": "staging",
        "run": "r9",
    }
    assert (last.pointer, last.on, last.release) == ("testcase[6] c", date(2026, 11, 21), "2.4.0")
    assert (last.values["how"], last.values["adversarial"], last.values["run"]) == ("functional", None, None)


def test_configurations_that_were_loaded(fixture: list[Item]) -> None:
    assert [item for item in fixture if isinstance(item, Loaded)] == [
        Loaded("0" * 62 + "aa", "line 6"),
        Loaded("0" * 62 + "bb", "line 7"),
    ]


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("<testcase/>", "passed"),
        ("<testcase><skipped/><failure/></testcase>", "failed"),
        ("<testcase><error/><skipped/></testcase>", "error"),
        ('<testcase status="notrun"/>', "skipped"),
        ('<testcase result="suppressed"/>', "skipped"),
        ('<testcase status="FAILED"/>', "failed"),
        ('<testcase status="run"/>', "passed"),
        ("<testcase><flakyFailure/></testcase>", "inconclusive"),
        ("<testcase><failure/><rerunFailure/></testcase>", "failed"),
        ("<testcase><rerunError/></testcase>", "inconclusive"),
        ("<testcase><system-out><failure/></system-out></testcase>", "passed"),
        ('<n:testcase xmlns:n="urn:x"><n:failure/></n:testcase>', "failed"),
    ],
)
def test_the_children_decide(case: str, outcome: str) -> None:
    assert [row["outcome"] for row in facts(read(case))] == [outcome]


def test_root_attributes_may_be_absent_and_children_win_over_them() -> None:
    items = read('<testcase name="a"><failure/></testcase>', 'timestamp="2026-11-20T10:00:00Z" tests="1" failures="0"')
    assert [(row["suite"], row["outcome"]) for row in facts(items)] == [(None, "failed")]
    assert gaps(items) == []


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ('tests="3"', "a suite claims 3 tests and holds 2"),
        ('tests="2" failures="1" errors="1"', "a suite claims 2 failures and shows 1"),
    ],
)
def test_a_suite_that_claims_more_than_it_holds_is_a_gap(attributes: str, what: str) -> None:
    items = read("<testcase/><testcase><failure/></testcase>", f'timestamp="2026-11-20T10:00:00Z" {attributes}')
    assert gaps(items) == [what]


def test_a_failure_outside_any_test_is_a_gap() -> None:
    assert gaps(read("<testcase/><error/>")) == ["a failure that belongs to no test"]


def test_all_skipped_passes_nothing() -> None:
    items = read("<testcase><skipped/></testcase>" * 3)
    assert {row["outcome"] for row in facts(items)} == {"skipped"}


@pytest.mark.parametrize(
    ("stated", "milliseconds"),
    [
        ("2026-11-20T23:59:59", 1795132800000),
        ("2026-11-20 23:59:59.123", 1795132800000),
        ("2026-11-20", 1795132800000),
        ("2026-11-20T23:59:59-02:00", 1795226399000),
    ],
)
def test_of_a_time_without_zone_only_the_day_is_used(stated: str, milliseconds: int) -> None:
    items = read("<testcase/>", f'timestamp="{stated}"')
    assert [row["at_ms"] for row in facts(items)] == [milliseconds]
    assert gaps(items) == []


@pytest.mark.parametrize("attributes", ["", 'timestamp="yesterday"', 'timestamp="2026-13-01T00:00:00"', 'timestamp=""'])
def test_tests_without_a_time_are_remarked_on(attributes: str) -> None:
    items = read("<testcase/><testcase/>", attributes)
    assert [row["at_ms"] for row in facts(items)] == [None, None]
    (remark,) = [item for item in items if isinstance(item, Remark)]
    assert remark.what.startswith("2 tests without a time")


def test_a_test_may_have_a_time_of_its_own() -> None:
    assert facts(read('<testcase timestamp="2026-11-21T00:00:00Z"/>'))[0]["at_ms"] == 1795219200000


@pytest.mark.parametrize(
    ("name", "controls"),
    [
        ("test_SPEND_04_x", ["SPEND-04", None]),
        ("test_spend_04_and_check_02", ["SPEND-04", "CHECK-02", None]),
        ("SPEND-04 SPEND-04", ["SPEND-04", None]),
        ("SPEND-041", [None]),
        ("spend-04", [None]),
        ("SHA-256 of CVE-2024-1", [None]),
        ("test_plain", [None]),
        ("", [None]),
    ],
)
def test_controls_in_names(name: str, controls: list[str | None]) -> None:
    assert [row["control"] for row in facts(read(f'<testcase name="{name}"/>'))] == controls


def test_a_property_outranks_the_name_and_that_of_the_suite() -> None:
    control = '<properties><property name="psf.control" value="{}"/></properties>'
    items = read(
        control.format("READY-01")
        + '<testcase name="test_spend_04"/>'
        + f"<testcase>{control.format('AUDIT-01,,AUDIT-01')}</testcase>"
        + f'<testcase name="test_spend_04">{control.format(" , ")}</testcase>'
    )
    assert [row["control"] for row in facts(items)] == ["READY-01", "AUDIT-01", "READY-01"]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("psf.controls", "SPEND-04", "the property psf.controls is not known; did you mean `psf.control`?"),
        ("psf.adversarial", "perhaps", "1 test whose psf.adversarial is neither true nor false"),
        ("psf.how", "atack", "1 test whose psf.how is not one of attack, drill, review, functional"),
        ("psf.config", "00aa", "psf.config is not `sha256:` and 64 hexadecimal digits"),
    ],
)
def test_a_property_that_cannot_be_used_is_a_gap(name: str, value: str, what: str) -> None:
    items = read(f'<testcase><properties><property name="{name}" value="{value}"/></properties></testcase>')
    assert gaps(items) == [what]
    assert len(facts(items)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<testsuite>",
        '<testsuite tests="0"/>',
        "<testsuites><testsuite/></testsuites>",
        "<html><testcase/></html>",
        "<testsuite><testcase/></testsuite><testsuite/>",
        '<?xml version="1.0" encoding="klingon"?><testsuite><testcase/></testsuite>',
        "<testsuite>" * 200 + "<testcase/>" + "</testsuite>" * 200,
    ],
)
def test_a_file_without_tests_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        list(JUNIT_XML.read(artifact(text)))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE testsuite>",
        '<!DOCTYPE testsuite SYSTEM "http://example.invalid/x.dtd">',
        '<!DOCTYPE testsuite [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE testsuite [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    ],
)
def test_document_types_and_entities_are_refused(doctype: str) -> None:
    candidate = artifact(f'<?xml version="1.0"?>{doctype}<testsuite><testcase name="a"/></testsuite>')
    assert JUNIT_XML.sniff(candidate)
    with pytest.raises(Unreadable, match="document type or entities"):
        list(JUNIT_XML.read(candidate))


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(f'<property name="psf.x{number}" value="1"/>' for number in range(101))
    with pytest.raises(Unreadable, match="psf properties"):
        read(f"<testcase>{many}</testcase>")
    with pytest.raises(Unreadable, match="psf properties"):
        read(f'<testcase><property name="psf.run">{"r" * 2000}</property></testcase>')
    monkeypatch.setattr(junit_xml, "_MAX_FACTS", 2)
    with pytest.raises(Unreadable, match="more than 2 results"):
        read("<testcase/>" * 3)
    monkeypatch.setattr(junit_xml, "_MAX_ELEMENTS", 2)
    with pytest.raises(Unreadable, match="too many elements"):
        read("<testcase/>" * 3)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("<testsuites/>", True),
        ('\ufeff<?xml version="1.0"?>\n<!-- a > b --><testsuite name="x">', True),
        ('<n:testsuites xmlns:n="urn:x">', True),
        ("<html><testsuite/></html>", False),
        ("<!-- <testsuite/> -->", False),
        ("<!-- <testsuite/>", False),
        ("<testsuiteish/>", False),
        ("testsuite", False),
    ],
)
def test_it_is_recognised_by_its_first_element(text: str, ours: bool) -> None:
    assert JUNIT_XML.sniff(artifact(text)) is ours


def test_a_real_report(repo: Path) -> None:
    path = repo.parent / "shared" / "corpus" / "readiness" / "junit_kubescape.xml"
    if not path.is_file():
        pytest.skip("the corpus is not part of the checkout")
    candidate = artifact(path.read_bytes())
    assert JUNIT_XML.sniff(candidate)
    items = list(JUNIT_XML.read(candidate))
    outcomes = [row["outcome"] for row in facts(items)]
    assert (len(outcomes), outcomes.count("failed"), outcomes.count("skipped")) == (24, 16, 3)
    assert gaps(items) == []


@given(st.lists(ELEMENTS, max_size=4))
def test_any_nesting_is_read_or_unreadable(elements: list[str]) -> None:
    candidate = artifact(f"<testsuites>{''.join(elements)}</testsuites>")
    JUNIT_XML.sniff(candidate)
    try:
        items = list(JUNIT_XML.read(candidate))
    except Unreadable:
        return
    for row in facts(items):
        typed("tests", row)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    for candidate in (artifact(data), artifact(b"<testsuite>" + data + b"</testsuite>")):
        JUNIT_XML.sniff(candidate)
        try:
            list(JUNIT_XML.read(candidate))
        except Unreadable:
            continue
