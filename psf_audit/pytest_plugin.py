"""The pytest plugin: a team's own tests of its guardrails become evidence.

    @pytest.mark.psf("SPEND-02", adversarial=True)
    def test_the_gateway_refuses_the_call_that_would_pass_the_ceiling(): ...

The mark writes what `psf_audit.evidence.junit_xml` reads, as properties of the test case in `pytest --junitxml=FILE`:
`psf.control` (identifiers with commas between), `psf.adversarial`, `psf.how`, `psf.release`, `psf.environment` and
`psf.run`. How the test ended is what pytest writes anyway.

pytest loads this module at every start in an environment where psf-audit is installed. So it imports nothing but
pytest; the rubric, which says what controls there are, is read only when a test has the mark.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MARKER = (
    "psf(*controls, adversarial=None, how=None, release=None, environment=None, run=None): the controls of the "
    "psf-audit rubric that the test is evidence for, whether it tries to defeat them, and what it ran against"
)
_WORDS = ("how", "release", "environment", "run")
ARGUMENTS = ("adversarial", *_WORDS)
_LONGEST = 200
# Of the whole run: an option, a variable and a line of the configuration each. A mark is nearer to the test, and wins.
_OF_THE_RUN = {
    "release": "Release that the tests marked psf ran against, unless a mark says otherwise.",
    "environment": "Environment that the tests marked psf ran in, unless a mark says otherwise.",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take what holds for the whole run, and which rubric names the controls."""
    group = parser.getgroup("psf-audit", "evidence for psf-audit")
    for name, meaning in _OF_THE_RUN.items():
        help_ = f"{meaning} Also: {_variable(name)}, or psf_{name} in the configuration file."
        group.addoption(f"--psf-{name}", metavar="NAME", help=help_)
        parser.addini(f"psf_{name}", meaning)
    about = "Rubric whose controls the marks name: a name like psf-agentic@1, or a file."
    group.addoption("--psf-rubric", metavar="RUBRIC", help=f"{about} Also: psf_rubric in the configuration file.")
    parser.addini("psf_rubric", about)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write the properties of every marked test; last, so that marks which others add here count.

    They are written before any test runs, because one that is skipped or fails in a fixture has to show them as well.
    A mark that cannot mean anything is an error of collection, and its test says nothing of any control: a typing error
    must not pass for a test. It is reported and not raised, because what is raised here is lost in a worker of xdist.
    """
    marked = [item for item in items if item.get_closest_marker("psf") is not None]
    if not marked:
        return
    try:
        rubric, controls = _rubric(config)
        defaults = {name: text for name in _OF_THE_RUN if (text := _of_the_run(config, name)) is not None}
    except ValueError as error:
        _refuse(session, "psf-audit", [str(error)])
        return
    for item in marked:
        problems: list[str] = []
        stated = _stated(item, problems)
        unknown = [control for control in stated["control"] if control not in controls]
        problems += [f"{rubric} has no control {name!r}{_nearest(name, controls)}" for name in unknown]
        if problems:
            path, line, _ = item.location
            place = f"{path}:{(line or 0) + 1}"
            _refuse(session, item.nodeid, [f"{place}: mark psf: {what}" for what in dict.fromkeys(problems)])
        else:
            item.user_properties += _properties(defaults | stated)


def _refuse(session: pytest.Session, place: str, problems: list[str]) -> None:
    report = pytest.CollectReport(place, "failed", "\n".join(problems), [])
    session.ihook.pytest_collectreport(report=report)


def _properties(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("control", *ARGUMENTS):
        value = stated.get(name)
        if isinstance(value, bool):
            yield f"psf.{name}", "true" if value else "false"
        elif value:
            yield f"psf.{name}", value if isinstance(value, str) else ",".join(value)


# ------------------------------------------------------------------------------------------------------ what marks say


def _stated(item: pytest.Item, problems: list[str]) -> dict[str, Any]:
    """What the marks of a test, of its class and of its module say together.

    The nearest that name controls say which; every other value is that of the nearest mark that states it. A test case
    of JUnit has one set of values, so marks in the same place that name controls have to agree on all of them.
    """
    found: dict[str, Any] = {"control": ()}
    for marks in _by_place(item):
        wrong = [what for mark in marks for what in _wrong(mark)]
        if wrong:
            problems += wrong
            continue
        naming = [mark for mark in marks if mark.args]
        if any(mark.kwargs != naming[0].kwargs for mark in naming[1:]):
            problems.append("two in one place name controls and differ in more than those; make them two tests")
        if not found["control"]:
            found["control"] = tuple(dict.fromkeys(control for mark in naming for control in mark.args))
        here: dict[str, Any] = {}
        for name, value in ((name, value) for mark in marks for name, value in mark.kwargs.items()):
            if here.setdefault(name, value) != value:
                problems.append(f"two in one place differ in {name}; keep one")
        found = {**here, **found}
    return found


def _by_place(item: pytest.Item) -> Iterator[list[pytest.Mark]]:
    """The psf marks of the test, then of its class, then of its module."""
    places: dict[Any, list[pytest.Mark]] = {}
    for place, mark in item.iter_markers_with_node("psf"):
        places.setdefault(place, []).append(mark)
    yield from places.values()


def _wrong(mark: pytest.Mark) -> Iterator[str]:
    """What is wrong with the arguments of a mark; which controls there are is asked later."""
    yield from (f"{value!r} is no control" for value in mark.args if not isinstance(value, str))
    for name, value in mark.kwargs.items():
        if name not in ARGUMENTS:
            yield f"there is no argument {name!r}{_nearest(name, ARGUMENTS)}"
        elif name == "adversarial" and not isinstance(value, bool):
            yield f"adversarial={value!r} is neither True nor False"
        elif name in _WORDS and not _is_word(value):
            yield f"{name}={value!r} is no text of one line and at most {_LONGEST} characters"
        elif name == "how" and value not in _how():
            yield f"how={value!r} is not one of {', '.join(_how())}"


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST and value.isprintable()


def _how() -> tuple[str, ...]:
    from psf_audit.facts.tables import TABLES

    return TABLES["tests"].column("how").choices


def _nearest(name: str, known: tuple[str, ...]) -> str:
    from psf_audit.facts.rows import nearest

    return nearest(name, known)


# ----------------------------------------------------------------------------------------- what holds for the whole run


def _rubric(config: pytest.Config) -> tuple[str, tuple[str, ...]]:
    """Name and control identifiers of the rubric that the run names, else of the newest that is shipped.

    Raises:
        ValueError: there is none of that name, or it cannot be read.
    """
    from psf_audit import rubric as rubrics
    from psf_audit.errors import AuditError
    from psf_audit.resources import DEFAULT_RUBRIC

    spec = config.getoption("psf_rubric") or config.getini("psf_rubric") or DEFAULT_RUBRIC
    try:
        loaded = rubrics.load(rubrics.locate(spec))
    except AuditError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise ValueError(f"psf_rubric: {error}{hint}") from error
    identity = loaded.identity
    return f"{identity.id} {identity.version}", tuple(control.id for control in loaded.controls)


def _of_the_run(config: pytest.Config, name: str) -> str | None:
    """The release or environment of the run, from the option, the variable or the configuration.

    Raises:
        ValueError: it cannot be one.
    """
    stated = config.getoption(f"psf_{name}") or os.environ.get(_variable(name)) or config.getini(f"psf_{name}")
    if not stated:
        return None
    if not _is_word(stated):
        raise ValueError(f"psf_{name}: {stated!r} is no text of one line and at most {_LONGEST} characters")
    return str(stated)


def _variable(name: str) -> str:
    return f"PSF_AUDIT_{name.upper()}"
