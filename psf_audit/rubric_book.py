"""A rubric as a document for people who will never run the program: what it asks, why, and what would show it (pure).

The document is a list of blocks, written as Markdown or as an HTML page. Same rubric, same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit import advice
from psf_audit.facts.tables import TABLES
from psf_audit.markup import escape
from psf_audit.model import Severity
from psf_audit.report.html import page
from psf_audit.revision import shown
from psf_audit.text import clean, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psf_audit.artifact import EvidenceFormat
    from psf_audit.rubric import Control, Rubric

DATA_ID = "psf-rubric"
_READING = (
    (
        "Each control is held against evidence, never against what somebody says of a deployment. It is "
        "demonstrated when four things come together: configuration or code shows that it is there; a recent test "
        "of this release passed, and tried to defeat it where that is asked; the records of what really happened "
        "do not break it; and somebody owns a document that describes it."
    ),
    (
        "A control that lacks the first is missing, the second untested, the fourth undocumented. Where the "
        "records break it, it is contradicted, which is worse than missing. Where evidence could not be read, was "
        "not supplied or is too old, it is unknown, which is never a pass. A domain passes when every blocking "
        "control in it is demonstrated, none is contradicted and no high one is missing or unknown."
    ),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 3, and the name by which it can be linked to."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph, after a label where there is one."""

    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list; of a table of contents, each entry with the name of the heading that it leads to."""

    entries: tuple[tuple[str, str], ...]


Block = Heading | Words | Items


def blocks(rubric: Rubric, formats: Iterable[EvidenceFormat]) -> tuple[Block, ...]:
    """The document, from its title to its frameworks."""
    known = tuple(formats)
    return (
        *_front(rubric),
        *(block for domain in rubric.domains for block in _domain(rubric, domain.id, domain.title, known)),
        *_back(rubric),
    )


def _front(rubric: Rubric) -> Iterator[Block]:
    identity = rubric.identity
    yield Heading(1, f"{identity.title} ({identity.id} {identity.version})", "top")
    yield Words(identity.about)
    if rubric.overlay is not None:
        yield Heading(2, f"With the overlay {rubric.overlay.name}", "overlay")
        yield Words(f"{rubric.overlay.title}. {rubric.overlay.about}")
        changes = [(f"{change.effect.value}: {change}", "") for change in rubric.overlay.changes]
        yield Items(tuple(changes) or (("It changes nothing.", ""),))
    yield Heading(2, "How to read it", "reading")
    yield from map(Words, _READING)
    yield Heading(2, "Contents", "contents")
    for domain in rubric.domains:
        own = [control for control in rubric.controls if control.domain == domain.id]
        yield Words(f"{domain.title}, {plural(len(own), 'control')}")
        yield Items(tuple((f"{one.id} {one.title} ({one.severity.value})", one.id.lower()) for one in own))
    news = [entry for entry in rubric.changelog if entry.startswith(f"{identity.version}:")]
    moved = [one for one in rubric.migrations if one.since == identity.version]
    if news or moved:
        yield Heading(2, "What is new in this version", "news")
        told = [entry.partition(": ")[2] for entry in news]
        told += [f"{one.control} became {' and '.join(one.to) or 'nothing'}: {one.why}" for one in moved]
        yield Items(tuple((text, "") for text in told))


def _domain(rubric: Rubric, domain: str, title: str, formats: tuple[EvidenceFormat, ...]) -> Iterator[Block]:
    yield Heading(2, title, f"domain-{domain}")
    for control in rubric.controls:
        if control.domain == domain:
            yield Heading(3, f"{control.id} {control.title}", control.id.lower())
            yield from _control(control, rubric, formats)


def _control(control: Control, rubric: Rubric, formats: tuple[EvidenceFormat, ...]) -> Iterator[Block]:
    weight = (
        f"{control.severity.value}, {control.lifecycle}" if control.lifecycle != "stable" else control.severity.value
    )
    always = "" if "applies_when" in control.criteria else "; it always applies"
    yield Words(f"{control.requirement} ({weight}{always})", "Asks")
    yield Words(control.why, "Why")
    yield Words(control.question, "The question to put")
    yield Words(_evidence(control, formats), "Counts as evidence")
    yield Words(_test(control), "Counts as a test")
    age = control.documented_max_age_days
    yield Words(
        f"A document that names {control.id}, with an owner, reviewed within {age} days.", "Counts as a document"
    )
    if control.params:
        numbers = ", ".join(f"{_spaced(name)} {shown(value)}" for name, value in sorted(control.params.items()))
        yield Words(f"{numbers}.", "Numbers in it")
    effort = f" This takes {control.remedy.effort}." if control.remedy.effort else ""
    yield Words(f"{control.remedy.text}{effort}", "Typical remedy")
    references = (f"{rubric.frameworks[name]}: {', '.join(ids)}" for name, ids in control.references.items())
    yield Words(f"{'; '.join(references)}.", "Lies on")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _evidence(control: Control, formats: tuple[EvidenceFormat, ...]) -> str:
    """What kinds of facts show the control, how old they may be, and which files hold such facts."""
    wanted = advice.wanted(control, ("shows",))
    kinds = [f"{TABLES[table].meaning}{_of(asked)}" for table, asked in sorted(wanted.items())]
    age = plural(control.present_max_age_days, "day")
    fitting = [kind.title for kind in advice.fitting(control, ("shows",), formats)]
    if not kinds:
        return f"What was found for the other controls, at most {age} old."
    held = f" Files that can hold it: {'; '.join(fitting)}." if fitting else ""
    rule = f"At most {age} old, and of this release. A claim of the deployment itself never counts."
    return f"{'; '.join(kinds)}. {rule}{held}"


def _of(kinds: frozenset[str]) -> str:
    return f" ({', '.join(sorted(_spaced(kind) for kind in kinds))})" if kinds else ""


def _test(control: Control) -> str:
    rule = control.tested
    what = "A passed test that tried to defeat it" if rule.adversarial else "A passed test, review or drill"
    names = "whose own results name" if control.severity is Severity.BLOCKING else "that results or manifest link to"
    return f"{what}, of this release, at most {plural(rule.max_age_days, 'day')} old, {names} {control.id}."


def _back(rubric: Rubric) -> Iterator[Block]:
    identity = rubric.identity
    yield Heading(2, "What this rubric does not cover", "limits")
    yield Items(tuple((limit, "") for limit in rubric.limits) or (("Nothing was said.", ""),))
    yield Heading(2, "Waivers", "waivers")
    yield Words(
        f"A gap may be waived for at most {plural(rubric.waiver_max_days, 'day')}, by somebody other than its owner. "
        "A waiver changes no status and no score, and never covers what is contradicted or unknown."
    )
    yield Heading(2, "Frameworks", "frameworks")
    yield Items(tuple((title, "") for title in rubric.frameworks.values()) or (("None.", ""),))
    yield Heading(2, "Which text this is", "identity")
    yield Words(f"Digest of its content {identity.content_digest}; of what decides a status {identity.scoring_digest}.")


def markdown(rubric: Rubric, formats: Iterable[EvidenceFormat]) -> str:
    """The document as Markdown."""
    return clean("\n\n".join(_markdown(block) for block in blocks(rubric, formats)) + "\n")


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text, _):
            return f"{'#' * level} {escape(text)}"
        case Words(text, label):
            return f"**{escape(label)}:** {escape(text)}" if label else escape(text)
        case Items(entries):
            return "\n".join(
                f"- [{escape(text)}](#{_slug(text)})" if anchor else f"- {escape(text)}" for text, anchor in entries
            )


def _slug(entry: str) -> str:
    """The anchor that Markdown readers give to the heading of a control, from its entry in the contents."""
    heading = entry.rpartition(" (")[0].lower()
    return "".join(letter for letter in heading if letter.isalnum() or letter in " -").replace(" ", "-")


def html(rubric: Rubric, formats: Iterable[EvidenceFormat]) -> str:
    """The document as one HTML page that loads nothing and runs nothing."""
    identity = rubric.identity
    name = {"id": identity.id, "version": identity.version, "overlay": identity.overlay}
    digests = {"content_digest": identity.content_digest, "scoring_digest": identity.scoring_digest}
    title, *rest = blocks(rubric, formats)
    kinds = [(type(block).__name__.lower(), block) for block in rest]
    return page("rubric.html.j2", name | digests, DATA_ID, {}, title=title, blocks=kinds, identity=identity)
