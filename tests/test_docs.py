"""What the documents say about the project is so."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from psf_audit import collection, manifest, schemas
from psf_audit.cli import main
from psf_audit.reading import parse_yaml
from psf_audit.validation import problems

DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in Path("docs").glob("*.md"))]
PATH = re.compile(r"`((?:psf_audit|tests|docs|rubrics|templates|samples|tools)/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
MANIFEST = re.compile(r"```yaml\n(schema: psf-audit/manifest/1\n.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_that_a_document_names_exist(repo: Path, name: str) -> None:
    text = (repo / name).read_text(encoding="utf-8")
    named = [repo / path for path in PATH.findall(text)] + [(repo / name).parent / path for path in LINK.findall(text)]

    assert [path for path in named if not path.exists()] == []


@pytest.mark.parametrize("name", ["README.md", "docs/manifest.md"])
def test_manifests_in_documents_are_manifests(repo: Path, name: str, tmp_path: Path) -> None:
    examples = MANIFEST.findall((repo / name).read_text(encoding="utf-8"))

    assert examples
    for example in examples:
        path = tmp_path / "manifest.yaml"
        path.write_text(example, encoding="utf-8")
        assert manifest.load(path).deployment["name"]


def test_the_manifest_of_every_sample_fits_the_published_schema(repo: Path) -> None:
    for path in sorted((repo / "samples").glob("*/manifest.yaml")):
        document = parse_yaml(path.read_text(encoding="utf-8"))

        assert problems(document, schemas.load("manifest"), path.name) == []


def test_every_evidence_format_is_in_the_documentation(repo: Path) -> None:
    text = (repo / "docs/evidence.md").read_text(encoding="utf-8")

    assert [name for name in collection.formats() if f"`{name}`" not in text] == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_the_commands_that_sign_verify_and_pack_run_as_written(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repo / "docs/attest.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in text.partition("\n\n    ")[2].partition("\n\n")[0].splitlines()]
    (tmp_path / "samples").symlink_to(repo / "samples")
    monkeypatch.chdir(tmp_path)

    assert [command[:2] for command in commands if command[0] == "psf-audit"] == [
        ["psf-audit", name] for name in ("assess", "attest", "verify", "pack", "verify")
    ]
    for command in commands:
        if command[0] == "openssl":
            subprocess.run(command, check=True, capture_output=True)
        else:
            assert main.run(command[1:]) == 0, command
