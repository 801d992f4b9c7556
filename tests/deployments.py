"""Small deployments that tests write to disk and assess, with a small rubric of their own.

`guarded(tmp_path)` is ready on `RUBRIC`: three controls, one of each severity, each of them demonstrated. A test takes
away, breaks or adds one thing and looks at what becomes of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from psf_audit import audit, gate
from psf_audit.cli import main
from psf_audit.model import Assessment, ControlResult, Status

RELEASE = "2.4.0"
AS_OF = date(2026, 11, 22)
DAY = "2026-11-20"

_HEAD = """\
schema: psf-audit/rubric/1
id: small
version: 1.0.0
title: A small rubric for tests
about: Three controls, one of each severity.
released: "2026-11-22"
waivers: {max_days: 90}
domains:
  - {id: spend, title: Spend}
frameworks:
  psf: {title: Production Safety Framework v1.1}
controls:
"""
_COMMON: dict[str, Any] = {
    "requirement": "One sentence that can be tested.",
    "why": "Without it nobody notices.",
    "present_max_age_days": 30,
    "tested": {"adversarial": False, "max_age_days": 90},
    "documented": {"max_age_days": 180},
    "remedy": {"text": "Set it at the gateway.", "effort": "hours"},
    "question": "What stops it?",
    "references": {"psf": ["PSF-6"]},
}
CEILING: dict[str, Any] = {
    "id": "SPEND-01",
    "domain": "spend",
    "title": "Hard spend ceiling",
    "severity": "blocking",
    "applies_when": "SELECT 1 AS x FROM reach WHERE paid = 1",
    "claims": "SELECT ref, 'usd limit' AS what, amount AS found FROM limits WHERE basis = 'claim' AND resource = 'usd'",
    "shows": "SELECT ref, 'usd limit' AS what, amount AS found FROM outside_limits WHERE resource = 'usd'",
    "lacks": (
        "SELECT r.ref, r.name AS what FROM reach AS r WHERE r.paid = 1 AND NOT EXISTS ("
        "SELECT 1 FROM bounded_reach AS b WHERE b.name = r.name AND b.resource = 'usd')"
    ),
    "breaks": (
        "SELECT ref, 'forbidden call' AS what, cost_usd AS found, 0 AS expected, 'usd' AS unit, at_ms "
        "FROM events WHERE name = 'forbidden.call' AND kind = 'action'"
    ),
    "tested": {"adversarial": True, "max_age_days": 90},
}
RATE: dict[str, Any] = {
    "id": "SPEND-02",
    "domain": "spend",
    "title": "Rate limit",
    "severity": "high",
    "shows": "SELECT ref, 'request limit' AS what, amount AS found FROM outside_limits WHERE resource = 'requests'",
}
ALERT: dict[str, Any] = {
    "id": "SPEND-03",
    "domain": "spend",
    "title": "Spend alert",
    "severity": "medium",
    "shows": "SELECT ref, 'spend alert' AS what FROM alerts WHERE trigger = 'spend' AND basis = 'config'",
}
# A criterion that never has a row, and reads nothing that could be hidden.
NOTHING = "SELECT ref, name AS what FROM people WHERE 1 = 0"
IDS = ("SPEND-01", "SPEND-02", "SPEND-03")


def rubric_text(*controls: dict[str, Any]) -> str:
    """A rubric of these controls, what they leave out filled in."""
    return _HEAD + yaml.safe_dump([{**_COMMON, **control} for control in controls], sort_keys=False, width=1000)


RUBRIC = rubric_text(CEILING, RATE, ALERT)

GATEWAY = """\
schema: psf-audit/guardrails/1
component: gateway
layer: gateway
release: "2.4.0"
via: gateway
limits:
  - {resource: usd, amount: 50, scope: account, on_breach: deny}
  - {resource: requests, amount: 100, scope: run, on_breach: deny}
alerts:
  - {trigger: spend, threshold: 50, unit: percent, channel: pager, recipient: R. Okafor}
"""


def sha256(text: str | bytes) -> str:
    """The SHA-256 of a file with this content."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def event(kind: str = "action", **values: Any) -> dict[str, Any]:
    """One event of the agent's."""
    base = {"at": f"{DAY}T10:00:00Z", "run": "run-1", "kind": kind, "actor": "indexer", "actor_kind": "agent"}
    return {**base, **values}


def log(*events: dict[str, Any], **header: Any) -> str:
    """An action log of the gateway, from its start event on."""
    first = {"schema": "psf-audit/events/1", "produced_by": "gateway", "release": RELEASE, **header}
    return "".join(json.dumps(line) + "\n" for line in (first, *events))


def started(config: str = GATEWAY, **values: Any) -> dict[str, Any]:
    """The start event of a component that loaded this configuration."""
    digest = f"sha256:{sha256(config)}"
    return event("start", actor="gateway", actor_kind="system", args_digest=digest, at=f"{DAY}T09:00:00Z", **values)


def call(**values: Any) -> dict[str, Any]:
    """A model call that went through the gateway."""
    return event("model", **{"name": "llm", "via": "gateway", "cost_usd": 0.5, "outcome": "ok", **values})


def tried(control: str, outcome: str = "passed", **given: Any) -> str:
    """A test case of JUnit XML that names its control."""
    name = given.pop("name", f"test of {control}")
    properties = {"psf.control": control, "psf.adversarial": "true", "psf.release": RELEASE, **given}
    inside = "".join(f'<property name="{key}" value="{value}"/>' for key, value in properties.items() if value)
    child = {"passed": "", "failed": "<failure/>", "error": "<error/>", "skipped": "<skipped/>"}[outcome]
    return f'<testcase name="{name}"><properties>{inside}</properties>{child}</testcase>'


def junit(*cases: str, at: str = f"{DAY}T08:00:00Z", suite: str = "drills") -> str:
    """A JUnit file of these cases."""
    inside = "".join(cases)
    return f'<testsuites><testsuite name="{suite}" timestamp="{at}">{inside}</testsuite></testsuites>\n'


def drills() -> str:
    """A passing test of each control."""
    return junit(*(tried(control) for control in IDS))


def runbook(*controls: str, owner: str = "R. Okafor", reviewed: str = "2026-11-01") -> str:
    """A document that covers these controls."""
    return f"---\nowner: {owner}\nreviewed: {reviewed}\ncontrols: [{', '.join(controls)}]\n---\n# Runbook\n"


def records(*entries: dict[str, Any]) -> str:
    """A file of records."""
    return yaml.safe_dump({"schema": "psf-audit/records/1", "records": list(entries)}, sort_keys=False)


@dataclass
class Deployment:
    """A folder with a manifest, a rubric and evidence."""

    folder: Path
    manifest: dict[str, Any]
    rubric: str = RUBRIC
    options: dict[str, Any] = field(default_factory=dict)

    def put(self, path: str, content: str | bytes, **entry: Any) -> None:
        """Write an evidence file and list it in the manifest; what was written under the name before is replaced."""
        self.write(path, content)
        self.drop(path, keep=True)
        self.manifest["evidence"].append({"path": path, "collected": DAY, **entry})

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file in the folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def drop(self, path: str, *, keep: bool = False) -> None:
        """Take a file off the manifest, and off the disk unless it is kept."""
        self.manifest["evidence"] = [entry for entry in self.manifest["evidence"] if entry.get("path") != path]
        if not keep:
            (self.folder / path).unlink()

    def save(self) -> Path:
        """Write manifest and rubric; the path of the manifest."""
        self.write("rubric.yaml", self.rubric)
        return self.write("manifest.yaml", yaml.safe_dump(self.manifest, sort_keys=False, allow_unicode=True))

    def assess(self, **options: Any) -> Assessment:
        """The assessment, through the pipeline."""
        path = self.save()
        given = {"as_of": AS_OF, "rubric": str(self.folder / "rubric.yaml"), **self.options, **options}
        return audit.run(path, audit.Options(**given))

    def run(self, *arguments: str, as_of: date = AS_OF) -> int:
        """The exit code of `psf-audit assess`."""
        path = self.save()
        fixed = ["--as-of", as_of.isoformat(), "--rubric", str(self.folder / "rubric.yaml")]
        return main.run(["assess", str(path), *fixed, *arguments])

    def decided(self) -> tuple[Assessment, int]:
        """The assessment, and the exit code that follows from it."""
        made = self.assess()
        return made, gate.decide(made).code.value

    def statuses(self, **options: Any) -> dict[str, Status]:
        """The status of each control."""
        return statuses(self.assess(**options))


def statuses(assessment: Assessment) -> dict[str, Status]:
    """The status of each control of an assessment."""
    return {control.id: control.status for control in assessment.controls}


def control(assessment: Assessment, id_: str) -> ControlResult:
    """One control of an assessment."""
    return next(result for result in assessment.controls if result.id == id_)


def bare(folder: Path) -> Deployment:
    """A deployment without any evidence."""
    manifest: dict[str, Any] = {
        "schema": "psf-audit/manifest/1",
        "deployment": {"name": "acme-indexer", "release": RELEASE, "environment": "production"},
        "people": [{"name": "R. Okafor", "role": "owner"}],
        "agent": {
            "objective": "Index every host.",
            "capabilities": [{"name": "llm", "kind": "model", "via": "gateway", "cost": {"usd": 0.5, "per": "call"}}],
        },
        "evidence": [],
    }
    return Deployment(folder, manifest)


def guarded(folder: Path) -> Deployment:
    """A deployment that is ready on the small rubric."""
    deployment = bare(folder)
    deployment.put("config/gateway.yaml", GATEWAY)
    deployment.put("evidence/log.jsonl", log(started(), call()))
    deployment.put("evidence/drills.xml", drills())
    deployment.put("docs/runbook.md", runbook(*IDS))
    return deployment
