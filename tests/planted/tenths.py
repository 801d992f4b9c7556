"""A log of many calls that cost a tenth of a dollar each, and a manifest that declares them free.

What the calls cost together becomes a finding, so the sum can be read from an assessment. A tenth is no binary
fraction: whoever adds tenths as binary numbers is off after a few.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

DAY = "2026-10-01"
_LINE = (
    '{"actor_kind":"agent","at":"2026-10-01T06:00:00Z","cost_usd":0.1,"kind":"action","name":"meter.tick","run":"r"}\n'
)
_BLOCK = 100_000
_MANIFEST = {
    "schema": "psf-audit/manifest/1",
    "deployment": {"name": "meter", "release": "1", "environment": "test"},
    "agent": {"capabilities": [{"name": "meter.tick", "cost": "free"}]},
    "evidence": [{"path": "events.jsonl", "collected": DAY, "release": "1", "produced_by": "gateway"}],
}


def write(folder: Path, count: int) -> Path:
    """Write a log of `count` tenths with its manifest into a folder; the path of the manifest."""
    blocks, rest = divmod(count, _BLOCK)
    with folder.joinpath("events.jsonl").open("w", encoding="ascii", newline="\n") as stream:
        for _ in range(blocks):
            stream.write(_LINE * _BLOCK)
        stream.write(_LINE * rest)
    manifest = folder / "manifest.yaml"
    manifest.write_text(json.dumps(_MANIFEST), encoding="utf-8")
    return manifest


def total(assessment: Mapping[str, Any]) -> Decimal:
    """What an assessment of such a log says that the calls cost together; its numbers are decimals."""
    controls = (control for domain in assessment["domains"] for control in domain["controls"])
    (row,) = next(control for control in controls if control["id"] == "SPEND-01")["breaks"]["rows"]
    return Decimal(row["found"])
