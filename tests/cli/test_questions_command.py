"""`psf-audit questions`, and `psf-audit explain` of a deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from psf_audit import audit, rubric, wire
from tests.commands import keep, said
from tests.deployments import Deployment, guarded
from tests.goldens import bare

Golden = Callable[[str, str], None]
DATA = re.compile(r'(<script type="application/json"[^>]*>).*?(</script>)', re.DOTALL)
DAY = ("--as-of", "2026-11-22")


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


@pytest.fixture
def stored(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Path:
    return keep(deployment, capsys)


# ---------------------------------------------------------------------------------------------------------- questions


@pytest.mark.parametrize("format_", ["markdown", "html"])
def test_a_manifest_and_its_assessment_get_the_same_answers(
    deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    given = [*DAY, "--rubric", str(deployment.folder / "rubric.yaml"), "-f", format_]
    assessed, _ = said(capsys, 0, "questions", str(deployment.folder / "manifest.yaml"), *given)
    assert assessed == said(capsys, 0, "questions", str(stored), "-f", format_)[0]
    assert "acme-indexer" in assessed


def test_the_page_embeds_the_assessment_that_it_rests_on(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, _ = said(capsys, 0, "questions", str(stored), "-f", "html")
    found = DATA.search(page)
    assert found is not None
    assert json.loads(found[0].partition(">")[2].removesuffix("</script>")) == json.loads(stored.read_text())


@pytest.mark.parametrize("sample", ["dn42", "guarded"])
def test_the_answers_of_the_samples_are_as_they_were(
    sample: str, tmp_path: Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "questions.html"
    manifest = f"samples/{sample}/manifest.yaml"
    out, err = said(capsys, 0, "questions", manifest, *DAY, "-o", f"html={page}")
    golden(f"questions/{sample}.md", out)
    golden(f"questions/{sample}.html", bare(page.read_text()))
    assert err == f"wrote {page}\n"


def test_blank_needs_no_deployment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "form.html"
    out, _ = said(capsys, 0, "questions", "--blank", "-o", f"html={page}")
    assert out.count("**Answer:**") == 20
    assert page.read_text().count("<textarea") == 40


def test_there_has_to_be_something_to_answer_from(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--blank" in said(capsys, 2, "questions")[1]
    assert "--blank" in said(capsys, 2, "questions", "--blank", str(stored))[1]
    assert "no format 'json'" in said(capsys, 2, "questions", "--blank", "-f", "json")[1]
    assert "no format 'json'" in said(capsys, 2, "questions", str(stored), "-f", "json")[1]
    said(capsys, 2, "questions", str(stored.parent / "nothing.json"))
    said(capsys, 2, "questions", str(stored.parent / "nothing.yaml"))


@pytest.mark.parametrize("command", [("questions",), ("explain", "SPEND-01", "--manifest")])
@pytest.mark.parametrize("option", [("--as-of", "2026-11-22"), ("--rubric", "psf-agentic@1"), ("--evidence-root", ".")])
def test_an_assessment_was_made_before(
    stored: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], option: tuple[str, str]
) -> None:
    _, err = said(capsys, 2, *command, str(stored), *option)
    assert option[0] in err
    assert "was made before" in err


def test_no_input_is_overwritten(deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, gateway = deployment.folder / "manifest.yaml", deployment.folder / "config/gateway.yaml"
    rules = deployment.folder / "rubric.yaml"
    before = [path.read_bytes() for path in (stored, manifest, gateway, rules)]
    for command in (["questions"], ["explain", "SPEND-01", "-m"]):
        assert "overwrite" in said(capsys, 2, *command, str(stored), "-o", f"markdown={stored}")[1]
        for target in (manifest, gateway, rules):
            given = ["--rubric", str(rules), "-o", f"markdown={target}"]
            assert "overwrite" in said(capsys, 2, *command, str(manifest), *given)[1]
    assert [path.read_bytes() for path in (stored, manifest, gateway, rules)] == before


# ------------------------------------------------------------------------------------------------------------ explain


@pytest.mark.parametrize(("sample", "control"), [("dn42", "SPEND-01"), ("dn42", "CHECK-04"), ("guarded", "READY-05")])
def test_the_explanation_of_a_sample_is_as_it_was(
    sample: str, control: str, tmp_path: Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "explained.txt"
    manifest = f"samples/{sample}/manifest.yaml"
    out, _ = said(capsys, 0, "explain", control, "-m", manifest, *DAY, "-f", "markdown", "-o", f"text={text}")
    golden(f"explain/{sample}-{control}.md", out)
    golden(f"explain/{sample}-{control}.txt", text.read_text())


def test_explain_takes_an_assessment_by_a_released_rubric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "assessment.json"
    said(capsys, 1, "assess", "samples/dn42/manifest.yaml", *DAY, "-o", f"json={path}")
    manifest = said(capsys, 0, "explain", "SPEND-01", "-m", "samples/dn42/manifest.yaml", *DAY)[0]
    assert said(capsys, 0, "explain", "SPEND-01", "-m", str(path))[0] == manifest
    value = json.loads(path.read_text())
    digest = rubric.load(rubric.locate("psf-agentic@1.1")).identity.content_digest
    value["rubric"]["content_digest"] = digest
    path.write_text(wire.dumps(value))
    assert "another text of psf-agentic@1.0.0" in said(capsys, 2, "explain", "SPEND-01", "-m", str(path))[1]


def test_explain_of_an_assessment_that_lacks_the_control(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads(stored.read_text())
    newest = rubric.load(rubric.locate("psf-agentic@1")).identity
    value["rubric"] |= {"id": newest.id, "version": newest.version, "content_digest": newest.content_digest}
    stored.write_text(wire.dumps(value))
    assert "has no result for AUDIT-01" in said(capsys, 2, "explain", "AUDIT-01", "-m", str(stored))[1]


def test_explain_of_an_assessment_by_a_rubric_that_is_not_here(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, 2, "explain", "SPEND-01", "-m", str(stored))
    assert "small" in err


def test_explain_asks_for_the_control_before_the_work(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        pytest.fail("it was assessed")

    monkeypatch.setattr(audit, "assess_manifest", never)
    given = ["-m", str(deployment.save()), *DAY, "--rubric", str(deployment.folder / "rubric.yaml")]
    assert "did you mean SPEND-03?" in said(capsys, 2, "explain", "SPEND-30", *given)[1]


def test_explain_uses_the_rubric_of_the_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "explain", "SPEND-01", "-m", "samples/dn42/manifest.yaml", *DAY)
    assert "psf-agentic@1.0.0, blocking" in out
    out, _ = said(
        capsys, 0, "explain", "SPEND-01", "-m", "samples/dn42/manifest.yaml", *DAY, "--rubric", "psf-agentic@1.1"
    )
    assert "psf-agentic@1.1.0, blocking" in out


def test_explain_without_a_manifest_shows_the_way_up(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "explain", "SPEND-01")
    for part in ("The way up", "From missing", "From untested", "From undocumented", "RELEASE", "YYYY-MM-DD"):
        assert part in out
    assert "What was found" not in out
