"""Rubrics: loading, checking and choosing them, and the overlays that change them.

A rubric is data. Its criteria are SQL over the evidence tables, so everything that a control asks for can be read,
changed and tested without Python. A rubric file that was released never changes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psf_audit import canonical, overlay, query, resources, validation
from psf_audit.errors import ConfigurationError, Problem, Unreadable
from psf_audit.migration import Migration, version_key
from psf_audit.model import Remedy, RubricIdentity, Severity
from psf_audit.reading import Document, decode, parse_yaml, read_bytes

if TYPE_CHECKING:
    from psf_audit.overlay import Overlay
    from psf_audit.reading import Path_

NOTICE_DAYS = 30
CRITERIA = ("applies_when", "claims", "shows", "lacks", "breaks")
_SPEC = re.compile(r"(?P<id>[a-z][a-z0-9-]*)(?:@(?P<version>\d+(?:\.\d+){0,2}))?\Z")
_SCORING_KEYS = (
    "id", "domain", "severity", *CRITERIA, "present_max_age_days", "tested", "documented", "params",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TestRule:
    """What counts as a test of a control."""

    adversarial: bool
    max_age_days: int

    __test__ = False


@dataclass(frozen=True)
class Control:
    """One control of a rubric."""

    id: str
    domain: str
    title: str
    severity: Severity
    requirement: str
    why: str
    criteria: dict[str, str]
    present_max_age_days: int
    tested: TestRule
    documented_max_age_days: int
    params: dict[str, Any]
    remedy: Remedy
    question: str
    references: dict[str, tuple[str, ...]]
    line: int = 1
    lifecycle: str = "stable"
    aliases: tuple[str, ...] = ()
    stricter: dict[str, str] = field(default_factory=dict)

    @cached_property
    def analyses(self) -> dict[str, query.Analysis]:
        """What each criterion reads."""
        return {name: query.analyse(sql) for name, sql in self.criteria.items()}

    def parameters(self, criterion: str) -> dict[str, Any]:
        """The parameters that a criterion takes, with their values."""
        return {name: self.params[name] for name in query.parameters(self.criteria[criterion])}

    @property
    def declared_in(self) -> frozenset[str]:
        """The tables in which a deployment claims the control, or else those that show it."""
        return self.analyses["claims" if "claims" in self.criteria else "shows"].tables

    @property
    def in_second_stage(self) -> bool:
        """Whether it judges the results of the other controls, and so comes after them."""
        return any(query.names(sql, frozenset({"results"})) for sql in self.criteria.values())


@dataclass(frozen=True)
class Domain:
    """One domain of a rubric."""

    id: str
    title: str


@dataclass(frozen=True)
class Rubric:
    """A rubric, checked: what it asks, and which one exactly it is."""

    identity: RubricIdentity
    domains: tuple[Domain, ...]
    controls: tuple[Control, ...]
    waiver_max_days: int
    frameworks: dict[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    path: str = ""
    waiver_notice_days: int = NOTICE_DAYS
    migrations: tuple[Migration, ...] = ()
    changelog: tuple[str, ...] = ()
    overlay: Overlay | None = None

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Ids that controls had before, each with the id of today."""
        return {alias: control.id for control in self.controls for alias in control.aliases}

    def control(self, control_id: str) -> Control | None:
        """The control of that id, or the one that had it before, if the rubric has it."""
        wanted = self.aliases.get(control_id, control_id)
        return next((control for control in self.controls if control.id == wanted), None)


def available() -> dict[str, list[str]]:
    """The versions of every shipped rubric, oldest first."""
    return _versions(resources.rubrics_dir())


def overlays() -> dict[str, list[str]]:
    """The versions of every shipped overlay, oldest first."""
    return _versions(resources.overlays_dir())


def _versions(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*/*.yaml")):
        if not path.name.endswith(".cases.yaml"):
            found.setdefault(path.parent.name, []).append(path.stem)
    return {name: sorted(versions, key=version_key) for name, versions in found.items()}


def find(spec: str) -> Path:
    """The file of the newest shipped rubric or overlay that `id`, `id@1`, `id@1.0` or `id@1.0.0` names.

    Raises:
        ConfigurationError: it is no such name, or there is no such rubric, overlay or version.
    """
    return _find(spec, {**_folders(resources.overlays_dir()), **_folders(resources.rubrics_dir())})


def _folders(folder: Path) -> dict[str, Path]:
    return dict.fromkeys(_versions(folder), folder)


def _find(spec: str, folders: dict[str, Path]) -> Path:
    match = _SPEC.match(spec)
    if not match:
        raise ConfigurationError(f"rubric {spec!r} is not a name like psf-agentic@1.0.0")
    name = match["id"]
    if name not in folders:
        raise ConfigurationError(f"there is no rubric {name!r}", hint=f"known: {', '.join(sorted(folders))}")
    versions = _versions(folders[name])[name]
    wanted = version_key(match["version"] or "")
    fitting = [version for version in versions if version_key(version)[: len(wanted)] == wanted]
    if not fitting:
        raise ConfigurationError(
            f"rubric {name} has no version {match['version']}", hint=f"known: {', '.join(versions)}"
        )
    return folders[name] / name / f"{fitting[-1]}.yaml"


def locate(spec: str) -> Path:
    """The rubric file that a name or a path means; errors as `find`."""
    return Path(spec) if spec.endswith((".yaml", ".yml")) else find(spec)


def that_judged(identity: RubricIdentity) -> Rubric:
    """The shipped rubric or overlay that an assessment names, in the very text that judged it.

    Raises:
        ConfigurationError: there is none, or it is another text.
    """
    found = load(find(identity.spec))
    if found.identity.content_digest != identity.content_digest:
        raise ConfigurationError(f"another text of {identity.name} judged it than the one that is here")
    return found


def load(path: Path) -> Rubric:
    """The rubric in a file, or the one that an overlay in a file makes of another.

    A file that does not ship with psf-audit is held against the schema and the allow-list first. Shipped ones are held
    against both by `rubric lint`, in the tests, and not again on every start.

    Raises:
        ConfigurationError: with every problem in it, each with line and column.
    """
    return _load(path, shipped=path.resolve().is_relative_to(resources.rubrics_dir().resolve()))


def lint(path: Path) -> Rubric:
    """The rubric in a file, its SQL held against the allow-list wherever it comes from; errors as `load`."""
    return _load(path, shipped=False)


def _load(path: Path, *, shipped: bool) -> Rubric:
    name = str(path)
    document = _document(path)
    kind = "overlay" if overlay.is_overlay(document.value) else "rubric"
    problems = [] if shipped else validation.problems(document, validation.schema(kind), name)
    if problems:
        raise ConfigurationError(f"{name} is no {kind}", problems=tuple(problems))
    places = _Places(document, name)
    rubric = _rubric(document, name) if kind == "rubric" else _overlaid(places)
    _check(rubric, places)
    if kind == "rubric":
        _check_history(rubric, places)
    if not shipped:
        _check_sql(rubric, places)
    if places.problems:
        raise ConfigurationError(f"{name} is no sound {kind}", problems=tuple(places.problems))
    return rubric


def _document(path: Path) -> Document:
    try:
        return parse_yaml(decode(read_bytes(path)))
    except Unreadable as error:
        problem = Problem(str(path), error.message, error.line, error.column, error.hint)
        raise ConfigurationError(f"{path}: {error.message}", problems=(problem,)) from error


def _overlaid(places: _Places) -> Rubric:
    """The rubric that an overlay makes of the one that it extends.

    Raises:
        ConfigurationError: with everything that does not fit that rubric, by its place in the overlay.
    """
    written = places.document.value
    base = _document(_base(written["extends"], places))
    value, made = overlay.apply(base.value, written, places.report)
    if places.problems:
        raise ConfigurationError(f"{places.name} is no sound overlay", problems=tuple(places.problems))
    rubric = _rubric(Document(value, {}), places.name, written)
    aliases = rubric.aliases
    places.own = {
        aliases.get(one["control"], one["control"]): ("change", n) for n, one in enumerate(written.get("change", ()))
    }
    places.own |= {one["id"]: ("add", n) for n, one in enumerate(written.get("add", ()))}
    lines = {name: places.document.position(where).line for name, where in places.own.items()}
    return replace(
        rubric,
        identity=replace(rubric.identity, overlay=made.name, loosened=made.loosened),
        controls=tuple(replace(control, line=lines.get(control.id, 1)) for control in rubric.controls),
        limits=(*rubric.limits, *made.disclosures),
        overlay=made,
    )


def _base(spec: str, places: _Places) -> Path:
    try:
        return _find(spec, _folders(resources.rubrics_dir()))
    except ConfigurationError as error:
        places.report(("extends",), error.message, error.hint)
        raise ConfigurationError(error.message, problems=tuple(places.problems)) from error


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical.dumps(_canonical(value))).hexdigest()


def _canonical(value: Any) -> Any:
    """JSON values for a digest: decimals as text, so that no precision is lost."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value


def _rubric(document: Document, name: str, overlaid: dict[str, Any] | None = None) -> Rubric:
    """A rubric as it stands, or with what an overlay made of it: then the overlay is part of its content."""
    value = document.value
    scoring = [{key: control.get(key) for key in _SCORING_KEYS} for control in value["controls"]]
    identity = RubricIdentity(
        id=value["id"],
        version=value["version"],
        title=value["title"],
        about=" ".join(value["about"].split()),
        content_digest=_digest(value if overlaid is None else {"rubric": value, "overlay": overlaid}),
        scoring_digest=_digest({"id": value["id"], "controls": scoring}),
    )
    return Rubric(
        identity=identity,
        domains=tuple(Domain(domain["id"], domain["title"]) for domain in value["domains"]),
        controls=tuple(
            _control(control, document.position(("controls", index)).line)
            for index, control in enumerate(value["controls"])
        ),
        waiver_max_days=value["waivers"]["max_days"],
        waiver_notice_days=value["waivers"].get("notice_days", NOTICE_DAYS),
        frameworks={key: entry["title"] for key, entry in value["frameworks"].items()},
        limits=tuple(value.get("limits", ())),
        path=name,
        migrations=tuple(
            Migration(entry["since"], entry["control"], tuple(entry["to"]), entry["why"])
            for entry in value.get("migrations", ())
        ),
        changelog=tuple(" ".join(entry.split()) for entry in value.get("changelog", ())),
    )


def _control(value: dict[str, Any], line: int) -> Control:
    tested = value["tested"]
    return Control(
        id=value["id"],
        domain=value["domain"],
        title=value["title"],
        severity=Severity(value["severity"]),
        requirement=value["requirement"],
        why=value["why"],
        criteria={key: value[key] for key in CRITERIA if value.get(key)},
        present_max_age_days=value["present_max_age_days"],
        tested=TestRule(adversarial=tested["adversarial"], max_age_days=tested["max_age_days"]),
        documented_max_age_days=value["documented"]["max_age_days"],
        params=value.get("params", {}),
        remedy=Remedy(
            text=value["remedy"]["text"],
            snippets=value["remedy"].get("snippets", {}),
            effort=value["remedy"].get("effort"),
        ),
        question=value["question"],
        references={key: tuple(items) for key, items in value["references"].items()},
        line=line,
        lifecycle=value.get("status", "stable"),
        aliases=tuple(value.get("aliases", ())),
        stricter=value.get("stricter", {}),
    )


class _Places:
    """Collects problems of one file, each with where it stands; `own` says where the controls of an overlay stand."""

    def __init__(self, document: Document, name: str, own: dict[str, Path_] | None = None) -> None:
        self.document = document
        self.name = name
        self.own = own
        self.problems: list[Problem] = []

    def report(self, path: Path_, message: str, hint: str | None = None) -> None:
        position = self.document.position(path)
        self.problems.append(Problem(self.name, message, position.line, position.column, hint))

    def of(self, rubric: Rubric, index: int) -> Path_:
        """Where a control stands; of a control that an overlay leaves as it was, the overlay itself."""
        return ("controls", index) if self.own is None else self.own.get(rubric.controls[index].id, ())


def _check(rubric: Rubric, places: _Places) -> None:
    """What a schema cannot say: ids, domains, frameworks and params."""
    seen: set[str] = set()
    domains = {domain.id for domain in rubric.domains}
    for index, control in enumerate(rubric.controls):
        here = places.of(rubric, index)
        if control.id in seen:
            places.report((*here, "id"), f"the id {control.id} is taken")
        seen.add(control.id)
        if control.domain not in domains:
            hint = f"known: {', '.join(sorted(domains))}"
            places.report((*here, "domain"), f"there is no domain {control.domain!r}", hint)
        for framework in sorted(control.references.keys() - rubric.frameworks.keys()):
            places.report((*here, "references"), f"{control.id} names {framework!r}, which is not among the frameworks")
        used = frozenset().union(*(query.parameters(sql) for sql in control.criteria.values()))
        if used != control.params.keys():
            wrong = ", ".join(sorted(used ^ control.params.keys()))
            places.report((*here, "params"), f"{control.id}: params and SQL do not agree on {wrong}")
        for name in sorted(control.stricter):
            if isinstance(control.params.get(name), bool) or not isinstance(control.params.get(name), (int, Decimal)):
                places.report((*here, "stricter", name), f"{control.id} has no param {name!r} that is a number")


def _check_history(rubric: Rubric, places: _Places) -> None:
    """Ids of before must be free, and what an earlier control became must be here, or have become something else."""
    taken = {control.id for control in rubric.controls}
    for index, control in enumerate(rubric.controls):
        for number, alias in enumerate(control.aliases):
            if alias in taken:
                places.report(("controls", index, "aliases", number), f"the id {alias} is taken")
            taken.add(alias)
    ids = {control.id for control in rubric.controls} | {one.control for one in rubric.migrations}
    for index, one in enumerate(rubric.migrations):
        here = ("migrations", index)
        if version_key(one.since) > version_key(rubric.identity.version):
            places.report((*here, "since"), f"{one.since} comes after this version, {rubric.identity.version}")
        for unknown in sorted({*one.to} - ids):
            places.report((*here, "to"), f"there is no control {unknown!r} that {one.control} could have become")


def _check_sql(rubric: Rubric, places: _Places) -> None:
    for index, control in enumerate(rubric.controls):
        here = places.of(rubric, index)
        for criterion, sql in control.criteria.items() if here else ():
            try:
                query.analyse(sql)
            except ConfigurationError as error:
                places.report((*here, criterion), f"{control.id}.{criterion} {error.message}")
