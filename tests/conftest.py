"""What all tests share: a clean environment, the checkout, and golden files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests import goldens

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}

# typer decides about colour and width when it is imported, which is before any fixture runs.
for read_on_import in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH"):
    os.environ.pop(read_on_import, None)

UNWANTED = frozenset(
    {
        *("CI", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR", "PY_COLORS"),
        *("COLUMNS", "LINES", "TERMINAL_WIDTH", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    }
)

# How long an example takes is for `make bench`; in CI a run has to be repeatable.
settings.register_profile("psf-audit", deadline=None, derandomize=IN_CI, print_blob=True)
settings.register_profile("fuzz", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile("psf-audit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/ with what the tests produce")
    parser.addoption("--spark", action="store_true", help="run the tests that start Spark: they take minutes")
    parser.addoption("--spark-full", action="store_true", help="with --spark: all that there is, which takes an hour")


def pytest_configure(config: pytest.Config) -> None:
    if IN_CI and config.getoption("--update-golden"):
        message = "--update-golden: golden files are not rewritten in CI; run `make golden` and commit the difference"
        raise pytest.UsageError(message)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--spark"):
        skip = pytest.mark.skip(reason="starts Spark, which takes minutes, pyspark and Java 17: make spark runs it")
        for item in items:
            if item.get_closest_marker("spark"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the terminal, the CI service or the settings of whoever runs it."""
    prefixed = {name for name in os.environ if name.startswith(("GITHUB_", "PSF_AUDIT_"))}
    for name in UNWANTED | prefixed:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture
def corpus() -> Callable[[str], Path]:
    """`corpus(name)` is a file of third-party evidence; the test is skipped where that is not beside the checkout."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "corpus" / name
        if not path.exists():
            pytest.skip("the corpus of third-party evidence is not beside this checkout")
        return path

    return find


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` fails unless the text is that of `tests/golden/<name>`, byte for byte."""
    update = bool(request.config.getoption("--update-golden"))

    def check(name: str, text: str) -> None:
        goldens.compare(ROOT / "tests" / "golden", name, text, update=update)

    return check
