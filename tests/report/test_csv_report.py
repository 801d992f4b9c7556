import csv
from io import StringIO

import pytest
from hypothesis import given, settings

from psf_audit.model import Assessment, Finding, Findings, Severity, Status
from psf_audit.rendering import View
from psf_audit.report.csv_report import CSV, HEADER, cell
from tests import samples
from tests.strategies import assessments


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ('=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1+1", "' =1+1"),
        ("-2+3", "'-2+3"),
        ("-2.50", "-2.50"),
        ("+4", "+4"),
        ("\uff1dcmd", "'\uff1dcmd"),
        ("\t=x", "'\t=x"),
        ("a,b", '"a,b"'),
        ("a\nb", '"a\nb"'),
    ],
)
def test_a_cell_is_never_a_formula(text: str, written: str) -> None:
    assert cell(text) == written


@settings(max_examples=20)
@given(assessments())
def test_csv_is_read_back_with_one_row_for_each_finding(assessment: Assessment) -> None:
    text = CSV.assessment(assessment, View())
    header, *rows = csv.reader(StringIO(text, newline=""), strict=True)
    assert tuple(header) == HEADER
    assert all(len(row) == len(HEADER) for row in rows)
    found = [sum(len(findings.rows) for _, findings in control.lists) or 1 for control in assessment.controls]
    disclosed = [row for row in rows if row[HEADER.index("list")] == "disclosed"]
    assert len(rows) == sum(found) + len(disclosed)
    assert len(disclosed) == len(assessment.waivers) + assessment.waivers_ignored + len(assessment.rubric.loosened)
    assert text.endswith("\r\n")


def test_a_row_says_where_it_stands() -> None:
    row = Finding(
        "a call", "61.2", "50", "usd", "2026-11-13T02:10:44Z", samples.source("evidence/calls.jsonl", "line 7")
    )
    control = samples.control("SPEND-01", "T", Severity.HIGH, Status.CONTRADICTED, "r", breaks=Findings((row,), 3))
    (read,) = csv.DictReader(StringIO(CSV.assessment(samples.assessment([control]), View(folder="ops")), newline=""))
    told = {name: read[name] for name in ("list", "rows", "found", "expected", "unit", "file", "line", "pointer")}
    assert told == {
        "list": "breaks", "rows": "3", "found": "61.2", "expected": "50", "unit": "usd",
        "file": "ops/evidence/calls.jsonl", "line": "7", "pointer": "line 7",
    }  # fmt: skip
