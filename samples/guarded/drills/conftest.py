"""The range: each drill gets a deployment of its own, on the real configuration, and writes to one drill log."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from agent.audit import AuditLog
from agent.clock import Clock
from agent.deployment import Rules, load_rules

from drills.range import Range

DAYS_AFTER_ISSUE = 6
SLOT = timedelta(minutes=1)
NO_START_AFTER = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the deployment is, and where its log of the drills goes."""
    parser.addoption(
        "--root", type=Path, default=Path(__file__).resolve().parents[1], help="folder with config/ and prompts/"
    )
    parser.addoption("--drill-log", type=Path, default=None, help="write the gateway's log of the drills here")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "control(*ids, how='attack'): the controls that a drill is about")


@pytest.fixture(autouse=True)
def _about(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    mark = request.node.get_closest_marker("control")
    assert mark is not None, "each drill says which control it is about"
    how = mark.kwargs.get("how", "attack")
    record_property("psf.control", ",".join(mark.args))
    record_property("psf.how", how)
    record_property("psf.adversarial", "true" if how == "attack" else "false")


@pytest.fixture(scope="session")
def root(request: pytest.FixtureRequest) -> Path:
    """The folder of the deployment under test."""
    return Path(request.config.getoption("--root"))


@pytest.fixture(scope="session")
def rules(root: Path, record_testsuite_property: Callable[[str, object], None]) -> Rules:
    """The configuration under test, and in the results which bytes it was."""
    loaded = load_rules(root)
    record_testsuite_property("psf.release", loaded.gateway.release)
    record_testsuite_property("psf.environment", "production-like")
    record_testsuite_property("psf.config", loaded.gateway.digest)
    record_testsuite_property("psf.config", loaded.harness.digest)
    return loaded


@pytest.fixture(scope="session")
def clock(rules: Rules) -> Clock:
    """One clock for all drills: it starts some days into the life of the agent's keys."""
    return Clock(rules.gateway.credentials[0].issued + timedelta(days=DAYS_AFTER_ISSUE))


@pytest.fixture(scope="session")
def log(
    request: pytest.FixtureRequest, rules: Rules, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> AuditLog:
    """One log for all drills."""
    path = request.config.getoption("--drill-log") or tmp_path_factory.mktemp("log") / "drill-log.jsonl"
    return AuditLog(path, clock, rules.gateway.logs[0])


@pytest.fixture
def drill(
    request: pytest.FixtureRequest,
    rules: Rules,
    log: AuditLog,
    clock: Clock,
    record_property: Callable[[str, object], None],
) -> Range:
    """A range of its own for each drill, in a time slot of its own."""
    passed = clock.now.timestamp() % SLOT.total_seconds()
    clock.advance(SLOT.total_seconds() - passed)
    if clock.now.hour >= NO_START_AFTER:
        clock.advance_to((clock.now + timedelta(days=1)).replace(hour=6, minute=0))
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return Range(f"drill-{name}", rules, log, clock, record_property)
