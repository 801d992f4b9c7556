"""A control explained: what it asks and decides, what an assessment found, and the shortest way to the next status.

What counts is said in words that follow from the rubric (ages, tests, criteria) and from what the tables and views that
a criterion reads say of themselves. Nothing here decides a status: the way up is what the status of an assessment
leaves open, in the order in which `assess` asks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit import advice, query, rendering
from psf_audit.facts.tables import KINDS, TABLES
from psf_audit.facts.views import views
from psf_audit.model import Severity, Status
from psf_audit.revision import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psf_audit.artifact import EvidenceFormat
    from psf_audit.model import Assessment, ControlResult, Finding, Findings
    from psf_audit.rubric import Control, Rubric

    Formats = Mapping[str, EvidenceFormat]

MOST_NAMED = 3
ROLES = {
    "applies_when": "The control applies when this has a row; without one it is not applicable.",
    "claims": "What the manifest claims. It counts for nothing by itself, and stands beside what the evidence shows.",
    "shows": "Each row is something that proves it present. One is needed.",
    "lacks": "Each row is something that is not covered. None may be there.",
    "breaks": (
        "Each row is a record that contradicts it, or a claim that the evidence disagrees with. None may be there."
    ),
}
# What it takes to get past each status, in the order in which they follow on each other.
LADDER = (Status.MISSING, Status.UNTESTED, Status.UNDOCUMENTED)
_RELEASE = "RELEASE"
_DAY = "YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of text whose line breaks mean something, with what it is and the language it is in."""

    title: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of an explanation: paragraphs, then a list, then pieces of code."""

    title: str
    texts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A control explained: its id, its title, which rubric it is of, and the sections."""

    id: str
    title: str
    about: str
    sections: tuple[Section, ...]


def explain(control: Control, rubric: Rubric, formats: Formats, found: Assessment | None = None) -> Explanation:
    """The explanation of a control of a rubric, with what an assessment by that rubric found if there is one."""
    return Explanation(
        control.id,
        control.title,
        f"{label(rubric)}, {control.severity.value}"
        + ("" if control.lifecycle == "stable" else f", {control.lifecycle}"),
        tuple(
            section
            for part in (_asked(control, rubric), _counts(control, formats), _criteria(control))
            for section in part
        )
        + tuple(_here(control, formats, found))
        + tuple(_remedy(control, rubric)),
    )


def _asked(control: Control, rubric: Rubric) -> Iterator[Section]:
    for change in rubric.overlay.changes if rubric.overlay else ():
        if change.control == control.id:
            yield Section(f"{change.effect.value.capitalize()} by {rubric.identity.overlay}", (str(change),))
    if control.aliases:
        yield Section("Called before", (", ".join(control.aliases),))
    yield Section("Requirement", (control.requirement,))
    yield Section("Why", (control.why,))
    yield Section("Question to ask", (control.question,))


# ------------------------------------------------------------------------------------------------------- what counts


def _counts(control: Control, formats: Formats) -> Iterator[Section]:
    yield Section("What counts as present", tuple(_present(control)), tuple(_filled_by(control, formats)))
    yield Section("What counts as tested", tuple(_tested(control)))
    if "breaks" in control.criteria:
        yield Section(
            "What counts as held",
            ("No record of what really happened contradicts it, and no claim says more than the evidence: 'breaks'.",),
        )
    yield Section("What counts as documented", (_documented(control),))


def _present(control: Control) -> Iterator[str]:
    covered = "; and no row of 'lacks', for what is left uncovered" if "lacks" in control.criteria else ""
    yield (
        f"A row of 'shows' from evidence of this release: a log of it, or something else that is at most "
        f"{control.present_max_age_days} days old{covered}. A claim of the manifest, a document or the words of a "
        "prompt prove nothing present."
    )


def _filled_by(control: Control, formats: Formats) -> Iterator[str]:
    names = sorted(kind.name for kind in advice.fitting(control, ("shows",), formats.values()))
    if names:
        yield f"formats that can give such rows: {', '.join(names)}"


def _tested(control: Control) -> Iterator[str]:
    rule = control.tested
    tried = " and tried to defeat it" if rule.adversarial else "; it need not attack: a review or a drill suffices"
    yield (
        f"A result that passed, names this release, is at most {rule.max_age_days} days old{tried}. The newest result "
        "of a test decides; a failed one contradicts the control until it passes again."
    )
    if control.severity is Severity.BLOCKING:
        yield (
            "It is blocking, so the artifact itself has to name the control (the property psf.control, or the id in "
            "the name of the test); that the manifest says so does not count."
        )
    if rule.adversarial:
        yield (
            "A drill written by hand counts only if it names a run that is in a log which somebody other than the "
            "agent wrote."
        )


def _documented(control: Control) -> str:
    return (
        f"A document that names the control, with an owner and a review of the last {control.documented_max_age_days} "
        "days."
    )


# ---------------------------------------------------------------------------------------------------------- criteria


def _criteria(control: Control) -> Iterator[Section]:
    for name, sql in control.criteria.items():
        yield Section(
            f"Criterion {name}", (ROLES[name],), tuple(_reads(control, name)), (Code(f"{name} in SQL", "sql", sql),)
        )


def _reads(control: Control, criterion: str) -> Iterator[str]:
    """What a criterion reads, as the tables and views say it of themselves."""
    sql, analysis = control.criteria[criterion], control.analyses[criterion]
    meanings = {table.name: table.meaning for table in TABLES.values()} | {view.name: view.meaning for view in views()}
    for name in sorted(query.sources(sql)):
        yield f"reads {name}: {meanings[name]}"
    for table, kinds in sorted(analysis.kinds.items()):
        yield f"of {table} only those whose {KINDS[table]} is {' or '.join(sorted(kinds))}"
    for name, value in sorted(control.parameters(criterion).items()):
        yield f"${name} is {value}"


# ------------------------------------------------------------------------------------------------------ what was found

_LISTS = (
    ("Claimed", "claims"), ("Shown", "shows"), ("Not covered", "lacks"), ("Contradicted by", "breaks"),
    ("Test", "tests"), ("Document", "documents"), ("Evidence that is lacking", "gaps"),
)  # fmt: skip


def _here(control: Control, formats: Formats, found: Assessment | None) -> Iterator[Section]:
    if found is None:
        unnamed = _Case(control, formats)
        codes = (*_test(unnamed), *_document(unnamed))
        yield Section("The way up", items=tuple(_up(status, control) for status in LADDER), codes=codes)
        return
    result = next(one for one in found.controls if one.id == control.id)
    deployment = found.deployment
    waived = "" if result.waiver is None else f" Waived until {result.waiver.expires}: {result.waiver.note}."
    yield Section(
        f"What was found in {deployment.name} {deployment.release}, as of {found.as_of.isoformat()}",
        (f"{rendering.symbol(result.status)} {result.status.label}: {result.reason}.{waived}", *result.notes),
        tuple(_rows(result)),
    )
    steps = list(_steps(_Case(control, formats, found), result))
    yield Section(
        "The shortest way to the next status",
        (_up(result.status, control),),
        tuple(step for step in steps if isinstance(step, str)),
        tuple(step for step in steps if isinstance(step, Code)),
    )


def _rows(result: ControlResult) -> Iterator[str]:
    for title, name in _LISTS:
        findings: Findings = getattr(result, name)
        yield from (f"{title}: {_row(row)}" for row in rendering.first_rows(findings).rows)
        if rendering.more_rows(findings):
            yield f"{title}: {rendering.more_rows(findings)}"


def _row(row: Finding) -> str:
    places = [rendering.place(source) for source in (row.source, row.against) if source is not None]
    told = rendering.sentence(row)
    return f"{told} ({', against '.join(places)})" if places else told


# --------------------------------------------------------------------------------------------------------- the way up


@dataclass(frozen=True, slots=True)
class _Case:
    """A control, and the assessment for which a way up is looked for, if there is one."""

    control: Control
    formats: Formats
    found: Assessment | None = None

    @property
    def release(self) -> str:
        """The release that evidence has to name."""
        return _RELEASE if self.found is None else self.found.deployment.release

    @property
    def day(self) -> str:
        """The day on which evidence would be collected."""
        return _DAY if self.found is None else self.found.as_of.isoformat()

    @property
    def stacks(self) -> frozenset[str]:
        """The products whose evidence is at hand, as snippets name them."""
        entries = () if self.found is None else self.found.evidence
        known = (self.formats.get(entry.format or "") for entry in entries)
        names = (f"{kind.stack} {kind.name}" if kind.stack == advice.NATIVE else kind.stack for kind in known if kind)
        return frozenset(advice.stack_of(name) for name in names)


def _up(status: Status, control: Control) -> str:
    """What lifts a control out of a status, in one or two sentences."""
    tried = "tries to defeat it" if control.tested.adversarial else "shows that it works"
    return {
        Status.CONTRADICTED: (
            "From contradicted: nothing lifts it while what contradicts it stands. What it is then depends on the rest."
        ),
        Status.MISSING: (
            "From missing to untested, or better where tests and documents are there: evidence that 'shows' has a row "
            "for, and that leaves no row of 'lacks'."
        ),
        Status.UNKNOWN: (
            "From unknown: supply what is lacking, as it is now and of this release; then the rest decides."
        ),
        Status.UNTESTED: (
            f"From untested to undocumented, or demonstrated where it is documented: a passing test that {tried}."
        ),
        Status.UNDOCUMENTED: "From undocumented to demonstrated: a document with an owner and a review.",
        Status.DEMONSTRATED: (
            "There is no higher status. It stays demonstrated while what shows it, its test and the review of its "
            f"document are at most {control.present_max_age_days}, {control.tested.max_age_days} and "
            f"{control.documented_max_age_days} days old, and nothing contradicts it."
        ),
        Status.NOT_APPLICABLE: "Nothing is to be done: it comes to apply when 'applies_when' has a row.",
    }[status]


def _steps(case: _Case, result: ControlResult) -> Iterator[str | Code]:
    """What to do, concretely: sentences, and snippets to start from."""
    match result.status:
        case Status.CONTRADICTED:
            yield from _settle(case, result)
        case Status.MISSING:
            yield from _show(case, result)
        case Status.UNKNOWN:
            yield from _supply(result)
        case Status.UNTESTED:
            yield from _test(case)
        case Status.UNDOCUMENTED:
            yield from _document(case)
        case Status.DEMONSTRATED | Status.NOT_APPLICABLE:
            pass


def _settle(case: _Case, result: ControlResult) -> Iterator[str]:
    for row in result.tests.rows:
        if row.found == "failed":
            yield f"mend what {row.what} found, and run it again on this release: only a later pass clears it"
    for row in result.breaks.rows[:MOST_NAMED]:
        # Where two sides disagree, one of them can be corrected; what a log says stays so.
        step = "settle which side is right, and correct the other" if row.against else "mend what let this happen"
        yield f"{step}: {_row(row)}"
    yield from _more(result.breaks)
    if result.breaks:
        yield "what a log or record says stays true of its release: assess a release that came after the mending"
    yield case.control.remedy.text


def _show(case: _Case, result: ControlResult) -> Iterator[str | Code]:
    yield from (f"not covered so far: {_row(row)}" for row in result.lacks.rows[:MOST_NAMED])
    yield from _more(result.lacks)
    yield case.control.remedy.text
    yield from (f"then collect: {export}" for export in result.collect)
    yield from _snippets(case)


def _snippets(case: _Case) -> Iterator[Code]:
    """The snippets of the remedy for the products at hand; the first of all where none of them has one."""
    texts = case.control.remedy.snippets
    fitting = [stack for stack in texts if advice.stack_of(stack) in case.stacks] or list(texts)[:1]
    yield from (Code(f"For {stack}", stack, texts[stack]) for stack in fitting)


def _supply(result: ControlResult) -> Iterator[str]:
    yield from (f"supply {_row(row)}" for row in result.gaps.rows[:MOST_NAMED])
    yield from _more(result.gaps)
    if not result.gaps:
        yield from (f"collect again, of this release: {_row(row)}" for row in result.shows.rows[:MOST_NAMED])
    yield from (f"collect: {export}" for export in result.collect)


def _more(findings: Findings) -> Iterator[str]:
    left = findings.count - len(findings.rows[:MOST_NAMED])
    if left:
        yield f"and {left} more"


def _test(case: _Case) -> Iterator[Code]:
    control = case.control
    goal = "try to defeat it, and assert that it holds" if control.tested.adversarial else "assert that it works"
    name = "".join(character if character.isalnum() else "_" for character in control.id.lower())
    lines = [
        f"def test_{name}(record_property, record_testsuite_property):",
        f'    record_testsuite_property("psf.release", {json.dumps(case.release)})',
        f'    record_property("psf.control", {json.dumps(control.id)})',
        *(['    record_property("psf.adversarial", "true")'] if control.tested.adversarial else []),
        f'    raise NotImplementedError("{goal}")',
    ]
    yield Code("A test, written to evidence by pytest --junitxml=junit.xml", "python", "\n".join(lines))
    yield _listed("junit.xml", case)


def _document(case: _Case) -> Iterator[Code]:
    text = (
        f"---\nowner: NAME OF WHO ANSWERS FOR IT\nreviewed: {case.day}\ncontrols: [{case.control.id}]\n---\n"
        f"# {case.control.title}\n"
    )
    yield Code("A document, runbook.md", "markdown", text)
    yield _listed("runbook.md", case)


def _listed(path: str, case: _Case) -> Code:
    return Code("In the manifest", "yaml", f"evidence:\n  - {{path: {path}, collected: {case.day}}}\n")


# ------------------------------------------------------------------------------------------------------------- remedy


def _remedy(control: Control, rubric: Rubric) -> Iterator[Section]:
    effort = f" ({control.remedy.effort})" if control.remedy.effort else ""
    codes = (Code(f"For {stack}", stack, text) for stack, text in control.remedy.snippets.items())
    yield Section(f"Remedy{effort}", (control.remedy.text,), codes=tuple(codes))
    references = "; ".join(
        f"{rubric.frameworks[name]}: {', '.join(items)}" for name, items in control.references.items()
    )
    if references:
        yield Section("References", (f"{references}.",))
