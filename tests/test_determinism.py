"""The same inputs and the same day give the same bytes, whatever else differs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deployments
from tests.deployments import AS_OF, Deployment, call, event, guarded, log, started
from tests.everywhere import FILES

FORMATS = ("html", "json", "markdown", "terminal")


def rich(folder: Path) -> Deployment:
    """A deployment with something to order: many files, facts, breaks, tests and gaps."""
    deployment = guarded(folder)
    for path, make in FILES.items():
        deployment.put(path, make("words"))
    calls = [call(at=f"{deployments.DAY}T10:{n:02}:00Z", run=f"run-{n % 3}", id=f"c{n}") for n in range(30)]
    breaks = [event(name="forbidden.call", at=f"{deployments.DAY}T11:{n:02}:00Z", cost_usd=n) for n in range(10)]
    deployment.put("evidence/a.jsonl", log(started(), *calls, *breaks))
    deployment.put("evidence/b.jsonl", log(*calls, produced_by="agent"))
    deployment.put("evidence/gone.json", "{")
    return deployment


def reports(deployment: Deployment) -> dict[str, bytes]:
    """The report in each format, as files."""
    written = [part for name in FORMATS for part in ("-o", f"{name}={deployment.folder / name}")]
    assert deployment.run(*written, "--force") == 1
    return {name: (deployment.folder / name).read_bytes() for name in FORMATS}


def started_with(deployment: Deployment, folder: Path, **environment: str) -> bytes:
    """What the program prints in a process with this environment, in this folder."""
    command = [sys.executable, "-m", "psf_audit", "assess", os.path.relpath(deployment.save(), folder), "-f", "json"]
    command += ["--as-of", AS_OF.isoformat(), "--rubric", os.path.relpath(deployment.folder / "rubric.yaml", folder)]
    root = Path(__file__).resolve().parent.parent
    known = {**os.environ, "PYTHONPATH": str(root), **environment}
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return rich(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="module")
def first(deployment: Deployment) -> dict[str, bytes]:
    return reports(deployment)


def test_twice_is_the_same(deployment: Deployment, first: dict[str, bytes]) -> None:
    assert reports(deployment) == first


LINE = re.compile(rb'"manifest_line": ?\d+')


@settings(max_examples=8)
@given(st.data())
def test_the_order_of_the_evidence_does_not_matter(
    deployment: Deployment, first: dict[str, bytes], data: st.DataObject
) -> None:
    """Lines of the manifest move with its entries, and its digest changes: only that may differ."""
    entries = data.draw(st.permutations(deployment.manifest["evidence"]))
    other = Deployment(deployment.folder, {**deployment.manifest, "evidence": entries})
    digests = [deployments.sha256(one.save().read_bytes()).encode() for one in (deployment, other)]
    shuffled = {name: text.replace(digests[1], digests[0]) for name, text in reports(other).items()}
    for name in ("json", "html"):
        assert LINE.sub(b"", shuffled[name]) == LINE.sub(b"", first[name])
    # The others show the first characters of a digest only.
    for name in ("markdown", "terminal"):
        assert shuffled[name].replace(digests[1][:12], digests[0][:12]) == first[name]


def test_the_place_on_disk_does_not_matter(deployment: Deployment, first: dict[str, bytes], tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where else"
    shutil.copytree(deployment.folder, elsewhere)
    moved = Deployment(elsewhere, deployment.manifest)
    assert reports(moved) == first
    for name, text in first.items():
        assert str(deployment.folder).encode() not in text, name


def test_neither_hash_seed_folder_zone_nor_language_matters(
    deployment: Deployment, first: dict[str, bytes], tmp_path: Path
) -> None:
    seeds = [started_with(deployment, deployment.folder, PYTHONHASHSEED=seed) for seed in ("0", "1")]
    assert seeds == [first["json"]] * 2
    elsewhere = {"TZ": "Pacific/Kiritimati", "LANG": "de_DE.UTF-8", "LC_ALL": "C", "COLUMNS": "60"}
    assert started_with(deployment, tmp_path, **elsewhere) == first["json"]


@pytest.mark.parametrize("change", [lambda path: os.utime(path, (1, 1)), lambda path: path.chmod(0o600)])
def test_what_the_disk_knows_of_a_file_does_not_matter(
    deployment: Deployment, first: dict[str, bytes], change: Callable[[Path], None]
) -> None:
    for entry in deployment.manifest["evidence"]:
        change(deployment.folder / entry["path"])
    assert reports(deployment) == first
