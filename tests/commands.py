"""What the tests of commands share: what one says, and an assessment that one stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit.cli import main
from tests.deployments import Deployment

if TYPE_CHECKING:
    import pytest


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    """Standard output and standard error of a command that exits with this code."""
    assert main.run(list(arguments)) == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out, printed.err


def keep(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Path:
    """The file of an assessment that meets its gate."""
    path = deployment.folder / "assessment.json"
    assert deployment.run("-o", f"json={path}") == 0
    capsys.readouterr()
    return path
