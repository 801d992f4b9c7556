"""The complete report as GitHub-flavoured Markdown: for pull requests, wikis and step summaries.

Every text goes through `escape`, so that nothing in it is read as markup, as a link or as a mention of somebody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import activity_words, rendering
from psf_audit.markup import code, escape, fenced, table
from psf_audit.model import Status
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psf_audit.activity import Activity
    from psf_audit.compare import Comparison, ControlChange
    from psf_audit.exposure import Exposure
    from psf_audit.model import Assessment, ControlResult, DomainResult, Finding, Findings, WaiverUse

_SPARKS = 72

# --------------------------------------------------------------------------------------------------------- assessment


def _assessment(assessment: Assessment, _view: View) -> str:
    return "\n\n".join(_blocks(assessment)) + "\n"


def _blocks(assessment: Assessment) -> Iterator[str]:
    yield from _top(assessment)
    if assessment.earlier is not None:
        yield f"## {escape(rendering.since_title(assessment.earlier))}"
        yield "\n".join(f"- {escape(sentence)}" for sentence in rendering.since(assessment, assessment.earlier))
    yield from _steps(assessment)
    if assessment.exposure is not None:
        yield "## Exposure"
        yield from _exposure_blocks(assessment.exposure)
    yield "## Activity"
    yield from _activity_blocks(assessment.activity)
    yield "## Controls"
    for domain in assessment.domains:
        yield from _domain(domain)
    yield from _waivers(assessment)
    yield from _register(assessment)
    yield "## What this assessment does not prove"
    yield "\n".join(f"- {escape(limit)}" for limit in assessment.limits_of_assessment) or "Nothing was said."
    yield from _about(assessment)


def _top(assessment: Assessment) -> Iterator[str]:
    deployment = assessment.deployment
    yield f"# {escape(f'{deployment.name} {deployment.release}')}: {assessment.verdict.label}"
    symbol = rendering.verdict_symbol(assessment.verdict)
    yield f"**{symbol} {assessment.verdict.label.upper()}** {assessment.verdict.meaning}"
    if assessment.deciding:
        yield "\n".join(f"- {escape(reason)}" for reason in assessment.deciding)
    notice = rendering.waiver_notice(assessment)
    if notice:
        yield f"**Waivers.** {escape(notice)}"
    people = ", ".join(f"{name} ({role})" for role, name in deployment.people)
    facts = {
        "Environment": escape(deployment.environment),
        "As of": rendering.day(assessment.as_of),
        "Valid until": rendering.day(assessment.valid_until, "no day: no evidence that it could rest on"),
        "Refresh logs by": rendering.day(assessment.refresh_by, "no log to refresh"),
        "Score": f"{rendering.percentage(assessment.score)} (the lowest domain's)",
        "Coverage": f"{rendering.percentage(assessment.coverage)} of the weight could be evaluated",
        "Exposure": escape(rendering.exposure_words(assessment.exposure)),
        "Gate": escape(rendering.gate_result(assessment)),
        "Gate asks for": escape(rendering.gate_words(assessment.gate)),
        "Rubric": escape(assessment.rubric.name),
        "Description": escape(deployment.description or ""),
        "Objective": escape(deployment.objective or ""),
        "People": escape(people),
        "Can reach": ", ".join(code(name) for name in deployment.capabilities),
    }
    yield table(["", ""], ([name, words] for name, words in facts.items() if words))
    yield table(
        ["Domain", "Passes", "Score", "Controls"],
        (
            [
                escape(domain.title),
                "✓ yes" if domain.passes else "✗ **no**",
                rendering.percentage(domain.score),
                rendering.counts_words(domain.controls),
            ]
            for domain in assessment.domains
        ),
    )


def _steps(assessment: Assessment) -> Iterator[str]:
    gaps = rendering.next_steps(assessment)
    if not gaps:
        return
    yield "## What to do first"
    rows = []
    for number, control in enumerate(gaps, 1):
        title = f"**{escape(control.id)}** {escape(control.title)}"
        step = f"{escape(control.remedy.text)} *({escape(rendering.effort_words(control.remedy.effort))})*"
        rows.append([str(number), title, control.severity.value, _status(control.status), escape(control.reason), step])
    yield table(["", "Control", "Severity", "Status", "Why", "Remedy"], rows)


def _exposure_blocks(exposure: Exposure) -> Iterator[str]:
    yield rendering.EXPOSURE
    for first, rows in (
        ("Situation", rendering.exposure_rows(exposure)),
        ("Capability, alone", rendering.capability_rows(exposure)),
    ):
        if rows:
            header = [first, "At most", "Decided by", "By the claims alone"]
            yield table(header, ([escape(cell) for cell in row] for row in rows))
    for title, texts in (("What would bound it", rendering.lacks(exposure)), ("It rests on", exposure.rests_on)):
        if texts:
            yield f"**{title}.**\n\n" + "\n".join(f"- {escape(text)}" for text in texts)


def _activity_blocks(activity: Activity | None) -> Iterator[str]:
    if activity is None:
        yield activity_words.NOTHING
        return
    yield escape(activity_words.headline(activity))
    line = activity_words.sparkline(activity, _SPARKS)
    if line:
        yield f"```text\n{line.rstrip()}\n```"
    yield from (escape(note) for note in activity_words.notes(activity))
    for title, header, found, about in (
        ("What happened along the way", activity_words.MARKS_HEADER, activity_words.mark_rows(activity), ""),
        (
            "When what is enforced would have stopped it",
            activity_words.STOPS_HEADER,
            activity_words.stop_rows(activity),
            ". ".join(
                filter(None, (activity_words.more(activity.stops, activity.stop_count), activity_words.HOW_COUNTED))
            ),
        ),
        (
            "Enforced ceilings in USD",
            activity_words.CEILINGS_HEADER,
            activity_words.ceiling_rows(activity),
            activity_words.more(activity.ceilings, activity.ceiling_count),
        ),
        (
            activity_words.stretch_title(activity),
            activity_words.STRETCHES_HEADER,
            activity_words.stretch_rows(activity),
            activity_words.STRETCHES,
        ),
    ):
        rows = [[escape(cell) for cell in row] for row in found]
        if rows:
            yield f"**{title}.**"
            yield table(list(header), rows)
            if about:
                yield about


def _exposure(exposure: Exposure, _view: View) -> str:
    blocks = ("# Exposure", escape(rendering.exposure_words(exposure)), *_exposure_blocks(exposure))
    return "\n\n".join(blocks) + "\n"


def _status(status: Status) -> str:
    return f"{rendering.symbol(status)} {status.label}"


def _domain(domain: DomainResult) -> Iterator[str]:
    score = rendering.percentage(domain.score)
    yield f"### {escape(domain.title)}: {rendering.passes_words(domain.passes)}, {score}"
    for control in domain.controls:
        yield from _control(control)


def _control(control: ControlResult) -> Iterator[str]:
    yield f"#### {escape(control.id)} {escape(control.title)}"
    yield f"**{_status(control.status)}** ({control.severity.value}): {escape(control.reason)}"
    if control.waiver is not None:
        yield f"**Waived** until {escape(control.waiver.expires)}: {escape(control.waiver.note)}"
    yield f"**Requirement.** {escape(control.requirement)}"
    yield f"**Why.** {escape(control.why)}"
    yield from _claims_beside_evidence(control)
    for title, findings in (
        ("Not covered", control.lacks),
        ("Records that contradict it", control.breaks),
        ("Tests", control.tests),
        ("Documents", control.documents),
    ):
        yield from _findings(title, findings)
    yield from _gaps(control.gaps)
    if control.notes:
        yield "\n".join(f"- {escape(note)}" for note in control.notes)
    if control.status.is_gap:
        yield f"**Remedy.** {escape(control.remedy.text)} *({escape(rendering.effort_words(control.remedy.effort))})*"
        for stack, snippet in control.remedy.snippets.items():
            yield f"For {escape(stack)}:\n\n{fenced(snippet, stack)}"
    if control.collect:
        yield "**Collect next.**\n\n" + "\n".join(f"- {code(export)}" for export in control.collect)
    yield f"**Ask.** {escape(control.question)}"
    references = [
        f"{escape(rendering.framework(name))} {escape(', '.join(entries))}"
        for name, entries in control.references.items()
    ]
    if references:
        yield f"**References.** {'; '.join(references)}"


def _claims_beside_evidence(control: ControlResult) -> Iterator[str]:
    if not control.claims and not control.shows:
        return
    claimed = "<br>".join(_row(row) for row in rendering.first_rows(control.claims).rows) or "nothing"
    shown = "<br>".join(_row(row) for row in rendering.first_rows(control.shows).rows) or "**nothing**"
    claimed += _more(control.claims, "<br>")
    shown += _more(control.shows, "<br>")
    yield table(["Claimed by the manifest", "Shown by the evidence"], [[claimed, shown]])


def _row(row: Finding) -> str:
    source = f" {_source(row)}" if row.source else ""
    return f"{escape(rendering.sentence(row))}{source}"


def _source(row: Finding) -> str:
    sources = (source for source in (row.source, row.against) if source is not None)
    return ", against ".join(
        f"{code(rendering.place(source))} (sha256 {code(rendering.short(source.sha256))})" for source in sources
    )


def _more(findings: Findings, separator: str) -> str:
    more = rendering.more_rows(findings)
    return f"{separator}{more}" if more else ""


def _findings(title: str, findings: Findings) -> Iterator[str]:
    if not findings:
        return
    yield f"**{title}** ({findings.count})"
    rows = [
        [escape(row.what), escape(rendering.quantities(row)), escape(rendering.moment(row.at or "")), _source(row)]
        for row in rendering.first_rows(findings).rows
    ]
    yield table(["What", "Found", "When", "Source"], rows) + _more(findings, "\n\n")


def _gaps(gaps: Findings) -> Iterator[str]:
    if gaps:
        yield f"**Evidence that is lacking** ({gaps.count})"
        rows = [[escape(row.what), escape(row.unit or ""), _source(row)] for row in rendering.first_rows(gaps).rows]
        yield table(["What", "Kind", "Source"], rows) + _more(gaps, "\n\n")


def _waivers(assessment: Assessment) -> Iterator[str]:
    if assessment.waivers:
        yield "## Waivers"
        yield "A waiver changes neither status nor score. It covers what is missing, untested or undocumented only."
        yield table(
            ["Control", "State", "Until", "Note", "Reason", "Owner", "Approved by"],
            (_waiver(waiver) for waiver in assessment.waivers),
        )


def _waiver(waiver: WaiverUse) -> list[str]:
    texts = (waiver.control, waiver.state, waiver.expires, waiver.note, waiver.reason, waiver.owner, waiver.approved_by)
    return [escape(text) for text in texts]


def _register(assessment: Assessment) -> Iterator[str]:
    unread = sum(not entry.readable for entry in assessment.evidence)
    yield f"## Evidence ({plural(len(assessment.evidence), 'file')}, {unread} not readable)"
    yield rendering.REGISTER
    yield table(
        [
            "File",
            "Format",
            "Producer",
            "Collected",
            "Release",
            "Shows",
            "Contradicts",
            "Size",
            "Facts",
            "SHA-256",
            "Note",
        ],
        (
            [
                code(entry.path),
                escape(entry.format or "not recognised"),
                escape(entry.produced_by or "not said"),
                escape(rendering.collected(entry, assessment.as_of)),
                escape(entry.release or "not said"),
                escape(", ".join(entry.shows) or "nothing"),
                escape(", ".join(entry.contradicts)),
                rendering.size(entry.bytes),
                str(entry.facts),
                code(entry.sha256 or ""),
                escape(entry.problem or entry.note or ""),
            ]
            for entry in assessment.evidence
        ),
    )


def _about(assessment: Assessment) -> Iterator[str]:
    rubric = assessment.rubric
    yield "## About the rubric"
    yield escape(rubric.about or rendering.PROFILE)
    yield table(
        ["", ""],
        [
            ["Rubric", escape(f"{rubric.id}@{rubric.version}: {rubric.title}")],
            *([["Overlay", escape(rubric.overlay)]] if rubric.overlay else []),
            ["Content digest", code(rubric.content_digest)],
            ["Scoring digest", code(rubric.scoring_digest)],
            ["Fingerprint of the deployment", code(assessment.fingerprint)],
            ["Manifest", f"{code(assessment.manifest.path)} {code(assessment.manifest.sha256 or '')}"],
            ["Tool", escape(assessment.tool)],
        ],
    )


# --------------------------------------------------------------------------------------------------------- comparison


def _comparison(comparison: Comparison, _view: View) -> str:
    return "\n\n".join(_change_blocks(comparison)) + "\n"


def _change_blocks(comparison: Comparison) -> Iterator[str]:
    before, after = comparison.before, comparison.after
    name = after.deployment if before.deployment == after.deployment else f"{before.deployment} → {after.deployment}"
    yield f"# {escape(name)}: {escape(before.release)} → {escape(after.release)}"
    yield f"**Verdict: {rendering.verdict_change(comparison)}.** Controls: {rendering.change_counts(comparison)}."
    if comparison.notes:
        yield "\n".join(f"- {escape(note)}" for note in comparison.notes)
    yield table(
        ["", ""],
        [
            ["Before", escape(rendering.side_words(before))],
            ["After", escape(rendering.side_words(after))],
            ["Score", escape(rendering.score_change(comparison))],
            ["Coverage", f"{rendering.percentage(before.coverage)} → {rendering.percentage(after.coverage)}"],
            ["Rubric", escape(rendering.rubric_change(comparison))],
            ["Fingerprint", escape(rendering.fingerprint_change(comparison))],
        ],
    )
    for title, told in rendering.release_note(comparison):
        yield f"## {title} ({len(told)})"
        yield "\n".join(f"- {escape(sentence)}" for sentence in told)
    for kind in rendering.CHANGES:
        yield from _changes(f"{kind.value.capitalize()}", kind.meaning, comparison.by_kind(kind))
    yield from _domain_changes(comparison)
    yield from _listed("Evidence", ((change.path, rendering.evidence_change(change)) for change in comparison.evidence))
    yield from _listed("Waivers", ((change.control, rendering.waiver_change(change)) for change in comparison.waivers))


def _changes(title: str, meaning: str, changes: Sequence[ControlChange]) -> Iterator[str]:
    if not changes:
        return
    yield f"## {title} ({len(changes)})"
    yield meaning
    rows = (
        [
            f"**{escape(change.id)}** {escape(change.title)}",
            change.severity.value,
            escape(rendering.control_change(change)),
            "<br>".join(escape(cause) for cause in (change.reason, *change.because)),
        ]
        for change in changes
    )
    yield table(["Control", "Severity", "Change", "Because"], rows)


def _domain_changes(comparison: Comparison) -> Iterator[str]:
    yield "## Domains"
    yield table(
        ["Domain", "Passes", "Score"],
        (
            [
                escape(change.title),
                rendering.passes_change(change.before, change.after),
                rendering.share_change(change.score_before, change.score_after, change.score_points),
            ]
            for change in comparison.domains
        ),
    )


def _listed(title: str, changes: Iterable[tuple[str, str]]) -> Iterator[str]:
    lines = [f"- **{escape(name)}**: {escape(words)}" for name, words in changes]
    if lines:
        yield f"## {title} ({len(lines)})"
        yield "\n".join(lines)


MARKDOWN = ReportFormat(
    name="markdown",
    title="The complete report as GitHub-flavoured Markdown",
    suffixes=(".md",),
    assessment=_assessment,
    comparison=_comparison,
    exposure=_exposure,
)
