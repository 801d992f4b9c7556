from __future__ import annotations

from pathlib import Path

import pytest

from psf_audit.errors import ConfigurationError
from psf_audit.fleet.find import find

MANIFEST = "# a comment\nschema: psf-audit/manifest/1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "b/psf-audit.yaml": MANIFEST,
        "a/one.yml": MANIFEST,
        "a/records.yaml": "schema: psf-audit/records/1\n",
        "a/note.txt": MANIFEST,
        ".hidden/x.yaml": MANIFEST,
        "c/quoted.yaml": 'schema: "psf-audit/manifest/1"\n',
        "c/nested.yaml": "x:\n  schema: psf-audit/manifest/1\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def names(folder: Path, where: str) -> list[str]:
    return [path.resolve().relative_to(folder.resolve()).as_posix() for path in find(where).manifests]


def test_a_folder_is_searched_by_what_files_say_they_are(folder: Path) -> None:
    assert names(folder, str(folder)) == ["a/one.yml", "b/psf-audit.yaml", "c/quoted.yaml"]


def test_a_pattern_names_manifests(folder: Path) -> None:
    assert names(folder, f"{folder}/*/*.yaml") == [
        "a/records.yaml", "b/psf-audit.yaml", "c/nested.yaml", "c/quoted.yaml",
    ]  # fmt: skip
    assert names(folder, f"{folder}/nothing*") == []


def test_a_list_names_manifests_from_its_folder(folder: Path) -> None:
    listed = folder / "a" / "fleet.txt"
    listed.write_text("# ours\none.yml\n\n../b/psf-audit.yaml\n  one.yml\nno-such.yaml\n", encoding="utf-8")
    found = find(str(listed)).manifests
    assert [path.name for path in found] == ["psf-audit.yaml", "no-such.yaml", "one.yml"]


def test_a_manifest_stands_for_itself_and_counts_once_under_two_names(folder: Path) -> None:
    assert names(folder, str(folder / "a/one.yml")) == ["a/one.yml"]
    (folder / "a/again.yaml").symlink_to(folder / "a/one.yml")
    assert len(find(str(folder)).manifests) == 3


def test_a_link_to_a_folder_is_not_followed(folder: Path) -> None:
    (folder / "b/around").symlink_to(folder)
    assert len(find(str(folder)).manifests) == 3


def test_a_place_that_is_none_is_a_mistake(folder: Path) -> None:
    (folder / "binary").write_bytes(b"\x00\x01")
    (folder / "latin").write_bytes(b"\xe9\n")
    for where in (folder / "nowhere", folder / "binary", folder / "latin"):
        with pytest.raises(ConfigurationError):
            find(str(where))


def test_a_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refuse(path: Path, *given: object, **named: object) -> object:
        if path.name == "one.yml":
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    found = find(str(folder))
    assert len(found.manifests) == 2
    assert [(Path(one.path).name, one.code.value) for one in found.failed] == [("one.yml", 3)]
    assert "Permission denied" in found.failed[0].why[0]
