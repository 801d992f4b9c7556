"""What formats for pipelines share; that they agree is in tests/report/test_agreement.py."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence.junit_xml import JUNIT_XML
from psf_audit.evidence.sarif import SARIF as SARIF_RESULTS
from psf_audit.model import Source
from psf_audit.notices import GATE, Place, Places, below, notices
from psf_audit.rendering import ReportFormat, View
from psf_audit.report.junit import JUNIT
from psf_audit.report.sarif import SARIF
from tests import samples
from tests.strategies import raw_texts


@pytest.mark.parametrize(
    ("folder", "path", "found"),
    [
        ("", "a.yaml", "a.yaml"),
        ("deploy/agent", "./a//b.yaml", "deploy/agent/a/b.yaml"),
        ("deploy/agent", "../logs/a.jsonl", "deploy/logs/a.jsonl"),
        ("deploy", "../../a", None),
        ("", "..", None),
        ("deploy", "/etc/passwd", None),
        ("deploy", " ", None),
        ("", ".", None),
    ],
)
def test_paths_are_below_the_top_of_the_repository(folder: str, path: str, found: str | None) -> None:
    assert below(folder, path) == found


@given(st.text(max_size=8), raw_texts())
def test_no_path_leads_out(folder: str, path: str) -> None:
    found = below(folder, path)
    assert found is None or (not found.startswith("/") and ".." not in found.split("/") and found)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (Source("evidence/calls.jsonl", "evidence/calls.jsonl", "line 12", None), "ops/evidence/calls.jsonl:12"),
        (Source("evidence/calls.jsonl", "evidence/calls.jsonl", "line 12 3", None), "ops/evidence/calls.jsonl:12"),
        (Source("evidence/calls.jsonl", "evidence/calls.jsonl", "/a/0", None), "ops/evidence/calls.jsonl:1"),
        (Source("logs", "logs", "day/1.jsonl line 4", None), "ops/logs/day/1.jsonl:4"),
        (Source("drills.xml", "drills.xml", "testcase[2] stops on line 4", None), "ops/drills.xml:1"),
        (Source("manifest", "psf.yaml", "line 9", None), "ops/psf.yaml:9"),
        (Source("config/gateway.yaml", "../../../x.yaml", "line 9", None), "ops/psf.yaml:17"),
        (Source("nobody", "/tmp/x", "line 9", None), "ops/psf.yaml:1"),  # noqa: S108  a path that may not be shown
    ],
)
def test_a_place_is_a_line_of_a_file_in_the_repository(source: Source, place: str) -> None:
    made = samples.small()
    evidence = (replace(made.evidence[0], manifest_line=17), *made.evidence[1:])
    assert str(Places(replace(made, evidence=evidence), "ops").at(source)) == place


def test_a_manifest_whose_name_is_no_path_is_called_one() -> None:
    made = replace(samples.small(), manifest=Source("manifest", "..", "", None))
    assert Places(made, "").in_manifest(None) == Place("manifest.yaml", 1)


def test_every_notice_names_what_was_found_and_what_to_do() -> None:
    first, *rest = notices(samples.small(), "")
    assert (first.id, first.level) == (GATE, "error")
    assert first.text.startswith("not ready: ")
    for notice in rest:
        assert notice.control is not None
        assert notice.text.startswith(f"{notice.control.status.label}: ")
        assert f"To do: {notice.control.remedy.text}" in notice.text
        assert notice.waived == ("waived until" in notice.text)


@pytest.mark.parametrize(("report", "reader"), [(JUNIT, JUNIT_XML), (SARIF, SARIF_RESULTS)])
def test_our_own_report_is_recognised_and_is_no_evidence(report: ReportFormat, reader: Any) -> None:
    """Its tests bear the names of controls: taken for results, an assessment would prove the next one."""
    data = report.assessment(samples.ready(), View()).encode()
    artifact = Artifact("report", data, "0" * 64)
    assert reader.sniff(artifact)
    with pytest.raises(Unreadable, match="no assessment proves another"):
        list(reader.read(artifact))
