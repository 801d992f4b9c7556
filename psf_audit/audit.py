"""The pipeline: from a manifest on disk to an assessment. The only module that leads data through all stages.

Files are read here and in the command line, nowhere else. Each stage is a function that tests can call.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psf_audit import __version__, advice, assess, collection, migration, waivers
from psf_audit import manifest as manifests
from psf_audit import rubric as rubrics
from psf_audit.activity import Activity
from psf_audit.columns.database import Database
from psf_audit.composition import Composition
from psf_audit.errors import CannotAssess, ConfigurationError, Problem, Unreadable
from psf_audit.exposure import Exposure, Seen, exposure_of
from psf_audit.facts import store
from psf_audit.facts.fingerprint import composition, fingerprint
from psf_audit.facts.model import Fact
from psf_audit.facts.rows import nearest
from psf_audit.model import (
    Assessment,
    ControlResult,
    DeploymentIdentity,
    Earlier,
    EvidenceEntry,
    Gate,
    Source,
    Status,
)
from psf_audit.plugins import discover
from psf_audit.query import Bounds, Engine, Session
from psf_audit.reading import read_bytes
from psf_audit.shared import Shared
from psf_audit.standing import Current, changed_since
from psf_audit.text import screened
from psf_audit.timeline import activity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psf_audit.facts.store import Dataset, EvidenceFile
    from psf_audit.manifest import Manifest
    from psf_audit.rubric import Control, Rubric

STANDING_LIMITS = (
    (
        "An assessment reads evidence. It cannot prove that a control works, only that artifacts show it, tests tried "
        "it and the records do not contradict it."
    ),
    (
        "Evidence was supplied by the people who are assessed. Digests show that it was not changed since, not that it "
        "was true when it was written."
    ),
    (
        "No log proves that it is complete; a second producer can only contradict it. A hash chain does not show that "
        "its end was cut off."
    ),
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier assessment of the same deployment: as it was loaded, and the file that it was loaded from."""

    path: Path
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller decides: the day of the assessment and how it is made."""

    as_of: date
    engine: str = "duckdb"
    evidence_root: Path | None = None
    rubric: str | None = None
    ignore_waivers: bool = False
    gate: Gate | None = None
    bounds: Bounds = field(default_factory=Bounds)
    watch: Callable[[str, float | None], None] | None = None
    baseline: Baseline | None = None
    shared: Shared | None = None

    def database(self) -> Database:
        """A database for large logs."""
        return Database(self.bounds.memory_mib, self.watch)

    def session(self, dataset: Dataset) -> Session:
        """A session of the engine; raises `ConfigurationError` where there is no such engine."""
        chosen = engine(self.engine)
        return self.shared.session(chosen, dataset, self.bounds) if self.shared else chosen.open(dataset, self.bounds)

    def load(self, path: Path) -> Rubric:
        """The rubric in a file; errors as `rubric.load`."""
        return self.shared.rubric(path) if self.shared else rubrics.load(path)


def run(path: Path, options: Options) -> Assessment:
    """The assessment of the deployment that a manifest describes.

    Raises:
        ConfigurationError: the manifest, rubric or a waiver cannot be used as it stands.
        CannotAssess: there is nothing to audit.
    """
    return assess_manifest(manifests.load(path), options)


def assess_manifest(manifest: Manifest, options: Options) -> Assessment:
    """The assessment of a deployment whose manifest is loaded; errors as `run`."""
    rubric = options.load(rubric_path(options.rubric or manifest.rubric, manifest))
    _check_references(manifest, rubric)
    files = [
        *collection.collect(manifest, options.evidence_root, options.database()),
        *_earlier_file(manifest, options),
    ]
    made_of = _made_of(manifest, files)
    mark = fingerprint(*made_of)
    dataset = store.build(files, manifest.claims, _setting(manifest, rubric, mark, options.as_of))
    results, exposure, activity = _judge(rubric, dataset, manifest, options)
    work = _Work(manifest, rubric, dataset, results, mark, composition(*made_of), exposure, activity)
    return _assessment(work, options)


def _earlier_file(manifest: Manifest, options: Options) -> Iterator[EvidenceFile]:
    """The baseline as one more evidence file: that this deployment was assessed before is what it shows.

    Raises:
        ConfigurationError: it is of another deployment, or of a later day.
    """
    if options.baseline is None:
        return
    made, name = options.baseline.assessment, str(options.baseline.path)
    if made.deployment.name != manifest.deployment["name"]:
        raise ConfigurationError(
            f"{name} is an assessment of {made.deployment.name}, not of {manifest.deployment['name']}",
            hint="give an earlier assessment of the same deployment",
        )
    if made.as_of > options.as_of:
        raise ConfigurationError(f"{name} is of {made.as_of.isoformat()}, after {options.as_of.isoformat()}")
    file, _ = collection.read_alone(options.baseline.path, "psf-audit-assessment")
    yield replace(file, id=f"baseline {file.path}")


def _earlier(work: _Work, options: Options, files: Sequence[EvidenceFile]) -> Earlier | None:
    if options.baseline is None:
        return None
    made = options.baseline.assessment
    now = Current(_identity(work.manifest), work.fingerprint, screened(work.composition))
    digest = next(file.sha256 for file in files if file.id.startswith("baseline "))
    return Earlier(
        source=Source("baseline", options.baseline.path.name, "", digest),
        as_of=made.as_of,
        release=made.deployment.release,
        verdict=made.verdict,
        fingerprint=made.fingerprint,
        valid_until=made.valid_until,
        rubric=made.rubric.name,
        statuses={control.id: control.status.value for control in made.controls},
        changes=changed_since(made, now),
    )


def current(manifest: Manifest, options: Options) -> Current:
    """What a deployment is now, as its manifest and the configuration among its evidence have it; errors as `run`."""
    files = collection.collect(manifest, options.evidence_root, options.database())
    made_of = _made_of(manifest, files)
    return screened(Current(_identity(manifest), fingerprint(*made_of), composition(*made_of)))


def exposure_of_manifest(manifest: Manifest, options: Options) -> Exposure:
    """The exposure of a deployment whose manifest is loaded; errors as `run`."""
    rubric = options.load(rubric_path(options.rubric or manifest.rubric, manifest))
    files = collection.collect(manifest, options.evidence_root, options.database())
    dataset = store.build(files, manifest.claims, _setting(manifest, rubric, "", options.as_of))
    session = options.session(dataset)
    try:
        return screened(_exposure(dataset, session))
    finally:
        session.close()


def rubric_path(spec: str, manifest: Manifest) -> Path:
    """The file of the rubric that a name or path stands for; the manifest is blamed where it named it.

    Raises:
        ConfigurationError: there is no such rubric.
    """
    try:
        return rubrics.locate(spec)
    except ConfigurationError as error:
        if error.problems or "/rubric" not in manifest.lines:
            raise
        problem = Problem(str(manifest.path), error.message, manifest.lines["/rubric"], None, error.hint)
        raise ConfigurationError(error.message, hint=error.hint, problems=(problem,)) from error


def _check_references(manifest: Manifest, rubric: Rubric) -> None:
    """Controls that evidence and waivers name must exist: a typing error must not pass for coverage."""
    problems = []
    named = [(control, entry.line) for entry in manifest.evidence for control in entry.controls]
    named += [(control, entry.line) for entry in manifest.missing for control in entry.would_show]
    named += [(waiver.control, waiver.line) for waiver in manifest.waivers]
    for control, line in named:
        if rubric.control(control) is None:
            known = f"{rubric.identity.id} {rubric.identity.version}"
            hint = _became(control, rubric) or "psf-audit rubric show names them all"
            near = nearest(control, (one.id for one in rubric.controls))
            problems.append(Problem(str(manifest.path), f"{known} has no control {control!r}{near}", line, None, hint))
    if problems:
        raise ConfigurationError(problems[0].message, problems=tuple(problems))


def _became(control: str, rubric: Rubric) -> str | None:
    """What became of a control that earlier versions of the rubric had; None if none had it."""
    moved = migration.between(rubric.migrations, "0", rubric.identity.version).get(control)
    if moved is None:
        return None
    return f"it became {' and '.join(moved.to)}: name what you mean" if moved.to else f"removed: {moved.why[-1]}"


# ---------------------------------------------------------------------------------------------------------- judging


def _made_of(manifest: Manifest, files: Sequence[EvidenceFile]) -> tuple[dict[str, Any], dict[str, str], list[Fact]]:
    """What identifies a deployment: its agent, the digests of its prompts, its claims and its configuration."""
    release = manifest.deployment["release"]
    facts = [item for item in manifest.claims if isinstance(item, Fact)]
    for file in files:
        own = [item for item in file.items if isinstance(item, Fact) and item.basis == "config"]
        facts += [fact for fact in own if (fact.release or file.release) in {None, release}]
    return manifest.agent, _prompt_digests(manifest), facts


def _prompt_digests(manifest: Manifest) -> dict[str, str]:
    """The digest of each prompt file; a prompt that cannot be read is a mistake in the manifest."""
    base = manifest.path.resolve().parent
    digests, problems = {}, []
    for index, name in enumerate(manifest.prompts):
        try:
            digests[name] = hashlib.sha256(read_bytes(collection.confined(name, base, base))).hexdigest()
        except Unreadable as error:
            line = manifest.lines.get(f"/agent/prompts/{index}")
            problems.append(Problem(str(manifest.path), f"the prompt {name} {error.message}", line, None, error.hint))
    if problems:
        raise ConfigurationError(problems[0].message, problems=tuple(problems))
    return digests


def _setting(manifest: Manifest, rubric: Rubric, mark: str, as_of: date) -> store.Setting:
    deployment = manifest.deployment
    return store.Setting(
        as_of=as_of,
        release=deployment["release"],
        deployment={
            "name": deployment["name"],
            "release": deployment["release"],
            "environment": deployment["environment"],
            "objective": manifest.agent.get("objective"),
            "expected_size": manifest.agent.get("scope", {}).get("expected_size"),
            "fingerprint": mark,
            "as_of_ms": store.end_of_day(as_of),
        },
        controls=control_rows(rubric),
        aliases=rubric.aliases,
    )


def control_rows(rubric: Rubric) -> tuple[dict[str, Any], ...]:
    """The rows of the table `controls`."""
    return tuple(
        {
            "id": control.id,
            "domain": control.domain,
            "severity": control.severity.value,
            "adversarial": control.tested.adversarial,
        }
        for control in rubric.controls
    )


def _judge(
    rubric: Rubric, dataset: Dataset, manifest: Manifest, options: Options
) -> tuple[list[ControlResult], Exposure, Activity | None]:
    session = options.session(dataset)
    try:
        results = judge_all(rubric, dataset, session, options.as_of, sources(dataset, manifest))
        activity = activity_of(session, dataset.tables) if dataset.events else None
        return results, _exposure(dataset, session), activity
    finally:
        session.close()


# Every way that the log shows, and whether it is paid by the hour; calls without a name are a way too.
_SEEN = """
SELECT ref, name AS what, via AS unit, by_hour AS found FROM paid_paths
UNION ALL
SELECT MIN(ref), '', via, 0 FROM usage WHERE name IS NULL AND usd > 0 GROUP BY via
"""


def _exposure(dataset: Dataset, session: Session) -> Exposure:
    """The exposure, with the ways that the log shows; where they cannot all be told, one that nothing bounds."""
    answers = session.ask(_SEEN, {})
    seen = [Seen(row.what or None, row.unit, hourly=bool(row.found)) for row in answers.rows]
    complete = answers.failure is None and answers.count == len(answers.rows)
    return exposure_of(dataset.tables, seen, complete=complete)


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        ConfigurationError: there is none.
    """
    engines = discover("psf_audit.engine", Engine)
    if name not in engines:
        raise ConfigurationError(f"there is no engine {name!r}", hint=f"known: {', '.join(engines)}")
    return engines[name]


def sources(dataset: Dataset, manifest: Manifest | None) -> dict[str, Source]:
    """Every evidence id with the path and digest of its file; `manifest` is one of them."""
    known = {file.id: Source(file.id, file.path, "", file.sha256) for file in dataset.files}
    if manifest is not None:
        known["manifest"] = Source("manifest", manifest.path.name, "", manifest.sha256)
    return known


def judge_all(
    rubric: Rubric, dataset: Dataset, session: Session, as_of: date, known: dict[str, Source]
) -> list[ControlResult]:
    """Every control judged, those that read the results of the others last; in the order of the rubric."""
    judge = Bench(rubric, dataset, session, as_of, known)
    first = {control.id: judge(control) for control in rubric.controls if not control.in_second_stage}
    late = [control for control in rubric.controls if control.in_second_stage]
    if late:
        session.results(_result_rows(first, rubric, store.end_of_day(as_of)))
    second = {control.id: judge(control) for control in late}
    return [(first | second)[control.id] for control in rubric.controls]


def _result_rows(judged: dict[str, ControlResult], rubric: Rubric, at_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "control": control.id,
            "domain": control.domain,
            "status": judged[control.id].status.value,
            "at_ms": at_ms,
            "bound": True,
        }
        for control in rubric.controls
        if control.id in judged
    ]


class Bench:
    """Asks the criteria of one control after the other and hands the answers to `assess.judge`."""

    def __init__(
        self, rubric: Rubric, dataset: Dataset, session: Session, as_of: date, known: dict[str, Source]
    ) -> None:
        self.rubric = rubric
        self.dataset = dataset
        self.session = session
        self.as_of = as_of
        self.known = known
        self.facts = {
            row["ref"]: row
            for table in dataset.tables.values()
            for row in table
            if row.get("ref") is not None and "basis" in row
        }
        self.carried = frozenset().union(*dataset.carried.values())
        self.ages = {file.id: (as_of - file.collected).days if file.collected else 0 for file in dataset.files}

    def __call__(self, control: Control) -> ControlResult:
        """Judge one control."""
        answers = {name: self.session.ask(sql, control.parameters(name)) for name, sql in control.criteria.items()}
        return assess.judge(
            assess.Dossier(
                control=control,
                answers=answers,
                fact=self._fact,
                gaps=[
                    (gap, touched) for gap in self.dataset.tables["gaps"] if (touched := self._touches(gap, control))
                ],
                tests=[row for row in self.dataset.tables["tests"] if row["control"] == control.id],
                documents=[row for row in self.dataset.tables["documents"] if row["control"] == control.id],
                carried=self.carried,
                witnessed_runs=self.dataset.witnessed_runs,
                has_events=bool(self.dataset.events),
                as_of=self.as_of,
            )
        )

    def _touches(self, gap: dict[str, Any], control: Control) -> frozenset[str]:
        """The criteria of a control, its tests and its documents among them, that a gap could change."""
        if gap["control"] is not None:
            if gap["control"] != control.id:
                return frozenset()
            if gap["facts"] is None:
                return frozenset({*control.criteria, "tests", "documents"})
        kinds = frozenset((gap["kinds"] or "").split(", ")) - {""}
        touched = {name for name, analysis in control.analyses.items() if analysis.touched_by(gap["facts"], kinds)}
        table = (gap["facts"] or "").partition(".")[0]
        touched |= {name for name in ("tests", "documents") if not table or table == name}
        return frozenset(touched)

    def _fact(self, ref: int) -> assess.Fact | None:
        place = self.dataset.place(ref)
        if place is None:
            return None
        source = replace(self.known[place[0]], pointer=place[1])
        row = self.facts.get(ref)
        if row is None:
            return assess.Fact(source, None, self.ages.get(place[0], 0), bound=True, from_log=True)
        return assess.Fact(source, row["basis"], row["age_days"], bound=bool(row["bound"]), from_log=False)


# ------------------------------------------------------------------------------------------------------- assembling


@dataclass(frozen=True, slots=True)
class _Work:
    """What the stages made of one manifest."""

    manifest: Manifest
    rubric: Rubric
    dataset: Dataset
    results: Sequence[ControlResult]
    fingerprint: str
    composition: Composition
    exposure: Exposure
    activity: Activity | None


def _assessment(work: _Work, options: Options) -> Assessment:
    manifest, rubric = work.manifest, work.rubric
    results: Sequence[ControlResult] = _advised(work)
    source = Source("manifest", manifest.path.name, "", manifest.sha256)
    deployment = _identity(manifest)
    uses: tuple[Any, ...] = ()
    if not options.ignore_waivers:
        given = [_waiver(request, rubric, source) for request in manifest.waivers]
        terms = waivers.Terms(options.as_of, deployment, rubric.waiver_max_days, rubric.waiver_notice_days)
        results, uses = waivers.use(given, results, terms)
    domains = assess.domains(rubric, results)
    verdict = assess.verdict(domains)
    assessment = Assessment(
        tool=f"psf-audit {__version__}",
        as_of=options.as_of,
        deployment=deployment,
        fingerprint=work.fingerprint,
        manifest=source,
        rubric=rubric.identity,
        verdict=verdict,
        deciding=assess.deciding(domains),
        score=assess.overall_score(domains),
        coverage=assess.coverage(results),
        valid_until=assess.valid_until(results, uses, options.as_of),
        refresh_by=assess.refresh_by(results),
        domains=domains,
        evidence=_register(work.dataset, results, manifest),
        waivers=uses,
        limits_of_assessment=(
            *STANDING_LIMITS,
            *rubric.limits,
            *_renamed(manifest, rubric, work.dataset),
            *_left_out(work.dataset),
        ),
        gate=options.gate or manifest.gate,
        waivers_ignored=options.ignore_waivers and bool(manifest.waivers),
        exposure=work.exposure,
        activity=work.activity,
        composition=work.composition,
        earlier=_earlier(work, options, work.dataset.files),
    )
    if not any(result.status is not Status.NOT_APPLICABLE for result in results):
        raise CannotAssess("no control of the rubric applies", hint="check agent.capabilities in the manifest")
    return screened(assessment)


def _renamed(manifest: Manifest, rubric: Rubric, dataset: Dataset) -> tuple[str, ...]:
    """A sentence for each control that evidence or a waiver names by an id of before."""
    used = dataset.renamed | ({waiver.control for waiver in manifest.waivers} & rubric.aliases.keys())
    return tuple(
        f"{old} is called {rubric.aliases[old]} now: what names it was counted for that." for old in sorted(used)
    )


def _waiver(request: manifests.WaiverRequest, rubric: Rubric, source: Source) -> waivers.Waiver:
    return waivers.Waiver(
        control=rubric.aliases.get(request.control, request.control),
        reason=request.reason,
        owner=request.owner,
        approved_by=request.approved_by,
        expires=request.expires,
        source=replace(source, pointer=f"line {request.line}"),
        environment=request.environment,
        release=request.release,
    )


def _identity(manifest: Manifest) -> DeploymentIdentity:
    deployment = manifest.deployment
    return DeploymentIdentity(
        name=deployment["name"],
        release=deployment["release"],
        environment=deployment["environment"],
        description=deployment.get("description"),
        objective=manifest.agent.get("objective"),
        people=tuple((person["role"], person["name"]) for person in manifest.value.get("people", [])),
        capabilities=tuple(capability["name"] for capability in manifest.agent["capabilities"]),
    )


def _advised(work: _Work) -> list[ControlResult]:
    """What was found for each control, with what to collect next, and where the manifest would declare it."""
    formats = collection.formats()
    stacks = {formats[file.format].stack for file in work.dataset.files if file.format in formats}
    ways = {row["via"] for table in ("capabilities", "limits") for row in work.dataset.tables[table] if row["via"]}
    known = frozenset(advice.stack_of(name) for name in (stacks | ways) - {advice.NATIVE})
    return [
        replace(
            result,
            collect=advice.collect(control, result.status, formats.values(), known),
            manifest_line=work.manifest.line_for(control.declared_in),
        )
        for control, result in zip(work.rubric.controls, work.results, strict=True)
    ]


def _register(dataset: Dataset, results: Sequence[ControlResult], manifest: Manifest) -> tuple[EvidenceEntry, ...]:
    shows, contradicts = _spoken_for(results)
    release = manifest.deployment["release"]
    lines = {entry.path: entry.line for entry in manifest.evidence}
    return tuple(
        EvidenceEntry(
            id=file.id,
            path=file.path,
            format=file.format,
            sha256=file.sha256,
            bytes=file.bytes,
            collected=file.collected.isoformat() if file.collected else None,
            release=file.release,
            produced_by=file.produced_by,
            readable=file.readable,
            problem=file.problem,
            facts=sum(isinstance(item, Fact) for item in file.items) + len(file.events),
            shows=tuple(shows[file.id]),
            contradicts=tuple(contradicts[file.id]),
            note=None if shows[file.id] or contradicts[file.id] or file.problem else _why_nothing(file, release),
            manifest_line=lines.get(file.path),
        )
        for file in dataset.files
    )


def _spoken_for(results: Sequence[ControlResult]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """By evidence file: the controls that something in it speaks for, and those that something in it contradicts."""
    shows: dict[str, list[str]] = defaultdict(list)
    contradicts: dict[str, list[str]] = defaultdict(list)
    for result in results:
        failed = {
            row for row in result.tests.rows if result.status is Status.CONTRADICTED and row.found != row.expected
        }
        against = {row.source.evidence for row in (*result.breaks.rows, *failed) if row.source is not None}
        speaking = (*result.shows.rows, *result.tests.rows, *result.documents.rows)
        for evidence in {row.source.evidence for row in speaking if row.source is not None and row not in failed}:
            shows[evidence].append(result.id)
        for evidence in against:
            contradicts[evidence].append(result.id)
    return shows, contradicts


def _why_nothing(file: EvidenceFile, release: str) -> str:
    if file.release is not None and file.release != release:
        return f"speaks of release {file.release}, not of this one"
    if not file.events and not any(isinstance(item, Fact) for item in file.items):
        return "holds nothing that a control could rest on"
    if file.events:
        return "what it tells contradicts no control; that one holds is not shown by what happened alone"
    return "nothing in it bears on a control, or it is too old to"


def _left_out(dataset: Dataset) -> Iterator[str]:
    for reason, count in sorted(dataset.left_out.items()):
        yield f"Left out: {count} {reason}."
    unread = [file.path for file in dataset.files if not file.readable]
    if unread:
        yield f"Could not be read: {', '.join(unread)}."
