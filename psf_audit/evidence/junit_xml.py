"""JUnit XML: the results of a test run, as pytest, Surefire, GoogleTest and most others write them.

There is no schema that all writers follow; https://github.com/testmoapp/junitxml describes what they have in common.
Suites may be nested and root attributes absent, so only test cases count, and what is inside them decides:

- `failure` is failed, `error` is error, `skipped` is skipped, in this order. GoogleTest marks what it did not run with
  `status="notrun"` and no child.
- A test that failed and passed when it was run again (`flakyFailure`, `rerunFailure` and the like:
  https://maven.apache.org/surefire/maven-surefire-plugin/examples/rerun-failing-tests.html) is inconclusive: an attack
  that gets through every second time has defeated the control.
- A time without zone is common, and which zone was meant is not known. Of such a time only the date is used, at
  midnight UTC: it can be wrong by a day, where results age in weeks.

Which control a test speaks of is said by the property `psf.control` (identifiers with commas between) of the test or
of a suite around it, or else by an identifier in its name (`SPEND-04`, `test_spend_04_stops`). A name may only look
like one, so those tests are given without a control as well, as are tests that name none: the manifest can link them.
Further properties: `psf.adversarial`, `psf.how`, `psf.run`, `psf.release`, `psf.environment`, and `psf.config` or
`psf.config.<anything>` with the `sha256:` digest of a configuration file that the tested component had loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from psf_audit.artifact import Artifact, EvidenceFormat, Losses
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Fact, Gap, Item, Loaded, Remark
from psf_audit.facts.rows import nearest
from psf_audit.facts.tables import TABLES
from psf_audit.text import plural
from psf_audit.values import day_of_milliseconds, midnight, stated_sha256, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the report format `junit` calls its root: each of its tests bears the name of a control, and has tried none.
_OWN = "psf-audit"
_ROOT = re.compile(r"<(?:[\w.\-]+:)?testsuites?[\s/>]")
_CONTROL = re.compile(r"(?<![A-Za-z])([A-Za-z]{3,})_(\d\d)(?!\d)|(?<![A-Za-z])([A-Z]{3,})-(\d\d)(?!\d)")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}[\d:.,]*\Z")
_MAX_DEPTH = 100
_MAX_ELEMENTS = 2_000_000
_MAX_PROPERTY = 1_000
_MAX_PROPERTIES = 100
_MAX_FACTS = 1_000_000

_OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}
_RERUN = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")
_NOT_RUN = frozenset({"notrun", "disabled", "skipped", "suppressed", "ignored"})
_FAILED = frozenset({"failed", "failure", "fail", "error"})
_HOW = TABLES["tests"].column("how").choices
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_PROPERTIES = tuple(
    f"psf.{name}" for name in ("control", "adversarial", "how", "run", "release", "environment", "config")
)


@dataclass(slots=True)
class _Property:
    """A property, and where it stands."""

    name: str
    value: str
    line: int


@dataclass(slots=True)
class _Node:
    """A suite (or the root) or a test case."""

    tag: str
    attributes: dict[str, str]
    line: int
    above: _Node | None = None
    number: int = 0
    properties: dict[str, list[_Property]] = field(default_factory=dict)
    controls: list[str] = field(default_factory=list)
    children: set[str] = field(default_factory=set)
    tests: int = 0
    bad: int = 0

    @property
    def name(self) -> str:
        """The name of a suite; of a test, with its class."""
        name = self.attributes.get("name", "")
        classname = self.attributes.get("classname", "") if self.tag == "testcase" else ""
        return f"{classname}.{name}" if classname and name else classname or name

    @property
    def pointer(self) -> str:
        """Where a reader finds it: many writers put everything on one line, so a test is named as well."""
        return f"testcase[{self.number}] {self.name[:200]}" if self.tag == "testcase" else f"line {self.line}"

    def lineage(self) -> Iterator[_Node]:
        """The node and the suites around it, from the inside out."""
        node: _Node | None = self
        while node is not None:
            yield node
            node = node.above

    def text(self, name: str) -> str | None:
        """The value of the property of that name that holds here."""
        return next((found[-1].value for node in self.lineage() if (found := node.properties.get(name))), None)


class _Report:
    """What the parser tells of: suites and cases with their lines, in the order of the file, and no text of theirs."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.parser: Any = None
        self._open: list[_Node | None] = []
        self._elements = 0
        self._cases = 0
        self._property: _Property | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        tag = tag.rpartition("}")[2]
        line = self.parser.parser.CurrentLineNumber
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            raise Unreadable("holds too many elements, or nests them too deep", line=line)
        if not self._open and tag not in {"testsuites", "testsuite"}:
            raise Unreadable(f"starts with <{tag[:60]}>, not with <testsuites> or <testsuite>", line=line)
        above = next((node for node in reversed(self._open) if node is not None), None)
        node = None
        if tag in {"testsuites", "testsuite", "testcase"}:
            self._cases += tag == "testcase"
            node = _Node(tag, attributes, line, above, self._cases)
            self.nodes.append(node)
        elif tag == "property" and attributes.get("name", "").startswith("psf."):
            self._property = _Property(attributes["name"], attributes.get("value", ""), line)
        elif self._open[-1] is not None:
            self._open[-1].children.add(tag)
        self._open.append(node)

    def end(self, _tag: str) -> None:
        """An element ends."""
        self._open.pop()
        one, self._property = self._property, None
        above = next((node for node in reversed(self._open) if node is not None), None)
        if one is None or above is None or not one.value:
            return
        above.properties.setdefault(one.name, []).append(one)
        if one.name == "psf.control":
            above.controls += [part.strip() for part in one.value.split(",") if part.strip()]
        if len(one.value) > _MAX_PROPERTY or sum(map(len, above.properties.values())) > _MAX_PROPERTIES:
            raise Unreadable("holds too many or too long psf properties in one element", line=one.line)

    def data(self, text: str) -> None:
        """Text; only that of a property matters, because some writers put its value there."""
        one = self._property
        if one is not None and len(one.value) <= _MAX_PROPERTY:
            one.value = (one.value + text).strip()

    def close(self) -> None:
        """The end of the file."""


def _sniff(artifact: Artifact) -> bool:
    """Whether the first element, behind declaration and comments, is a suite."""
    head = artifact.head.lstrip()
    while head.startswith(("<?", "<!--")):
        end = head.find("-->" if head.startswith("<!--") else "?>")
        if end < 0:
            return False
        head = head[end:].partition(">")[2].lstrip()
    # A document type is refused when the file is read; here it must not hide what the file is.
    found = _ROOT.search(head) if head.startswith("<!") else _ROOT.match(head)
    return found is not None


def _parse(artifact: Artifact) -> list[_Node]:
    report = _Report()
    parser = DefusedXMLParser(target=report, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    report.parser = parser
    try:
        parser.feed(artifact.data)
        parser.close()
    except DefusedXmlException as error:
        raise Unreadable("declares a document type or entities", hint="JUnit XML needs neither; remove them") from error
    except ParseError as error:
        raise Unreadable(f"is not XML: {str(error).partition(':')[0]}", line=error.position[0]) from error
    except (ValueError, LookupError) as error:
        raise Unreadable("is not XML in an encoding that can be read", hint="save it as UTF-8") from error
    return report.nodes


def _read(artifact: Artifact) -> Iterator[Item]:
    nodes = _parse(artifact)
    if nodes and nodes[0].tag == "testsuites" and nodes[0].name == _OWN:
        raise Unreadable("is a report of psf-audit: no assessment proves another", hint="give the tests it rests on")
    cases = [node for node in nodes if node.tag == "testcase"]
    if not cases:
        raise Unreadable("holds no test", hint="a run without tests shows nothing")
    losses = Losses("test")
    yield from _configurations(nodes)
    undated = sum(_time(case) is None for case in cases)
    if undated:
        yield Remark(
            f"{plural(undated, 'test')} without a time: neither the test nor a suite around it has a timestamp"
        )
    facts = 0
    for case in cases:
        for fact in _case(case, losses):
            facts += 1
            if facts > _MAX_FACTS:
                raise Unreadable(f"holds more than {_MAX_FACTS} results", hint="split it")
            yield fact
    yield from losses.gaps()
    yield from _counts(nodes)
    for node in nodes:
        yield from _unknown_properties(node)


def _case(case: _Node, losses: Losses) -> Iterator[Fact]:
    pointer = case.pointer
    at_ms = _time(case)
    adversarial = _adversarial(case, losses, pointer)
    how = case.text("psf.how")
    if how is not None and how not in _HOW:
        losses.add(pointer, "lossy", "tests.how", f"whose psf.how is not one of {', '.join(_HOW)}")
        how = None
    values = {
        "suite": next((node.name for node in case.lineage() if node is not case and node.name), None),
        "name": case.name or None,
        "how": how or ("attack" if adversarial else "functional"),
        "outcome": _outcome(case),
        "adversarial": adversarial,
        "at_ms": at_ms,
        "environment": case.text("psf.environment"),
        "run": case.text("psf.run"),
    }
    day = day_of_milliseconds(at_ms) if at_ms is not None else None
    for control in _controls(case):
        linked = {"control": control, "link": "artifact" if control else None}
        yield Fact("tests", pointer, {**values, **linked}, "test", day, case.text("psf.release"))


def _outcome(case: _Node) -> str:
    for child, outcome in _OUTCOMES.items():
        if child in case.children:
            return outcome
    stated = {case.attributes.get(name, "").lower() for name in ("status", "result")}
    if stated & _FAILED:
        return "failed"
    if stated & _NOT_RUN:
        return "skipped"
    return "inconclusive" if case.children.intersection(_RERUN) else "passed"


def _time(case: _Node) -> int | None:
    """The time of the nearest of the test and the suites around it that has one."""
    stated = next((found for node in case.lineage() if (found := node.attributes.get("timestamp", "").strip())), "")
    date = _DATE.match(stated)
    return midnight(date[1] if date else stated)


def _adversarial(case: _Node, losses: Losses, pointer: str) -> bool | None:
    stated = case.text("psf.adversarial")
    flag = _FLAGS.get(stated.strip().lower()) if stated is not None else None
    if stated is not None and flag is None:
        losses.add(pointer, "lossy", "tests.adversarial", "whose psf.adversarial is neither true nor false")
    return flag


def _controls(case: _Node) -> list[str | None]:
    """The controls that the test names; None where it names none, or only its name may."""
    stated = next((node.controls for node in case.lineage() if node.controls), None)
    if stated:
        return list(dict.fromkeys(stated))
    found = (f"{match[1] or match[3]}-{match[2] or match[4]}".upper() for match in _CONTROL.finditer(case.name))
    return [*dict.fromkeys(found), None]


def _configurations(nodes: list[_Node]) -> Iterator[Item]:
    seen: set[str] = set()
    for one in (one for node in nodes for found in node.properties.values() for one in found):
        if one.name != "psf.config" and not one.name.startswith("psf.config."):
            continue
        sha256 = stated_sha256(one.value.strip())
        if sha256 is None:
            what = f"{one.name[:60]} is not `sha256:` and 64 hexadecimal digits"
            yield Gap("lossy", what, "tests", f"line {one.line}")
        elif sha256 not in seen:
            seen.add(sha256)
            yield Loaded(sha256, f"line {one.line}")


def _counts(nodes: list[_Node]) -> Iterator[Gap]:
    """Where a suite claims more tests or failures than are in it; and failures that belong to no test."""
    for node in nodes:
        if node.tag == "testcase":
            bad = _outcome(node) in {"failed", "error", "inconclusive"}
            for above in node.lineage():
                above.tests += 1
                above.bad += bad
    for node in nodes:
        if node.tag == "testcase":
            continue
        pointer = node.pointer
        claimed = whole(node.attributes.get("tests"))
        if claimed is not None and claimed > node.tests:
            yield Gap("lossy", f"a suite claims {claimed} tests and holds {node.tests}", "tests", pointer)
        failures = sum(max(whole(node.attributes.get(name)) or 0, 0) for name in ("failures", "errors"))
        if failures > node.bad:
            yield Gap("lossy", f"a suite claims {failures} failures and shows {node.bad}", "tests", pointer)
        if node.children & {"failure", "error"}:
            yield Gap("lossy", "a failure that belongs to no test", "tests", pointer)


def _unknown_properties(node: _Node) -> Iterator[Gap]:
    for name, found in node.properties.items():
        if not name.startswith("psf.config.") and name not in _PROPERTIES:
            what = f"the property {name[:60]} is not known{nearest(name[:60], _PROPERTIES)}"
            yield Gap("lossy", what, "tests", f"line {found[0].line}")


JUNIT_XML = EvidenceFormat(
    name="junit-xml",
    title="test results (JUnit XML)",
    suffixes=(".xml",),
    tables=("tests",),
    speaks_to=("tested",),
    cannot=(
        "That a test tried what its name says: only its code shows that.",
        "Which release was tested, unless a property says so or the run that wrote the file is known.",
        "The hour of a test, where the writer left out the zone: then only the day is used.",
    ),
    sniff=_sniff,
    read=_read,
    stack="JUnit",
    reads=(
        "each test with its suite, time and outcome; a test that was run again until it passed is inconclusive",
        "properties `psf.control`, `psf.adversarial`, `psf.how`, `psf.run`, `psf.release`, `psf.environment`",
        "properties `psf.config`: the digests of the configuration that the tested component had loaded",
    ),
    proves=("That a test of a control ran on a day, against a release, and how it ended.",),
    export=("pytest --junitxml=junit.xml", "mvn surefire:test", "gotestsum --junitfile junit.xml"),
)
