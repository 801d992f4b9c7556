"""What is taken from the cache, and what never is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from psf_audit import collection
from psf_audit.cli.output import write
from psf_audit.errors import ConfigurationError, ExitCode, Unreadable
from psf_audit.fleet import cache
from psf_audit.fleet.portfolio import Deployment as Summary
from psf_audit.fleet.portfolio import Failed
from psf_audit.fleet.worker import Job, Worker
from psf_audit.model import Verdict
from tests.deployments import AS_OF, GATEWAY, Deployment, call, guarded, log, started


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    made = guarded(tmp_path / "one")
    made.manifest["agent"]["prompts"] = ["prompts/system.md"]
    made.write("prompts/system.md", "Index every host.")
    made.put("evidence/parts/a.jsonl", log(started(), call()))
    made.drop("evidence/parts/a.jsonl", keep=True)
    made.save()
    return made


def job(deployment: Deployment, **given: Any) -> Job:
    folder = deployment.folder.parent / "cache"
    folder.mkdir(exist_ok=True)
    rubric = str(deployment.folder / "rubric.yaml")
    return replace(
        Job(as_of=AS_OF, tool="test", write=partial(write, force=True), cache=folder, rubric=rubric), **given
    )


def entries(one: Job) -> list[Path]:
    assert one.cache is not None
    return sorted(one.cache.rglob("*.json"))


def test_what_did_not_change_is_taken_from_the_cache(deployment: Deployment) -> None:
    one, path = job(deployment), deployment.save()
    first, again = Worker(one)(path), Worker(one)(path)
    assert isinstance(first.result, Summary)
    assert first.result.verdict is Verdict.READY
    assert (first.from_cache, again.from_cache) == (False, True)
    assert again.result == first.result


CHANGES: dict[str, Callable[[Deployment], object]] = {
    "evidence": lambda of: of.write("config/gateway.yaml", GATEWAY.replace("amount: 50", "amount: 51") + "\n"),
    "a prompt": lambda of: of.write("prompts/system.md", "Index nothing."),
    "the rubric": lambda of: of.write("rubric.yaml", of.rubric.replace("A small rubric", "Another rubric")),
    "the manifest": lambda of: (of.manifest["deployment"].update(description="x"), of.save()),
    "evidence that went": lambda of: (of.folder / "docs/runbook.md").unlink(),
    "a prompt that went": lambda of: (of.folder / "prompts/system.md").unlink(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_anything_is_seen(deployment: Deployment, what: str) -> None:
    one = job(deployment)
    path = deployment.folder / "manifest.yaml"
    Worker(one)(path)
    CHANGES[what](deployment)
    again = Worker(one)(path)
    assert not again.from_cache
    fresh = Worker(replace(one, cache=None))(path)
    assert again.result == fresh.result


@pytest.mark.parametrize(
    "given",
    [
        {"as_of": AS_OF.replace(day=21)},
        {"tool": "another"},
        {"ignore_waivers": True},
        {"memory_mib": 512},
        {"rubric": "psf-agentic@1"},
    ],
)
def test_another_question_is_asked_anew(deployment: Deployment, given: dict[str, Any]) -> None:
    one, path = job(deployment), deployment.save()
    Worker(one)(path)
    assert not Worker(replace(one, **given))(path).from_cache
    assert Worker(one)(path).from_cache


def test_a_link_that_comes_to_lead_out_is_seen(deployment: Deployment, tmp_path: Path) -> None:
    one, path = job(deployment), deployment.save()
    Worker(one)(path)
    inside = deployment.folder / "docs/runbook.md"
    outside = tmp_path / "runbook.md"
    shutil.move(inside, outside)
    inside.symlink_to(outside)
    again = Worker(one)(path)
    assert not again.from_cache
    assert isinstance(again.result, Summary)
    assert again.result.unread


def test_what_could_not_be_read_is_looked_for_again(deployment: Deployment) -> None:
    deployment.manifest["evidence"].append({"path": "evidence/later.jsonl"})
    one, path = job(deployment), deployment.save()
    first = Worker(one)(path)
    assert isinstance(first.result, Summary)
    assert first.result.unread
    assert entries(one) == []
    deployment.write("evidence/later.jsonl", log(started(), call()))
    assert Worker(one)(path).result != first.result


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda data: data[:-20],
    "one byte": lambda data: data.replace(b"not", b"nut", 1) if b"not" in data else data[:-2] + b" }",
    "foreign": lambda _: b'{"schema": "something else"}\n{}',
    "no JSON": lambda _: b"\xff\xfe\x00",
    "a list": lambda _: b"[]\n[]",
    "nested": lambda _: b"[" * 200_000,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_written_anew(deployment: Deployment, kind: str) -> None:
    one, path = job(deployment), deployment.save()
    first = Worker(one)(path)
    (entry,) = entries(one)
    whole = entry.read_bytes()
    entry.write_bytes(DAMAGE[kind](whole))
    again = Worker(one)(path)
    assert (again.from_cache, again.result) == (False, first.result)
    assert entry.read_bytes() == whole


def test_an_entry_under_another_name_is_not_trusted(deployment: Deployment) -> None:
    one, path = job(deployment), deployment.save()
    Worker(one)(path)
    (entry,) = entries(one)
    other = replace(one, tool="another")
    worker = Worker(other)
    key = worker._key(path)
    assert key is not None
    assert other.cache is not None
    target = cache.place(other.cache, key)
    target.parent.mkdir(exist_ok=True)
    shutil.copy(entry, target)
    assert not worker(path).from_cache


def test_a_whole_entry_of_another_shape_is_none(tmp_path: Path) -> None:
    name = "0" * 64
    body = json.dumps({"deployment": {}, "inputs": [], "reports": {}})
    target = cache.place(tmp_path, name)
    target.parent.mkdir()
    target.write_text(f"{json.dumps(cache._head(name, body.encode()))}\n{body}")
    assert cache.read(tmp_path, name) is None


def test_reports_are_written_once_and_again_where_they_went(deployment: Deployment, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    one, path = job(deployment, reports=reports, formats=("json",)), deployment.save()
    first = Worker(one)(path)
    assert isinstance(first.result, Summary)
    (name,) = first.result.reports
    whole = (reports / name).read_bytes()
    assert Worker(one)(path) == replace(first, from_cache=True)
    (reports / name).unlink()
    assert not Worker(one)(path).from_cache
    assert (reports / name).read_bytes() == whole


def test_a_report_that_is_another_is_replaced_only_when_told_to(deployment: Deployment, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    one, path = job(deployment, reports=reports, formats=("json",)), deployment.save()
    first = Worker(one)(path)
    assert isinstance(first.result, Summary)
    target = reports / first.result.reports[0]
    target.write_text("mine")
    refused = Worker(one)(path).result
    assert isinstance(refused, Failed)
    assert (refused.code, "--force" in refused.why[0]) == (ExitCode.USAGE, True)
    assert target.read_text() == "mine"
    assert isinstance(Worker(replace(one, force=True))(path).result, Summary)
    assert target.read_text() != "mine"


def refuse(path: Path, _: str) -> None:
    raise ConfigurationError(f"cannot write {path}: No space left on device")


def test_a_cache_that_cannot_be_written_costs_no_result(deployment: Deployment) -> None:
    one, path = job(deployment, write=refuse), deployment.save()
    done = Worker(one)(path)
    assert isinstance(done.result, Summary)
    assert done.trouble is not None
    assert "No space left" in done.trouble


def test_a_report_that_cannot_be_written_is_a_failure(deployment: Deployment, tmp_path: Path) -> None:
    done = Worker(job(deployment, write=refuse, reports=tmp_path, formats=("json",)))(deployment.save())
    assert isinstance(done.result, Failed)
    assert done.result.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), ExitCode.CANNOT_ASSESS),
        (ValueError("ghp_9aB8cD7eF6gH5iJ4kL3mN2oP1qR0sT9uV8wX"), ExitCode.BUG),
    ],
)
def test_what_goes_wrong_with_one_is_its_result(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, error: Exception, code: ExitCode
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Worker, "_assess", fail)
    done = Worker(job(deployment))(deployment.save())
    assert isinstance(done.result, Failed)
    assert done.result.code is code
    assert "ghp_" not in done.result.why[0]


def test_the_digest_of_evidence_is_that_of_the_register(deployment: Deployment) -> None:
    deployment.write("evidence/parts/b.jsonl", log(started(), call()))
    deployment.write("evidence/parts/_SUCCESS", "")
    deployment.manifest["evidence"].append({"path": "evidence/parts"})
    made = deployment.assess()
    for entry in made.evidence:
        assert (
            collection.digest_of(entry.path, collection.digests_of(entry.path, deployment.folder, deployment.folder))
            == entry.sha256
        )
    with pytest.raises(Unreadable):
        collection.digests_of("../x", deployment.folder, deployment.folder)
