"""The report on a terminal: what was found, and what to do first.

It stays short whatever was found. Only `Text` reaches rich, so no text of a report is ever read as markup.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from psf_audit import activity_words, rendering
from psf_audit.amounts import money
from psf_audit.changes import Direction
from psf_audit.compare import Kind
from psf_audit.model import Severity, Status, Verdict
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from psf_audit.activity import Activity
    from psf_audit.compare import Comparison, ControlChange
    from psf_audit.exposure import Exposure
    from psf_audit.model import Assessment, ControlResult, DomainResult, WaiverUse

_MOST_TOLD = 12
_ALL_GAPS = 12
_FIRST = 3
_WIDE = 140
_NARROW = 72
_SPARKS = 60
_MAX_STOPS = 3

_STYLES = {
    Status.CONTRADICTED: "bold red",
    Status.MISSING: "red",
    Status.UNTESTED: "yellow",
    Status.UNDOCUMENTED: "yellow",
    Status.UNKNOWN: "magenta",
    Status.DEMONSTRATED: "green",
    Status.NOT_APPLICABLE: "dim",
}
_VERDICT_STYLES = {
    Verdict.READY: "green",
    Verdict.READY_WITH_WAIVERS: "yellow",
    Verdict.INCOMPLETE: "magenta",
    Verdict.NOT_READY: "red",
}


def _assessment(assessment: Assessment, view: View) -> str:
    return _printed(view, _assessment_parts(assessment, view))


def _assessment_parts(assessment: Assessment, view: View) -> list[RenderableType]:
    parts: list[RenderableType] = [_panel(assessment), _domains(assessment.domains)]
    if assessment.earlier is not None:
        told = rendering.since(assessment, assessment.earlier)
        parts += [_heading(rendering.since_title(assessment.earlier)), *(_bullet(sentence) for sentence in told)]
    gaps = rendering.next_steps(assessment)
    if gaps:
        parts += _steps(gaps, assessment.domains, view)
    if assessment.exposure is not None:
        parts += [_heading("Exposure"), *_exposure_parts(assessment.exposure, view)]
    if assessment.activity is not None:
        parts += [_heading("Activity"), *_activity_parts(assessment.activity, view)]
    parts += [_in_short(assessment)]
    if assessment.waivers:
        parts += [_heading("Waivers"), _waivers(assessment.waivers)]
    parts += [_heading("Evidence"), *_evidence(assessment)]
    parts += [_heading("What this does not prove"), *(_bullet(limit) for limit in assessment.limits_of_assessment)]
    parts += [_heading("About"), *_about(assessment)]
    return parts


# ------------------------------------------------------------------------------------------------------------- pieces


def _printed(view: View, parts: Iterable[RenderableType]) -> str:
    """What rich makes of the parts; it neither writes nor looks at the environment."""
    from rich.console import Console

    sink = _Sink()
    console = Console(
        file=cast("IO[str]", sink),
        width=view.width,
        color_system="standard" if view.color else None,
        force_terminal=view.color,
        force_interactive=False,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        _environ={},
    )
    for part in parts:
        console.print(part)
    return "\n".join(row.rstrip() for row in "".join(sink.pieces).splitlines()) + "\n"


class _Sink:
    """A file that keeps what is written: rich's own capture ends with a write to the standard output."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        """Keep the text."""
        self.pieces.append(text)
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(rendering.line(words), style=style, overflow="fold")


def _join(*pieces: tuple[str, str]) -> Text:
    """Pieces of text with their styles, one space between them."""
    from rich.text import Text

    return Text(" ", overflow="fold").join(_text(words, style) for words, style in pieces if words)


def _lines(*lines: Text) -> Text:
    from rich.text import Text

    return Text("\n", overflow="fold").join(line for line in lines if line.plain)


def _heading(words: str) -> RenderableType:
    from rich.padding import Padding

    return Padding(_text(words, "bold"), (1, 0, 0, 0))


def _bullet(words: str | Text, mark: str = "·") -> Table:
    grid = _grid()
    grid.add_row(_text(mark), _text(words) if isinstance(words, str) else words)
    return grid


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    return grid


def _table(fixed: Sequence[str], flowing: Sequence[str]) -> Table:
    """A table whose first columns never wrap or lose a character, and whose others share the rest."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=bool(flowing), header_style="bold")
    for name in fixed:
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in flowing:
        table.add_column(name, ratio=1, overflow="fold")
    return table


def _status(status: Status) -> Text:
    return _text(f"{rendering.symbol(status)} {status.label}", _STYLES[status])


# --------------------------------------------------------------------------------------------------------- assessment


def _panel(assessment: Assessment) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.panel import Panel

    style = _VERDICT_STYLES[assessment.verdict]
    deployment, rubric = assessment.deployment, assessment.rubric
    notice = rendering.waiver_notice(assessment)
    exposed = rendering.exposure_words(assessment.exposure)
    symbol = rendering.verdict_symbol(assessment.verdict)
    lines: list[RenderableType] = [
        _join(
            (f"{deployment.name} {deployment.release}", "bold"),
            (f"in {deployment.environment}, as of {rendering.day(assessment.as_of)},", ""),
            (f"by {rubric.name}", ""),
        ),
        _text(f"{symbol} {assessment.verdict.label.upper()}", f"bold {style}"),
        _text(assessment.verdict.meaning),
        *(_bullet(reason) for reason in assessment.deciding),
        *([_text(notice, "yellow")] if notice else []),
        _join(
            (f"score {rendering.percentage(assessment.score)} (the lowest domain's),", ""),
            (f"coverage {rendering.percentage(assessment.coverage)},", ""),
            (rendering.validity(assessment), ""),
        ),
        *([_text(f"exposure {exposed}")] if exposed else []),
        _text(f"gate {rendering.gate_result(assessment)}"),
    ]
    return Panel(Group(*lines), box=box.ROUNDED, border_style=style, padding=(0, 1))


def _domains(domains: Sequence[DomainResult]) -> RenderableType:
    from rich.padding import Padding

    table = _table(["Passes", "Score"], ["Domain", "Controls"])
    for domain in domains:
        table.add_row(
            _text("✓ yes" if domain.passes else "✗ no", "green" if domain.passes else "red"),
            _text(rendering.percentage(domain.score)),
            _text(domain.title),
            _text(rendering.counts_words(domain.controls)),
        )
    return Padding(table, (1, 0, 0, 0))


def _steps(gaps: Sequence[ControlResult], domains: Sequence[DomainResult], view: View) -> list[RenderableType]:
    blocking = [control for control in gaps if control.severity is Severity.BLOCKING]
    # What is contradicted fails its domain whatever it weighs.
    deciding = [control for control in gaps if control in blocking or control.status is Status.CONTRADICTED]
    shown = list(gaps) if len(gaps) <= _ALL_GAPS or not deciding else deciding
    parts: list[RenderableType] = [_heading(f"What to do first ({plural(len(gaps), 'gap')}, {len(blocking)} blocking)")]
    for number, control in enumerate(gaps[:_FIRST], 1):
        words = _join(
            (f"{control.id}:", "bold"),
            (control.remedy.text, ""),
            (f"({rendering.effort_words(control.remedy.effort)})", "dim"),
        )
        parts.append(_bullet(words, f"{number}."))
        parts += [_bullet(_join(("collect", "dim"), (export, "cyan")), " ") for export in control.collect[:1]]
    some = "Blocking gaps" if len(shown) == len(blocking) else "Blocking gaps, and what is contradicted"
    parts += [_heading("Gaps" if len(shown) == len(gaps) else some), _gaps(shown, view)]
    rest = [control for control in gaps if control not in shown]
    if rest:
        parts += [_heading(f"{plural(len(rest), 'more gap')}, not blocking"), *_others(rest, domains)]
    parts.append(_text(""))
    parts.append(_text("Every control with its evidence and remedy: -f markdown, or -o html=report.html", "dim"))
    return parts


def _gaps(gaps: Sequence[ControlResult], view: View) -> Table:
    if view.width < _NARROW:
        grid = _grid()
        for control in gaps:
            words = _lines(_text(control.severity.value), _status(control.status), *_why(control, evidence=True))
            grid.add_row(_text(control.id, "bold"), words)
        return grid
    wide = view.width >= _WIDE
    table = _table(["Control", "Severity", "Status"], ["Why", "Evidence"] if wide else ["Why and evidence"])
    for control in gaps:
        why = _lines(*_why(control, evidence=not wide))
        cells = [why, _lines(*_where(control))] if wide else [why]
        table.add_row(_text(control.id, "bold"), _text(control.severity.value), _status(control.status), *cells)
    return table


def _why(control: ControlResult, *, evidence: bool) -> list[Text]:
    lines = [_text(control.title, "bold"), _text(control.reason)]
    if control.waiver is not None:
        lines.append(_text(f"waived until {control.waiver.expires} by {control.waiver.approved_by}", "yellow"))
    return lines + (_where(control) if evidence else [])


def _where(control: ControlResult) -> list[Text]:
    row = rendering.first_evidence(control)
    if row is None:
        return []
    numbers = rendering.quantities(row)
    told = [_text(numbers, "dim")] if numbers and control.status is Status.CONTRADICTED else []
    sources = (source for source in (row.source, row.against) if source is not None)
    return told + [_text(rendering.place(source), "cyan") for source in sources]


def _others(gaps: Sequence[ControlResult], domains: Sequence[DomainResult]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for domain in domains:
        own = [control for control in gaps if control.domain == domain.id]
        named = [
            (f"{control.id} {control.status.label}{'' if control is own[-1] else ','}", _STYLES[control.status])
            for control in own
        ]
        if own:
            parts.append(_bullet(_join((f"{domain.title} ({len(own)}):", "bold"), *named)))
    return parts


def _in_short(assessment: Assessment) -> RenderableType:
    from rich.console import Group

    parts: list[RenderableType] = []
    for status in (Status.DEMONSTRATED, Status.NOT_APPLICABLE):
        controls = assessment.by_status(status)
        if controls:
            named = ", ".join(control.id for control in controls)
            parts += [_heading(f"{status.label.capitalize()} ({len(controls)})"), _text(named, _STYLES[status])]
    return Group(*parts)


def _exposure_parts(exposure: Exposure, view: View) -> Iterator[RenderableType]:
    rows = rendering.exposure_rows(exposure)
    if view.width < _NARROW:
        for situation, enforced, by, claimed in rows:
            lines = _lines(_text(enforced), _text(by, "dim"), _text(f"by the claims alone {claimed}"))
            yield _bullet(_lines(_text(situation, "bold"), lines))
    else:
        table = _table(["Situation"], ["At most", "Decided by", "By the claims alone"])
        for situation, enforced, by, claimed in rows:
            table.add_row(_text(situation, "bold"), _text(enforced), _text(by), _text(claimed))
        yield table
    yield from (_bullet(lack) for lack in rendering.lacks(exposure))


def _activity_parts(activity: Activity, view: View) -> Iterator[RenderableType]:
    yield _text(activity_words.headline(activity))
    yield from (_text(note, "dim") for note in activity_words.notes(activity))
    total = f" {money(activity.total)} USD"
    sparks = activity_words.sparkline(activity, max(10, min(_SPARKS, view.width - len(total))))
    if sparks:
        yield _bars(sparks, total)
    for what, at, whom, place in [*activity_words.stop_rows(activity)][:_MAX_STOPS]:
        yield _bullet(f"would have stopped at {at} UTC: {what[2:]} ({place}), {whom} in all")
    left = activity.stop_count - _MAX_STOPS
    if left > 0:
        yield _bullet(f"and {left} more")


def _bars(sparks: str, words: str) -> Text:
    """Bars of characters with words after them; no blank is folded away."""
    from rich.text import Text

    return Text.assemble((sparks, "red"), rendering.line(words).rjust(len(words)), no_wrap=True)


def _exposure(exposure: Exposure, view: View) -> str:
    exposed = _text(rendering.exposure_words(exposure), "bold")
    return _printed(view, [exposed, _text(rendering.EXPOSURE, "dim"), *_exposure_parts(exposure, view)])


def _waivers(waivers: Sequence[WaiverUse]) -> Table:
    table = _table(["Control", "State", "Until"], ["Why"])
    for waiver in waivers:
        why = f"{waiver.note}. {waiver.reason} Owner {waiver.owner}, approved by {waiver.approved_by}"
        style = "yellow" if waiver.state == "matched" else "red"
        table.add_row(_text(waiver.control, "bold"), _text(waiver.state, style), _text(waiver.expires), _text(why))
    return table


def _evidence(assessment: Assessment) -> list[RenderableType]:
    entries = assessment.evidence
    readable = [entry for entry in entries if entry.readable]
    facts = sum(entry.facts for entry in readable)
    parts: list[RenderableType] = [_text(f"{plural(len(entries), 'file')}, {len(readable)} read, {facts} facts")]
    problems = [(entry.path, entry.problem) for entry in entries if entry.problem is not None]
    return parts + [_bullet(_join((f"{path}:", "bold"), (problem, "")), "!") for path, problem in problems]


def _about(assessment: Assessment) -> list[RenderableType]:
    rubric = assessment.rubric
    facts = {
        "Refresh logs by": rendering.day(assessment.refresh_by, "no log to refresh"),
        "Rubric": f"{rubric.name}, scoring {rendering.short(rubric.scoring_digest)}",
        "Overlay": rubric.overlay or "",
        "Fingerprint": rendering.short(assessment.fingerprint),
        "Tool": assessment.tool,
    }
    return [_facts(facts), _text(rendering.line(rubric.about) or rendering.PROFILE, "dim")]


def _facts(facts: dict[str, str]) -> Table:
    grid = _grid()
    for name, words in facts.items():
        if words:
            grid.add_row(_text(name, "dim"), _text(words))
    return grid


# --------------------------------------------------------------------------------------------------------- comparison

_KIND_STYLES = {
    Kind.REGRESSED: "bold red",
    Kind.NEW: "magenta",
    Kind.GONE: "magenta",
    Kind.INCOMPARABLE: "magenta",
    Kind.IMPROVED: "green",
    Kind.UNCHANGED: "",
}


def _comparison(comparison: Comparison, view: View) -> str:
    return _printed(view, _comparison_parts(comparison))


def _comparison_parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield _change_panel(comparison)
    yield from (_bullet(note, "!") for note in comparison.notes)
    for title, told in rendering.release_note(comparison):
        yield _heading(f"{title} ({len(told)})")
        # What is riskier is told to the end; the rest stands by its control as well.
        most = len(told) if title == rendering.RELEASE_NOTE[Direction.RISKIER] else _MOST_TOLD
        yield from (_bullet(sentence) for sentence in told[:most])
        if told[most:]:
            yield _bullet(f"and {len(told) - most} more")
    for kind in rendering.CHANGES:
        changes = comparison.by_kind(kind)
        if changes:
            yield _heading(f"{kind.value.capitalize()} ({len(changes)})")
            yield _text(kind.meaning, "dim")
            yield from _changes(changes, _KIND_STYLES[kind])
    yield _heading("Domains")
    for domain in comparison.domains:
        score = rendering.share_change(domain.score_before, domain.score_after, domain.score_points)
        words = (f"{domain.title}:", "bold"), (f"{rendering.passes_change(domain.before, domain.after)}; {score}", "")
        yield _bullet(_join(*words))
    listed = {
        "Evidence": [(change.path, rendering.evidence_change(change)) for change in comparison.evidence],
        "Waivers": [(change.control, rendering.waiver_change(change)) for change in comparison.waivers],
    }
    for title, changed in listed.items():
        if changed:
            yield _heading(f"{title} ({len(changed)})")
            yield from (_bullet(_join((f"{name}:", "bold"), (words, ""))) for name, words in changed)


def _change_panel(comparison: Comparison) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.panel import Panel

    before, after = comparison.before, comparison.after
    facts = {
        "Before": f"{before.deployment} {rendering.side_words(before)}",
        "After": f"{after.deployment} {rendering.side_words(after)}",
        "Score": rendering.score_change(comparison),
        "Coverage": f"{rendering.percentage(before.coverage)} → {rendering.percentage(after.coverage)}",
        "Rubric": rendering.rubric_change(comparison),
        "Fingerprint": rendering.fingerprint_change(comparison),
    }
    style = _KIND_STYLES[comparison.verdict]
    lines = Group(
        _text(f"Verdict: {rendering.verdict_change(comparison)}", f"{style} bold" if "bold" not in style else style),
        _text(f"Controls: {rendering.change_counts(comparison)}"),
        _facts(facts),
    )
    return Panel(lines, box=box.ROUNDED, border_style=style, padding=(0, 1))


def _changes(changes: Sequence[ControlChange], style: str) -> Iterator[RenderableType]:
    if len(changes) > _ALL_GAPS and all(change.kind is not Kind.REGRESSED for change in changes):
        yield _text(", ".join(f"{change.id} {rendering.control_change(change)}" for change in changes))
        return
    table = _table(["Control", "Severity"], ["Change and why"])
    for change in changes:
        told = (_text(cause) for cause in (change.reason, *change.because))
        why = _lines(_text(change.title, "bold"), _text(rendering.control_change(change), style), *told)
        table.add_row(_text(change.id, "bold"), _text(change.severity.value), why)
    yield table


TERMINAL = ReportFormat(
    name="terminal",
    title="Tables for a terminal: the verdict and what to do first",
    suffixes=(".txt",),
    assessment=_assessment,
    comparison=_comparison,
    exposure=_exposure,
)
