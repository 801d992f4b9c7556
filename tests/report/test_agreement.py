"""Every report says the same: verdict, exit code, how many controls have each status, and which gaps are open."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings

from psf_audit import assess, audit, gate, manifest, wire
from psf_audit.errors import ExitCode
from psf_audit.model import Assessment, Gate, Severity, Status, Verdict
from psf_audit.notices import DISCLOSED, GATE
from psf_audit.plugins import discover
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import screened
from tests import samples
from tests.conftest import ROOT
from tests.strategies import assessments

FORMATS = discover("psf_audit.report", ReportFormat)
AS_OF = date(2026, 11, 22)


@dataclass(frozen=True)
class Said:
    """What a report says; None where its format has no room for it. `open` are gaps that nobody signed for."""

    open: frozenset[str] | None = None
    unknown: frozenset[str] | None = None
    waived: frozenset[str] | None = None
    counts: Mapping[str, int] | None = None
    verdict: str | None = None
    exit_code: int | None = None
    fails: bool | None = None


def expected(assessment: Assessment) -> Said:
    """What follows from the assessment itself."""
    gaps = [control for control in assessment.controls if control.status.is_gap]
    code = gate.decide(assessment).code
    return Said(
        open=frozenset(control.id for control in gaps if control.waiver is None),
        unknown=frozenset(control.id for control in gaps if control.status is Status.UNKNOWN),
        waived=frozenset(control.id for control in gaps if control.waiver is not None),
        counts=counted(control.status.value for control in assessment.controls),
        verdict=assessment.verdict.value,
        exit_code=code.value,
        fails=code is not ExitCode.READY,
    )


def counted(statuses: Any) -> dict[str, int]:
    found = Counter(statuses)
    return {status.value: found[status.value] for status in Status}


def of_statement(values: Mapping[str, str]) -> dict[str, Any]:
    """What every format with properties says in them."""
    return {
        "verdict": values["verdict"],
        "exit_code": int(values["exit-code"]),
        "counts": {status.value: int(values[f"controls-{status.value}"]) for status in Status},
        "waived": frozenset(values["waived"].split(", ")) - {"none"},
    }


def of_json(text: str) -> Said:
    value = json.loads(text)
    controls = [control for domain in value["domains"] for control in domain["controls"]]
    gaps = [one for one in controls if one["status"] not in {"demonstrated", "not_applicable"}]
    return Said(
        open=frozenset(one["id"] for one in gaps if one["waiver"] is None),
        unknown=frozenset(one["id"] for one in gaps if one["status"] == "unknown"),
        waived=frozenset(one["id"] for one in gaps if one["waiver"] is not None),
        counts=counted(one["status"] for one in controls),
        verdict=value["verdict"],
        exit_code=value["gate"]["exit_code"],
        fails=not value["gate"]["met"],
    )


class _Embedded(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.data, self.inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = (tag, dict(attrs).get("id")) == ("script", "psf-assessment")

    def handle_data(self, data: str) -> None:
        self.data += data if self.inside else ""


def of_html(text: str) -> Said:
    page = _Embedded()
    page.feed(text)
    page.close()
    return of_json(page.data)


def of_words(text: str) -> Said:
    """Reports for people: the gate is told in words."""
    code = re.search(r"exit code (\d+)", " ".join(text.split()))
    assert code
    return Said(exit_code=int(code[1]))


def of_sarif(text: str) -> Said:
    (run,) = json.loads(text)["runs"]
    found = {result["ruleId"]: result["properties"].get("status") for result in run["results"]}
    assert len(found) == len(run["results"])
    assert run["invocations"][0]["exitCode"] == int(run["properties"]["exit-code"])
    said = of_statement(run["properties"])
    assert said["waived"] == {one["control"] for one in run["properties"]["waivers"]}
    unknown = [one["control"] for one in run["properties"]["waivers"] if one["status"] == "unknown"]
    return Said(
        open=frozenset(found) - {GATE},
        unknown=frozenset([*(id_ for id_, status in found.items() if status == "unknown"), *unknown]),
        fails=GATE in found,
        **said,
    )


def of_junit(text: str) -> Said:
    root = fromstring(text)
    cases = {case: {child.tag for child in case} - {"properties"} for case in root.iter("testcase")}
    (about,) = (suite for suite in root if suite.get("name") == "gate")
    said = of_statement(properties(about))
    open_, unknown, statuses, gate_failed = set(), set(), [], False
    for case, tags in cases.items():
        if case.get("classname") == "psf.gate":
            gate_failed = bool(tags)
            assert tags == {0: set(), 3: {"error"}}.get(said["exit_code"], {"failure"})
            continue
        own = properties(case)
        status, waived = own["status"], "waived" in own
        statuses.append(status)
        gap = Status(status).is_gap
        assert waived == (own["control"] in said["waived"])
        if waived or status == "not_applicable" or (gap and said["exit_code"] == 0):
            assert tags == {"skipped"}
        else:
            assert tags == ({"error"} if status == "unknown" else {"failure"} if gap else set())
        unknown |= {own["control"]} if status == "unknown" else set()
        open_ |= {own["control"]} if gap and not waived else set()
    for element in (root, *root):
        inside = [cases[case] for case in element.iter("testcase")]
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(name) == str(sum(tag in tags for tags in inside))
        assert element.get("tests") == str(len(inside))
    fails = bool(root.findall(".//failure") or root.findall(".//error"))
    assert fails == gate_failed
    assert counted(statuses) == said["counts"]
    return Said(open=frozenset(open_), unknown=frozenset(unknown), fails=fails, **said)


def properties(element: Any) -> dict[str, str]:
    found = element.find("properties")
    return {one.get("name").removeprefix("psf-audit."): one.get("value") for one in found}


def of_gitlab(text: str) -> Said:
    every = json.loads(text)
    assert len({one["fingerprint"] for one in every}) == len(every)
    found = {one["check_name"]: one for one in every if one["check_name"] != DISCLOSED}
    controls = {id_: one for id_, one in found.items() if id_ != GATE}
    return Said(
        open=frozenset(id_ for id_, one in controls.items() if one["severity"] != "info"),
        waived=frozenset(id_ for id_, one in controls.items() if one["severity"] == "info"),
        fails=GATE in found,
    )


COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)\Z")
REST = re.compile(r"(\S+) \((waived, )?([a-z ]+)\)")


def of_github(text: str) -> Said:
    commands = [COMMAND.match(line) for line in text.splitlines()]
    open_: set[str] = set()
    waived: set[str] = set()
    unknown: set[str] = set()
    fails = False
    shown = Counter(command[1] for command in commands if command)
    assert all(shown[kind] <= 10 for kind in ("error", "warning", "notice"))
    summary, *rest = [command for command in commands if command]
    assert len(rest) == len(commands) - 1
    for command in rest:
        title = dict(part.split("=", 1) for part in command[2].split(","))["title"]
        is_waived = title.startswith("waived%3A ")
        id_ = title.removeprefix("waived%3A ").partition(" ")[0]
        if id_ == GATE:
            fails = True
            continue
        (waived if is_waived else open_).add(id_)
        unknown |= {id_} if command[3].startswith("unknown: ") else set()
    for id_, is_waived, status in (
        REST.findall(summary[3].rpartition("; not shown: ")[2]) if "; not shown: " in text else ()
    ):
        (waived if is_waived else open_).add(id_)
        unknown |= {id_} if status == "unknown" else set()
    code = re.findall(r"\(exit code (\d+)\)\. Score ", summary[3])[-1]
    verdict = summary[2].removeprefix("title=psf-audit%3A ").replace(" ", "_")
    return Said(
        open=frozenset(open_), unknown=frozenset(unknown), waived=frozenset(waived),
        verdict=verdict, exit_code=int(code), fails=fails,
    )  # fmt: skip


def of_summary(text: str) -> Said:
    heading = text.splitlines()[0].rpartition(": ")[2]
    code = re.findall(r"\(exit code (\d+)\)", text)[0]
    before, _, waived = text.partition("\n### Waived")
    ids = re.compile(r"^\| \*\*(\S+)\*\* ", re.MULTILINE)
    return Said(
        open=frozenset(unescaped(id_) for id_ in ids.findall(before)),
        waived=frozenset(unescaped(id_) for id_ in ids.findall(waived)),
        verdict=heading.replace(" ", "_"),
        exit_code=int(code),
    )


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def of_oscal(text: str) -> Said:
    (result,) = json.loads(text)["assessment-results"]["results"]
    said = of_statement(named(result["props"]))
    (selection,) = result["reviewed-controls"]["control-selections"]
    findings = {one["target"]["target-id"]: one for one in result["findings"]}
    fails = findings.pop(GATE)["target"]["status"]["state"] == "not-satisfied"
    assert set(findings) == {one["control-id"] for one in selection.get("include-controls", ())}
    risks = {one["uuid"]: named(one["props"])["control"] for one in result.get("risks", ())}
    open_, unknown, statuses = set(), set(), []
    for id_, one in findings.items():
        status = named(one["props"])["status"]
        statuses.append(status)
        assert (one["target"]["status"]["state"] == "satisfied") == (status == "demonstrated")
        waived = [risks[risk["risk-uuid"]] for risk in one.get("related-risks", ())]
        assert waived in ([], [id_])
        open_ |= {id_} if Status(status).is_gap and not waived else set()
        unknown |= {id_} if status == "unknown" else set()
    statuses += ["not_applicable"] * len(selection.get("exclude-controls", ()))
    assert counted(statuses) == said["counts"]
    assert set(risks.values()) == said["waived"]
    return Said(open=frozenset(open_), unknown=frozenset(unknown), fails=fails, **said)


def named(props: list[dict[str, str]]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in props}


def of_csv(text: str) -> Said:
    rows = list(csv.DictReader(StringIO(text, newline=""), strict=True))
    controls = {row["control"]: row for row in rows if row["list"] != "disclosed"}
    gaps = {id_: row for id_, row in controls.items() if Status(row["status"]).is_gap}
    verdicts = {(row["verdict"], row["exit_code"]) for row in rows}
    assert len(verdicts) <= 1
    verdict, code = next(iter(verdicts), (None, None))
    return Said(
        open=frozenset(id_ for id_, row in gaps.items() if not row["waived_until"]),
        unknown=frozenset(id_ for id_, row in gaps.items() if row["status"] == "unknown"),
        waived=frozenset(id_ for id_, row in gaps.items() if row["waived_until"]),
        counts=counted(row["status"] for row in controls.values()),
        verdict=verdict,
        exit_code=None if code is None else int(code),
    )


READERS: dict[str, Callable[[str], Said]] = {
    "csv": of_csv,
    "github": of_github,
    "github-summary": of_summary,
    "gitlab": of_gitlab,
    "html": of_html,
    "json": of_json,
    "junit": of_junit,
    "markdown": of_words,
    "oscal": of_oscal,
    "sarif": of_sarif,
    "terminal": of_words,
}


@cache
def shipped(name: str) -> Assessment:
    """The assessment of a sample that ships."""
    path = ROOT / "samples" / name / "manifest.yaml"
    return audit.assess_manifest(manifest.load(path), audit.Options(as_of=AS_OF))


def waived_only() -> Assessment:
    """A deployment that is ready but for one gap, for which somebody signed."""
    made = samples.ready()
    first = made.controls[0]
    other = replace(first, status=Status.MISSING, waiver=samples.waiver(first.id, "matched", "covers it"))
    return samples.assessment((other, *made.controls[1:]))


def harmless_gap() -> Assessment:
    """A deployment that is ready although a control that does not block is not documented."""
    made = samples.ready()
    control = next(one for one in made.controls if one.severity is not Severity.BLOCKING and one.status.credit)
    changed = replace(control, status=Status.UNDOCUMENTED, reason="tested, but no document covers it")
    given = {"evidence": tuple(entry for entry in made.evidence if entry.readable)}
    return samples.assessment([changed if one is control else one for one in made.controls], **given)


MADE: dict[str, Callable[[], Assessment]] = {
    "dn42": lambda: shipped("dn42"),
    "guarded": lambda: shipped("guarded"),
    "small": samples.small,
    "ready": samples.ready,
    "large": samples.large,
    "hostile": lambda: screened(samples.hostile()),
    "waived": waived_only,
    "waived, and that suffices": lambda: replace(waived_only(), gate=Gate(require=Verdict.READY_WITH_WAIVERS)),
    "a gap that the gate lets pass": harmless_gap,
    "stopped by the score alone": lambda: replace(harmless_gap(), gate=Gate(min_score=100)),
    "stopped by a status alone": lambda: replace(harmless_gap(), gate=Gate(fail_on=(Status.UNDOCUMENTED,))),
    "without evidence": lambda: replace(samples.ready(), evidence=()),
    "without controls": lambda: samples.assessment([]),
}


def test_every_format_has_a_reader_here() -> None:
    assert READERS.keys() == FORMATS.keys()


def agrees(kind: ReportFormat, assessment: Assessment) -> None:
    told, wanted = READERS[kind.name](kind.assessment(assessment, View())), expected(assessment)
    for name, value in vars(told).items():
        assert value is None or value == getattr(wanted, name), (kind.name, name)


@pytest.mark.parametrize("name", MADE)
def test_every_format_says_what_the_assessment_and_the_exit_code_say(name: str) -> None:
    assessment = renamed(MADE[name]())
    for kind in FORMATS.values():
        agrees(kind, assessment)
        agrees(kind, wire.from_json(json.loads(FORMATS["json"].assessment(assessment, View()))))


def test_the_samples_here_cover_what_can_happen() -> None:
    made = [make() for make in MADE.values()]
    assert {assessment.verdict for assessment in made} >= {
        Verdict.READY,
        Verdict.READY_WITH_WAIVERS,
        Verdict.NOT_READY,
    }
    assert {gate.decide(assessment).code.value for assessment in made} == {0, 1, 3}
    assert {control.status for assessment in made for control in assessment.controls} == set(Status)
    stopped = MADE["stopped by the score alone"]()
    assert stopped.verdict is Verdict.READY
    assert gate.decide(stopped).code is ExitCode.GATE_NOT_MET


def renamed(assessment: Assessment) -> Assessment:
    """The same with ids that nobody has to escape: that formats escape them is tested elsewhere."""
    if all(re.fullmatch(r"[A-Z]+-\d\d", control.id) for control in assessment.controls):
        return assessment
    domains, number = [], 0
    for domain in assessment.domains:
        controls = []
        for control in domain.controls:
            number += 1
            waiver = control.waiver and replace(control.waiver, expires=control.waiver.expires.strip() or "2026-12-31")
            controls.append(replace(control, id=f"SPEND-{number:02}", domain=domain.id, waiver=waiver))
        domains.append(replace(domain, controls=tuple(controls)))
    whole = tuple(domains)
    return replace(assessment, domains=whole, deciding=assess.deciding(whole))


@settings(max_examples=40)
@given(assessment=assessments())
def test_any_assessment_is_told_alike(assessment: Assessment) -> None:
    made = renamed(assessment)
    for kind in FORMATS.values():
        if READERS[kind.name] not in {of_words, of_html}:  # for people, and slow to make
            agrees(kind, made)
