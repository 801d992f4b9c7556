"""SARIF 2.1.0: what a scanner of code, dependencies, secrets or configuration found, by rule.

What the properties mean was checked against the standard (docs.oasis-open.org/sarif/sarif/v2.1.0; sections 3.14 `run`,
3.20 `invocation`, 3.27 `result`, 3.35 `suppression`, and the appendix on detecting incomplete result sets) in November
2026. Each run of a tool gives one result for the tool as a whole and one for each rule, so that either can be linked to
a control by its name: `CodeQL`, `CodeQL/py/sql-injection`.

- That nothing was found says something only if the tool ran to its end: every invocation has `executionSuccessful`, no
  notification is an error, and the results are in this file. Without that no rule passes, and the tool does not.
- `results` that are null, or absent, mean that the analysis did not begin; an empty list that it found nothing.
- `kind` decides: `fail` (also where it is absent) is failed, `pass` and `informational` are passed, `notApplicable` is
  skipped, `open` and `review` are inconclusive. A rule that is listed and not switched off, with no result, passed.
- A suppressed result (`suppressions`, none of them under review or rejected) is no failure, but nor does its rule pass
  then, nor the tool: that is inconclusive, and said.
- A result whose `baselineState` is `absent` belongs to an earlier run.
- `versionControlProvenance[].revisionId` is the release that was scanned, if all of them agree.

Labels (`psf.control` ...) are read in the property bags of results, rules and runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psf_audit.artifact import EvidenceFormat, Losses
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Fact, Remark
from psf_audit.labels import Labels, read_labels
from psf_audit.reading import pointer
from psf_audit.values import day_of_milliseconds, list_of, mapping_of, milliseconds, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.artifact import Artifact
    from psf_audit.facts.model import Item
    from psf_audit.reading import Path_

_HEAD = re.compile(r'"runs"\s*:\s*\[')
_VERSION = "2.1.0"
# The tool that the report format `sarif` names.
_OWN = "psf-audit"
_MAX_NAME = 200
# What a result says, the worst first: what the worst of them says holds for its rule, and for the tool.
_KINDS = {"fail": "failed", "suppressed": "inconclusive", "open": "inconclusive", "review": "inconclusive"}
_HARMLESS = {"pass": "passed", "informational": "passed", "notApplicable": "skipped"}
_WORST = ("failed", "inconclusive", "passed", "skipped")


@dataclass(slots=True)
class _Rule:
    """A rule with where it stands, or its first result does, and the outcomes and labels of its results."""

    path: Path_
    properties: object = None
    outcomes: set[str] = field(default_factory=set)
    labels: list[Labels] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The rules of the driver and of each extension, in their order, with where they stand; and all their ids."""

    components: tuple[tuple[tuple[Path_, dict[str, Any]], ...], ...]
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a tool; `doubt` says why finding nothing would mean nothing, where it would."""

    path: Path_
    value: dict[str, Any]
    tool: str
    suite: str
    doubt: str | None
    at_ms: int | None
    release: str | None


def _sniff(artifact: Artifact) -> bool:
    if not artifact.head.lstrip().startswith("{") or not _HEAD.search(artifact.head):
        return False
    runs = list_of(artifact.mapping.get("runs"))
    schema = artifact.mapping.get("$schema")
    if isinstance(schema, str) and "sarif" in schema.lower():
        return True
    drivers = [mapping_of(mapping_of(run).get("tool")).get("driver") for run in runs]
    return bool(drivers) and all(isinstance(driver, dict) for driver in drivers)


def _read(artifact: Artifact) -> Iterator[Item]:
    log = artifact.json
    runs = mapping_of(log).get("runs")
    if not isinstance(runs, list):
        raise Unreadable("is not SARIF", hint="a log with `version` and `runs` is expected")
    if mapping_of(log).get("version") != _VERSION:
        raise Unreadable(f"is not SARIF {_VERSION}", hint=f"have the tool write SARIF {_VERSION}")
    if not runs:
        raise Unreadable("holds no run of a tool", hint="a log without runs shows nothing")
    losses, notes, doubts = Losses("result"), Losses("result"), Losses("run")
    loaded: set[str] = set()
    for index, value in enumerate(runs):
        path: Path_ = ("runs", index)
        if not isinstance(value, dict):
            losses.add(pointer(path), "unreadable", "tests", "or more lost: a run is not an object")
            continue
        run = _run(path, value)
        if run.tool == _OWN:
            raise Unreadable("is a report of psf-audit: no assessment proves another", hint="give what it rests on")
        if run.doubt:
            doubts.add(pointer(path), "lossy", "tests", f"in which nothing passes: {run.doubt}")
        if run.at_ms is None:
            doubts.add(pointer(path), "lossy", "tests", "without a time: no invocation has one")
        yield from _results(run, losses, notes, loaded)
    yield from losses.gaps()
    yield from (Remark(gap.what) for counted in (doubts, notes) for gap in counted.gaps())


def _run(path: Path_, value: dict[str, Any]) -> _Run:
    driver = mapping_of(mapping_of(value.get("tool")).get("driver"))
    name = driver.get("name")
    tool = name[:_MAX_NAME] if isinstance(name, str) and name else "unnamed tool"
    identity = mapping_of(value.get("automationDetails")).get("id")
    # The last component of the identity is that of this run alone (3.17.2), what comes before is the same for all.
    category = identity.rpartition("/")[0] or identity if isinstance(identity, str) else ""
    invocations = [mapping_of(one) for one in list_of(value.get("invocations"))]
    times = [
        moment
        for one in invocations
        if (moment := milliseconds(one.get("startTimeUtc")) or milliseconds(one.get("endTimeUtc"))) is not None
    ]
    revisions = [mapping_of(one).get("revisionId") for one in list_of(value.get("versionControlProvenance"))]
    revision = revisions[0] if revisions and all(one == revisions[0] for one in revisions) else None
    return _Run(
        path=path,
        value=value,
        tool=tool,
        suite=category[:_MAX_NAME] or tool,
        doubt=_doubt(value, invocations),
        at_ms=min(times, default=None),
        release=revision if isinstance(revision, str) and revision else None,
    )


def _doubt(run: dict[str, Any], invocations: list[dict[str, Any]]) -> str | None:
    """Why the results may not be all there are; None when nothing says so."""
    external = mapping_of(run.get("externalPropertyFileReferences"))
    errors = any(
        mapping_of(note).get("level") == "error"
        for one in invocations
        for key in ("toolExecutionNotifications", "toolConfigurationNotifications")
        for note in list_of(one.get(key))
    )
    checks = (
        (not isinstance(run.get("results"), list), "it has no list of results, so the analysis did not begin"),
        (not invocations, "it names no invocation, so nothing shows that the tool ran to its end"),
        (any(one.get("executionSuccessful") is False for one in invocations), "an invocation was not successful"),
        (
            any(one.get("executionSuccessful") is not True for one in invocations),
            "an invocation does not say how it ended",
        ),
        (errors, "the tool reports an error of its own"),
        (bool(list_of(external.get("results"))), "results are in other files"),
    )
    return next((why for holds, why in checks if holds), None)


# ----------------------------------------------------------------------------------------------------------- results


def _results(run: _Run, losses: Losses, notes: Losses, loaded: set[str]) -> Iterator[Item]:
    listed = _listed(run)
    rules, off = _enabled(run, listed)
    all_outcomes: set[str] = set()
    unattributed: set[str] = set()
    for index, result in enumerate(list_of(run.value.get("results"))):
        path = (*run.path, "results", index)
        if not isinstance(result, dict):
            losses.add(pointer(path), "unreadable", "tests", "that cannot be read")
            unattributed.add("inconclusive")
            continue
        if result.get("baselineState") == "absent":
            continue
        kind = _kind(result)
        outcome = _HARMLESS.get(kind) or _KINDS.get(kind, "failed")
        all_outcomes.add(outcome)
        if kind == "suppressed":
            notes.add(pointer(path), "lossy", "tests", "suppressed: neither a failure nor a pass")
        name = _rule_of(result, listed)
        if name is None:
            notes.add(pointer(path), "lossy", "tests", "without a rule: counted for the tool as a whole")
            unattributed.add(outcome)
            continue
        rule = rules.setdefault(name, _Rule(path))
        rule.outcomes.add(outcome)
        rule.labels.append(read_labels(result.get("properties"), rule.properties, run.value.get("properties")))
    whole_run = _Rule(run.path, outcomes=all_outcomes | unattributed or {"passed"})
    yield from _facts(run, run.tool, whole_run, losses, loaded)
    # Any rule may be the one that found what no result of a rule tells.
    in_doubt: set[str] = {"inconclusive"} if unattributed - {"passed", "skipped"} else set()
    for name, rule in rules.items():
        if rule.outcomes or name not in off:
            rule.outcomes |= in_doubt
            yield from _facts(run, f"{run.tool}/{name}"[:_MAX_NAME], rule, losses, loaded)


def _kind(result: dict[str, Any]) -> str:
    """The kind of a result, with one more for those that are suppressed."""
    kind = result.get("kind", "fail")
    if not isinstance(kind, str) or kind not in {*_KINDS, *_HARMLESS} or kind == "suppressed":
        return "fail"
    if kind in _HARMLESS:
        # Only a failure has a level (3.27.10): what claims both is for a human to decide.
        return kind if result.get("level", "none") == "none" else "review"
    suppressions = [mapping_of(one).get("status", "accepted") for one in list_of(result.get("suppressions"))]
    accepted = bool(suppressions) and all(status == "accepted" for status in suppressions)
    return "suppressed" if kind == "fail" and accepted else kind


def _listed(run: _Run) -> _Listed:
    tool = mapping_of(run.value.get("tool"))
    at: Path_ = (*run.path, "tool")
    components: list[tuple[Path_, Any]] = [((*at, "driver"), tool.get("driver"))]
    components += [((*at, "extensions", index), one) for index, one in enumerate(list_of(tool.get("extensions")))]
    rules = tuple(
        tuple(((*path, "rules", index), mapping_of(rule)) for index, rule in enumerate(list_of(one.get("rules"))))
        for path, value in components
        for one in [mapping_of(value)]
    )
    ids = (rule.get("id") for component in rules for _, rule in component)
    return _Listed(rules, frozenset(name for name in ids if isinstance(name, str) and name))


def _enabled(run: _Run, listed: _Listed) -> tuple[dict[str, _Rule], set[str]]:
    """The listed rules by id, and the ids of those that are, or may be, switched off."""
    rules: dict[str, _Rule] = {}
    off: set[str] = set()
    for path, rule in (one for component in listed.components for one in component):
        name = rule.get("id")
        if not isinstance(name, str) or not name:
            continue
        rules.setdefault(name, _Rule(path, rule.get("properties")))
        if mapping_of(rule.get("defaultConfiguration")).get("enabled", True) is not True:
            off.add(name)
    for invocation in list_of(run.value.get("invocations")):
        for override in list_of(mapping_of(invocation).get("ruleConfigurationOverrides")):
            changed = mapping_of(override)
            name = _rule_of({"rule": changed.get("descriptor")}, listed)
            if name is not None and mapping_of(changed.get("configuration")).get("enabled", True) is not True:
                off.add(name)
    return rules, off


def _rule_of(result: dict[str, Any], listed: _Listed) -> str | None:
    """The id of the rule of a result: as listed, where an index says which, else as the result has it."""
    reference = mapping_of(result.get("rule"))
    component = mapping_of(reference.get("toolComponent"))
    number = whole(component.get("index"))
    place = 0 if number is None or number < 0 else number + 1
    index = whole(reference.get("index", result.get("ruleIndex")))
    known = listed.components[place] if place < len(listed.components) else ()
    if index is not None and 0 <= index < len(known):
        name = known[index][1].get("id")
        if isinstance(name, str) and name:
            return name
    stated = result.get("ruleId") or reference.get("id")
    if not isinstance(stated, str) or not stated:
        return None
    # An id may have further components (3.27.5): `CA5350/md5` is a result of the rule `CA5350`.
    parts = stated.split("/")
    prefixes = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in listed.ids), stated)


def _facts(run: _Run, name: str, rule: _Rule, losses: Losses, loaded: set[str]) -> Iterator[Item]:
    where = pointer(rule.path)
    outcome = next((one for one in _WORST if one in rule.outcomes), "passed")
    if outcome == "passed" and run.doubt:
        outcome = "inconclusive"
    labels = rule.labels or [read_labels(rule.properties, run.value.get("properties"))]
    for one in labels:
        one.report(where, losses)
        yield from one.loaded(where, loaded)
    day = day_of_milliseconds(run.at_ms) if run.at_ms is not None else None
    values = {"suite": run.suite, "name": name, "outcome": outcome, "at_ms": run.at_ms}
    for control in dict.fromkeys(control for one in labels for control in one.controls_of(name)):
        columns = labels[0].columns(attack=False) | {"control": control, "link": "artifact" if control else None}
        yield Fact("tests", where, columns | values, "test", day, labels[0].release or run.release)


SARIF = EvidenceFormat(
    name="sarif",
    title="scan results (SARIF)",
    suffixes=(".sarif", ".json"),
    tables=("tests",),
    speaks_to=("tested",),
    cannot=(
        "That a scanner looked at everything: what it was not given has no finding.",
        "That a rule finds what its name says: only trying it shows that.",
        "That a finding was rightly suppressed.",
        "When the scan ran, where the tool leaves that out, as Semgrep and CodeQL do: no such pass counts.",
        "That the running deployment resists: a scan reads code and configuration, it attacks nothing.",
    ),
    sniff=_sniff,
    read=_read,
    stack="SARIF",
    reads=(
        "`runs[].tool.driver` and `extensions`: the tool and its rules, which name the results",
        "`runs[].results[].kind`, `suppressions` and `baselineState`: what was found",
        "`runs[].invocations[]`: whether the tool ran to its end, and when",
        "`runs[].versionControlProvenance[].revisionId`: the release that was scanned",
        "`properties`: labels such as `psf.control`",
    ),
    proves=(
        "That a scanner ran to its end over a release on a day, and by which rules it found something or nothing.",
    ),
    export=(
        "gh api -H 'Accept: application/sarif+json' repos/OWNER/REPO/code-scanning/analyses/ID > results.sarif",
        "semgrep scan --sarif --output results.sarif",
        "codeql database analyze DATABASE --format=sarif-latest --output=results.sarif",
    ),
)
