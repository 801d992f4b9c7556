"""What counts for a control in words, and that the way up which is shown leads up."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from psf_audit import advice, collection, explanation, rubric
from psf_audit.explanation import Code, Explanation, Section
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.model import Assessment, Status
from psf_audit.reading import parse_yaml
from tests import samples
from tests.deployments import (
    ALERT,
    CEILING,
    RATE,
    Deployment,
    call,
    control,
    event,
    guarded,
    junit,
    log,
    rubric_text,
    started,
    tried,
)

FORMATS = collection.formats()
NEWEST = rubric.load(rubric.locate("psf-agentic@1"))


def explained(deployment: Deployment, id_: str) -> tuple[Explanation, Assessment]:
    """A control of the small rubric explained, with what is found of it in a deployment."""
    found = deployment.assess()
    rules = rubric.load(deployment.folder / "rubric.yaml")
    known = rules.control(id_)
    assert known is not None
    return explanation.explain(known, rules, FORMATS, found), found


def section(told: Explanation, title: str) -> Section:
    return next(one for one in told.sections if one.title.startswith(title))


def way(told: Explanation) -> Section:
    return section(told, "The shortest way")


def code(told: Explanation, start: str) -> Code:
    return next(one for one in way(told).codes if one.title.startswith(start))


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


# -------------------------------------------------------------------------------------------------- the way leads up


@pytest.mark.parametrize("id_", ["SPEND-01", "SPEND-02"])
def test_the_test_that_is_shown_lifts_a_control_that_is_untested(deployment: Deployment, id_: str) -> None:
    deployment.drop("evidence/drills.xml")
    told, found = explained(deployment, id_)
    assert control(found, id_).status is Status.UNTESTED

    snippet = code(told, "A test").text
    source = deployment.write("test_shown.py", snippet)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"]
    run += ["-c", "/dev/null", f"--rootdir={deployment.folder}", f"--junitxml={deployment.folder}/junit.xml"]
    as_it_stands = subprocess.run([*run, source], capture_output=True, text=True, check=False, cwd=deployment.folder)
    assert as_it_stands.returncode == 1, as_it_stands.stdout  # it passes only once somebody has written the test
    line = next(line for line in snippet.splitlines() if "raise NotImplementedError" in line)
    source.write_text(snippet.replace(line, "    assert True"))
    subprocess.run([*run, source], capture_output=True, text=True, check=True, cwd=deployment.folder)
    _dated_then(deployment, "junit.xml")
    deployment.put("junit.xml", (deployment.folder / "junit.xml").read_text())

    assert control(deployment.assess(), id_).status is Status.DEMONSTRATED


def _dated_then(deployment: Deployment, path: str) -> None:
    """Take the file for one that was made on the day of the tests: evidence of a later day does not count."""
    file = deployment.folder / path
    file.write_text(re.sub(r'timestamp="[^"]*"', 'timestamp="2026-11-20T08:00:00Z"', file.read_text()))


def test_the_document_that_is_shown_lifts_a_control_that_is_undocumented(deployment: Deployment) -> None:
    deployment.drop("docs/runbook.md")
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.UNDOCUMENTED
    text = code(told, "A document").text.replace("NAME OF WHO ANSWERS FOR IT", "R. Okafor")
    deployment.put("runbook.md", text)
    assert control(deployment.assess(), "SPEND-01").status is Status.DEMONSTRATED


def test_what_is_to_be_written_in_the_manifest_is_a_manifest(deployment: Deployment) -> None:
    deployment.drop("docs/runbook.md")
    told, _ = explained(deployment, "SPEND-01")
    (entry,) = parse_yaml(code(told, "In the manifest").text).value["evidence"]
    assert entry == {"path": "runbook.md", "collected": "2026-11-22"}


def test_what_is_missing_names_what_is_not_covered_and_what_to_collect(deployment: Deployment) -> None:
    deployment.rubric = rubric_text(
        {
            **CEILING,
            "remedy": {"text": "Set it.", "effort": "hours", "snippets": {"other": "x", "psf-audit-guardrails": "y"}},
        },
        RATE,
        ALERT,
    )
    deployment.manifest["agent"]["capabilities"].append(
        {"name": "cloud.create", "kind": "tool", "via": "cloud", "cost": {"usd": 2, "per": "call"}}
    )
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.MISSING
    assert any("not covered so far: cloud.create" in item for item in way(told).items)
    assert "Set it." in way(told).items
    assert [one.text for one in way(told).codes] == ["y"]  # the one for what is at hand


def test_what_is_contradicted_names_what_stands_against_it(deployment: Deployment) -> None:
    calls = [event(name="forbidden.call", cost_usd=1, outcome="ok", at=f"2026-11-20T11:0{n}:00Z") for n in range(5)]
    deployment.put("evidence/log.jsonl", log(started(), call(), *calls))
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.CONTRADICTED
    assert sum("mend what let this happen: forbidden call" in item for item in way(told).items) == 3
    assert "and 2 more" in way(told).items
    assert "nothing lifts it" in way(told).texts[0]


def test_what_a_failed_test_contradicts_needs_a_later_pass(deployment: Deployment) -> None:
    deployment.put("evidence/drills.xml", junit(tried("SPEND-01", "failed")))
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.CONTRADICTED
    assert "only a later pass clears it" in way(told).items[0]


def test_what_is_unknown_names_what_to_supply(deployment: Deployment) -> None:
    deployment.drop("config/gateway.yaml")
    deployment.manifest["evidence"].append({"missing": "the gateway's configuration", "would_show": ["SPEND-01"]})
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.UNKNOWN
    assert any("supply the gateway's configuration" in item for item in way(told).items)


def test_what_is_unknown_because_it_is_stale_is_to_be_collected_again(deployment: Deployment) -> None:
    told, found = explained(Deployment(deployment.folder, _aged(deployment)), "SPEND-02")
    assert control(found, "SPEND-02").status is Status.UNKNOWN
    assert any("collect again, of this release: request limit" in item for item in way(told).items)


def _aged(deployment: Deployment) -> dict[str, object]:
    entries = [
        {**entry, "collected": "2026-09-01"} if entry.get("path") == "config/gateway.yaml" else entry
        for entry in deployment.manifest["evidence"]
    ]
    return {**deployment.manifest, "evidence": entries}


def test_what_is_demonstrated_or_does_not_apply_needs_nothing(deployment: Deployment) -> None:
    told, _ = explained(deployment, "SPEND-01")
    assert "no higher status" in way(told).texts[0]
    assert not way(told).items
    assert not way(told).codes
    deployment.rubric = rubric_text({**CEILING, "applies_when": "SELECT 1 AS x FROM people WHERE 1 = 0"}, RATE, ALERT)
    told, found = explained(deployment, "SPEND-01")
    assert control(found, "SPEND-01").status is Status.NOT_APPLICABLE
    assert "Nothing is to be done" in way(told).texts[0]


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_a_word_on_how_to_leave_it(status: Status) -> None:
    assert explanation._up(status, NEWEST.controls[0])


# ---------------------------------------------------------------------------------------------------------- criteria


@pytest.mark.parametrize("known", NEWEST.controls, ids=[one.id for one in NEWEST.controls])
def test_every_control_is_explained_with_all_that_its_criteria_read(known: rubric.Control) -> None:
    told = explanation.explain(known, NEWEST, FORMATS)
    for name, sql in known.criteria.items():
        part = section(told, f"Criterion {name}")
        assert part.codes[0].text == sql
        assert part.texts == (explanation.ROLES[name],)
        read = {item.split(":")[0].removeprefix("reads ") for item in part.items if item.startswith("reads ")}
        assert read <= TABLES.keys() | {view.name for view in views()}
        assert read
        assert all(word in sql for word in read)
        for parameter in known.parameters(name):
            assert any(item.startswith(f"${parameter} is ") for item in part.items)
    present = " ".join(section(told, "What counts as present").texts)
    assert f"{known.present_max_age_days} days" in present
    assert ("lacks" in present) is ("lacks" in known.criteria)
    tested = " ".join(section(told, "What counts as tested").texts)
    assert ("defeat" in tested) is known.tested.adversarial
    assert ("It is blocking" in tested) is (known.severity.value == "blocking")


def test_the_formats_that_are_named_can_give_such_rows() -> None:
    known = NEWEST.control("SPEND-01")
    assert known is not None
    (item,) = section(explanation.explain(known, NEWEST, FORMATS), "What counts as present").items
    named = item.partition(": ")[2].split(", ")
    assert "litellm-config" in named
    assert "junit-xml" not in named
    assert named == sorted(kind.name for kind in advice.fitting(known, ("shows",), FORMATS.values()))


def test_what_was_found_names_each_row_with_its_place(deployment: Deployment) -> None:
    told, found = explained(deployment, "SPEND-01")
    rows = section(told, "What was found").items
    assert "Shown: usd limit; 50 (config/gateway.yaml, line 7)" in rows
    assert sum(row.startswith("Test: ") for row in rows) == control(found, "SPEND-01").tests.count
    assert any(row.startswith("Document: ") and "docs/runbook.md" in row for row in rows)


def test_a_waiver_is_told_where_it_holds() -> None:
    rules = NEWEST
    known = rules.control("SPEND-01")
    assert known is not None
    small = samples.small()
    assert "Waived until" in " ".join(
        text
        for one in small.controls
        if one.waiver is not None and (of := rules.control(one.id)) is not None
        for part in explanation.explain(of, rules, FORMATS, small).sections
        for text in part.texts
    )
