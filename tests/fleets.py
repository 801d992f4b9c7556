"""Fleets of any size, the same each time for the same seed: manifests with evidence, made from the guarded sample.

Each deployment has a name, an owner, prices and an environment of its own, the configuration of the sample, its
records, some of its documents, the beginning of its gateway's log, and perhaps its drills. Most lack something, so that
there are gaps to tell.
"""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

AS_OF = date(2026, 11, 22)
OWNERS = ("Mara Lindqvist", "Tomasz Brandt", "Ines Caldeira", "Jonas Weidmann", "Lucia Ferrante")
_SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "guarded"
_DOCUMENTS = ("budgets", "oversight", "stop-runbook", "boundaries", "logging", "incident-plan", "readiness")
_LOG_LINES = (40, 120)


def make(folder: Path, count: int, *, seed: int = 7) -> None:
    """Write a fleet of so many deployments into a folder, each in a folder of its own."""
    sample = {
        name: (_SAMPLE / name).read_text(encoding="utf-8")
        for name in (
            "manifest.yaml",
            "prompts/system.md",
            "config/gateway.yaml",
            "config/harness.yaml",
            "evidence/gateway.jsonl",
            "evidence/records.yaml",
            "evidence/drills.xml",
            *(f"docs/{name}.md" for name in _DOCUMENTS),
        )
    }
    chance = random.Random(seed)  # noqa: S311  a fleet that is the same each time
    for number in range(count):
        _one(folder / f"team-{number % 17:02d}" / f"agent-{number:04d}", number, sample, chance)


def _one(folder: Path, number: int, sample: dict[str, str], chance: random.Random) -> None:
    head, _, listed = sample["manifest.yaml"].partition("\nevidence:\n")
    gate = listed.partition("\ngate:")[2]
    head = head.replace("name: registry-indexer", f"name: agent-{number:04d}", 1)
    head = head.replace("environment: production", f"environment: {chance.choice(('production', 'staging'))}", 1)
    head = head.replace("Mara Lindqvist, role: owner", f"{chance.choice(OWNERS)}, role: owner", 1)
    head = head.replace("cost: {usd: 0.25, per: call}", f"cost: {{usd: {chance.randint(1, 90) / 100:.2f}, per: call}}")
    lines = sample["evidence/gateway.jsonl"].splitlines(keepends=True)
    files = {
        "prompts/system.md": sample["prompts/system.md"] + f"\nYou are agent {number}.\n",
        "config/gateway.yaml": sample["config/gateway.yaml"],
        "config/harness.yaml": sample["config/harness.yaml"],
        "evidence/gateway.jsonl": "".join(lines[: chance.randint(*_LOG_LINES)]),
        "evidence/records.yaml": sample["evidence/records.yaml"],
        **{f"docs/{name}.md": sample[f"docs/{name}.md"] for name in chance.sample(_DOCUMENTS, 4)},
    }
    if number % 4 == 0:
        files["evidence/drills.xml"] = sample["evidence/drills.xml"]
    if number % 7 == 0:
        del files["config/gateway.yaml"]
    said = 'release: "1.0.0", produced_by: operator'
    entries = "".join(
        f"  - {{path: {path}, {said}, collected: 2026-11-{chance.randint(1, 22):02d}}}\n"
        for path in files
        if not path.startswith("prompts/")
    )
    files["manifest.yaml"] = f"{head}\nevidence:\n{entries}\ngate:{gate}"
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
