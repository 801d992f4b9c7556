from pathlib import Path

import pytest

from psf_audit import resources
from psf_audit.errors import ConfigurationError


def test_a_checkout_has_them_at_its_top(repo: Path) -> None:
    assert resources.rubrics_dir() == repo / "rubrics"
    assert resources.templates_dir() == repo / "templates"


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "psf_audit"
    (package / "_data" / "rubrics").mkdir(parents=True)
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.rubrics_dir() == package / "_data" / "rubrics"


def test_a_folder_of_the_same_name_beside_an_installed_package_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "psf_audit")
    with pytest.raises(ConfigurationError, match=r"^templates/: not part of this installation"):
        resources.templates_dir()
