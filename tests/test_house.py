"""The promises of the project about itself, apart from what psf-audit does."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import psf_audit

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FUNCTION = 60
IMPURE_NAMES = frozenset({"open"})
IMPURE_ATTRIBUTES = frozenset({"now", "open", "today", "utcnow"})


def pure_modules() -> list[str]:
    """What the import contract calls pure; the contract cannot see calls, so this file looks at them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [found for found in config["tool"]["importlinter"]["contracts"] if found["id"] == "pure"]
    return list(contract["source_modules"])


def source_files(module: str) -> list[Path]:
    """The file of a module, or all files of a package."""
    path = ROOT.joinpath(*module.split("."))
    return sorted(path.rglob("*.py")) or [path.with_suffix(".py")]


def impure_calls(source: str) -> Iterator[str]:
    """Calls that open a file or read the clock, as `line: name`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in IMPURE_NAMES:
            yield f"{node.lineno}: {called.id}"
        if isinstance(called, ast.Attribute) and called.attr in IMPURE_ATTRIBUTES:
            yield f"{node.lineno}: {called.attr}"


def stages(ci: str) -> list[str]:
    return re.findall(r"^stage make ([\w-]+)$", ci, re.MULTILINE)


def make_targets(makefile: str) -> dict[str, list[str]]:
    """Each target of the Makefile with what it depends on."""
    rules = re.findall(r"^([a-z][\w-]*):([^#=\n]*)", makefile, re.MULTILINE)
    return {target: needed.split() for target, needed in rules}


def code_spans(markdown: str) -> list[str]:
    """Inline code and the lines of code blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose) + [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("module", pure_modules())
def test_pure_modules_open_no_file_and_read_no_clock(module: str) -> None:
    for path in source_files(module):
        assert list(impure_calls(path.read_text(encoding="utf-8"))) == [], path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = datetime.now(UTC)", ["1: now"]),
        ("x = date.today()", ["1: today"]),
        ("x = 1\ny = dt.datetime.utcnow()", ["2: utcnow"]),
        ("with open(p) as f: pass", ["1: open"]),
        ("p.open()", ["1: open"]),
        ("def f(now, today): return reopen(now, today.year)", []),
    ],
)
def test_impure_calls_are_found(source: str, found: list[str]) -> None:
    assert list(impure_calls(source)) == found


def test_functions_are_short() -> None:
    files = source_files("psf_audit")
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno}: {node.name} has {length} lines"


def test_ci_runs_the_tests_the_way_the_readme_says(repo: Path) -> None:
    readme = (repo / "README.md").read_text(encoding="utf-8")
    assert "make test" in [span.strip() for span in code_spans(readme)]
    assert "test" in stages((repo / ".ci" / "run").read_text(encoding="utf-8"))


def test_make_check_is_what_ci_runs(repo: Path) -> None:
    targets = make_targets((repo / "Makefile").read_text(encoding="utf-8"))
    assert targets["check"] == stages((repo / ".ci" / "run").read_text(encoding="utf-8"))


def test_every_make_target_is_phony_and_in_the_help(repo: Path) -> None:
    makefile = (repo / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    assert sorted(phony) == sorted(make_targets(makefile))
    assert sorted(phony) == sorted(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_in_documents_exist(repo: Path, document: str) -> None:
    targets = make_targets((repo / "Makefile").read_text(encoding="utf-8"))
    for span in code_spans((repo / document).read_text(encoding="utf-8")):
        for target in re.findall(r"^make ([a-z][\w-]*)", span.strip()):
            assert target in targets, f"{document}: make {target}"


def test_paths_in_contributing_exist(repo: Path) -> None:
    spans = code_spans((repo / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    paths = [span for span in spans if re.fullmatch(r"[\w.<>-]+(/[\w.<>-]*)+|[\w.-]+\.(md|toml)|Makefile", span)]
    assert paths
    for path in paths:
        settled = path.split("<", maxsplit=1)[0].rpartition("/")[0] if "<" in path else path
        assert (repo / settled).exists(), path


def test_changelog_has_this_version(repo: Path) -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (repo / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert psf_audit.__version__ in headings
