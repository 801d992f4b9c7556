"""How plugins are found; what holds for the plugins themselves is in test_plugins.py."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from psf_audit.plugins import discover


@dataclass(frozen=True)
class Tool:
    name: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An empty package of a name that no other test uses: what was discovered once is remembered."""
    name = "plugins_of_" + re.sub(r"\W", "_", request.node.name)
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def add(package: str, module: str, source: str) -> None:
    """Write a module that can use this file's `Tool` under that name."""
    folder = next(Path(entry) / package for entry in sys.path if (Path(entry) / package).is_dir())
    header = f"import sys\nTool = getattr(sys.modules[{__name__!r}], 'Tool')\n"
    (folder / f"{module}.py").write_text(header + source)


def test_plugins_are_found_by_their_type_and_sorted_by_name(package: str) -> None:
    add(package, "a", "TOOL = Tool('zebra')\nOTHER = 'ant'\n")
    add(package, "b", "ANYTHING = Tool('ant')\n")

    assert list(discover(package, Tool)) == ["ant", "zebra"]
    assert discover(package, Tool)["ant"] == Tool("ant")


def test_the_answer_can_be_changed_without_harm(package: str) -> None:
    add(package, "a", "TOOL = Tool('ant')\n")

    discover(package, Tool).clear()

    assert list(discover(package, Tool)) == ["ant"]


def test_a_module_that_exports_none_is_a_mistake(package: str) -> None:
    add(package, "a", "TOOL = 'ant'\n")

    with pytest.raises(TypeError, match=r"\.a must export exactly one Tool, it exports 0"):
        discover(package, Tool)


def test_a_module_that_exports_two_is_a_mistake(package: str) -> None:
    add(package, "a", "ONE = Tool('ant')\nTWO = Tool('bee')\n")

    with pytest.raises(TypeError, match=r"\.a must export exactly one Tool, it exports 2"):
        discover(package, Tool)


def test_two_plugins_of_one_name_are_a_mistake(package: str) -> None:
    add(package, "a", "TOOL = Tool('ant')\n")
    add(package, "b", "TOOL = Tool('ant')\n")

    with pytest.raises(TypeError, match=r"\.b: the name 'ant' is taken"):
        discover(package, Tool)
