"""Golden files: expected outputs, kept byte for byte."""

import difflib
import re
from pathlib import Path

import pytest

_DRAWING = re.compile(r'(<svg class="picture".*?</desc>).*?</svg>', re.DOTALL)


def undrawn(text: str) -> str:
    """A page without what its pictures are drawn with: another version of the library may draw them otherwise."""
    return _DRAWING.sub(r"\1</svg>", text)


_CARRIED = re.compile(r"(<style>).*?(</style>)|(<script [^>]*>).*?(</script>)|('sha256-)[^']*(')", re.DOTALL)


def bare(text: str) -> str:
    """A page without its style, its data and their digests: what a change of those does not change."""
    return _CARRIED.sub(lambda found: "".join(part or "" for part in found.groups()), text)


def compare(folder: Path, name: str, text: str, *, update: bool) -> None:
    """Fail the test unless `folder/name` holds exactly this text; with `update`, make it so."""
    path = (folder / name).resolve()
    assert path.is_relative_to(folder.resolve()), f"{name}: outside {folder}"
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return
    if not path.is_file():
        pytest.fail(f"{folder.name}/{name} does not exist; `make golden` writes it", pytrace=False)
    expected = path.read_bytes().decode()
    if text != expected:
        told = f"not as in {folder.name}/{name}; `make golden` rewrites it\n{difference(expected, text)}"
        pytest.fail(told, pytrace=False)


def difference(expected: str, actual: str) -> str:
    """A unified diff in which control characters and line ends can be seen."""
    before, now = ([ascii(line)[1:-1] for line in text.splitlines(keepends=True)] for text in (expected, actual))
    return "\n".join(difflib.unified_diff(before, now, "golden", "now", lineterm=""))
