import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import goldens


def test_update_writes_what_is_then_accepted(tmp_path: Path) -> None:
    goldens.compare(tmp_path, "dn42/report.txt", "é\r\nend", update=True)
    assert (tmp_path / "dn42" / "report.txt").read_bytes() == b"\xc3\xa9\r\nend"
    goldens.compare(tmp_path, "dn42/report.txt", "é\r\nend", update=False)


def test_a_difference_in_a_line_end_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"same\none\r\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-one\\r\\n\n\+one\\n"):
        goldens.compare(tmp_path, "a.txt", "same\none\n", update=False)


def test_a_missing_file_is_not_accepted_and_not_written(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="make golden"):
        goldens.compare(tmp_path, "a.txt", "text", update=False)
    assert list(tmp_path.iterdir()) == []


def test_names_stay_inside(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="outside"):
        goldens.compare(tmp_path / "golden", "../a.txt", "text", update=True)


def test_the_fixture_compares_with_the_folder_of_this_checkout(golden: Callable[[str, str], None]) -> None:
    with pytest.raises(AssertionError, match="outside"):
        golden("../test_goldens.py", "text")


def test_ci_does_not_rewrite(repo: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--update-golden", "--collect-only", "tests/test_goldens.py"]
    environment = {**os.environ, "CI": "true"}
    done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "golden files are not rewritten in CI" in done.stderr
