"""What exactly is deployed: one digest over guardrails, prompts, model and tool definitions."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rfc8785

from agent.world import MODEL, TOOLS, Tool


def deployment_digest(root: Path, tools: Mapping[str, Tool] = TOOLS, model: str = MODEL) -> str:
    """Another digest is another deployment, and needs another assessment."""
    files = sorted([*(root / "config").glob("*.yaml"), *(root / "prompts").glob("*.md")])
    body: dict[str, Any] = {
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "tools": {name: asdict(tool) | {"usd": str(tool.usd)} for name, tool in tools.items()},
        "model": model,
    }
    return "sha256:" + hashlib.sha256(rfc8785.dumps(body)).hexdigest()
